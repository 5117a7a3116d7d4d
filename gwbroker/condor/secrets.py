"""Which variables must not travel in a job's environment, where everybody can read it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from .errors import SecretExposed

_WORDS = ("secret", "password")


def exposed(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the ``GWBROKER_*`` variables that hold a secret.

    A variable does if its name says so (``..._SECRET``, ``..._PASSWORD``), if its value is a URL
    with a password, or if its value is a table that has such a key. A variable that names a
    file with a secret holds none.
    """
    return tuple(sorted(
        name for name, value in environment.items()
        if name.upper().startswith("GWBROKER_") and value and _is_secret(name, value)
    ))


def refuse_exposed(environment: Mapping[str, str]) -> None:
    """Raise if a secret would travel.

    Raises
    ------
    SecretExposed
        With the names of the variables and what to do instead.
    """
    if names := exposed(environment):
        raise SecretExposed(names)


def _is_secret(name: str, value: str) -> bool:
    if name.lower().endswith(_WORDS):
        return True
    if value.lstrip().startswith("{"):
        return any(f'{word}"' in value.lower() for word in _WORDS)
    try:
        return urlsplit(value).password is not None
    except ValueError:  # not a URL, for example an unclosed [ of an IPv6 address
        return False
