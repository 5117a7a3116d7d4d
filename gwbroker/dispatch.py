"""The table of handlers: finding them, and choosing those that want a notice."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
import pkgutil
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from . import jobs
from .conf import settings
from .errors import GWBrokerError, HandlerError, NoticeError
from .ledger.jobs import Draft
from .notice import Notice
from .streams.registry import Registration, registrations
from .streams.subject import identify

log = logging.getLogger(__name__)

GROUP = "gwbroker.handlers"
"""Entry point group by which an installed package says where its handlers are."""


@dataclass(frozen=True)
class Choice:
    """A handler that gets a notice, or the reason why that could not be found out."""

    registration: Registration
    error: str | None = None


def load() -> dict[str, Registration]:
    """Import every handler there is; return them by name. The second call does nothing.

    Built-in ones come first, then packages with the entry point group
    ``gwbroker.handlers``, then the files, folders and modules of the settings.

    Raises
    ------
    HandlerError
        If one cannot be imported or is declared wrongly.
    """
    return _load()


@lru_cache(maxsize=1)
def _load() -> dict[str, Registration]:
    builtin = importlib.import_module("gwbroker.handlers")  # above us, so only by name
    for module in pkgutil.iter_modules(builtin.__path__, builtin.__name__ + "."):
        importlib.import_module(module.name)
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.value, p.name)):
        _guarded(point.value, lambda point=point: _walk(importlib.import_module(point.module)))
    for place in settings().handlers:
        _guarded(place, lambda place=place: _load_place(place))
    for registration in registrations.values():
        _bind(registration)
    return registrations


def _bind(registration: Registration) -> None:
    jobs.handlers.add(registration.name)
    jobs.register(jobs.Callee(
        registration.name, registration.function, registration.queue, registration.retries,
        registration.backoff, registration.time_limit))


def _guarded(place: str, load_it: object) -> None:
    try:
        load_it()  # type: ignore[operator]
    except GWBrokerError:
        raise
    # A plugin may fail at import in any way; its author needs the place and the line.
    except Exception as e:
        last = traceback.extract_tb(e.__traceback__)[-1]
        raise HandlerError(
            place, f"cannot be loaded: {type(e).__name__}: {e} ({last.filename}:{last.lineno})",
            "Mend it, or take it out of GWBROKER_HANDLERS or uninstall its package") from e


def _load_place(place: str) -> None:
    path = Path(place).expanduser()
    if path.is_dir():
        for file in sorted(path.glob("*.py")):
            if not file.name.startswith(("_", ".", "test_")) and file.name != "conftest.py":
                _load_file(file)
    elif path.is_file():
        _load_file(path)
    elif "/" in place or place.endswith(".py"):
        raise HandlerError(place, "there is no such file or folder",
                           "Correct `handlers` in the settings (GWBROKER_HANDLERS)")
    elif importlib.util.find_spec(place.partition(".")[0]) is None:
        raise HandlerError(place, "there is neither a file, a folder nor a Python module of "
                           "this name", "Correct `handlers` in the settings (GWBROKER_HANDLERS)")
    else:
        _walk(importlib.import_module(place))


def _load_file(path: Path) -> None:
    path = path.resolve()
    unique = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    # Handlers are named after the file alone, which is how people speak of them.
    name = path.stem
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) != str(path):
        name = f"{path.stem}_{unique}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise HandlerError(str(path), "is not a Python file", "Give files that end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _walk(module: ModuleType) -> None:
    for inner in pkgutil.iter_modules(getattr(module, "__path__", []), module.__name__ + "."):
        if not inner.name.rpartition(".")[2].startswith(("_", "test")):
            _walk(importlib.import_module(inner.name))


def table() -> dict[str, Registration]:
    """Return every handler by name, loading them first."""
    return load()


def topics() -> set[str]:
    """Return the Kafka topics that handlers ask for."""
    return {topic for registration in table().values() for topic in registration.topics}


@lru_cache(maxsize=4096)
def _interested(topic: str) -> tuple[Registration, ...]:
    # Those with topics of their own are asked only about these; the others about all.
    return tuple(
        r for r in table().values()
        if topic in r.topics or not r.topics or topic == "voevent")


def choose(notice: Notice) -> list[Choice]:
    """Return the handlers that want a notice, never raising for what is in it.

    A handler whose wish cannot be found out, because the notice cannot be read or
    because its ``where`` fails, is returned with the reason: that job is dead, and
    can be retried when the reason is gone.
    """
    chosen: list[Choice] = []
    for registration in _interested(notice.topic):
        try:
            stream = registration.stream
            if not stream.wants(registration.keys, notice):
                continue
            if registration.where is not None and not registration.where(stream.alert(notice)):
                continue
        except NoticeError as e:
            # Of a notice that nobody can read one dead job is enough.
            if not any(choice.error == str(e) for choice in chosen):
                chosen.append(Choice(registration, str(e)))
        # A predicate is a person's code: whatever it raises is its handler's error.
        except Exception as e:
            chosen.append(Choice(
                registration, f"its where= failed with {type(e).__name__}: {e}"))
        else:
            chosen.append(Choice(registration))
    return chosen


def drafts(notice: Notice, root: int, choices: Iterable[Choice]) -> list[Draft]:
    """Return the jobs of a kept notice; ``root`` is the first notice with its bytes."""
    made = []
    for choice in choices:
        registration = choice.registration
        serial = identify(notice).subject if registration.queue == "events" else None
        made.append(Draft(
            registration.name, registration.queue, root, key=f"{root}:{registration.name}",
            serial=serial, error=choice.error))
    return made


def forget() -> None:
    """Forget what was loaded, so that a test can load other handlers."""
    _load.cache_clear()
    _interested.cache_clear()
