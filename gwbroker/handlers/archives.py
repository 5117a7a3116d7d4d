"""Archives: notices that data have been published, which are about no event."""

from __future__ import annotations

import logging

from ..notice import Notice
from ..streams import gcn
from .unified import load

log = logging.getLogger(__name__)


@gcn.handler("gcn.notices.heasarc.archive_alert", retries=0)
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
    value = load(notice)
    what = f"{value.get('facility_name')!s:.80} observation {value.get('obs_id')!s:.80}"
    return f"no event: it announces that data of {what} are in the archive"
