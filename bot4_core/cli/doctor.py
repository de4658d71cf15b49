"""``bot4 doctor``: whether this machine, this installation and what bots left behind are fit for trading."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from ..errors import Bot4Error, one_line
from ..state.folder import bot_folders
from .output import console, emit, json_option

if TYPE_CHECKING:
    from .doctor_machine import Finding

_STYLE = {"ok": "green", "warn": "yellow", "bad": "bold red"}
_NAME_WIDTH = 25


@click.command()
@click.argument("bot", metavar="[BOT.toml]", required=False)
@click.option("--db", "url", default=None, help="Journal to look at; the config's own, or the state directory's.")
@json_option
@click.pass_context
def doctor(ctx: click.Context, bot: str | None, url: str | None, as_json: bool) -> None:
    """Check machine, state directory, journal, plugins, every bot that has started here, and BOT.toml if given.

    One line for each check: ok, warn or bad, what was found and what to do. The exit code is 1 when anything is bad.
    Nothing is changed, and running bots are not disturbed.
    """
    found: list[Finding] = []
    for finding in _findings(bot, url):
        found.append(finding)
        if not as_json:
            _show(finding)
    bad, warned = (sum(one.status == status for one in found) for status in ("bad", "warn"))
    checks = [{"name": one.name, "status": one.status, "message": one.message} for one in found]
    emit({"ok": not bad, "checks": checks}, as_json, lambda: click.echo(_summary(len(found), bad, warned)))
    if bad:
        ctx.exit(1)


def _findings(bot: str | None, url: str | None) -> Iterator[Finding]:
    from . import doctor_machine as machine
    from . import doctor_parts as parts

    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("python", machine.python),
        ("native library", machine.native),
        ("clock", machine.clock),
        ("open files", machine.open_files),
        ("state directory", machine.state),
        ("histories", machine.histories),
    ]
    for name, check in checks:
        yield from _guarded(name, check)
    wanted, journal = parts.read_config(bot)
    yield from _guarded("journal", lambda: parts.journal(url or journal))
    yield from _guarded("plugins", lambda: parts.plugins(wanted))
    yield from _guarded("bots", parts.bots)
    yield from _guarded("bots", _each_bot)
    if bot is not None:
        yield from _guarded("config", lambda: parts.config(bot))


def _each_bot() -> Iterator[Finding]:
    from .doctor_parts import bot

    for folder in bot_folders():
        yield from _guarded(f"bot {folder.name}", lambda folder=folder: bot(folder))  # type: ignore[misc]  # run at once


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check that raises is a bad one with its reason."""
    from ..domain.redaction import hide
    from .doctor_machine import Finding

    try:
        yield from check()
    except Bot4Error as error:
        yield Finding(name, "bad", hide(one_line(error)))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        yield Finding(name, "bad", hide(one_line(f"{where}{error.strerror or error}")))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it was, the other checks are still wanted
        yield Finding(name, "bad", hide(one_line(f"could not be checked: {type(error).__name__}: {error}")))


def _show(finding: Finding) -> None:
    from rich.table import Table
    from rich.text import Text

    from ..report.terminal import print_plainly

    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=4)
    line.add_column(width=_NAME_WIDTH, overflow="fold")
    line.add_column(overflow="fold")
    line.add_row(Text(finding.status, style=_STYLE[finding.status]), Text(finding.name), Text(finding.message))
    print_plainly(console(), line)
    sys.stdout.flush()


def _summary(checks: int, bad: int, warned: int) -> str:
    if not bad and not warned:
        return f"\nall {checks} checks are ok"
    return f"\n{checks} checks: {bad} bad, {warned} to look at"
