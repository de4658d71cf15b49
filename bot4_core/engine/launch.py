"""From an assembly to a running bot: its segment, its recorder, its sinks, its trader; and all of them down again."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import FrameType

from attrs import evolve, frozen

from ..errors import ConfigError, StoreError, one_line
from ..journal.database import parse_url, show
from ..journal.records import Mode
from ..protocols import Clock, Streaming
from ..state.board import Board, Manifest, RunState
from ..state.folder import BotFolder
from .assemble import Assembly
from .companion import Companion
from .core import Engine
from .durability import Durability
from .live import Remains, Trader
from .reducing import REDUCING_RULES
from .rules import ENTRY_RULES
from .summary import agree, run_summary

#: how long the recorder may take to begin the run, and to store the last records at its end
_STORE_S = 30.0
#: how long a sink may take to read the end of the run
_SINK_S = 12.0

Log = Callable[[str, str], object]


@frozen(kw_only=True)
class Launch:
    """What a run is asked to be.

    Args:
        run_id, created_ns, mode: as the journal keeps them.
        source: the config file.
        journal: the journal's URL, with its password.
        sinks: name and settings line of each sink's process.
        for_s: stops the run after so many seconds; None runs on.
        flatten: whether a stop also closes what is held.
    """

    run_id: str
    created_ns: int
    mode: Mode
    source: Path
    journal: str
    sinks: Sequence[tuple[str, Mapping[str, object]]] = ()
    for_s: float | None = None
    flatten: bool = False


@frozen(kw_only=True)
class LiveOutcome:
    """How a run ended.

    Args:
        run_id: as in the journal.
        reason: ``finished``, ``stopped by ...``, ``halted: ...``.
        summary: what was written with RUN_END.
        remains: what it left at the exchange.
        sent: orders handed over.
        signal: the signal that stopped it, 0 for none.
        failure: what the run failed with, after its journal was ended; None when it did not.
    """

    run_id: str
    reason: str
    summary: Mapping[str, object]
    remains: Remains
    sent: int
    signal: int = 0
    failure: Exception | None = None


@frozen(kw_only=True)
class Held:
    """The locks of a bot's folder, held.

    Args:
        recorder_lock: from ``BotFolder.recorder_lock``; the recorder inherits it.
        still_mine: from ``BotFolder.lock``.
    """

    recorder_lock: int
    still_mine: Callable[[], bool]


async def run_live(
    assembly: Assembly, folder: BotFolder, held: Held, asked: Launch, clock: Clock, log: Log
) -> LiveOutcome:
    """Runs a bot in real time until its stream ends or somebody stops it.

    Args:
        assembly: a fresh bot with the folder's latch; it is used up.
        folder: of the bot.
        held: its locks.
        asked: the run.
        clock: that the market is paced by.
        log: takes ``(level, line)``.

    Raises:
        ConfigError: the exchange does not stream.
        StoreError: the journal cannot be begun, or was lost.
    """
    if not isinstance(assembly.exchange, Streaming):
        raise ConfigError("the exchange replays history only: trading in real time needs one that streams")
    board = Board(folder.segment_path, _manifest(assembly, asked))
    journal = Durability(board)
    outcome: LiveOutcome | None = None
    try:
        journal.start(assembly.run_info(asked.run_id, asked.created_ns, asked.mode))
        engine = assembly.engine(journal.append, fresh_ids=True)
        trader = Trader(assembly, engine, journal, board, clock, log, flatten=asked.flatten)
        with _signals(trader) as taken:
            async with (
                _recorder(folder, journal, held.recorder_lock, asked, log, trader) as recorder,
                _sinks(asked, log) as sinks,
            ):
                trader.restarts = lambda: (
                    recorder.restarts, sum(sink.restarts for sink in sinks), sum(sink.is_lost for sink in sinks)
                )  # fmt: skip
                trader.still_mine = held.still_mine
                outcome = await _traded(assembly, engine, trader, journal, recorder, asked)
    finally:
        journal.close()
        board.say(RunState.ENDED if outcome is not None and outcome.failure is None else RunState.FAILED)
        if journal.ended:  # else the next start stores what the ring still holds
            board.segment.close()
    return evolve(outcome, signal=taken[0] if taken else 0)


async def _traded(
    assembly: Assembly, engine: Engine, trader: Trader, journal: Durability, recorder: Companion, asked: Launch
) -> LiveOutcome:
    """Trades, and ends the journal as ``run_backtest`` does: whatever happened, with curve, figures and reason."""
    exchange, failure = assembly.exchange, None
    began = time.perf_counter()
    with _time_limit(trader, asked.for_s):
        try:
            reason = await trader.run(exchange.first_ns)
            if reason == "finished":
                agree(assembly)
        except StoreError:
            raise  # there is no journal to end
        except Exception as error:  # noqa: BLE001  # handed on, once the journal has its end
            reason, failure = f"failed: {one_line(error)}", error
        window = (exchange.first_ns, engine.desk.now)
        summary = run_summary(assembly, engine, reason, time.perf_counter() - began, window)
        trader.end_curve()
        last = journal.finish(summary)
        if not await journal.wait(last, _STORE_S, lambda: recorder.is_lost):
            raise StoreError(f"run {asked.run_id}: {reason}; its end is not durable yet: the next start completes it")
    return LiveOutcome(
        run_id=asked.run_id, reason=reason, summary=summary, remains=trader.remains(), sent=trader.sent,
        failure=failure,
    )  # fmt: skip


def _manifest(assembly: Assembly, asked: Launch) -> Manifest:
    account, bot = assembly.account, assembly.plan.config.bot
    rules = [name for name, _ in (*ENTRY_RULES, *REDUCING_RULES)]
    return Manifest(
        run_id=asked.run_id,
        bot=bot.name,
        mode=asked.mode,
        pid=os.getpid(),
        source=str(asked.source),
        journal=show(parse_url(asked.journal)),
        started_ns=asked.created_ns,
        instruments=account.instruments,
        reporting_asset=account.reporting,
        reporting_scale=account.scale,
        start_equity=account.portfolio.own.get(account.reporting, 0),
        drawdown_limit=None if assembly.limits.drawdown is None else str(assembly.limits.drawdown),
        rules=(*rules, *(f"policy.{name}" for name, _ in assembly.policies)),
        sinks=tuple(name for name, _ in asked.sinks),
    )


@asynccontextmanager
async def _recorder(
    folder: BotFolder, journal: Durability, lock: int, asked: Launch, log: Log, trader: Trader
) -> AsyncIterator[Companion]:
    """The recorder, once the run's first record is durable; it ends when all of the run is."""
    settings = {
        "segment": str(folder.segment_path),
        "url": asked.journal,
        "mode": asked.mode,
        "wake_fd": journal.wake_fd,
        "notify_fd": journal.notify_fd,
    }
    said: list[str] = []

    def hear(level: str, line: str) -> None:
        said.append(line)
        log(level, line)

    recorder = Companion(
        "recorder", "bot4_core.journal.recorder", settings, hear, fds=(journal.wake_fd, journal.notify_fd, lock)
    )
    recorder.on_lost = lambda reason: trader.stop(f"the journal is lost: {reason}")
    try:
        await recorder.start()
    except OSError as error:
        raise StoreError(f"the recorder cannot be started: {error.strerror}; see `bot4 doctor`") from error
    try:
        if not await journal.wait(0, _STORE_S, lambda: recorder.is_lost or recorder.restarts > 0):
            why = said[0].removeprefix("recorder: ") if said else f"it did not answer within {_STORE_S:g} s"
            raise StoreError(f"the recorder cannot begin the run: {why}")
        said.clear()
        yield recorder
    finally:
        await recorder.finish(_STORE_S)


@asynccontextmanager
async def _sinks(asked: Launch, log: Log) -> AsyncIterator[list[Companion]]:
    """The processes of the sinks; one that is lost is a warning and nothing more."""
    sinks = [Companion(f"sink {name}", "bot4_core.sinks.process", settings, log) for name, settings in asked.sinks]
    try:
        for sink in sinks:
            try:
                await sink.start()
            except OSError as error:
                log("ERROR", f"{sink.name} cannot be started: {error.strerror}")
        yield sinks
    finally:
        await asyncio.gather(*(sink.finish(_SINK_S) for sink in sinks))


@contextmanager
def _signals(trader: Trader) -> Iterator[list[int]]:
    """SIGINT, SIGTERM and SIGHUP stop the run in order; a second one ends the process at once (D-11).

    Not by ``loop.add_signal_handler``: the loop stands still while a strategy does, and the second must end that too.

    Yields:
        The signals taken, first one first.
    """
    loop, taken = asyncio.get_running_loop(), list[int]()

    def take(number: int, _frame: FrameType | None) -> None:
        if taken:
            os._exit(128 + number)  # what is durable stays, and the next start says what happened
        taken.append(number)
        with suppress(OSError):  # a terminal that was closed takes no words
            os.write(2, b"stopping in order; once more to end at once\n")
        loop.call_soon_threadsafe(trader.stop, f"stopped by {signal.Signals(number).name}")

    before = {number: signal.signal(number, take) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield taken
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _time_limit(trader: Trader, for_s: float | None) -> Iterator[None]:
    if for_s is None:
        yield
        return
    handle = asyncio.get_running_loop().call_later(for_s, trader.stop, f"stopped after {for_s:g} s")
    try:
        yield
    finally:
        handle.cancel()
