"""Directives that write pages from the code: settings, commands, tables, notice types."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, get_args

import click
from docutils import nodes
from pydantic_core import PydanticUndefined
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def cells(rows: Iterable[Sequence[str]], head: Sequence[str], widths: str) -> Iterator[str]:
    """Yield the lines of a list-table."""
    yield from ("", ".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", "")
    for row in (head, *rows):
        for index, cell in enumerate(row):
            yield f"   {'* -' if index == 0 else '  -'} {cell}"
    yield ""


class Written(SphinxDirective):
    """A directive whose content is reStructuredText that a method writes."""

    has_content = False
    optional_arguments = 1

    def lines(self) -> Iterator[str]:
        """Yield the text."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse the text."""
        text = "\n".join(self.lines())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Settings(Written):
    """The table of one model of the settings, by the name of its table; ``top`` for all."""

    def lines(self) -> Iterator[str]:
        """Yield a table with one row per setting."""
        from gwbroker import conf

        which = self.arguments[0]
        model: Any = {"top": conf.Settings, "kafka": conf.KafkaCluster,
                      "vtp": conf.VOEventBroker, "telescopes": conf.TelescopeTable,
                      "coincidences": conf.CoincidenceTable,
                      "vtp_receiver": conf.VOEventReceiver,
                      "vtp_broadcaster": conf.VOEventBroadcaster}[which]
        prefix = {"top": "", "kafka": "KAFKA__NAME__", "vtp": "VTP__NAME__",
                  "telescopes": "TELESCOPES__NAME__"}.get(
            which, f"{which.upper()}__")
        rows = []
        for name, field in model.model_fields.items():
            rows.append((f"``{name}``", f"``{conf.PREFIX}{prefix}{name.upper()}``",
                         self.kind(field.annotation), self.default(name, field),
                         field.description or ""))
        yield from cells(rows, ("key", "environment", "value", "default", "meaning"),
                         "14 26 18 16 40")

    @staticmethod
    def kind(annotation: Any) -> str:
        """Return what values a setting takes, as people say it."""
        literal = [value for part in (annotation, *get_args(annotation))
                   for value in get_args(part) if isinstance(value, str)]
        if literal:
            return ", ".join(f"``{value}``" for value in literal)
        text = str(annotation)
        for word, said in (("dict[str, gwbroker", "tables"), ("CoincidenceTable", "list of tables"),
                           ("float | tuple", "number or two"), ("tuple[str, str]", "two texts"),
                           ("str | tuple", "text or numbers"), ("tuple[float, float]",
                           "two numbers"), ("VOEventBroker", "tables"),
                           ("VOEventReceiver", "table"), ("VOEventBroadcaster", "table"),
                           ("dict", "table"), ("tuple", "list of texts"), ("Secret", "secret"),
                           ("Path", "path"), ("bool", "true or false"), ("float", "number"),
                           ("int", "whole number"), ("str", "text")):
            if word in text:
                return said
        return text

    @staticmethod
    def default(name: str, field: Any) -> str:
        """Return a setting's default, as people say it."""
        if name == "home":
            return "the user's data folder"
        if field.is_required():
            return "none: must be given"
        value = field.get_default(call_default_factory=True)
        if value is None or value is PydanticUndefined or value in ("", (), {}):
            return ""
        return f"``{str(value).lower() if isinstance(value, bool) else value}``"


class Presets(Written):
    """The table of the presets of Kafka clusters."""

    def lines(self) -> Iterator[str]:
        """Yield a table with one row per preset."""
        from gwbroker.conf import PRESETS

        rows = [(f"``{name}``", f"``{p['bootstrap_servers']}``", f"``{p['security']}``",
                 f"``{p['token_endpoint']}``" if "token_endpoint" in p else "",
                 ", ".join(f"``{t}``" for t in p.get("topic_prefixes", ())))
                for name, p in PRESETS.items()]
        yield from cells(rows, ("preset", "servers", "security", "token endpoint",
                                "topic prefixes"), "10 26 16 36 14")


class Commands(Written):
    """Every command of ours with its ``--help``, a section each; then Celery's in a table."""

    def lines(self) -> Iterator[str]:
        """Yield the sections."""
        from gwbroker import cli

        with click.Context(cli.gwbroker, info_name="gwbroker") as root:
            for name in cli.OURS:
                command = cli.gwbroker.get_command(root, name)
                assert command is not None
                yield from self.section(root, name, command)
        yield from ("Celery's commands", "-" * 17, "",
                    "They are Celery's own, with this broker's app; each has its ``--help``, "
                    "and Celery's documentation explains them.")
        yield from cells([(f"``gwbroker {name}``", text) for name, text in cli.CELERY.items()],
                         ("command", "what it does"), "30 70")

    def section(
        self, parent: click.Context, name: str, command: click.Command,
    ) -> Iterator[str]:
        """Yield the section of a command, with those of its subcommands below it."""
        with click.Context(command, parent=parent, info_name=name, terminal_width=96,
                           max_content_width=96) as context:
            path = context.command_path
            yield from (f"``{path}``", "-" * (len(path) + 4), "", ".. code-block:: none", "")
            # A worker's help is ours, then Celery's, which is long.
            text = f"Usage: {path} [CELERY'S OPTIONS]\n\n" + textwrap.indent(
                textwrap.dedent(command.help or ""), "  ") if name == "worker" \
                else command.get_help(context)
            yield from ("   " + line for line in text.splitlines())
            yield ""
            if isinstance(command, click.Group):
                for inner in command.list_commands(context):
                    found = command.get_command(context, inner)
                    assert found is not None
                    yield from self.section(context, inner, found)


class LedgerTables(Written):
    """The ledger's tables and their columns."""

    def lines(self) -> Iterator[str]:
        """Yield a section for each table."""
        from gwbroker.ledger.models import metadata

        for name, table in metadata.tables.items():
            yield from (f"``{name}``", "-" * (len(name) + 4), "")
            rows = []
            for column in table.columns:
                keys = [f"to ``{key.column.table.name}.{key.column.name}``"
                        for key in column.foreign_keys]
                notes = (["primary key"] if column.primary_key else []) + keys
                notes += [] if column.nullable else ["not null"]
                notes += [column.comment] if column.comment else []
                rows.append((f"``{column.name}``", str(column.type).lower(), "; ".join(notes)))
            yield from cells(rows, ("column", "type", "notes"), "20 20 60")


class Options(Written):
    """The options that a handler's decorator takes, with their defaults."""

    MEANING: ClassVar[dict[str, str]] = {
        "queue": "``general``, ``openmp`` or ``events``: which worker calls it",
        "retries": "how often a failed call is tried again (0 to 100)",
        "backoff": "seconds before the first retry; doubled for each further one, with jitter, "
                   "up to an hour",
        "time_limit": "seconds after which a call is stopped (up to a day)",
        "where": "a function of the alert; the handler is called only where it says true",
        "max_age": "seconds; a notice issued longer ago than that when it arrives is kept, and "
                   "this handler is not called",
        "tells": "whether it tells people or publishes: a replay leaves it out unless asked",
        "batch": "most notices of one call (1 to 100,000), which gets a list; ``kafka`` and "
                 "``scimma`` only",
        "name": "under which the ledger knows it; two handlers cannot have the same",
    }

    def lines(self) -> Iterator[str]:
        """Yield a table with one row per option."""
        import dataclasses

        from gwbroker.streams import registry

        defaults = {f.name: f.default for f in dataclasses.fields(registry.Registration)}
        shown = {"name": "module and function", "where": "none", "max_age": "none",
                 "batch": "none"}
        rows = [(f"``{name}``", shown.get(name, f"``{defaults.get(name)!r}``"),
                 self.MEANING[name]) for name in registry._OPTIONS]
        yield from cells(rows, ("option", "default", "meaning"), "14 22 64")


class BuiltIn(Written):
    """The handlers that come with gwbroker."""

    def lines(self) -> Iterator[str]:
        """Yield a table with one row per handler."""
        from gwbroker import dispatch

        rows = []
        for name, found in sorted(dispatch.load().items()):
            if not name.startswith("gwbroker.handlers."):
                continue
            wants = ", ".join(f"``{getattr(key, 'name', key)}``" for key in found.keys) or "all"
            doc = (found.function.__doc__ or "").strip().splitlines()[0]
            rows.append((f"``{name.removeprefix('gwbroker.handlers.')}``", found.stream.name,
                         wants, f"``{found.queue}``", doc))
        yield from cells(rows, ("handler", "stream", "wants", "queue", "what it does"),
                         "22 8 36 8 26")


DIRECTIVES = {
    "settings-table": Settings, "presets-table": Presets, "commands": Commands,
    "ledger-tables": LedgerTables, "handler-options": Options, "built-in-handlers": BuiltIn,
}


def keep_colons(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str],
) -> None:
    """Keep napoleon from taking what stands before a colon for the type of a property."""
    if what == "property" and lines:
        lines[0] = lines[0].replace(": ", "; ", 1)


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of the directives."""
    for name, directive in DIRECTIVES.items():
        app.add_directive(name, directive)
    app.connect("autodoc-process-docstring", keep_colons, priority=100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
