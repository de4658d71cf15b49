"""``bot4 plugins``: what is installed, whether it works, and what a venue lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import Mistake
from ..plugins import PluginInfo, listing
from .output import emit, json_option

if TYPE_CHECKING:
    from ..domain.instrument import Instrument

_MAX_LIST_BYTES = 64 * 1024 * 1024


@click.group()
def plugins() -> None:
    """List and check installed plugins, and read a venue's instruments with one."""


@plugins.command(name="list")
@click.option("--check", "checked", is_flag=True, help="Import each in a process of its own: offers, status, reason.")
@json_option
@click.pass_context
def list_(ctx: click.Context, checked: bool, as_json: bool) -> None:
    """Kind, name, distribution and version of each plugin, from metadata alone.

    With --check the exit code is 5 when a plugin does not work.
    """
    rows = _checked() if checked else [_row(info) for info in listing()]
    emit({"plugins": rows}, as_json, lambda: _render(rows, checked))
    if any(row["status"] not in (None, "ok", "disabled") for row in rows):
        ctx.exit(5)


@plugins.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the exchange, as quotes='[\"USD\"]'."
)
@json_option
def instruments(name: str, file: Path, settings: tuple[str, ...], as_json: bool) -> None:
    """Read a venue's own instrument list with the plugin of that venue.

    NAME is a plugin, as exchange-kraken; FILE holds the venue's answer as it came. The JSON is an instrument file for
    `bot4 data import --instrument`.
    """
    found = _instruments(name, file, settings)
    rows = [one.to_mapping() for one in found]
    columns = ["symbol", "tick", "lot", "min_quantity", "min_notional"]
    emit({"instrument": rows}, as_json, lambda: _table(columns, [[str(row[key]) for key in columns] for row in rows]))


def _instruments(name: str, file: Path, settings: Sequence[str]) -> list[Instrument]:
    from ..config.overrides import split_override
    from ..config.structure import Problems, structure
    from ..errors import ConfigError, HistoryError, PluginError
    from ..plugins import load
    from ..specs import Capability, ExchangeSpec, Services

    registry = load([name])
    if name in registry.missing:
        raise ConfigError(registry.missing[name])
    specs = [spec for one in registry.loaded for _, spec in one.specs if isinstance(spec, ExchangeSpec)]
    able = [spec for spec in specs if Capability.INSTRUMENTS in spec.capabilities]
    if not able:
        raise PluginError(name, f"it does not declare the capability {Capability.INSTRUMENTS.value!r}")
    try:
        table = {str(place[0]): value for place, value in map(split_override, settings)}
        filled = structure(table, able[0].settings)
    except Problems as problems:
        raise ConfigError([_setting_mistake(place, message) for place, message in problems.found]) from problems
    try:
        with open(file, "rb") as stream:
            data = stream.read(_MAX_LIST_BYTES)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error

    def no_history(wanted: str) -> Path:
        raise HistoryError(f"{wanted}: instrument lists come without histories")

    services = Services(base_dir=Path.cwd(), resolve_history=no_history, seed=0, bot=name)
    exchange: Any = able[0].create(filled, services)
    found: list[Instrument] = exchange.parse_instruments(data)
    return found


def _setting_mistake(place: tuple[str | int, ...], message: str) -> Mistake:
    return Mistake(".".join(str(part) for part in place), message, None, "--set")


def _row(info: PluginInfo) -> dict[str, Any]:
    return {
        "kind": info.kind,
        "name": info.name,
        "distribution": info.distribution,
        "version": info.version,
        "offers": None,
        "status": None,
        "reason": None,
    }


def _checked() -> list[dict[str, Any]]:
    from ..plugin_check import check_all

    return [
        _row(one.info) | {"offers": list(one.offers), "status": one.status, "reason": one.reason} for one in check_all()
    ]


def _render(rows: list[dict[str, Any]], checked: bool) -> None:
    if not rows:
        click.echo("no plugins are installed", err=True)
        return
    columns = ["kind", "name", "distribution", "version"] + (["status", "offers", "reason"] if checked else [])
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    _table(columns, cells)


def _table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    widths = [max(len(line[at]) for line in [columns, *cells]) for at in range(len(columns))]
    for line in [columns, *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
