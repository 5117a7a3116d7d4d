"""Every exception that gwbroker raises, in one tree: one sentence each, data as attributes."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable

LONGEST = 300
"""Most characters of what is wrong with a notice."""

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 120


class GWBrokerError(Exception):
    """Base of every error that gwbroker raises on purpose."""

    exit_code = 1


class ConfigError(GWBrokerError):
    """A setting is unknown or has a bad value."""

    exit_code = 2

    def __init__(self, key: str, origin: str, problem: str, remedy: str) -> None:
        super().__init__(f"{origin}: {key}: {problem}. {remedy}")
        self.key = key
        self.origin = origin
        self.problem = problem
        self.remedy = remedy


class LedgerError(GWBrokerError):
    """The ledger did something unexpected."""


class LedgerUnavailable(LedgerError):
    """The ledger cannot be reached, is locked, full or gone; try again later."""


class LedgerVersionError(LedgerError):
    """The ledger's schema is newer or older than this code."""

    def __init__(self, found: str | None, wanted: str, remedy: str) -> None:
        super().__init__(
            f"the ledger has schema {found or 'none'}, this gwbroker needs {wanted}. {remedy}"
        )
        self.found = found
        self.wanted = wanted


class NotFound(LedgerError):
    """There is no row with that number."""

    def __init__(self, what: str, key: object) -> None:
        super().__init__(f"there is no {what} {key}")
        self.what = what
        self.key = key


class BrokerUnavailable(GWBrokerError):
    """Redis cannot be reached."""


class NoticeError(GWBrokerError):
    """A notice has content that cannot be used; trying again would not help."""

    def __init__(self, field: str, value: object, problem: str) -> None:
        shown = _short.repr(value)
        # What a parser says may quote half of the message.
        problem = problem if len(problem) <= LONGEST else f"{problem[:LONGEST]}..."
        super().__init__(f"{field[:LONGEST]}: {problem} (found {shown})")
        self.field = field
        self.value = value
        self.problem = problem


class SchemaUnavailable(GWBrokerError):
    """A schema cannot be had from its registry now; try again later."""

    def __init__(self, number: int, place: str, problem: str) -> None:
        super().__init__(f"schema {number} cannot be fetched from {place}: {problem}")
        self.number = number
        self.place = place
        self.problem = problem


class FetchError(GWBrokerError):
    """What a URL in a notice points to is not fetched, or could not be."""

    def __init__(self, url: str, problem: str, remedy: str) -> None:
        super().__init__(f"{_short.repr(url)} {problem}. {remedy}")
        self.url = url
        self.problem = problem
        self.remedy = remedy


class FetchRefused(FetchError):
    """What a URL points to is never fetched, however often it is tried."""


class HandlerError(GWBrokerError):
    """A handler or task was declared wrongly."""

    exit_code = 2

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(f"handler {name}: {problem}. {remedy}")
        self.name = name
        self.problem = problem
        self.remedy = remedy


class UnknownTask(GWBrokerError):
    """No handler or task of that name is installed here."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        import difflib

        close = difflib.get_close_matches(name, list(known), n=3)
        hint = f"; did you mean {', '.join(close)}?" if close else "."
        super().__init__(
            f"no handler or task named {name!r} is installed on this host{hint}"
            " `gwbroker handlers` lists those that are."
        )
        self.name = name


class JobTimeout(GWBrokerError):
    """A job ran longer than its time limit."""

    def __init__(self, limit: float) -> None:
        super().__init__(f"stopped: it ran longer than its time limit of {limit:g} s")
        self.limit = limit


class JobMemoryExceeded(GWBrokerError):
    """A job asked for more memory than its limit."""


class JobLost(GWBrokerError):
    """A job was given to another worker while this one ran it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"job {number} was given to another worker meanwhile; "
                         "nothing was written here")
        self.number = number


class NoJob(GWBrokerError, LookupError):
    """What only a running job may ask for was asked for elsewhere."""


class ReplayError(GWBrokerError):
    """A replay was asked for that cannot be made."""

    exit_code = 2


class WorkerLost(GWBrokerError):
    """The process that ran a job disappeared."""


class TransportError(GWBrokerError):
    """A peer on a VOEvent TCP connection broke the protocol."""


class SkyMapError(GWBrokerError):
    """A sky map cannot be read, made or used; names file, column and value."""

    def __init__(self, source: str, problem: str, column: str | None = None) -> None:
        where = f"{source}: column {column}" if column else source
        super().__init__(f"{where}: {problem}")
        self.source = source
        self.column = column
        self.problem = problem


class CoincidenceError(GWBrokerError):
    """Two events cannot be compared; names the number or the kind, and the value."""

    exit_code = 2

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem


class SupervisorError(GWBrokerError):
    """A process that `gwbroker up` needs does not start."""
