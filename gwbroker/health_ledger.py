"""Health of the ledger, and of the disks on which it and the products are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from .conf import mask_url, settings
from .finding import Finding, Level


def ledger() -> Iterator[Finding]:
    """Look whether the ledger is there and can be written."""
    from .ledger import probe

    file = probe.file()
    if file is not None and not file.exists():
        # Not to be made by who only looks.
        yield Finding("ledger", Level.CRITICAL,
                      f"there is none at {file}: `gwbroker up` makes one; if there was one, put "
                      "it back before anything is started")
        return
    probe.probe()
    yield Finding("ledger", Level.OK, f"{mask_url(settings().ledger_url)} can be written")


def disk() -> Iterator[Finding]:
    """Look how much room there is, also where the ledger is if that is another disk."""
    from .ledger import probe

    home, file = settings().home, probe.file()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    folders = {home.stat().st_dev: home}
    if file is not None and file.exists():
        folders.setdefault(file.stat().st_dev, file.parent)
    for folder in folders.values():
        free = shutil.disk_usage(folder).free / 2**30
        level = Level.CRITICAL if free < 0.5 else Level.WARNING if free < 5 else Level.OK
        yield Finding("disk", level, f"{free:.1f} GiB free under {folder}")
