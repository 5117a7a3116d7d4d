"""``gwbroker coincidence``: how likely two events belong together."""

from __future__ import annotations

from ..lazy import group

coincidence = group(__name__, "How likely two events belong together by chance.", {
    "far": "The joint false-alarm rate of two events.",
    "windows": "The time windows and where they come from.",
})
