"""Groups of commands that import a command only when it is called."""

from __future__ import annotations

import importlib

import click


def group(package: str, doc: str, commands: dict[str, str]) -> click.Group:
    """Return a group whose commands are each in the module of its name.

    Parameters
    ----------
    package : str
        The package that has the modules.
    doc : str
        What the group is for, shown by ``--help``.
    commands : dict
        Name and one line about each. The module has a function of the command's name.
    """

    class Lazy(click.Group):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return list(commands)

        def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
            if name not in commands:
                return None
            found: click.Command = getattr(importlib.import_module(f"{package}.{name}"), name)
            return found

        def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            with formatter.section("Commands"):
                formatter.write_dl(list(commands.items()))

    return Lazy(name=package.rpartition(".")[2], help=doc)
