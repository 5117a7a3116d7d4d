"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to be written so that no reader and no crash ever sees a part of it.

    Parameters
    ----------
    path : path-like
        Where; the folder must exist. The file is there when the block ends without an error.
    """
    target = Path(path)
    # Cut, because a name that is only just short enough has no room for more.
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        # mkstemp makes files that only their owner may read; products are for everybody.
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that no reader and no crash ever sees a part of it.

    Parameters
    ----------
    path : path-like
        Where; the folder must exist.
    content : bytes
        All of it.
    """
    with whole(path) as f:
        f.write(content)
