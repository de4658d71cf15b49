"""``bot4 bench``: every figure that exists, each beside its baseline in the same run."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError
from .output import console, emit, json_option

#: name -> module with ``run() -> rows``
GROUPS = {
    "native": "bot4_core.native.bench",
    "engine": "bot4_core.testing.bench",
    "journal": "bot4_core.journal.bench",
}


@click.command()
@click.argument("name", required=False, type=click.Choice(sorted(GROUPS)))
@click.option(
    "--compare", "old", type=click.Path(dir_okay=False, path_type=Path), help="An earlier --json to compare with."
)
@json_option
def bench(name: str | None, old: Path | None, as_json: bool) -> None:
    """Measure the library on this machine: native structures, the engine per bar, intents made durable.

    Only ratios travel between machines: each figure stands beside a baseline of the same run.
    """
    from importlib import import_module

    before = _read(old) if old else {}
    results: list[dict[str, Any]] = []
    for group in [name] if name else GROUPS:
        run: Callable[[], Sequence[Any]] = import_module(GROUPS[group]).run
        results += [{**row, "before": before.get((row["name"], row["where"]))} for row in run()]
    emit({"host": _host(), "results": results}, as_json, lambda: _render(results, compared=bool(before)))


def _host() -> dict[str, object]:
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def _read(path: Path) -> dict[tuple[str, str], float]:
    """Ratio of each figure of an earlier run."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["results"]
        return {(str(row["name"]), str(row["where"])): float(row["ratio"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: is no output of `bot4 bench --json` ({type(error).__name__})") from None


def _render(results: Sequence[dict[str, Any]], *, compared: bool) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for column in ("row", "name", "where"):
        table.add_column(column, no_wrap=True)
    for column in ("median", "p99", "ratio", *(["before"] if compared else [])):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("of")
    for row in results:
        cells = [row["row"], row["name"], row["where"], f"{row['median']:,.1f} {row['unit']}", f"{row['p99']:,.1f}"]
        cells.append(f"{row['ratio']:.2f}×")
        if compared:
            cells.append("new" if row["before"] is None else f"{row['before']:.2f}×")
        table.add_row(*cells, row["baseline"])
    console().print(table)
