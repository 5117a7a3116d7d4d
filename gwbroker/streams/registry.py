"""The handlers that were declared, refused at import when something is wrong."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ..errors import HandlerError
from ..notice import Notice

QUEUES = ("general", "listeners", "openmp", "events")
"""The queues of the design; a handler may name any but ``listeners``."""

Handler = TypeVar("Handler", bound=Callable[..., Any])
_OPTIONS = ("queue", "retries", "backoff", "time_limit", "where", "max_age", "tells", "batch",
            "name")
MOST = 100_000
"""Most notices that one call of a handler may get."""

_NAME = re.compile(r"[A-Za-z_][\w.\-]{0,150}\Z")


class Stream(Protocol):
    """A family of messages, as its decorator and the dispatch table see it."""

    name: str

    def topics(self, keys: tuple[Any, ...]) -> set[str]:
        """Return the Kafka topics that carry what these keys ask for."""

    def wants(self, keys: tuple[Any, ...], notice: Notice) -> bool:
        """Tell whether a handler with these keys wants a notice.

        Raises
        ------
        NoticeError
            If the notice cannot be read well enough to tell.
        """

    def alert(self, notice: Notice) -> Any:
        """Return what a ``where`` predicate is called with.

        Raises
        ------
        NoticeError
            If the notice cannot be read.
        """


@dataclass(frozen=True)
class Registration:
    """A handler: a function, what it wants, and how it is to be called.

    Parameters
    ----------
    retries : int
        How often a failed call is tried again.
    backoff : float
        Seconds before the first retry; doubled for each further one, with jitter.
    time_limit : float
        Seconds after which a call is stopped.
    where : callable, optional
        Called with the alert; the handler is called only where it says true.
    max_age : float, optional
        Seconds; a notice issued longer ago than that when it arrives is kept, not handled.
    tells : bool
        Whether it tells people or publishes, which a replay does only when asked to.
    batch : int, optional
        Most notices of one call; the handler gets a list, and the topic is of high volume.
    """

    name: str
    stream: Stream
    keys: tuple[Any, ...]
    function: Callable[[Any], Any] = field(repr=False)
    queue: str = "general"
    retries: int = 5
    backoff: float = 2.0
    time_limit: float = 300.0
    where: Callable[[Any], Any] | None = None
    max_age: float | None = None
    tells: bool = False
    batch: int | None = None

    @property
    def origin(self) -> str:
        """File and line where the handler is written."""
        return origin(self.function)

    @property
    def topics(self) -> set[str]:
        """The Kafka topics that it needs."""
        return self.stream.topics(self.keys)


registrations: dict[str, Registration] = {}
"""Every handler declared in this process, by name."""


def origin(function: Callable[..., Any]) -> str:
    """Return file and line of a function."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def register(stream: Stream, keys: tuple[Any, ...], **options: Any) -> Callable[[Handler], Handler]:
    """Return a decorator that registers a function and returns it unchanged.

    Raises
    ------
    HandlerError
        For an unknown option, queue or bad value, or a name that is taken.
    """

    def decorate(function: Handler) -> Handler:
        default = f"{getattr(function, '__module__', '')}.{getattr(function, '__name__', '')}"
        name = options.get("name") or default
        _check(name, stream, function, options)
        values = {k: v for k, v in options.items() if k != "name"}
        made = Registration(name, stream, keys, function, **values)
        taken = registrations.get(name)
        if taken is not None and taken.origin != made.origin:
            raise HandlerError(name, f"is declared twice: in {taken.origin} and {made.origin}",
                               "Rename one, or give it name=\"...\"")
        if taken is not None and taken.function is not function:
            # The same lines, loaded again under another module object: keep one copy.
            made = Registration(name, stream, keys, function, **values)
        registrations[name] = made
        return function

    return decorate


def _check(name: str, stream: Stream, function: Any, options: dict[str, Any]) -> None:
    if not callable(function):
        raise HandlerError(str(name), f"{function!r} is not a function",
                           "Put the decorator, with its brackets, above a function")
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise HandlerError(name, f"unknown option {', '.join(unknown)} in {origin(function)}",
                           f"Accepted: {', '.join(_OPTIONS)}")
    check_options(name, options)
    _check_batch(name, stream, options)
    try:
        inspect.signature(function).bind(object())
    except (TypeError, ValueError) as e:
        raise HandlerError(name, f"cannot be called with one notice: {e}",
                           "Write it as def handler(notice)") from None
    if not _NAME.match(name):
        raise HandlerError(name, "is not a usable name",
                           "Use letters, digits, dots, dashes and underscores")


def _check_batch(name: str, stream: Stream, options: dict[str, Any]) -> None:
    batch = options.get("batch")
    if batch is None:
        return
    if not isinstance(batch, int) or isinstance(batch, bool) or not 1 <= batch <= MOST:
        raise HandlerError(name, f"batch={batch!r}", f"Use a whole number from 1 to {MOST}")
    if not getattr(stream, "batches", False):
        raise HandlerError(name, f"batch= is not for {stream.name}.handler",
                           "Name the topic with kafka.handler or scimma.handler")
    if options.get("queue") == "events":
        raise HandlerError(name, "batch= does not go with queue=\"events\", where each job is "
                           "about one event", "Use general, and submit a task for each event")


def check_options(name: str, options: dict[str, Any]) -> None:
    """Check the options that handlers and tasks share.

    Raises
    ------
    HandlerError
        For a value that cannot be used.
    """
    usable = [q for q in QUEUES if q != "listeners"]
    if options.get("queue", "general") not in usable:
        raise HandlerError(name, f"unknown queue {options['queue']!r}",
                           f"Accepted: {', '.join(usable)}")
    retries = options.get("retries", 0)
    if not isinstance(retries, int) or isinstance(retries, bool) or not 0 <= retries <= 100:
        raise HandlerError(name, f"retries={retries!r}", "Use a whole number from 0 to 100")
    for option, highest in (("backoff", 86400.0), ("time_limit", 86400.0), ("max_age", 1e10)):
        value = options.get(option)
        if option not in options or (option == "max_age" and value is None):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) \
                or not 0 < value <= highest:
            raise HandlerError(name, f"{option}={value!r}",
                               f"Use seconds, more than 0 and at most {highest:g}")
    if not isinstance(options.get("tells", False), bool):
        raise HandlerError(name, f"tells={options['tells']!r}", "Use True or False")
    where = options.get("where")
    if where is not None and not callable(where):
        raise HandlerError(name, f"where={where!r} is not a function",
                           "Use a function of the alert, as where=lambda a: a.far < 1e-8")


def topic_of(name: str, key: Any) -> str:
    """Return a Kafka topic given as a decorator's key.

    Raises
    ------
    HandlerError
        If it cannot be a topic.
    """
    if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z0-9._\-]{1,249}", key):
        raise HandlerError(name, f"{key!r} is not a Kafka topic",
                           "Use letters, digits, dots, dashes and underscores")
    return key
