"""The live driver: one asyncio loop that feeds the engine from an exchange's stream, and sends what it decides.

It trades on paper today. No order leaves before its intent is durable, and the latch is read once more between the
two. Everything that can wait runs beside it: the journal, the sinks and whoever watches are other processes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Final, cast

from attrs import frozen

from ..domain.order import Order, Role
from ..errors import Bot4Error, one_line
from ..native.latch import Latch, Mode
from ..protocols import Arrival, Clock, RunStatus, Streaming
from ..state.board import Board, RunState
from .assemble import Assembly
from .core import Engine
from .desk import Action, Command
from .durability import STALLED_S, Durability
from .equity import EquityLog
from .gather import Gather
from .timers import NEVER_NS

#: an intent that becomes durable later than this is not sent (O-6)
VALID_S: Final = 5.0
#: heartbeat, figures and a look at the latch (R-44)
BEAT_S: Final = 0.1
#: D-11: how long the answers to cancels are waited for
DRAIN_S: Final = 5.0
#: while the journal has no room for another step it is looked at so often
_ROOM_S: Final = 0.01
#: the equity curve goes to the journal so often
_EQUITY_S: Final = 60.0


@frozen(kw_only=True)
class Remains:
    """What a run leaves behind when it stops (D-11).

    Args:
        unanswered: cancels without an answer.
        stops: working protective orders.
    """

    unanswered: int
    stops: int


class Trader:
    """One run of a bot in real time.

    Args:
        assembly: the bot; its exchange streams.
        engine: its engine, whose facts go to ``durability``.
        durability: the trader's end of the journal.
        board: where it shows its figures.
        clock: time that the stream is paced by.
        log: takes ``(level, line)``.
        flatten: whether a stop also closes what is held.

    Attributes:
        sent: orders handed to the exchange.
        restarts: gives how often the recorder and sinks were started again, and how many sinks were given up.
        still_mine: whether the bot's lock is still held under its name.
    """

    def __init__(
        self,
        assembly: Assembly,
        engine: Engine,
        durability: Durability,
        board: Board,
        clock: Clock,
        log: Callable[[str, str], object],
        *,
        flatten: bool = False,
    ) -> None:
        exchange = assembly.exchange
        assert isinstance(exchange, Streaming)  # launch saw to it
        self._assembly = assembly
        self._exchange = exchange
        self._engine = engine
        self._journal = durability
        self._board = board
        self._clock = clock
        self._log = log
        self._flatten = flatten
        self._gather = Gather()
        self._stop: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._turn = asyncio.Lock()
        self._mode = Mode.ACTIVE
        self._coming: asyncio.Future[Arrival] | None = None
        self._events = 0
        self.sent = 0
        self.restarts: Callable[[], tuple[int, int, int]] = lambda: (0, 0, 0)
        self.still_mine: Callable[[], bool] = lambda: True

    @property
    def _latch(self) -> Latch:
        return self._engine.desk.latch

    def stop(self, reason: str) -> None:
        """Asks for an orderly end (D-11); the first reason stands."""
        if not self._stop.done():
            self._stop.set_result(reason)
            self._engine.desk.accepting = False  # from here on, whatever the loop is waiting for just now
        self._journal.interrupt()

    async def run(self, first_ns: int) -> str:
        """Trades until the stream ends or somebody stops it.

        Args:
            first_ns: time of the market at the start, UTC ns.

        Returns:
            The reason for the end.

        Raises:
            StrategyError: when a strategy raises.
            StoreError: when the journal takes nothing more.
        """
        engine = self._engine
        start_equity = engine.account.portfolio.own.get(engine.account.reporting, 0)
        self._equity = EquityLog(engine.account, self._journal.append, start_equity, first_ns)
        stream = cast("AsyncGenerator[Arrival, None]", self._exchange.stream(self._clock))
        with engine.dispatch.strategy_errors():
            engine.start(first_ns, 0)
            self._advance = engine.connect(self._gather.events, self._gather.reports)
            engine.timers.notify = self._exchange.wake_at
            self._exchange.wake_at(engine.timers.next_ns)
            self._board.say(RunState.RUNNING)
            beat = asyncio.create_task(self._beat())
            try:
                reason = await self._trade(stream, beat)
                engine.stop()
            except (Exception, SystemExit):  # a strategy may call sys.exit()
                await self._abandon(stream)
                raise
            finally:
                self._board.say(RunState.STOPPING)
                await self._end(beat)
                await self._hang_up(stream)
                self._publish()
        return reason

    def end_curve(self) -> None:
        """Writes the rest of the equity curve, whatever the run's end was."""
        self._equity.write(last=True)

    def remains(self) -> Remains:
        """What is left at the exchange."""
        working = self._engine.desk.orders.all_working()
        return Remains(
            unanswered=self._engine.desk.unanswered(), stops=sum(order.role is Role.STOP for order in working)
        )

    # the loop

    async def _trade(self, stream: AsyncGenerator[Arrival, None], beat: asyncio.Task[None]) -> str:
        engine = self._engine
        others: set[asyncio.Future[str] | asyncio.Task[None]] = {self._stop, beat}
        while not self._stop.done():
            if beat.done():
                beat.result()  # raises what ended it: a bot without heartbeat and latch watch must not trade
            arrival = await self._next(stream, others)
            if arrival is None:
                continue
            if arrival.status & RunStatus.FINISHED:
                return f"halted: {engine.halted}" if engine.halted else "finished"
            async with self._turn:
                self._take(arrival)
                await self._send()
            while self._journal.full and not (self._stop.done() or beat.done()):  # not in turn: the latch is heeded
                await asyncio.wait(others, timeout=_ROOM_S, return_when=asyncio.FIRST_COMPLETED)
        await self._drain(stream)
        reason = self._stop.result()
        if left := engine.desk.unanswered():
            return f"{reason}; {left} cancel{'s' if left > 1 else ''} unanswered"
        return reason

    async def _next(
        self, stream: AsyncGenerator[Arrival, None], others: set[asyncio.Future[str] | asyncio.Task[None]],
        timeout_s: float | None = None,
    ) -> Arrival | None:
        """What arrives next; None when one of the others is done first, or the time is over."""
        if self._coming is None:
            self._coming = asyncio.ensure_future(anext(stream))
        if not self._coming.done():
            await asyncio.wait({self._coming, *others}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not self._coming.done():
            return None
        coming, self._coming = self._coming, None
        return coming.result()

    async def _hang_up(self, stream: AsyncGenerator[Arrival, None]) -> None:
        if self._coming is not None:
            self._coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await self._coming
        await stream.aclose()

    def _take(self, arrival: Arrival) -> None:
        """Processes what arrived, once its step is complete."""
        engine = self._engine
        if arrival.status & RunStatus.TIMER:
            if engine.timers.next_ns != NEVER_NS:  # a stop may have dropped them while this was on its way
                engine.run_timers(engine.timers.next_ns)
            return
        self._gather.add(arrival.records)
        if arrival.status & RunStatus.STEP:
            began = time.perf_counter_ns()
            self._events += self._advance(self._gather.pull) & RunStatus.EVENTS
            self._board.latency["decide"].record(time.perf_counter_ns() - began)

    async def _send(self) -> None:
        """The one place where an order leaves: its intent is durable, and the latch is read once more (O-6)."""
        desk, journal = self._engine.desk, self._journal
        while desk.outbox:
            committed = time.monotonic()
            batch = list(desk.commands())
            last, told = journal.next_seq - 1, False
            for command in batch:  # in their order: a cancel in front of an order waits for nothing
                if command.action is Action.CANCEL:
                    self._cancel(command.order)
                    continue
                reason = await self._too_late(command.order, last, committed)
                began = time.monotonic()
                if not told:
                    self._board.latency["durable"].record(int((began - committed) * 1e9))
                    desk.gate.journal_waits_s, told = journal.waits_s(), True
                self._submit(command, reason)
                self._board.latency["send"].record(int((time.monotonic() - began) * 1e9))
        journal.wake()

    async def _too_late(self, order: Order, seq: int, committed: float) -> str:
        """Waits for the disk; gives the reason why the order must not be sent after all.

        A reduction goes in any case: after :data:`STALLED_S` its intent waits in the ring for the disk (K-9).
        """
        waited_s = time.monotonic() - committed
        if not order.raises_risk:
            await self._journal.wait(seq, STALLED_S - waited_s)
            return ""
        durable = await self._journal.wait(seq, VALID_S - waited_s, self._no_risk)
        if self._latch.mode != Mode.ACTIVE:
            return "latched before the send"
        if self._stop.done():
            return "the run is ending"
        in_time = durable and time.monotonic() - committed <= VALID_S  # the process itself may have been stopped
        return "" if in_time else f"its intent was not durable within {VALID_S:g} s"

    def _no_risk(self) -> bool:
        """Whether no entry may be sent any more, so that none needs to wait for the disk."""
        return self._latch.mode != Mode.ACTIVE or self._stop.done()

    def _cancel(self, order: Order) -> None:
        if not order.is_terminal:  # one that was held back a moment ago is not at the exchange
            self._exchange.cancel(order)

    def _submit(self, command: Command, reason: str) -> None:
        order = command.order
        if reason:
            self._engine.desk.hold_back(command, reason)
            self._log("WARNING", f"order {order.order_id} ({order.instrument.symbol}) was not sent: {reason}")
            return
        self._exchange.submit(order)
        self.sent += 1
        self._board.count("sent", self.sent)

    # stopping

    async def _drain(self, stream: AsyncGenerator[Arrival, None]) -> None:
        """D-11: entries are cancelled, stops stay, positions are left or closed; the answers are taken in."""
        engine, desk = self._engine, self._engine.desk
        self._board.say(RunState.STOPPING)
        desk.accepting = False
        engine.ignore_market()
        async with self._turn:
            desk.cancel_entries()
            if self._flatten:
                engine.flatten("flatten at the stop")
            await self._send()
        deadline = time.monotonic() + DRAIN_S
        while self._waiting() and (left_s := deadline - time.monotonic()) > 0:
            arrival = await self._next(stream, set(), left_s)
            if arrival is None or arrival.status & RunStatus.FINISHED:
                return
            async with self._turn:
                self._take(arrival)
                await self._send()

    async def _abandon(self, stream: AsyncGenerator[Arrival, None]) -> None:
        """Something raised: entries end as at a stop, as far as that is still possible."""
        self._engine.dispatch.silent = True  # one that raised is told nothing more: it could keep the answers from us
        try:
            await self._drain(stream)
        except Bot4Error as error:
            self._log("ERROR", f"entries could not be cancelled: {one_line(error)}")

    async def _end(self, beat: asyncio.Task[None]) -> None:
        """Ends what runs beside the loop, but not in the middle of its own sending."""
        async with self._turn:
            beat.cancel()
        await asyncio.wait({beat})
        if not beat.cancelled() and (error := beat.exception()):
            self._log("ERROR", f"the watch over heartbeat and latch ended: {one_line(error)}")

    def _waiting(self) -> bool:
        """Whether the exchange owes an answer that the end waits for."""
        desk = self._engine.desk
        if desk.unanswered():
            return True
        return self._flatten and any(order.role is Role.CLOSE for order in desk.orders.all_working())

    # beside the loop

    async def _beat(self) -> None:
        """Heartbeat, figures, latch and journal, each 100 ms; the equity curve each minute."""
        expected = time.monotonic()
        curve = expected + _EQUITY_S
        while True:
            now = time.monotonic()
            self._board.beat(time.monotonic_ns(), max(0, int((now - expected) * 1e9)))
            self._publish()
            self._engine.desk.gate.journal_waits_s = self._journal.waits_s()
            if not self.still_mine():
                self.stop("the bot's lock was taken away: another process could trade as this bot")
            if (mode := self._latch.verify()) != self._mode:
                self._mode = mode
                self._journal.interrupt()
                async with self._turn:
                    with self._engine.dispatch.strategy_errors():  # a strategy's sys.exit() in a task ends the loop
                        self._heed(mode)
                        await self._send()
            if now >= curve:
                curve = now + _EQUITY_S
                async with self._turn:
                    self._equity.write(last=False)
                    self._journal.wake()
            expected = time.monotonic() + BEAT_S
            await asyncio.sleep(BEAT_S)

    def _heed(self, mode: Mode) -> None:
        """The latch was moved by somebody else: no new risk, entries end, stops stay (K-6, K-7)."""
        info = self._latch.info()
        self._log("WARNING", f"latch {mode.name} by {info.who or 'nobody named'}: {info.reason}")
        if self._engine.halted and mode is Mode.KILLED and info.who == "engine":
            return  # our own halt: it is journaled, and its entries are cancelled
        self._engine.heed(mode, info.who, info.reason)
        if self._engine.halted and mode is Mode.ACTIVE:
            self._log("WARNING", f"this run halted ({self._engine.halted}) and takes no new risk: stop and start it")

    def _publish(self) -> None:
        account, desk, orders = self._engine.account, self._engine.desk, self._engine.desk.orders
        valuation = account.valuation
        recorder, sinks, lost = self.restarts()
        figures = {
            "market_ns": desk.now,
            "events": self._events,
            "wakes": self._engine.dispatch.wakes,
            "approved": desk.gate.approved,
            "denied": desk.gate.denied,
            "fills": self._engine.fills,
            "working_orders": len(orders.all_working()),
            "working_entries": orders.entries,
            "equity_units": valuation.equity,
            "peak_units": valuation.peak,
            "drawdown_ppb": valuation.drawdown_ppb,
            "max_drawdown_ppb": valuation.max_drawdown_ppb,
            "next_seq": self._journal.next_seq,
            "recorder_restarts": recorder,
            "sink_restarts": sinks,
            "sinks_lost": lost,
        }
        self._board.write(figures, self._journal.denied, [self._position(i) for i in range(len(account.positions))])

    def _position(self, index: int) -> tuple[int, int, int, int, int]:
        account = self._engine.account
        position, mark = account.positions[index], account.mark_ticks(index)
        unrealised = position.unrealised(mark) if mark else 0
        uncovered = self._engine.coverage.uncovered_lots(index)
        return position.lots, position.entry_cost, mark, unrealised, uncovered
