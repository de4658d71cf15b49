"""``bot4 report``: a run as text, JSON, a page with charts, or its trades as CSV."""

from __future__ import annotations

from pathlib import Path

import click

from .output import console, emit, json_option


@click.command()
@click.argument("run")
@click.option("--html", type=click.Path(path_type=Path), default=None, help="Write a page with charts to this file.")
@click.option("--csv", type=click.Path(path_type=Path), default=None, help="Write the trades to this file.")
@click.option(
    "--db", "url", default=None, help="sqlite:///FILE or postgresql://USER@HOST/NAME; default: state directory."
)
@click.option("--tz", default=None, help="Time zone of the times shown, as Europe/Berlin; default UTC.")
@json_option
def report(run: str, html: Path | None, csv: Path | None, url: str | None, tz: str | None, as_json: bool) -> None:
    """Print the report of RUN: a run id, the beginning of one, or `latest`.

    With --html or --csv the file is written and named instead of the report.
    """
    from ..errors import ConfigError
    from ..journal.reading import UnknownRun
    from ..journal.store import Store, db_option, default_url
    from ..report.as_json import to_json
    from ..report.model import build
    from ..report.wording import zone_of
    from .in_progress import in_progress

    zone = zone_of(tz)
    with Store.open(url or default_url(), mode="read") as store:
        try:
            record = store.load(run)
        except UnknownRun as error:  # the argument is wrong, not the journal
            raise ConfigError(str(error)) from error
    going_on = not record.row.finished and record.info.run_id in in_progress([record.info.bot])
    made = build(record, running=going_on)
    if html is not None:
        from ..report.page import write_html

        write_html(made, html, zone)
    if csv is not None:
        from ..report.trades import write_csv

        write_csv(made.trades, csv)

    def render() -> None:
        from ..report.terminal import render_terminal

        if html is None and csv is None:
            render_terminal(made, console(), zone, db_option(url))
        for path in (html, csv):
            if path is not None:
                click.echo(f"wrote {path}")

    written = {"files": [str(path) for path in (html, csv) if path is not None]}
    emit(to_json(made) | written, as_json, render)
