"""Programs of others that the tests run against, in an environment of their own.

`make test` installs them, from peers.txt, in ``.venv-peers``; ``GWBROKER_PEERS`` names another
folder with their commands.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

FOLDER = Path(os.environ.get("PEERS_OF_TESTS")
              or Path(__file__).parent.parent / ".venv-peers" / "bin")


def peer(name: str) -> str:
    """Return the path of a program; without it the test is skipped, or fails in CI."""
    from .conftest import absent

    path = shutil.which(name, path=str(FOLDER))
    if path is None:
        absent(f"{name} is not in {FOLDER}; `make test` installs it")
        raise AssertionError
    return path
