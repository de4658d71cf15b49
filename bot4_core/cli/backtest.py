"""``bot4 backtest``: any config over recorded history."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError, one_line
from .output import console, emit, json_option

if TYPE_CHECKING:
    from ..engine.backtest import Outcome, Progress
    from ..report.model import Report

_DAY_NS = 86400 * 10**9


@click.command()
@click.argument("bot", metavar="BOT.toml")
@click.option("--from", "start", metavar="TIME", help="First moment, UTC: 2022-09-01 or 2022-09-01T12:00.")
@click.option("--to", "end", metavar="TIME", help="Last moment, UTC; a date means the end of that day.")
@click.option("--report", "page", type=click.Path(dir_okay=False, path_type=Path), help="Also write the HTML report.")
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change one value, as strategy.trend.fast=8."
)
@click.option("--db", metavar="URL", help="Journal database; the config's own, or the state directory's, by default.")
@json_option
@click.pass_context
def backtest(
    ctx: click.Context,
    bot: str,
    start: str | None,
    end: str | None,
    page: Path | None,
    overrides: tuple[str, ...],
    db: str | None,
    as_json: bool,
) -> None:
    """Run a bot over recorded history and print its report.

    The run is kept in the journal: see `bot4 runs` and `bot4 report`. Ctrl-C ends it with the journal complete; a
    second one ends it at once.
    """
    window = (_moment(start, "--from", 0), _moment(end, "--to", _DAY_NS - 1))
    require_page(page)
    outcome, report, journal = run_bot(Path(bot), overrides, window=window, db=db)
    show_outcome(outcome, report, page, as_json, journal)
    if outcome.interrupted:
        ctx.exit(143 if "SIGTERM" in outcome.reason else 130)


def _moment(text: str | None, option: str, date_only_ns: int) -> int | None:
    """UTC ns of an option; a bare date gets ``date_only_ns`` added."""
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text[:40]!r} is no time: write 2022-09-01 or 2022-09-01T12:00") from None
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    ns = int(when.timestamp()) * 10**9
    return ns + date_only_ns if len(text) == len("2022-09-01") else ns


def run_bot(
    path: Path,
    overrides: tuple[str, ...] = (),
    *,
    window: tuple[int | None, int | None] = (None, None),
    db: str | None = None,
) -> tuple[Outcome, Report, str]:
    """Assembles a bot, runs it over its history, and reads its report back from the journal.

    Args:
        path: its TOML.
        overrides: ``--set`` arguments.
        window: first and last moment, UTC ns.
        db: journal URL, in place of the config's.

    Returns:
        How it ended, the report, and the option that later commands need to find the run (``db_option``).
    """
    from loguru import logger

    from ..config import load_config, resolve
    from ..engine.assemble import assemble
    from ..engine.backtest import run_backtest, window_of
    from ..journal.records import new_run_id
    from ..journal.sinks import SinkFeed
    from ..journal.store import Store, db_option, default_url
    from ..native.latch import Latch
    from ..report.model import build
    from ..specs import RunInfo
    from .loading import load_plugins

    if window[0] is not None and window[1] is not None and window[0] > window[1]:
        raise ConfigError("--from is after --to")
    config = load_config(path, overrides)
    registry = load_plugins(config.bot.plugins)
    assembly = assemble(resolve(config, registry), Latch.memory(config.bot.name))
    window_of(assembly.exchange, *window)  # before the journal is touched
    created_ns = time.time_ns()
    run_id = new_run_id(created_ns)
    told = RunInfo(run_id=run_id, bot=config.bot.name, mode="backtest", seed=config.bot.seed)
    url = db or config.journal_url
    with SinkFeed(lambda problem: logger.warning("{}", problem)) as feed, ExitStack() as opened:
        for name in assembly.add_sinks(feed):  # before the journal is touched, too
            logger.info("sink {} shows a running bot and is left out of a backtest", name)
        store = opened.enter_context(Store.open(url or default_url(), mode="backtest"))
        store.follow(feed)
        for problem in registry.starting(told):
            logger.warning("{}", problem)
        reason = "ended by an error"
        try:
            with _progress() as progress:
                outcome = run_backtest(
                    assembly,
                    store,
                    run_id=run_id,
                    created_ns=created_ns,
                    from_ns=window[0],
                    to_ns=window[1],
                    progress=progress,
                )
            reason = outcome.reason
        except Exception as error:
            reason = one_line(f"{type(error).__name__}: {error}")
            raise
        finally:
            for problem in registry.stopping(told, reason):
                logger.warning("{}", problem)
        return outcome, build(store.load(run_id)), db_option(url)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """A progress bar on stderr, only on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=None)

        def show(done: int, total: int, now_ns: int) -> None:
            when = datetime.fromtimestamp(now_ns // 10**9, UTC)
            bar.update(task, completed=done, total=total, description=f"replaying {when:%Y-%m-%d}")

        yield show


def require_page(page: Path | None) -> None:
    """Refuses a page that could not be written, before the run whose result it is to hold."""
    if page is not None:
        from ..report.files import require_writable

        require_writable(page)


def show_outcome(outcome: Outcome, report: Report, page: Path | None, as_json: bool, db: str) -> None:
    """Prints a run's report, and writes its page when one was asked for; ``db`` as ``run_bot`` gives it."""
    from ..report.as_json import to_json
    from ..report.page import write_html
    from ..report.terminal import render_terminal

    if page is not None:
        write_html(report, page)
        console(stderr=True).print(f"report: {page}", markup=False)
    render: Callable[[], None] = lambda: render_terminal(report, console(), db=db)  # noqa: E731  # one call, used once
    emit(to_json(report), as_json, render)
