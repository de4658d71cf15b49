"""``bot4 db``: brings the journal's database to the schema this bot4 knows, or back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .output import emit, json_option

_URL_HELP = "sqlite:///FILE or postgresql://USER@HOST/NAME; default: the journal in the state directory."


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """The two options every verb of this group takes."""
    return click.option("--url", default=None, help=_URL_HELP)(json_option(command))


@click.group()
def db() -> None:
    """Migrate the journal's database."""


@db.command()
@_shared
@click.option("--to", "revision", default="head", show_default=True, help="Revision to stop at.")
def upgrade(url: str | None, as_json: bool, revision: str) -> None:
    """Bring the schema up. Data is kept; a new database gets its tables."""
    from ..journal import migrate

    _print(migrate.upgrade(_chosen(url), revision), as_json)


@db.command()
@_shared
@click.option("--to", "revision", required=True, help="Revision to go back to; -1 is one step, base removes all.")
@click.option("--yes", is_flag=True, help="Go ahead: what the dropped tables and columns hold is lost.")
def downgrade(url: str | None, as_json: bool, revision: str, yes: bool) -> None:
    """Take the schema down. Data in what is dropped is lost, so this wants --yes."""
    from ..journal import migrate

    if not yes:
        raise click.UsageError("a downgrade drops tables with the runs in them: repeat it with --yes")
    _print(migrate.downgrade(_chosen(url), revision), as_json)


@db.command()
@_shared
def current(url: str | None, as_json: bool) -> None:
    """Print the schema's revision."""
    from ..journal import migrate

    _print(migrate.current(_chosen(url)), as_json)


def _chosen(url: str | None) -> str:
    from ..journal.store import default_url

    return default_url() if url is None else url


def _print(revision: str | None, as_json: bool) -> None:
    emit({"revision": revision}, as_json, lambda: click.echo(revision or "no journal"))
