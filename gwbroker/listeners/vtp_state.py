"""VTPState: how a VOEvent client is doing, for those who watch its health."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True)
class VTPState:
    """How a VOEvent client is doing.

    Parameters
    ----------
    connected : bool
        Whether a broker is connected now.
    address : str, optional
        The broker that is connected, or was tried last.
    last_traffic : datetime, optional
        When a broker last said something that could be understood (UTC).
    last_message : datetime, optional
        When the last packet arrived (UTC).
    last_error : str, optional
        Why the last connection, or the last attempt to keep a packet, failed; None once
        the next has succeeded.
    received, kept, acknowledged : int
        Packets that arrived, were kept, and were acknowledged, since the start.
    held : int
        Packets in memory that wait for the ledger.
    """

    connected: bool = False
    address: str | None = None
    last_traffic: datetime | None = None
    last_message: datetime | None = None
    last_error: str | None = None
    received: int = 0
    kept: int = 0
    acknowledged: int = 0
    held: int = 0


class StateReporter:
    """The current state, and whom to tell when it changes.

    Parameters
    ----------
    tell : callable, optional
        Called with the new `VTPState`; must not raise.
    """

    def __init__(self, tell: Callable[[VTPState], object] | None = None) -> None:
        self.now = VTPState()
        self._tell = tell

    def note(self, **changes: object) -> None:
        """Change the state, and tell nobody yet."""
        self.now = replace(self.now, **changes)  # type: ignore[arg-type]

    def report(self, **changes: object) -> None:
        """Change the state and tell."""
        self.note(**changes)
        if self._tell is not None:
            self._tell(self.now)
