"""``bot4 runs``: the list of runs in a journal."""

from __future__ import annotations

import click

from .output import console, emit, json_option


@click.command()
@click.option(
    "--db", "url", default=None, help="sqlite:///FILE or postgresql://USER@HOST/NAME; default: state directory."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Most runs to list.")
@click.option("--tz", default=None, help="Time zone of the times shown, as Europe/Berlin; default UTC.")
@json_option
def runs(url: str | None, limit: int, tz: str | None, as_json: bool) -> None:
    """List the runs in the journal, newest first."""
    from ..journal.store import Store, default_url
    from ..report.recent import recent_runs, render_runs, runs_as_json
    from ..report.wording import zone_of
    from .in_progress import in_progress

    zone = zone_of(tz)
    with Store.open(url or default_url(), mode="read") as store:
        found = recent_runs(store, limit, in_progress)
    emit(runs_as_json(found), as_json, lambda: render_runs(found, console(), zone))
