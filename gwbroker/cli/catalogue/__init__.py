"""``gwbroker catalogue``: the galaxies that maps are matched with."""

from __future__ import annotations

from ..lazy import group

catalogue = group(__name__, "The galaxies that sky maps are matched with.", {
    "add": "Read GLADE+, NED-LVS or a table of your own.",
    "list": "The catalogues that are here.",
})
