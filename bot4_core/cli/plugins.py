"""``bot4 plugins``: what is installed, whether it works, what it offers, and what a venue lists."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from ..errors import Mistake
from ..plugin_check import CHECK_TIMEOUT_S, PluginStatus, check_all, find_name
from ..plugin_check import check as try_out
from ..plugins import PluginInfo, listing
from .output import console, emit, json_option

if TYPE_CHECKING:
    from ..domain.instrument import Instrument

_MAX_LIST_BYTES = 64 * 1024 * 1024


@click.group()
def plugins() -> None:
    """List, check and explain installed plugins, and read a venue's instruments with one."""


_timeout_option = click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, max=3600, min_open=True),
    default=CHECK_TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long one plugin may take to load.",
)


@plugins.command(name="list")
@click.option("--check", "checked", is_flag=True, help="Import each in a process of its own: offers, status, reason.")
@json_option
@click.pass_context
def list_(ctx: click.Context, checked: bool, as_json: bool) -> None:
    """Kind, name, distribution and version of each plugin, from metadata alone.

    With --check the exit code is 5 when a plugin does not work.
    """
    if checked:
        _report(ctx, (), CHECK_TIMEOUT_S, as_json)
        return
    rows = [_row(info) for info in listing()]
    emit({"plugins": rows}, as_json, lambda: _render(rows, ["kind", "name", "distribution", "version"]))


@plugins.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_timeout_option
@json_option
@click.pass_context
def check(ctx: click.Context, names: tuple[str, ...], timeout_s: float, as_json: bool) -> None:
    """Load each plugin in a process of its own and say how it fares.

    NAME is a plugin, as exchange-sim or sim; without one every installed plugin is tried. The exit code is 5 when one
    does not work.
    """
    _report(ctx, [find_name(name, timeout_s=timeout_s) for name in names], timeout_s, as_json)


@plugins.command()
@click.argument("name")
@_timeout_option
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, timeout_s: float, as_json: bool) -> None:
    """Settings, capabilities and the line that pins a plugin.

    NAME is a plugin, as exchange-sim or sim. It is loaded in a process of its own; the exit code is 5 when it does not
    work.
    """
    status = try_out(find_name(name, timeout_s=timeout_s), timeout_s=timeout_s)
    data = _explained(status)
    emit(data, as_json, lambda: _render_explained(data))
    if not status.usable:
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
        "warnings": None,
    }


def _report(ctx: click.Context, names: Sequence[str], timeout_s: float, as_json: bool) -> None:
    found = check_all(names, timeout_s=timeout_s)
    rows = [
        _row(one.info)
        | {
            "offers": list(one.offers),
            "status": one.status,
            "reason": one.reason,
            "warnings": list(one.warnings),
        }
        for one in found
    ]
    columns = ["kind", "name", "distribution", "version", "status", "offers"]
    emit({"plugins": rows}, as_json, lambda: _render(rows, columns))
    if not all(one.usable for one in found):
        ctx.exit(5)


def _explained(status: PluginStatus) -> dict[str, Any]:
    from ..errors import PluginError
    from ..plugins import Pin, entries_by_name
    from ..plugins.files import digest
    from ..plugins.metadata import is_own

    info = status.info
    entry = entries_by_name()[info.name][0]
    try:
        sha256 = digest(entry)
    except PluginError as error:
        sha256, status = None, evolve(status, warnings=(*status.warnings, str(error)))
    pin = None if sha256 is None else Pin(info.name, info.version, sha256).as_toml()
    return {
        "kind": info.kind,
        "name": info.name,
        "distribution": info.distribution,
        "version": info.version,
        "target": info.target,
        "own": is_own(entry),
        "sha256": sha256,
        "pin": pin,
        "status": status.status,
        "reason": status.reason,
        "warnings": list(status.warnings),
        "offers": [dict(one) for one in status.details],
    }


def _render_explained(data: Mapping[str, Any]) -> None:
    click.echo(f"{data['name']}: {data['distribution']} {data['version']}, imported from {data['target']}")
    own = "; part of bot4 itself, it needs no place there" if data["own"] else ""
    click.echo(f"[bot] plugins entry{own}:\n  {data['pin'] or repr(data['name'])}")
    if data["status"] != "ok":
        click.echo(f"{data['status']}: {data['reason']}")
    for text in data["warnings"]:
        click.echo(f"warning: {text}")
    for offer in data["offers"]:
        click.echo(f"\n{offer['kind']} {offer['name']}: {offer['summary'] or 'says nothing of itself'}")
        if offer["capabilities"]:
            click.echo(f"capabilities: {', '.join(offer['capabilities'])}")
        if offer["settings"]:
            _settings_table(offer["settings"])
        else:
            click.echo("no settings")


def _settings_table(settings: Sequence[Mapping[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("setting", "type", "default", "meaning"):
        table.add_column(column, overflow="fold")
    for one in settings:
        default = "required" if one["required"] else json.dumps(one["default"], ensure_ascii=False)
        table.add_row(*map(Text, (one["name"], one["type"], default, one["doc"])))
    console().print(table)


def _render(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    if not rows:
        click.echo("no plugins are installed", err=True)
        return
    _table(columns, [[_cell(row[column]) for column in columns] for row in rows])
    for row in rows:
        if row["reason"]:
            click.echo(f"{row['name']}: {row['reason']}")
        for text in row["warnings"] or ():
            click.echo(f"{row['name']}: warning: {text}")


def _table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    widths = [max(len(line[at]) for line in [columns, *cells]) for at in range(len(columns))]
    for line in [columns, *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
