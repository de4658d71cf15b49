"""``bot4 config``: the config for editors and readers, and the one in force with where each value comes from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .output import console, emit, json_option

if TYPE_CHECKING:
    from ..config.origin import Value
    from ..specs import Spec


@click.group()
def config() -> None:
    """Describe the config to an editor, or show where each value comes from."""


@config.command()
@click.argument("bot", metavar="[BOT.toml]", required=False)
def schema(bot: str | None) -> None:
    """Print a JSON Schema of bot.toml, made from the core's settings and the installed plugins'.

    With BOT.toml only the plugins that it allows are asked. A plugin that does not work is named on stderr and left
    out. Write the output beside a bot.toml and name it in that file's first line: #:schema ./bot.schema.json
    """
    from ..config.load import allowlist
    from ..config.schema import schema as schema_of

    offers = _offers(None if bot is None else [pin.name for pin in allowlist(bot)])
    click.echo(json.dumps(schema_of(offers), indent=2, allow_nan=False))


@config.command()
@click.argument("bot", metavar="[BOT.toml]", required=False)
def reference(bot: str | None) -> None:
    """Print every key of a bot.toml as Markdown: what it takes, its default, what it means.

    Made from the settings of the core and of the installed plugins; with BOT.toml only of those that it allows.
    """
    from ..config.load import allowlist
    from ..config.reference import reference as reference_of

    offers = _offers(None if bot is None else [pin.name for pin in allowlist(bot)])
    click.echo(reference_of(offers), nl=False)


def _offers(names: Sequence[str] | None) -> list[tuple[str, Spec]]:
    """What the named plugins offer, or all installed ones; each one that does not work is named on stderr."""
    from ..errors import PluginError
    from ..plugins import listing, load

    found: dict[tuple[str, str], tuple[str, Spec]] = {}
    left_out: dict[str, str] = {}
    for name in names if names is not None else dict.fromkeys(info.name for info in listing()):
        try:
            registry = load([name])
        except PluginError as error:
            left_out[name] = str(error)
            continue
        left_out |= registry.missing
        for kind, spec in (offer for one in registry.loaded for offer in one.specs):
            if (kind, spec.name) in found:
                left_out[name] = f"the {kind} {spec.name!r} of {name} is offered by another plugin too"
            else:
                found[kind, spec.name] = kind, spec
    for reason in left_out.values():
        click.echo(f"left out: {reason}", err=True)
    return list(found.values())


@config.command()
@click.argument("bot", metavar="BOT.toml")
@click.option("--origin", is_flag=True, help="Also where each value comes from.")
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change one value, as risk[0].position=0.01."
)
@json_option
def show(bot: str, origin: bool, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print every value in force, defaults included, or every mistake in the file.

    Secrets are read and shown as ***. The histories are not looked at: that is `bot4 check`.
    """
    from ..config import load_config, resolve
    from ..config.origin import effective
    from .loading import load_plugins

    loaded = load_config(bot, overrides)
    values = effective(resolve(loaded, load_plugins(loaded.bot.plugins)))
    rows = [{"path": one.path, "value": one.value} | (_origin(one) if origin else {}) for one in values]
    emit({"values": rows}, as_json, lambda: _render(values, origin))


def _origin(value: Value) -> dict[str, object]:
    return {"source": value.source, "origin": value.words, "line": value.line}


def _render(values: Sequence[Value], origin: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from .check import shown

    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
    for column in ("path", "value", *(("origin",) if origin else ())):
        table.add_column(column, overflow="fold")
    for one in values:
        cells = [one.path, shown(one.value), *((one.words,) if origin else ())]
        table.add_row(*(Text(cell) for cell in cells))
    console().print(table)
