"""Timers of the run, in time order; a bounded heap."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..errors import DomainError
from ..strategy import Timer

if TYPE_CHECKING:
    from .context import StrategyContext

#: no timer is due before this
NEVER_NS = 2**63 - 1
_MAX_TIMERS = 10_000


class Timers:
    """Timers by due time; of equal times the engine's own first, then in the order they were set.

    Attributes:
        next_ns: when the next timer is due.
        notify: told of each change of ``next_ns``; the driver sets it.
    """

    def __init__(self) -> None:
        self.notify: Callable[[int], None] = lambda ns: None
        self._heap: list[tuple[int, bool, int, Timer, StrategyContext | None]] = []
        self._count = 0
        self.start_ns = 0
        self.next_ns = NEVER_NS

    def repeat(self, every_ns: int, name: str, owner: StrategyContext | None, now: int = 0) -> None:
        """A timer at each UTC multiple of the period after ``now``; owner None is the engine itself."""
        due = (max(self.start_ns, now) // every_ns + 1) * every_ns
        self._push(Timer(name, due, every_ns), owner)

    def once(self, ts: int, name: str, owner: StrategyContext, now: int = 0) -> None:
        """A timer for one moment; one in the past is due at once."""
        self._push(Timer(name, max(ts, self.start_ns, now), 0), owner)

    def _push(self, timer: Timer, owner: StrategyContext | None) -> None:
        if len(self._heap) >= _MAX_TIMERS:
            raise DomainError(f"more than {_MAX_TIMERS} timers are set: use repeating ones (ctx.every)")
        self._count += 1
        heapq.heappush(self._heap, (timer.ts, owner is not None, self._count, timer, owner))
        self._set_next()

    def _set_next(self) -> None:
        next_ns = self._heap[0][0] if self._heap else NEVER_NS
        if next_ns != self.next_ns:
            self.next_ns = next_ns
            self.notify(next_ns)

    def due(self, ts: int) -> Iterator[tuple[Timer, StrategyContext | None]]:
        """Takes out the timers due at or before ``ts``; repeating ones are set anew first.

        Raises:
            DomainError: when timers for one moment keep setting new ones for the same moment.
        """
        self.start_ns = ts
        singles = 0
        while self._heap and self._heap[0][0] <= ts:
            *_, timer, owner = heapq.heappop(self._heap)
            singles += not timer.every_ns
            if singles > _MAX_TIMERS:
                raise DomainError(f"timer {timer.name!r} sets itself again for a moment that is over: set a later one")
            self._set_next()
            if timer.every_ns:
                self._push(Timer(timer.name, timer.ts + timer.every_ns, timer.every_ns), owner)
            yield timer, owner

    def clear(self) -> None:
        """Drops all timers."""
        self._heap.clear()
        self._set_next()
