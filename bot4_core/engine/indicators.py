"""Incremental indicators: one small state per instrument, updated with each finished bar (R-50).

A state keeps its value as a ratio ``num/den`` so that two simple averages of ticks compare exactly. Rows are event
records as tuples: ``row[4:8]`` are open, high, low, close in ticks.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from ..domain.instrument import Instrument
from ..errors import DomainError
from ..strategy import Indicator

Row = tuple[int, ...]
_HIGH, _LOW, _CLOSE = 5, 6, 7


class Deliveries:
    """Counts the calls of all strategies, so that what happened can be told from what happened since."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class IndicatorState:
    """Value of one indicator on one instrument: ``num/den`` in ticks now and one bar ago.

    Attributes:
        interval_ns: length of the bars it follows.
        deliveries: the run's count; whoever shows the state to a strategy sets it.
        updated: that count at the latest update.
    """

    __slots__ = (
        "deliveries", "den", "interval_ns", "length", "num", "previous_den", "previous_num", "seen", "updated",
    )  # fmt: skip

    def __init__(self, length: int) -> None:
        self.length = length
        self.seen = 0
        self.interval_ns = 0
        self.deliveries = Deliveries()
        self.updated = 0
        self.num: float = 0
        self.den: float = 0
        self.previous_num: float = 0
        self.previous_den: float = 0

    def update(self, row: Row) -> None:
        """Takes in one finished bar."""
        self.previous_num, self.previous_den = self.num, self.den
        self.seen += 1
        self.updated = self.deliveries.count
        self.advance(row)

    def advance(self, row: Row) -> None:
        """The indicator's own step; sets ``num`` and ``den`` once it is ready (``den`` stays 0 before)."""
        raise TypeError(f"{type(self).__name__} does not say how to advance")


class Sma(IndicatorState):
    """Simple average of the last ``length`` closes, an exact sum of ticks."""

    __slots__ = ("_closes", "_sum")

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._closes: deque[int] = deque(maxlen=length)
        self._sum = 0

    def advance(self, row: Row) -> None:
        close = row[_CLOSE]
        closes = self._closes
        if len(closes) == self.length:
            self._sum += close - closes[0]
            closes.append(close)
            self.num = self._sum
            return
        self._sum += close
        closes.append(close)
        if len(closes) == self.length:
            self.num, self.den = self._sum, self.length


class Ema(IndicatorState):
    """Exponential average of closes, alpha = 2/(length+1), seeded with the mean of the first ``length``."""

    __slots__ = ("_alpha",)

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._alpha = 2.0 / (length + 1)

    def advance(self, row: Row) -> None:
        if self.den:
            self.num += self._alpha * (row[_CLOSE] - self.num)
        else:
            self.num += row[_CLOSE]
            if self.seen == self.length:
                self.num /= self.length
                self.den = 1


class Rsi(IndicatorState):
    """Wilder's relative strength index: 100·gain/(gain+loss) of smoothed moves; 0 when nothing moved, as TA-Lib."""

    __slots__ = ("_gain", "_last", "_loss")

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._gain = self._loss = 0.0
        self._last = 0

    def advance(self, row: Row) -> None:
        move = row[_CLOSE] - self._last
        self._last = row[_CLOSE]
        if self.seen == 1:
            return
        gain, loss = max(move, 0), max(-move, 0)
        if self.seen <= self.length + 1:
            self._gain += gain / self.length
            self._loss += loss / self.length
        else:
            self._gain += (gain - self._gain) / self.length
            self._loss += (loss - self._loss) / self.length
        if self.seen > self.length:
            total = self._gain + self._loss
            self.num, self.den = (100.0 * self._gain, total) if total else (0.0, 1.0)


class Atr(IndicatorState):
    """Wilder's average true range; the first value is the mean of ``length`` true ranges, as TA-Lib."""

    __slots__ = ("_last", "_sum")

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._last = 0
        self._sum = 0.0

    def advance(self, row: Row) -> None:
        high, low, last = row[_HIGH], row[_LOW], self._last
        self._last = row[_CLOSE]
        if self.seen == 1:
            return
        true_range = max(high, last) - min(low, last)
        if self.den:
            self.num += (true_range - self.num) / self.length
            return
        self._sum += true_range
        if self.seen == self.length + 1:
            self.num, self.den = self._sum / self.length, 1


class Extreme(IndicatorState):
    """Highest high or lowest low of the last ``length`` bars, by a monotonic queue: O(1) a bar."""

    __slots__ = ("_field", "_queue", "_sign")

    def __init__(self, length: int, *, highest: bool) -> None:
        super().__init__(length)
        self._field, self._sign = (_HIGH, 1) if highest else (_LOW, -1)
        self._queue: deque[tuple[int, int]] = deque()

    def advance(self, row: Row) -> None:
        value = row[self._field] * self._sign
        queue = self._queue
        while queue and queue[-1][1] <= value:
            queue.pop()
        queue.append((self.seen, value))
        if queue[0][0] <= self.seen - self.length:
            queue.popleft()
        if self.seen >= self.length:
            self.num, self.den = queue[0][1] * self._sign, 1


class Stdev(IndicatorState):
    """Population standard deviation of the last ``length`` closes from exact integer sums."""

    __slots__ = ("_closes", "_squares", "_sum")

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._closes: deque[int] = deque()
        self._sum = self._squares = 0

    def advance(self, row: Row) -> None:
        close = row[_CLOSE]
        self._closes.append(close)
        self._sum += close
        self._squares += close * close
        if len(self._closes) > self.length:
            old = self._closes.popleft()
            self._sum -= old
            self._squares -= old * old
        if len(self._closes) == self.length:
            n = self.length
            self.num, self.den = math.sqrt(n * self._squares - self._sum * self._sum) / n, 1


#: name -> how to make a state of a given length, and how many bars past ``length`` it needs before it is ready
KINDS: dict[str, tuple[Callable[[int], IndicatorState], int]] = {
    "sma": (Sma, 0),
    "ema": (Ema, 0),
    "rsi": (Rsi, 1),
    "atr": (Atr, 1),
    "highest": (lambda length: Extreme(length, highest=True), 0),
    "lowest": (lambda length: Extreme(length, highest=False), 0),
    "stdev": (Stdev, 0),
}
#: these are pure numbers, the others prices
_PLAIN = frozenset({"rsi"})


class Focus:
    """What is being delivered to a strategy; its handles share it.

    Attributes:
        index: whose event it is; None when it is of no one instrument, as a timer of a strategy that trades several.
        interval_ns: length of the bar, 0 when it is no bar.
        since: the run's count of deliveries after the last one of the same sort to this strategy: what was updated
            since then is new to it.
        woken: bar lengths this strategy is woken for.
    """

    __slots__ = ("index", "interval_ns", "since", "woken")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.interval_ns = 0
        self.since = 0
        self.woken: frozenset[int] = frozenset()

    def is_new(self, state: IndicatorState) -> bool:
        """True when this delivery is the one that brings the state's latest bar.

        A timeframe the strategy is woken for is news in its own ``on_bar`` and in no other bar's; one that it is not
        woken for is news in the next call of each method.
        """
        if state.updated < self.since:
            return False
        return not self.interval_ns or state.interval_ns == self.interval_ns or state.interval_ns not in self.woken


class IndicatorHandle:
    """What a strategy holds: one indicator over all its instruments (``bot4_core.strategy.Indicator``).

    Args:
        name: the indicator's name in :data:`KINDS`.
        states: instrument index to state.
        instruments: instrument index to instrument, the strategy's own.
        focus: what is being delivered.
        pinned: whose value is meant; None for the instrument of what is being delivered.
    """

    __slots__ = ("_focus", "_instruments", "_pinned", "_states", "name")

    def __init__(
        self,
        name: str,
        states: dict[int, IndicatorState],
        instruments: dict[int, Instrument],
        focus: Focus,
        pinned: int | None = None,
    ) -> None:
        self.name = name
        self._states = states
        self._instruments = instruments
        self._focus = focus
        self._pinned = pinned

    def of(self, instrument: Instrument) -> IndicatorHandle:
        """The same indicator of one named instrument."""
        for index, mine in self._instruments.items():
            if mine.symbol == instrument.symbol:
                return IndicatorHandle(self.name, self._states, self._instruments, self._focus, index)
        raise DomainError(f"{instrument.symbol} is not in this strategy's trade list")

    @property
    def _index(self) -> int:
        index = self._pinned if self._pinned is not None else self._focus.index
        if index is None:
            raise DomainError(f"{self.name} of which instrument? Nothing of one is being delivered: name it with .of()")
        return index

    @property
    def ready(self) -> bool:
        """True once enough bars were seen."""
        return self._states[self._index].den != 0

    @property
    def value(self) -> float:
        """The latest value; NaN before it is ready."""
        index = self._index
        state = self._states[index]
        if not state.den:
            return math.nan
        ratio = state.num / state.den
        return ratio if self.name in _PLAIN else ratio * float(self._instruments[index].tick)

    def above(self, other: Indicator) -> bool:
        """True while this one is greater than the other."""
        return self._difference(other) > 0

    def below(self, other: Indicator) -> bool:
        """True while this one is less than the other."""
        return self._difference(other) < 0

    def crossed_above(self, other: Indicator) -> bool:
        """True when what is being delivered made this one rise above the other."""
        return self._difference(other) > 0 >= self._difference_before(other)

    def crossed_below(self, other: Indicator) -> bool:
        """True when what is being delivered made this one fall below the other."""
        return self._difference(other) < 0 <= self._difference_before(other)

    def _difference(self, other: Indicator) -> float:
        """Sign of the difference now; 0 while either is not ready (its ``den`` is 0 only with ``num`` unusable)."""
        if not isinstance(other, IndicatorHandle):
            raise DomainError(f"an indicator is compared with another one made by ctx, not with {other!r:.40}")
        index, theirs_index = self._index, other._index
        mine, theirs = self._states[index], other._states[theirs_index]
        if not (mine.den and theirs.den):
            return 0
        if index == theirs_index:
            return mine.num * theirs.den - theirs.num * mine.den
        return mine.num * self._unit * theirs.den - theirs.num * other._unit * mine.den

    def _difference_before(self, other: Indicator) -> float:
        """The same before this delivery; NaN, which no comparison passes, while either was not ready."""
        assert isinstance(other, IndicatorHandle)  # _difference saw to it
        (num, den), (their_num, their_den) = self._before(), other._before()
        if not (den and their_den):
            return math.nan
        if self._index == other._index:
            return num * their_den - their_num * den
        return num * self._unit * their_den - their_num * other._unit * den

    def _before(self) -> tuple[float, float]:
        """The ratio before this delivery: one bar ago, or as it is where this delivery is not of its bar."""
        state = self._states[self._index]
        if self._focus.is_new(state):
            return state.previous_num, state.previous_den
        return state.num, state.den

    @property
    def _unit(self) -> float:
        """What one unit of a state is worth: handles of different instruments compare prices, not ticks."""
        return 1.0 if self.name in _PLAIN else float(self._instruments[self._index].tick)
