"""A scripted bot that is played both by a backtest's ``run`` and by a stream over virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from attrs import define, field

from bot4_core.sdk import EVENT, EVENT_SIZE, Instrument, OrderType, RunStatus, Side
from bot4_core.testing import FakeClock

from .scenario import BTC, ETH, FOREVER, START, Sim

SYMBOLS = (BTC, ETH, *(Instrument(symbol=f"{one}/USDT", tick=BTC.tick, lot=BTC.lot, volume_scale=3) for one in "AB"))
EVERY_KIND = 0xFFFFFFFF


@define(frozen=True)
class Deed:
    """What is done in answer to step number ``after``, or to a timer when ``after`` is negative (-1 the first)."""

    after: int
    order: dict[str, Any] | None
    cancels: int = 0


@define
class Seen:
    """What a bot saw."""

    steps: list[tuple[bytes, bytes]] = field(factory=list)
    timers: list[tuple[int, int]] = field(factory=list)
    balances: dict[str, int] = field(factory=dict)


@define
class Bot:
    """Carries out a script, and notes what it saw.

    Args:
        sim: with its exchange.
        script: what to do when.
        timer_every: ns between timers, 0 = none.
    """

    sim: Sim
    script: Sequence[Deed]
    timer_every: int = 0
    seen: Seen = field(factory=Seen)
    timer_ns: int = FOREVER

    def begin(self) -> None:
        if self.timer_every:
            self.timer_ns = START + self.timer_every
        self.sim.exchange.wake_at(self.timer_ns)

    def on_step(self, events: bytes, reports: bytes) -> None:
        self.seen.steps.append((events, reports))
        self._do(len(self.seen.steps) - 1)

    def on_timer(self) -> None:
        self.seen.timers.append((len(self.seen.steps), self.timer_ns))
        self._do(-len(self.seen.timers))
        self.timer_ns += self.timer_every
        self.sim.exchange.wake_at(self.timer_ns)

    def _do(self, moment: int) -> None:
        for deed in self.script:
            if deed.after == moment and deed.order is not None:
                self.sim.send(**deed.order)
            elif deed.after == moment:
                self.sim.exchange.cancel(self.sim.order(Side.BUY, OrderType.MARKET, 1, order_id=deed.cancels))

    def end(self) -> Seen:
        self.seen.balances = dict(self.sim.exchange.balances())
        return self.seen


def in_a_backtest(bot: Bot) -> Seen:
    """Plays with ``run``."""
    exchange = bot.sim.exchange
    for index in range(len(exchange.instruments)):
        exchange.wake_on(index, EVERY_KIND)
    bot.begin()
    while not (status := exchange.run()) & RunStatus.FINISHED:
        assert status >= 0
        if status & RunStatus.TIMER:
            bot.on_timer()
        elif not status & RunStatus.MORE:
            events, reports = status & RunStatus.EVENTS, status >> RunStatus.REPORTS_SHIFT & RunStatus.EVENTS
            bot.on_step(bytes(exchange.step[: events * 64]), bytes(exchange.reports[: reports * 64]))
    return bot.end()


@define
class Piece:
    """An arrival as it was: when, and what."""

    at: int
    records: bytes
    status: int


def step_of(pieces: Sequence[Piece]) -> tuple[bytes, bytes]:
    """Events and reports of a step, put together as the protocol says."""
    rows = [piece.records[at : at + EVENT_SIZE] for piece in pieces for at in range(0, len(piece.records), EVENT_SIZE)]
    events = [row for row in rows if EVENT.unpack(row)[2] < 16]
    events.sort(key=lambda row: EVENT.unpack(row)[1])
    return b"".join(events), b"".join(row for row in rows if EVENT.unpack(row)[2] >= 16)


async def over_time(bot: Bot, clock: FakeClock, pieces: list[Piece]) -> Seen:
    """Plays with ``stream``; each arrival goes to ``pieces``."""
    exchange, begun = bot.sim.exchange, 0
    bot.begin()
    async with aclosing(exchange.stream(clock)) as arrivals:
        async for records, status in arrivals:
            pieces.append(Piece(clock.monotonic_ns(), bytes(records), status))
            if status & RunStatus.FINISHED:
                break
            if status & RunStatus.TIMER:
                bot.on_timer()
                begun = len(pieces)
            elif status & RunStatus.STEP:
                bot.on_step(*step_of(pieces[begun:]))
                begun = len(pieces)
    return bot.end()


def collect(make: Sim, wanted: int = FOREVER) -> list[Piece]:
    """The arrivals of a whole replay, or the first so many."""
    clock, pieces = FakeClock(), list[Piece]()

    async def read() -> None:
        async with aclosing(make.exchange.stream(clock)) as arrivals:
            async for records, status in arrivals:
                pieces.append(Piece(clock.monotonic_ns(), bytes(records), status))
                if status & RunStatus.FINISHED or len(pieces) == wanted:
                    return

    clock.run(read())
    return pieces
