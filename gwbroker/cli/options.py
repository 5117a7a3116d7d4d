"""What the commands about sky maps share: their arguments, options and how they read a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def provenance(command: str, *inputs: str) -> dict[str, str]:
    """Return what a map that a command of ``gwbroker skymap`` made says of its making.

    Parameters
    ----------
    command : str
        The command's name.
    *inputs : str
        The files that it was made from; their names are noted, not their folders.
    """
    import os

    from .. import __version__

    names = {f"input {n}" if len(inputs) > 1 else "input": os.path.basename(file)
             for n, file in enumerate(inputs, 1)}
    return {**names, "made by": f"gwbroker {__version__} skymap {command}"}
