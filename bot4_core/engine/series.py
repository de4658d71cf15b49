"""Bars of one instrument at one timeframe: history, indicators, and who is woken when one finishes."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from ..domain.event import Kind
from ..domain.instrument import Instrument
from ..errors import DomainError
from .indicators import KINDS, IndicatorState, Row

_PERIOD = re.compile(r"([0-9]{1,5})([smhd])", re.ASCII)
_UNITS_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}


def parse_interval(text: str) -> int:
    """Nanoseconds of a period like "30s", "5m", "4h", "1d".

    Raises:
        DomainError: for anything else.
    """
    match = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    if match is None or not 0 < int(match[1]) <= 10_000:
        raise DomainError(f"{text!r:.40} is no period: write a whole number and s, m, h or d, as 5m")
    return int(match[1]) * _UNITS_NS[match[2]]


class BarWindow:
    """The last bars, oldest first, as numpy arrays (see ``bot4_core.strategy.BarWindow``)."""

    def __init__(self, instrument: Instrument, rows: npt.NDArray[np.int64]) -> None:
        self._instrument = instrument
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def _prices(self, column: int) -> npt.NDArray[np.float64]:
        return self._rows[:, column] * np.float64(self._instrument.tick)

    @property
    def ts(self) -> npt.NDArray[np.int64]:
        """Close times, UTC ns."""
        return self._rows[:, 0]

    @property
    def open(self) -> npt.NDArray[np.float64]:
        """First prices."""
        return self._prices(1)

    @property
    def high(self) -> npt.NDArray[np.float64]:
        """Highest prices."""
        return self._prices(2)

    @property
    def low(self) -> npt.NDArray[np.float64]:
        """Lowest prices."""
        return self._prices(3)

    @property
    def close(self) -> npt.NDArray[np.float64]:
        """Last prices."""
        return self._prices(4)

    @property
    def volume(self) -> npt.NDArray[np.float64]:
        """Volumes in the base asset."""
        return self._rows[:, 5] / np.float64(10**self._instrument.volume_scale)

    @property
    def close_ticks(self) -> npt.NDArray[np.int64]:
        """Last prices in ticks, exact."""
        return self._rows[:, 4]


class Series:
    """Finished bars of one instrument and timeframe.

    Args:
        instrument, index: whose bars.
        interval_ns: length of one bar.
        capacity: how many bars ``window`` can reach back.

    Attributes:
        seen: finished bars, counted until every listener's warm-up is over.
        settled: told then, once, of the faster function that takes the place of ``push``.
    """

    def __init__(self, instrument: Instrument, index: int, interval_ns: int, capacity: int) -> None:
        self.instrument = instrument
        self.index = index
        self.interval_ns = interval_ns
        self.capacity = capacity
        self.seen = 0
        self._recent: deque[Row] = deque(maxlen=capacity)
        self._ring: npt.NDArray[np.int64] | None = None
        self._end = 0
        self._states: dict[tuple[str, int], IndicatorState] = {}
        self._updates: tuple[Callable[[Row], None], ...] = ()
        self._waiting: list[tuple[int, Callable[[Row], None]]] = []
        self._active: list[Callable[[Row], None]] = []
        self._store: Callable[[Row], None] = self._recent.append
        self.settled: Callable[[Callable[[Row], None]], None] = lambda push: None

    def indicator(self, name: str, length: int) -> IndicatorState:
        """The state of one indicator, shared by all who ask for the same one."""
        key = (name, length)
        if key not in self._states:
            self._states[key] = KINDS[name][0](length)
            self._states[key].interval_ns = self.interval_ns
            self._updates = tuple(state.update for state in self._states.values())
        return self._states[key]

    @property
    def has_indicators(self) -> bool:
        """True when some indicator follows this series."""
        return bool(self._states)

    def listen(self, warmup: int, callback: Callable[[Row], None]) -> None:
        """Calls back with each finished bar once ``warmup`` of them were seen."""
        self._waiting.append((warmup, callback))

    def push(self, row: Row) -> None:
        """Takes in one finished bar: history, then indicators, then listeners."""
        self.seen += 1
        self._store(row)
        for update in self._updates:
            update(row)
        if self._waiting:
            self._activate()
        for callback in self._active:
            callback(row)

    def _activate(self) -> None:
        """Moves the listeners whose warm-up is over, in the order they came."""
        self._active += [callback for warmup, callback in self._waiting if self.seen >= warmup]
        self._waiting = [each for each in self._waiting if self.seen < each[0]]
        if not self._waiting:
            self.settled(self._settle())

    def _settle(self) -> Callable[[Row], None]:
        """``push`` without the warm-up, as a closure: it runs once per bar."""
        updates, listeners = self._updates, tuple(self._active)
        if len(listeners) == 1 and not updates:
            only = listeners[0]

            def push_to_one(row: Row) -> None:
                self._store(row)
                only(row)

            return push_to_one

        def push_to_all(row: Row) -> None:
            self._store(row)
            for update in updates:
                update(row)
            for callback in listeners:
                callback(row)

        return push_to_all

    def window(self, n: int) -> BarWindow:
        """The last ``n`` bars, fewer while the history is shorter.

        Raises:
            DomainError: when n is not between 1 and the capacity.
        """
        if not 0 < n <= self.capacity:
            raise DomainError(f"bars({n}) is outside 1..{self.capacity}: raise the strategy's `history` setting")
        if self._ring is None:
            self._ring = np.zeros((2 * self.capacity, 6), np.int64)
            for row in self._recent:
                self._write(row)
            self._recent.clear()
            self._store = self._write
        return BarWindow(self.instrument, self._ring[max(0, self._end - n) : self._end].copy())

    def _write(self, row: Row) -> None:
        """Appends to the ring; when it is full its newer half moves to the front, so a window is one slice."""
        ring = self._ring
        assert ring is not None  # only called once the ring exists
        if self._end == len(ring):
            ring[: self.capacity] = ring[self.capacity :]
            self._end = self.capacity
        ring[self._end] = (row[0], row[4], row[5], row[6], row[7], row[8])
        self._end += 1


#: the end of a bucket that is not open
_NO_BUCKET = 2**63 - 1


class Aggregator:
    """Builds longer bars from shorter ones or from trades, aligned to UTC multiples of the interval.

    A bucket ends with the row whose time reaches its end; where rows are missing its :class:`Feed` ends it, by the
    clock or before the first later row. The first bucket counts only when its rows begin where it begins: of a bar that
    was under way when the history (or a window of it) began, nobody knows the open.

    Args:
        series: takes the finished bars.
        source_ns: length of the rows it is built from, 0 for trades.

    Attributes:
        end: when the open bucket ends, UTC ns; later than any time while none is open.
    """

    def __init__(self, series: Series, source_ns: int) -> None:
        self.series = series
        self.end = _NO_BUCKET
        self._source_ns = source_ns
        self._bar: list[int] = []
        self._begun = False
        self._whole = False

    def add_bar(self, row: Row) -> None:
        """A shorter bar; its ``ts`` is its close, so one that closes at the bucket's end belongs to it."""
        ts = row[0]
        if self.end == _NO_BUCKET:
            interval = self.series.interval_ns
            self._open(ts, -(-ts // interval) * interval, list(row[4:10]))
        else:
            self._merge(row[5], row[6], row[7], row[8], row[9])
        if ts == self.end:
            self.close()

    def add_trade(self, row: Row) -> None:
        """A trade; one at the bucket's end belongs to the next bucket."""
        ts = row[0]
        if self.end == _NO_BUCKET:
            interval = self.series.interval_ns
            self._open(ts, (ts // interval + 1) * interval, [row[4], row[4], row[4], row[4], row[5], 1])
        else:
            self._merge(row[4], row[4], row[4], row[5], 1)

    def close(self) -> None:
        """Finishes the open bucket."""
        row = (self.end, self.series.index, int(Kind.BAR), 0, *self._bar)
        self.end = _NO_BUCKET
        if self._whole:
            self.series.push(row)

    def _open(self, ts: int, end: int, bar: list[int]) -> None:
        self._whole = self._begun or ts - self._source_ns <= end - self.series.interval_ns
        self._begun = True
        self.end = end
        self._bar = bar

    def _merge(self, high: int, low: int, close: int, volume: int, trades: int) -> None:
        bar = self._bar
        bar[1] = max(bar[1], high)
        bar[2] = min(bar[2], low)
        bar[3] = close
        bar[4] += volume
        bar[5] += trades


class Feed:
    """Everything that follows one instrument: its own bars, longer bars, and raw trades and quotes.

    Args:
        instrument, index: whose events.
        interval_ns: bar length of the history, 0 for ticks.
        capacity: history of each series, bars.
    """

    def __init__(self, instrument: Instrument, index: int, interval_ns: int, capacity: int) -> None:
        self.instrument = instrument
        self.index = index
        self.base = Series(instrument, index, interval_ns, capacity) if interval_ns else None
        self.capacity = capacity
        self.trades: list[Callable[[Row], None]] = []
        self.quotes: list[Callable[[Row], None]] = []
        self._started = False
        self._aggregators: dict[int, Aggregator] = {}

    def series(self, interval_ns: int | None) -> Series:
        """The series of a timeframe, made on first use; None means the history's own.

        Raises:
            DomainError: when the timeframe cannot be built from this history.
        """
        if interval_ns is None or (self.base and interval_ns == self.base.interval_ns):
            if self.base is None:
                raise DomainError(f"{self.instrument.symbol} has ticks, no bars: name a timeframe")
            return self.base
        if self.base and interval_ns % self.base.interval_ns:
            raise DomainError(f"{self.instrument.symbol}: the timeframe is no multiple of the history's bars")
        if interval_ns not in self._aggregators:
            if self._started:
                raise DomainError("a new timeframe after the start has no history: name it in `timeframes`")
            source_ns = self.base.interval_ns if self.base else 0
            made = Aggregator(Series(self.instrument, self.index, interval_ns, self.capacity), source_ns)
            self._aggregators[interval_ns] = made
            self._aggregators = dict(sorted(self._aggregators.items()))
        return self._aggregators[interval_ns].series

    @property
    def built_intervals(self) -> Sequence[int]:
        """Timeframes that are built here, and so end by the clock."""
        return tuple(self._aggregators)

    @property
    def has_indicators(self) -> bool:
        """True when some indicator follows this instrument."""
        base = [self.base] if self.base else []
        return any(each.has_indicators for each in [*base, *(a.series for a in self._aggregators.values())])

    def handlers(self) -> dict[int, Callable[[Row], None]]:
        """Event kind to what takes it in; from here on no timeframe may be added."""
        self._started = True
        handlers: dict[int, Callable[[Row], None]] = dict.fromkeys(map(int, Kind), ignore)
        handlers[int(Kind.BAR)] = self.on_bar
        handlers[int(Kind.TRADE)] = self.on_trade
        handlers[int(Kind.QUOTE)] = self.on_quote
        if self.base is not None and not self._aggregators:
            handlers[int(Kind.BAR)] = self.base.push
            self.base.settled = partial(handlers.__setitem__, int(Kind.BAR))
        return handlers

    def on_bar(self, row: Row) -> None:
        """A bar of the history's own length; its listeners come first, longer bars after it."""
        self.close_buckets(row[0] - 1)
        if self.base is not None:
            self.base.push(row)
        for aggregator in self._aggregators.values():
            aggregator.add_bar(row)

    def on_trade(self, row: Row) -> None:
        """A public trade."""
        if self.base is None:
            self.close_buckets(row[0])
            for aggregator in self._aggregators.values():
                aggregator.add_trade(row)
        for callback in self.trades:
            callback(row)

    def on_quote(self, row: Row) -> None:
        """A change of the best bid or ask."""
        for callback in self.quotes:
            callback(row)

    def close_buckets(self, ts: int) -> None:
        """Ends the buckets whose time is over at ``ts``, shortest first."""
        for aggregator in self._aggregators.values():
            if aggregator.end <= ts:
                aggregator.close()


def ignore(row: Row) -> None:
    """Takes in an event that nobody follows, as a book level that comes at the time of a bar."""
