"""Discovery: importing the handlers that there are, wherever they lie."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from .conf import settings
from .errors import GWBrokerError, HandlerError

GROUP = "gwbroker.handlers"
"""Entry point group by which an installed package says where its handlers are."""


def discover() -> None:
    """Import every handler there is.

    Built-in ones come first, then packages with the entry point group
    ``gwbroker.handlers``, then the files, folders and modules of the settings.

    Raises
    ------
    HandlerError
        If one cannot be imported or is declared wrongly.
    """
    builtin = importlib.import_module("gwbroker.handlers")  # above us, so only by name
    for module in pkgutil.iter_modules(builtin.__path__, builtin.__name__ + "."):
        importlib.import_module(module.name)
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.value, p.name)):
        _guarded(point.value, partial(_walk_named, point.module))
    for place in settings().handlers:
        _guarded(place, partial(_load_place, place))


def _guarded(place: str, load_it: Callable[[], None]) -> None:
    try:
        load_it()
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


def _walk_named(name: str) -> None:
    _walk(importlib.import_module(name))


def _walk(module: ModuleType) -> None:
    for inner in pkgutil.iter_modules(getattr(module, "__path__", []), module.__name__ + "."):
        if not inner.name.rpartition(".")[2].startswith(("_", "test")):
            _walk(importlib.import_module(inner.name))
