"""``bot4 init``: a bot.toml and a strategy that run at once."""

from __future__ import annotations

from pathlib import Path

import click

from .output import console, emit, json_option


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=7, show_default=True, help="Of the made-up market.")
@json_option
def init(folder: Path, seed: int, as_json: bool) -> None:
    """Write a bot.toml, a strategy and a made-up history into DIR; nothing there is overwritten."""
    from ..example import write_example

    written = write_example(folder, seed)

    def render() -> None:
        out = console()
        for path in written:
            out.print(f"wrote {path}", markup=False)
        out.print(f"\nnext: bot4 backtest {written[0]}", markup=False)

    emit({"files": [str(path) for path in written]}, as_json, render)
