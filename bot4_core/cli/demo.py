"""``bot4 demo``: the bundled example on the simulated exchange, without a file and without a network."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from .backtest import require_page, run_bot, show_outcome
from .output import json_option


@click.command()
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=7, show_default=True, help="Of the made-up market.")
@click.option("--report", "page", type=click.Path(dir_okay=False, path_type=Path), help="Also write the HTML report.")
@json_option
def demo(seed: int, page: Path | None, as_json: bool) -> None:
    """Trade the bundled example on the simulated exchange and print the report.

    Three made-up markets, half a year of hours; the same seed gives the same result. `bot4 init DIR` writes the same
    bot for you to change.
    """
    from ..example import write_example

    require_page(page)
    with tempfile.TemporaryDirectory(prefix="bot4-demo-") as folder:
        files = write_example(Path(folder), seed)
        outcome, report, journal = run_bot(files[0])
    show_outcome(outcome, report, page, as_json, journal)
