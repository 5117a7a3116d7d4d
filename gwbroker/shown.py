"""Shown: the settings in force as people see them."""

from __future__ import annotations

from typing import Any

from .conf import PRESETS, config_file, flatten, origins, read_file, settings
from .masks import mask_url, names_secret


def exposed_secrets() -> tuple[str, ...]:
    """Return the names of the secrets in the settings file if others can read that file."""
    file = config_file()
    try:
        if file is None or not file.stat().st_mode & 0o077:
            return ()
    except OSError:
        return ()
    return tuple(key for key, value in flatten(read_file(file)) if _is_secret(key, value))


def _is_secret(key: str, value: Any) -> bool:
    if isinstance(value, str) and "://" in value:
        return mask_url(value) != value
    if ".options." in key:
        return names_secret(key.partition(".options.")[2])
    return key.endswith((".client_secret", ".password"))


def effective() -> list[tuple[str, Any, str]]:
    """Return (name, value, origin) of every setting, secrets masked."""
    where = origins()
    rows = []
    for key, value in flatten(settings().model_dump(mode="json")):
        if isinstance(value, str) and "://" in value:
            value = mask_url(value)
        if ".options." in key and _is_secret(key, value):
            value = "**********"
        default = "default"
        if key.startswith("kafka."):
            _, name, field = key.split(".", 2)
            preset = settings().kafka[name].preset
            if preset and field in PRESETS[preset]:
                default = f"preset {preset}"
        rows.append((key, value, where.get(key) or next(
            (o for k, o in where.items() if key.startswith(k + ".") or k.startswith(key + ".")),
            default)))
    return rows
