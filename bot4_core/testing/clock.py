"""Time for tests of everything that waits: it jumps to the next moment that somebody waits for."""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Coroutine
from itertools import count
from typing import Any, TypeVar

from ..errors import Bot4Error

#: 2024-01-01T00:00:00Z
_EPOCH_NS = 1_704_067_200 * 10**9
#: nobody sleeps and nothing can be run: so long, in real seconds, a pipe, a thread or a process may take to change that
_PATIENCE_S = 60.0

_T = TypeVar("_T")


class FakeClock:
    """Virtual time (``bot4_core.sdk.Clock``). It stands still while anything can be run, and then jumps.

    The order of everything is fixed: whoever can run runs until all wait; then time moves to the earliest moment that
    is slept for, and that one sleeper goes on; of several with one moment the one that fell asleep first. Pipes and
    sockets that are ready go before a jump.

    Only in :meth:`run` does anybody know that all wait, so there is no other way to sleep::

        clock = FakeClock()
        clock.run(main(clock))

    Args:
        now_ns: wall time at the start, UTC ns.
        monotonic_ns: monotonic time at the start.
    """

    def __init__(self, now_ns: int = _EPOCH_NS, monotonic_ns: int = 0) -> None:
        self._ahead_ns = now_ns - monotonic_ns
        self._monotonic_ns = monotonic_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._places = count()
        self._loop: asyncio.AbstractEventLoop | None = None

    def now_ns(self) -> int:
        """Wall time, UTC ns; it moves with the monotonic time."""
        return self._monotonic_ns + self._ahead_ns

    def monotonic_ns(self) -> int:
        """Virtual time, ns."""
        return self._monotonic_ns

    async def sleep_until(self, monotonic_ns: int) -> None:
        """Returns once that time has come; the event loop has a turn in any case.

        Raises:
            Bot4Error: it is not called inside :meth:`run`.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            raise Bot4Error("virtual time moves only inside FakeClock.run: start the test's coroutine with it")
        if monotonic_ns <= self._monotonic_ns:
            await asyncio.sleep(0)
            return
        future = loop.create_future()
        heapq.heappush(self._sleepers, (monotonic_ns, next(self._places), future))
        await future

    async def advance(self, ns: int) -> None:
        """Lets so much time pass; everybody who sleeps for less goes on meanwhile, each at its own time."""
        await self.sleep_until(self._monotonic_ns + ns)

    def run(self, main: Coroutine[Any, Any, _T]) -> _T:
        """Runs a coroutine, and the tasks it starts, in virtual time; as ``asyncio.run``.

        Raises:
            Bot4Error: everybody waits for ever: nobody sleeps, and for a minute of real time nothing arrived.
        """
        with asyncio.Runner(loop_factory=self._make_loop) as runner:
            return runner.run(main)

    def _make_loop(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.SelectorEventLoop(_Selector(self))
        return self._loop

    def sleeping(self) -> bool:
        """True when somebody waits for a later time."""
        while self._sleepers and self._sleepers[0][2].done():  # it was cancelled
            heapq.heappop(self._sleepers)
        return bool(self._sleepers)

    def jump(self) -> None:
        """Moves to the earliest moment that is slept for, and wakes its first sleeper."""
        if self.sleeping():
            self._monotonic_ns, _, future = heapq.heappop(self._sleepers)
            future.set_result(None)


class _Selector(selectors.DefaultSelector):
    """Sees that the loop has nothing to run: then it is asked to wait for longer than no time."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        if self._clock.sleeping():
            ready = super().select(0)
            if not ready:
                self._clock.jump()
            return ready
        ready = super().select(_PATIENCE_S if timeout is None else timeout)
        if not ready and timeout is None:
            raise Bot4Error("everybody waits and nobody sleeps: something awaited here never happens")
        return ready
