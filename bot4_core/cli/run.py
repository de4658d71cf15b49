"""``bot4 run``: a bot in real time, on paper today."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from ..errors import ConfigError, RefusedForSafety, StoreError, one_line
from .output import emit, json_option

if TYPE_CHECKING:
    from ..config.model import Config, Plan
    from ..engine.assemble import Assembly
    from ..engine.launch import Held, LiveOutcome
    from ..plugins import Registry
    from ..state.folder import BotFolder

#: how long a start waits for the recorder of the last run to store what that run left
_LAST_RECORDER_S = 10.0
_DURATION = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command()
@click.argument("bot", metavar="BOT.toml")
@click.option("--for", "duration", metavar="TIME", help="Stop in order after this time: 90s, 15m, 8h.")
@click.option("--live", is_flag=True, help="Really trade; the config must say mode = 'live' too.")
@click.option("--flatten", is_flag=True, help="At the stop, also close what is held.")
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change one value, as strategy.trend.fast=8."
)
@click.option("--db", metavar="URL", help="Journal database; the config's own, or the state directory's, by default.")
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    bot: str,
    duration: str | None,
    live: bool,
    flatten: bool,
    overrides: tuple[str, ...],
    db: str | None,
    as_json: bool,
) -> None:
    """Run a bot in real time: on paper, on recorded or simulated markets at the speed its exchange table says.

    Watch it with `bot4 status NAME`, stop all new risk with `bot4 kill NAME`. Ctrl-C or SIGTERM stops it in order:
    entries are cancelled, stops stay, positions are left; a second one ends it at once, and the next start says what
    the journal holds.
    """
    for_s = _seconds(duration)
    with redirect_stdout(sys.stderr):  # a strategy's prints are no part of the answer
        outcome, db_option = _run(Path(bot), overrides, live=live, flatten=flatten, for_s=for_s, db=db)
    if outcome.failure is not None:
        _render(outcome, db_option, err=True)
        raise outcome.failure
    emit(_result(outcome), as_json, lambda: _render(outcome, db_option))
    if outcome.signal:
        ctx.exit(128 + outcome.signal)


def _seconds(text: str | None) -> float | None:
    """Seconds of ``--for``."""
    if text is None:
        return None
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = _DURATION.get(text[len(number) :])
    if unit is None or not number.isascii() or not number.isdecimal() or not 0 < int(number) * unit <= 366 * 86400:
        raise ConfigError(f"--for {text[:40]!r} is no time: write a whole number and ms, s, m, h or d, as 90s or 8h")
    return int(number) * unit


def _run(
    path: Path, overrides: tuple[str, ...], *, live: bool, flatten: bool, for_s: float | None, db: str | None
) -> tuple[LiveOutcome, str]:
    """Everything between the arguments and the result; gives the outcome and the option later commands need."""
    from ..config import load_config, resolve
    from ..config.live import circumstances, refusals, refuse
    from ..engine.assemble import assemble
    from ..engine.launch import Held
    from ..journal.store import db_option, default_url
    from ..state.folder import BotFolder
    from .loading import load_plugins

    config = load_config(path, overrides)
    registry = load_plugins(config.bot.plugins)
    plan = resolve(config, registry)
    folder = BotFolder.of(config.bot.name)
    url = _on_disk(db or config.journal_url or default_url())
    # what live mode refuses is told before anything is made; a paper bot has no terminal to answer at
    dry = assemble(plan, _memory_latch(config))
    refuse(refusals(plan, circumstances(config, dry.limits, flag=live, tty=sys.stdin.isatty(), typed=None)))
    folder.prepare()
    with folder.lock() as still_mine, folder.recorder_lock(_LAST_RECORDER_S) as recorder_lock:
        _logging(config, folder)
        _settle(folder, url)
        _require_released(folder)
        assembly = attrs.evolve(dry, latch=folder.open_latch())
        held = Held(recorder_lock=recorder_lock, still_mine=still_mine)
        outcome = _launch(assembly, registry, folder, held, url, for_s=for_s, flatten=flatten)
    return outcome, db_option(db or config.journal_url)


def _on_disk(url: str) -> str:
    """The journal's URL with the file's whole path, by which the next start knows it, from whatever folder."""
    from ..journal.database import parse_url, sqlite_file

    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        return url
    file = sqlite_file(parsed)
    if file is None or parsed.query.get("mode") == "memory":
        raise StoreError("a journal in memory is lost with its recorder: name a file, as --db sqlite:///FILE")
    return parsed.set(database=str(file.absolute())).render_as_string(hide_password=False)


def _memory_latch(config: Config) -> Any:
    from ..native.latch import Latch

    return Latch.memory(config.bot.name)


def _require_released(folder: BotFolder) -> None:
    """A latched bot does not start (exit 6)."""
    from ..native.latch import Mode

    latch = folder.open_latch()
    info = latch.info()
    latch.close()
    if info.mode is not Mode.ACTIVE:
        who = f" by {info.who}" if info.who else ""
        why = f"{info.mode.name}{who}: {info.reason}"
        raise RefusedForSafety(f"bot {folder.name} is latched ({one_line(why)}); release it: bot4 resume {folder.name}")


def _logging(config: Config, folder: BotFolder) -> None:
    from ..logs import set_up

    set_up(folder.log_path, level=config.log.level, rotate_mb=config.log.rotate_mb, keep=config.log.keep)


def _settle(folder: BotFolder, url: str) -> None:
    """Says what became of a run that ended without a clean stop."""
    from loguru import logger

    from ..engine.last_run import settle

    for line in settle(folder, url, time.time_ns()):
        logger.warning("{}", line)


def _launch(
    assembly: Assembly,
    registry: Registry,
    folder: BotFolder,
    held: Held,
    url: str,
    *,
    for_s: float | None,
    flatten: bool,
) -> LiveOutcome:
    from loguru import logger

    from ..engine.clock import SystemClock
    from ..engine.launch import Launch, run_live
    from ..journal.records import new_run_id
    from ..specs import RunInfo

    config = assembly.plan.config
    created_ns = time.time_ns()
    run_id = new_run_id(created_ns)
    asked = Launch(
        run_id=run_id,
        created_ns=created_ns,
        mode=config.bot.mode,
        source=config.path,
        journal=url,
        sinks=_sinks(assembly.plan, registry, folder, url, run_id),
        for_s=for_s,
        flatten=flatten,
    )

    def log(level: str, line: str) -> None:
        logger.log(level, "{}", line)

    told = RunInfo(run_id=run_id, bot=config.bot.name, mode=config.bot.mode, seed=config.bot.seed)
    with _observed(registry, told) as end:
        logger.info("run {} of {} starts: {} on {}", run_id, config.bot.name, config.bot.mode, config.source)
        watch = f"watch it: bot4 status {config.bot.name}; stop it: Ctrl-C"
        with suppress(BrokenPipeError):  # whoever was to read it has left; the log has it
            click.echo(f"{config.bot.name} trades on {config.bot.mode}, run {run_id}; {watch}", err=True)
        outcome = asyncio.run(run_live(assembly, folder, held, asked, SystemClock(), log))
        end.append(outcome.reason)
        logger.info("run {} ended: {}", run_id, outcome.reason)
    return outcome


@contextmanager
def _observed(registry: Registry, told: Any) -> Iterator[list[str]]:
    """Tells the plugins of the run's start and end; the caller appends the reason."""
    from loguru import logger

    for problem in registry.starting(told):
        logger.warning("{}", problem)
    reasons: list[str] = []
    try:
        yield reasons
    except BaseException as error:
        reasons.append(one_line(f"{type(error).__name__}: {error}"))
        raise
    finally:
        for problem in registry.stopping(told, reasons[-1]):
            logger.warning("{}", problem)


def _sinks(
    plan: Plan, registry: Registry, folder: BotFolder, journal: str, run_id: str
) -> list[tuple[str, dict[str, object]]]:
    """Name and settings line of each sink's process (``bot4_core.sinks.process.Request``)."""
    pins = {pin.name: attrs.asdict(pin, filter=_given) for pin in plan.config.bot.plugins}
    found: list[tuple[str, dict[str, object]]] = []
    for part in plan.sinks:
        plugin = next(one.info.name for one in registry.everything if any(spec is part.spec for _, spec in one.specs))
        line: dict[str, object] = {
            "plugin": pins.get(plugin),  # None: one of the core's own
            "sink": part.spec.name,
            "settings": dict(part.table.settings),
            "base_dir": str(plan.config.base_dir),
            "bot": plan.config.bot.name,
            "seed": plan.config.bot.seed,
            "segment": str(folder.segment_path),
            "journal": journal if part.spec.reads == "journal" else "",
            "run_id": run_id,
        }
        found.append((part.spec.name, line))
    return found


def _given(_attribute: object, value: object) -> bool:
    return value is not None


def _result(outcome: LiveOutcome) -> Mapping[str, Any]:
    summary = outcome.summary
    return {
        "run_id": outcome.run_id,
        "mode": "paper",
        "orders": outcome.sent,
        "fills": summary["fills"],
        "end_equity": summary["end_equity"],
        "reason": outcome.reason,
        "open_positions": summary["open_positions"],
        "stops_left": outcome.remains.stops,
        "cancels_unanswered": outcome.remains.unanswered,
    }


def _render(outcome: LiveOutcome, db_option: str, *, err: bool = False) -> None:
    from ..domain.money import parse_decimal
    from ..report.wording import amount, counted, places_for, significant

    summary = outcome.summary
    equity = parse_decimal(str(summary["end_equity"]))
    click.echo(f"run {outcome.run_id}: {outcome.reason}", err=err)
    shown = amount(equity, places_for(equity, 8))
    click.echo(f"orders sent {outcome.sent}, fills {summary['fills']}, equity {shown}", err=err)
    positions: Any = summary["open_positions"]
    for one in positions:
        entry = significant(parse_decimal(one["average_entry"]))
        click.echo(f"left open: {one['quantity']} {one['symbol']}, entry {entry}, mark {one['mark']}", err=err)
    if outcome.remains.stops:
        click.echo(f"{counted(outcome.remains.stops, 'stop')} left; on paper they end with the run", err=err)
    click.echo(f"report: bot4 report {outcome.run_id}{db_option}", err=err)
