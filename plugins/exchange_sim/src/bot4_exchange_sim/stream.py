"""The replay as events that arrive over time: paced by a clock, cut into pieces, delayed by a seeded jitter.

A step is taken from the kernel when its time has come and handed over in pieces. The kernel is asked for nothing
beyond the present, and its own time moves exactly as in a backtest, so the same orders meet the same events.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator
from fractions import Fraction
from random import Random
from typing import Final

from bot4_core.sdk import EVENT_SIZE, Arrival, Clock, ExchangeError, NativeError, RunStatus

from .native import Kernel
from .pace import Pace

_INT64_MAX: Final = 2**63 - 1
#: the event loop gets a turn at least once in so many arrivals, also when the bot is late or nothing is waited for
TURN: Final = 64
_TS: Final = struct.Struct("<q")
_INSTRUMENT: Final = struct.Struct("<8xI")

#: delay in ns, and the records
Piece = tuple[int, memoryview]


class EventStream:
    """One exchange's events over time; see ``bot4_core.sdk.Streaming``.

    Args:
        kernel: every event kind wakes it, and it marks no valuation.
        speed: market seconds per second of the clock; None hands over everything as fast as it is asked for.
        jitter_ns: each piece arrives up to so much after its step is due. Without a speed it only decides the order.
        seed: of the cuts and the jitter.
    """

    def __init__(self, kernel: Kernel, *, speed: Fraction | None, jitter_ns: int, seed: int) -> None:
        self._kernel = kernel
        self._speed = speed
        self._jitter_ns = jitter_ns
        self._random = Random(f"exchange-sim stream {seed}")  # seeded by text: the same in every process
        self._sleeper: asyncio.Future[None] | None = None
        self._under_way = False

    def look_again(self) -> None:
        """What is waited for may have changed: an order or cancel was sent, or the timer was moved."""
        if self._sleeper is not None:
            self._sleeper.cancel()

    async def arrivals(self, clock: Clock, start_ns: int) -> AsyncGenerator[Arrival, None]:
        """What arrives, piece by piece.

        Args:
            clock: what the pace is kept by.
            start_ns: first event of the replay; from it, or from what comes next, time is counted.

        Raises:
            ExchangeError: somebody reads the stream already.
            NativeError: the replay cannot go on.
        """
        if self._under_way:
            raise ExchangeError("the simulator's stream is under way already; close it before another is opened")
        self._under_way = True
        turn, pace = 0, self._pace(clock, start_ns)
        try:
            while True:
                now_ns = clock.monotonic_ns()
                status = self._run(pace, now_ns)
                if status > 0 and status & RunStatus.MORE:
                    turn = 0 if await self._wait(clock, pace, now_ns) else turn
                    continue
                # an answer to an order comes now, however late; an event's jitter counts from when it was due
                events = status & RunStatus.EVENTS
                base_ns = pace.due(_TS.unpack_from(self._kernel.step)[0]) if pace and events else now_ns
                for delay_ns, arrival in self._arrivals(status):
                    turn += 1
                    while pace and base_ns + delay_ns > clock.monotonic_ns():
                        await self._sleep(clock, base_ns + delay_ns)
                        turn = 0
                    if turn == TURN:
                        turn = 0
                        await clock.sleep_until(now_ns)
                    yield arrival
        finally:
            self._under_way = False

    def _pace(self, clock: Clock, start_ns: int) -> Pace | None:
        """Counts from the first event, or on a later stream from what comes next; None is no waiting at all."""
        if self._speed is None:
            return None
        market_ns = max(start_ns, self._kernel.next_ns())
        return Pace(market_ns=market_ns, clock_ns=clock.monotonic_ns(), speed=self._speed)

    def _run(self, pace: Pace | None, now_ns: int) -> int:
        """Takes the next step from the kernel if it is due."""
        return self._kernel.run_until(min(pace.market(now_ns), _INT64_MAX)) if pace else self._kernel.run()

    async def _wait(self, clock: Clock, pace: Pace | None, now_ns: int) -> bool:
        """Waits for the next event, arrival or timer; False when the kernel only wants to be asked again."""
        due_ns = pace.due(min(self._kernel.next_ns(), self._kernel.timer_ns)) if pace else now_ns
        if due_ns <= now_ns:
            return False
        await self._sleep(clock, due_ns)
        return True

    async def _sleep(self, clock: Clock, until_ns: int) -> None:
        """Waits for that moment, or until somebody says :meth:`look_again`."""
        sleeper = self._sleeper = asyncio.ensure_future(clock.sleep_until(until_ns))
        try:
            await asyncio.wait((sleeper,))
        finally:
            self._sleeper = None
            sleeper.cancel()
        if not sleeper.cancelled():
            sleeper.result()

    def _arrivals(self, status: int) -> list[tuple[int, Arrival]]:
        """What the kernel's answer is to the reader, each with its delay in ns."""
        if status < 0:
            raise NativeError(f"the replay cannot go on (code {status}): are the histories intact?")
        if status & RunStatus.NO_STEP:
            return [(0, Arrival(b"", status & RunStatus.NO_STEP))]
        pieces = self._pieces(status & RunStatus.EVENTS, status >> RunStatus.REPORTS_SHIFT & RunStatus.EVENTS)
        last = len(pieces) - 1
        return [
            (delay, Arrival(records, RunStatus.STEP if place == last else 0))
            for place, (delay, records) in enumerate(pieces)
        ]

    def _pieces(self, events: int, reports: int) -> list[Piece]:
        """The step cut at random places, in the order of arrival."""
        pieces: list[Piece] = []
        step, random = self._kernel.step, self._random.random
        at, delay, last = 0, 0, -1
        while at < events:
            end = at + 1 + int(random() * (events - at))
            drawn = int(random() * (self._jitter_ns + 1))
            # the step is sorted by instrument, so only neighbours can share one, and it must not overtake itself
            (first,) = _INSTRUMENT.unpack_from(step, at * EVENT_SIZE)
            delay = max(delay, drawn) if first == last else drawn
            (last,) = _INSTRUMENT.unpack_from(step, (end - 1) * EVENT_SIZE)
            pieces.append((delay, step[at * EVENT_SIZE : end * EVENT_SIZE]))
            at = end
        at = delay = 0
        while at < reports:
            end = at + 1 + int(random() * (reports - at))
            delay = max(delay, int(random() * (self._jitter_ns + 1)))
            pieces.append((delay, self._kernel.reports[at * EVENT_SIZE : end * EVENT_SIZE]))
            at = end
        pieces.sort(key=_delay)
        return pieces


def _delay(piece: Piece) -> int:
    return piece[0]
