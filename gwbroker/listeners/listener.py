"""What every listener is: an eternal task with its lease in the ledger."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import ClassVar

from ..app import app
from ..errors import LedgerUnavailable
from ..eternal import LeasedTask
from ..ledger import leases

log = logging.getLogger(__name__)


class Listener(LeasedTask):
    """The connection to one configured source."""

    abstract = True
    leases: ClassVar[ModuleType] = leases
    _said: tuple[str, str, str | None] = ("", "", None)

    def say(self, state: str, error: str | None = None) -> None:
        """Note in the lease how it fares, when that changes."""
        said = (self.request.id or "", state, error)
        if said == self._said or not said[0]:
            return
        try:
            self.leases.say(self.name, self.request.id, state, error)
        except LedgerUnavailable as e:
            log.debug("%s: cannot note that it is %s: %s", self.name, state, e)
        else:
            self._said = said


def task_name(source: str) -> str:
    """Return the name of the task, and of the lease, of a source such as ``kafka.gcn``."""
    return f"gwbroker.listeners.{source}"


__all__ = ["Listener", "app", "task_name"]
