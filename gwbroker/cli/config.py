"""``gwbroker config``: the settings in force."""

from __future__ import annotations

import click

from .output import as_json, as_table


@click.command()
@click.option("--json", "json_", is_flag=True, help="Write a JSON object by name.")
@click.option("--describe", is_flag=True, help="Say what each setting means instead.")
def config(json_: bool, describe: bool) -> None:
    """Show every setting, its value, and where that came from; secrets are masked."""
    from .. import conf, shown

    if describe:
        for title, model in (("", conf.Settings), ("kafka.NAME.", conf.KafkaCluster),
                             ("vtp.NAME.", conf.VOEventBroker),
                             ("vtp_receiver.", conf.VOEventReceiver),
                             ("vtp_broadcaster.", conf.VOEventBroadcaster)):
            for name, field in model.model_fields.items():
                click.echo(f"{title}{name}")
                click.echo(f"    {field.description}")
        return
    rows = shown.effective()
    if json_:
        as_json({name: {"value": value, "from": origin} for name, value, origin in rows})
        return
    file = conf.config_file()
    click.echo(f"Settings file: {file or 'none'}\n")
    as_table("", ("setting", "value", "from"), rows, "")
