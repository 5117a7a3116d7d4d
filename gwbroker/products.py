"""Where products live and how they are named.

``<home>/products/<event>-<name>/<notice>-<kind>.<suffix>``: nothing in a path comes
from outside but a name reduced to harmless letters.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .conf import settings

_MAKING = ".making-"
_LEFT_OVER = 6 * 3600.0
"""Seconds after which nobody writes any more to a file that is being made."""


@dataclass(frozen=True)
class Stored:
    """A product on disk: its path below the folder of products, digest and size."""

    path: str
    digest: bytes
    size: int

    @property
    def file(self) -> Path:
        """Its absolute path."""
        return folder() / self.path


def folder() -> Path:
    """Return the folder of all products."""
    return settings().home / "products"


def slug(name: str) -> str:
    """Return a name reduced to letters, digits, dots and dashes, at most 60 of them.

    It neither begins with a dot or dash, so that it is no option and not hidden, nor has
    two dots in a row.
    """
    cleaned = re.sub(r"[^A-Za-z0-9.+-]+", "-", name)
    return re.sub(r"\.{2,}", ".", cleaned).strip(".-")[:60].rstrip(".-") or "unnamed"


def relative(event: int, name: str, notice: int, kind: str, suffix: str) -> str:
    """Return where a product belongs, below the folder of products.

    An event that has a folder keeps it, also when it gets a better name.
    """
    known = sorted(folder().glob(f"{event:06d}-*"))
    home = known[0].name if known else f"{event:06d}-{slug(name)}"
    return f"{home}/{notice:08d}-{slug(kind)}.{slug(suffix)}"


def store(path: str, write: Callable[[Path], None]) -> Stored:
    """Let a function write a product beside its place, then move it there in one step.

    A process killed in between leaves the old product, or none, never half of one.

    Raises
    ------
    ValueError
        If the path leads out of the folder of products.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise ValueError(f"{path!r} is not a path below the folder of products")
    target = folder() / path
    target.parent.mkdir(parents=True, exist_ok=True)
    _tidy(target.parent)
    # The suffix stays at the end, because writers go by it.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=_MAKING, suffix="-" + target.name)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb") as f:
            digest = hashlib.file_digest(f, "sha256").digest()
            os.fsync(f.fileno())
        os.chmod(temporary, 0o644)
        size = temporary.stat().st_size
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return Stored(path, digest, size)


def _tidy(place: Path) -> None:
    """Remove what killed processes left half made; what is being made now is younger."""
    for left in place.glob(f"{_MAKING}*"):
        try:
            if left.stat().st_mtime < time.time() - _LEFT_OVER:
                left.unlink()
        # Another process tidies up too.
        except FileNotFoundError:
            pass


def store_json(path: str, value: Mapping[str, Any]) -> Stored:
    """Write a product of JSON values."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)

    def write(file: Path) -> None:
        file.write_text(text + "\n", encoding="utf-8")

    return store(path, write)
