"""Which variables must not travel in a job's environment, where everybody can read it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..conf import SECRET_WORDS, mask_url
from .errors import SecretExposed

_ENDINGS = ("secret", "password", "passphrase", "pem")
_KEY = re.compile(r'"([^"]*)"\s*:')
_URL = re.compile(r"\w+://[^\s\"']+")


def exposed(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the ``GWBROKER_*`` variables that hold a secret.

    A variable does if its name says so (``..._SECRET``, ``..._PASSWORD``), if its value has a
    URL with a password in it, or if its value is a table that has such a key. A variable
    that names a file with a secret holds none.
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
    if name.lower().endswith(_ENDINGS):
        return True
    if value.lstrip().startswith("{") and any(_says(key) for key in _KEY.findall(value.lower())):
        return True
    return any(mask_url(url) != url for url in _URL.findall(value))


def _says(key: str) -> bool:
    # A key that names a file or an endpoint holds no secret itself.
    return not key.endswith(("_file", "_endpoint", ".location", ".url")) and any(
        word in key for word in SECRET_WORDS)
