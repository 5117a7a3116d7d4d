"""What the commands about sky maps share: their arguments, options and how they read a map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..skymap.multiorder import SkyMap

map_argument = click.argument("file", metavar="FILE")
"""The map to ask: read it by `load_map`."""

out_argument = click.argument("out", metavar="OUT")
"""The file to write."""

json_option = click.option("--json", "json_", is_flag=True, help="Write a JSON object.")
"""``--json``, as ``json_``: the same as other commands have."""


def load_map(file: str) -> SkyMap:
    """Return the map in a file of any kind that is read; ``-`` is the standard input.

    Raises
    ------
    SkyMapError
        Naming file, column and value; the command line shows it as one sentence.
    """
    from ..skymap import files

    return files.load(file)


class _RightAscension(click.types.FloatParamType):
    """A right ascension in degrees, which goes around; what is not finite is refused later."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None,
    ) -> float:
        from ..errors import SkyMapError

        found = float(super().convert(value, param, ctx))
        if math.isfinite(found) and abs(found) > 360:
            raise SkyMapError("ra", f"{found:g} is not from -360 to 360 degrees")
        return found % 360 if found < 0 else found


RA = _RightAscension()
"""The type of every right ascension that a command is given, from -360 to 360 degrees."""


def provenance(command: str, *inputs: str, version: str = "") -> dict[str, str]:
    """Return what a map that a command of ``gwbroker skymap`` made says of its making.

    Parameters
    ----------
    command : str
        The command's name.
    *inputs : str
        The files that it was made from; their names are noted, not their folders, and their
        digests.
    version : str
        Of what else made it, as ``ligo.skymap 2.2.0``.
    """
    import os

    from .. import __version__

    found: dict[str, str] = {}
    for number, file in enumerate(inputs, 1):
        name = f"input {number}" if len(inputs) > 1 else "input"
        found[name] = "standard input" if file == "-" else os.path.basename(file)
        # What came through a pipe is gone.
        if os.path.isfile(file):
            found[f"sha256 of {name}"] = digest(file)
    made = f"gwbroker {__version__} skymap {command}"
    return {**found, "made by": f"{made}, {version}" if version else made}


def digest(file: str) -> str:
    """Return the SHA-256 of a file.

    Raises
    ------
    SkyMapError
        If it cannot be read any more.
    """
    import hashlib

    from ..errors import SkyMapError

    try:
        with open(file, "rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()
    except OSError as e:
        raise SkyMapError(file, f"cannot be read: {e.strerror}") from e


def as_shell(option: str, value: object) -> str:
    """Return an option with its value as a shell would take it, tuples as several values.

    Parameters
    ----------
    option : str
        As ``--corner``.
    value : object
        A number, a text, or a tuple of them; a tuple of tuples or texts is the option, repeated.
    """
    import shlex

    if isinstance(value, tuple) and all(isinstance(each, tuple | str) for each in value):
        return " ".join(as_shell(option, each) for each in value)
    values = value if isinstance(value, tuple) else (value,)
    return " ".join([option, *(shlex.quote(str(each)) for each in values)])
