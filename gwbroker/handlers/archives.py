"""Archives: notices that data have been published, which are about no event."""

from __future__ import annotations

import logging

from ..notice import Notice
from ..streams import gcn
from .fields import Fields
from .unified import load

log = logging.getLogger(__name__)


@gcn.handler("gcn.notices.heasarc.archive_alert")
def on_archive(notice: Notice) -> None:
    """Say why a notice of HEASARC's archive opens no event."""
    log.info("notice %s: %s", notice.id, reason(notice))


def reason(notice: Notice) -> str:
    """Return why a notice of an archive is about no event.

    Raises
    ------
    NoticeError
        If it is not a JSON object.
    """
    fields = Fields(load(notice))
    facility, number = (fields.text(name, 80) or "unnamed" for name in ("facility_name", "obs_id"))
    return f"no event: it announces that data of {facility}, observation {number}, are archived"
