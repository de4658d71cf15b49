"""The backtest driver: replays history through the engine and writes the journal inline (DECISIONS.md D-5, D-7)."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from attrs import frozen

from ..errors import ConfigError, StoreError, one_line
from ..journal.store import Store
from ..journal.writer import JournalWriter
from ..protocols import Replay, RunStatus
from .assemble import Assembly
from .core import Engine
from .desk import Action
from .equity import EquityLog
from .summary import agree, run_summary

#: the progress callback is called each time so many turns of the loop are done, less one
_PROGRESS_MASK = 63
#: at an interrupt the answers to cancels are waited for so long (D-11), in time of the market, beyond the bar under
#: way: a bar that opened before the cancel arrived may still fill the order, so the answer comes with its close
_DRAIN_NS = 5 * 10**9

#: ``progress(processed events, total events, time of the market in UTC ns)``
Progress = Callable[[int, int, int], None]


@frozen(kw_only=True)
class Outcome:
    """How a backtest ended.

    Args:
        run_id: as in the journal.
        reason: ``finished``, ``interrupted ...`` or ``halted: ...``.
        summary: what was written with RUN_END.
        result_hash: D-6.
    """

    run_id: str
    reason: str
    summary: Mapping[str, object]
    result_hash: str

    @property
    def interrupted(self) -> bool:
        """True when the user ended it."""
        return self.reason.startswith("interrupted")


class _Stop:
    """Set by the first Ctrl-C or SIGTERM; the second one ends at once (D-11)."""

    def __init__(self) -> None:
        self.reason = ""

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.reason:
            raise KeyboardInterrupt
        self.reason = f"interrupted by {signal.Signals(number).name}"


@contextmanager
def _graceful(stop: _Stop) -> Iterator[None]:
    """Takes SIGINT and SIGTERM while the loop runs; outside the main thread signals stay as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Makes Python's cycle collector look less often: a run makes many objects and hardly a cycle."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def window_of(exchange: Replay, from_ns: int | None, to_ns: int | None) -> tuple[int, int]:
    """First and last moment of a run, UTC ns; None leaves that side open.

    Raises:
        ConfigError: when no event of the history lies between them.
    """
    first = exchange.first_ns if from_ns is None else from_ns
    last = exchange.last_ns if to_ns is None else to_ns
    if first > last or first > exchange.last_ns or last < exchange.first_ns:
        raise ConfigError("the window --from..--to holds no event of the history")
    return first, last


def run_backtest(
    assembly: Assembly,
    store: Store,
    *,
    run_id: str,
    created_ns: int,
    from_ns: int | None = None,
    to_ns: int | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """Runs a bot over its exchange's history.

    Args:
        assembly: a fresh bot; it is used up.
        store: the open journal.
        run_id, created_ns: identity and wall time of the run; neither enters the result hash.
        from_ns, to_ns: window, UTC ns, both inclusive; bars before it are used to warm up.
        progress: called now and then.
        clock: seconds, for the speed figure only.

    Raises:
        ConfigError: when the window holds no event.
        StrategyError: when a strategy raises.
        Bot4Error: when something else goes wrong on the way; in both cases the journal ends like any other, with the
            equity curve and the reason ``failed: ...``.
    """
    exchange = assembly.exchange
    first, last = window_of(exchange, from_ns, to_ns)
    exchange.limit(last)
    with JournalWriter(store, assembly.run_info(run_id, created_ns)) as writer:
        engine = assembly.engine(writer.append)  # type: ignore[arg-type]  # words are tuples of six everywhere here
        failure: Exception | None = None
        began = clock()
        try:
            with engine.dispatch.strategy_errors():
                engine.start(first, first if from_ns is not None else 0)
                if from_ns is not None:
                    exchange.seek(engine.dispatch.warm_from(first))
                began = clock()
                reason = _Loop(assembly, engine, progress).run()
                engine.stop()
            if reason == "finished":
                agree(assembly)
        except StoreError:
            raise  # there is no journal to end
        except Exception as error:  # noqa: BLE001  # raised again below, once the journal has its end
            reason, failure = f"failed: {one_line(error)}", error
        wall_s = clock() - began
        summary = run_summary(assembly, engine, reason, wall_s, (first, last))
        EquityLog(assembly.account, writer.append, writer.info.start_equity, first).write(last=True)  # type: ignore[arg-type]  # as above
        result_hash = writer.finish(summary)
    if failure is not None:
        raise failure
    return Outcome(run_id=run_id, reason=reason, summary=summary, result_hash=result_hash)


class _Loop:
    """The run itself: replay, engine, exchange, round and round."""

    def __init__(self, assembly: Assembly, engine: Engine, progress: Progress | None) -> None:
        self._exchange = assembly.exchange
        self._engine = engine
        self._advance = engine.connect(self._exchange.step, self._exchange.reports)
        self._progress = progress
        self._held: dict[int, bool] = {}
        self._stop = _Stop()

    def run(self) -> str:
        """Runs to the end of history or an interrupt; gives the reason."""
        exchange, engine = self._exchange, self._engine
        exchange.attach(engine.account.valuation)
        engine.timers.notify = exchange.wake_at
        exchange.wake_at(engine.timers.next_ns)
        for index in range(len(engine.feeds)):
            self._follow(index)
        with _graceful(self._stop), _rare_collections():
            self._replay()
            if self._stop.reason:
                self._drain()
                if left := engine.desk.unanswered():
                    cancels = "1 cancel" if left == 1 else f"{left} cancels"
                    return f"{self._stop.reason}; {cancels} unanswered"
        return self._stop.reason or (f"halted: {engine.halted}" if engine.halted else "finished")

    def _follow(self, index: int) -> None:
        """Names what wakes the engine for an instrument; that changes only with whether a position is held."""
        held = self._engine.account.position_lots(index) != 0
        if self._held.get(index) is held:
            return
        self._held[index] = held
        self._exchange.wake_on(index, self._engine.dispatch.wanted_kinds(index, held))

    def _replay(self) -> None:
        exchange, engine, stop = self._exchange, self._engine, self._stop
        advance, timers, outbox = self._advance, engine.timers, engine.desk.outbox
        calls = 0
        while not stop.reason:
            status = advance(exchange.run)
            if status & RunStatus.MORE:
                status = advance(exchange.run_on)
                self._show()
            if status & RunStatus.FINISHED and not outbox:
                return
            if status & RunStatus.TIMER:
                engine.run_timers(timers.next_ns)
            for index in engine.take_changed():
                self._follow(index)
            if outbox:
                self._send()
            calls += 1
            if not calls & _PROGRESS_MASK:
                self._show()

    def _show(self) -> None:
        if self._progress:
            self._progress(self._exchange.processed(), self._exchange.total_events, self._engine.desk.now)

    def _send(self) -> None:
        """The one place where an order leaves for the exchange; its intent is journaled by then."""
        for command in self._engine.desk.commands():
            if command.action is Action.SUBMIT:
                self._exchange.submit(command.order)
            else:
                self._exchange.cancel(command.order)

    def _drain(self) -> None:
        """D-11: entries are cancelled, stops stay, positions are left; the answers are taken in.

        A cancel is on its way as long as any request, so the market goes on meanwhile: orders may still fill, and
        strategies hear of that, but no longer of the market.
        """
        exchange, engine, desk = self._exchange, self._engine, self._engine.desk
        desk.accepting = False
        engine.ignore_market()
        for index in range(len(engine.feeds)):
            exchange.wake_on(index, 0)
        desk.cancel_entries()
        self._send()
        until = desk.now + max(exchange.intervals_ns) + _DRAIN_NS
        while True:
            exchange.wake_at(until if engine.desk.unanswered() else desk.now)
            status = self._advance(exchange.run)
            if desk.outbox:
                self._send()
            elif status & (RunStatus.TIMER | RunStatus.FINISHED):
                return
