"""``bot4 plugins``: what is installed, and whether it works."""

from __future__ import annotations

from typing import Any

import click

from ..plugins import PluginInfo, listing
from .output import emit, json_option


@click.group()
def plugins() -> None:
    """List and check installed plugins."""


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
    widths = [max(len(line[at]) for line in [columns, *cells]) for at in range(len(columns))]
    for line in [columns, *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
