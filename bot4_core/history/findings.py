"""What is wrong with rows of market data, row by row: the one analysis behind import, repair and check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial

import numpy as np
from attrs import Factory, define, frozen

from ..domain.event import Kind
from ..domain.instrument import Instrument
from .decimals import Ints, Mask
from .records import Events, impossible, utc_text

#: Problems and gaps listed one by one; beyond these only counted.
LISTED = 20
#: Problems of one file remembered while it is read; the earliest rows win.
_REMEMBERED = 1_000
_Words = Callable[[int], str]
#: by kind: which words are prices and which volumes, and their names
_FIELDS: dict[int, tuple[tuple[tuple[int, str], ...], tuple[tuple[int, str], ...]]] = {
    Kind.BAR: (((0, "open"), (1, "high"), (2, "low"), (3, "close")), ((4, "volume"),)),
    Kind.TRADE: (((0, "price"),), ((1, "quantity"),)),
    Kind.QUOTE: (((0, "bid"), (2, "ask")), ((1, "bid size"), (3, "ask size"))),
    Kind.LEVEL: (((0, "price"),), ((1, "size"),)),
}


@frozen
class Problem:
    """One row that is wrong.

    Attributes:
        row: number of the row in its file; the first data row is 1.
        kind: ``unreadable``, ``off tick``, ``impossible``, ``off grid``, ``duplicate`` or ``reversed``.
        what: in words, with the values.
    """

    row: int
    kind: str
    what: str


@frozen
class Gap:
    """Bars that are missing.

    Attributes:
        row: the row after the gap.
        after_ts: close of the last bar before it, UTC nanoseconds.
        until_ts: open of the first bar behind it.
        missing: how many bars.
    """

    row: int
    after_ts: int
    until_ts: int
    missing: int


@define
class Findings:
    """Problems by kind: how many, and the earliest ones in words."""

    counts: Counter[str] = Factory(Counter)
    _problems: list[Problem] = Factory(list)

    def add(self, row: int, kind: str, what: str) -> None:
        """Notes one problem."""
        self.counts[kind] += 1
        if len(self._problems) < _REMEMBERED:
            self._problems.append(Problem(row, kind, what))

    def count(self, kind: str, number: int) -> None:
        """Notes more problems of a kind without listing them."""
        if number:
            self.counts[kind] += number

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The first problems, by row."""
        return tuple(sorted(self._problems, key=lambda problem: problem.row)[:LISTED])

    @property
    def total(self) -> int:
        """How many problems in all."""
        return sum(self.counts.values())


@frozen(eq=False)
class Analysis:
    """What :func:`analyse` found.

    Attributes:
        drop: rows that a repair leaves out: impossible, off the grid, or a repetition.
        gaps: the first 20 gaps; ``gap_count`` and ``missing`` count all.
        zero_volume: bars without volume.
        phase_ns: where in the interval the bars begin (0 for bars on the full minute).
    """

    drop: Mask
    gaps: tuple[Gap, ...]
    gap_count: int
    missing: int
    zero_volume: int
    phase_ns: int


def analyse(events: Events, rows: Ints, interval_ns: int, instrument: Instrument, findings: Findings) -> Analysis:
    """Looks at all records of one instrument, in the order of their file.

    Args:
        events: the records, any order.
        rows: their row numbers.
        interval_ns: length of a bar; 0 for ticks.
        instrument: whose ticks and volume units the records are in; for the words.
        findings: problems are added to it.
    """
    ts = np.ascontiguousarray(events["ts"])
    bars = events["kind"] == Kind.BAR
    drop = np.zeros(len(events), dtype=np.bool_)
    for what, broken in impossible(events):
        _note(findings, rows, broken, "impossible", partial(_broken, instrument, events, what))
        drop |= broken
    phase_ns = 0
    if interval_ns and bars.any():
        phase_ns = int(_most_common(ts[bars] % interval_ns))
        off = bars & ~drop & (ts % interval_ns != phase_ns)
        _note(findings, rows, off, "off grid", lambda at: f"{utc_text(int(ts[at]))} is off the grid of the interval")
        drop |= off
    repeated = _repetitions(events, ts, ~drop)
    _note(findings, rows, repeated, "duplicate", lambda at: f"{_identity(events[at], interval_ns)} came before")
    drop |= repeated
    back = np.zeros(len(events), dtype=np.bool_)
    back[1:] = np.diff(ts) < 0
    _note(findings, rows, back, "reversed", lambda at: f"{utc_text(int(ts[at]) - interval_ns)} is before the row above")
    good = np.flatnonzero(bars & ~drop)
    order = good[np.argsort(ts[good], kind="stable")]
    gaps, gap_count, missing = _gaps(ts[order], rows[order], interval_ns)
    zero_volume = int((events["v"][:, 4][bars] == 0).sum())
    return Analysis(drop, gaps, gap_count, missing, zero_volume, phase_ns)


def infer_interval(times: Ints) -> int:
    """The most frequent step between neighbouring times, the smaller of equals; 0 when there are not two times."""
    steps: Ints = np.diff(np.unique(times)).astype(np.int64)
    return int(_most_common(steps)) if len(steps) else 0


def _most_common(values: Ints) -> np.int64:
    unique, counts = np.unique(values, return_counts=True)
    most: np.int64 = unique[np.argmax(counts)]
    return most


def _note(findings: Findings, rows: Ints, broken: Mask, kind: str, words: _Words) -> None:
    positions = np.flatnonzero(broken)
    for at in positions[:LISTED].tolist():
        findings.add(int(rows[at]), kind, words(at))
    findings.count(kind, max(len(positions) - LISTED, 0))


def _repetitions(events: Events, ts: Ints, good: Mask) -> Mask:
    """Later rows that say again what an earlier one said: a bar of the same time, a trade of the same id."""
    repeated = np.zeros(len(events), dtype=np.bool_)
    identifier = events["v"][:, 2]
    trades = (events["kind"] == Kind.TRADE) & (identifier != 0)
    for chosen, key in ((events["kind"] == Kind.BAR, ts), (trades, identifier)):
        positions = np.flatnonzero(chosen & good)
        order = positions[np.argsort(key[positions], kind="stable")]
        repeated[order[1:][np.diff(key[order]) == 0]] = True
    return repeated


def _gaps(times: Ints, rows: Ints, interval_ns: int) -> tuple[tuple[Gap, ...], int, int]:
    if not interval_ns or len(times) < 2:
        return (), 0, 0
    steps = np.diff(times) // interval_ns
    at = np.flatnonzero(steps > 1)
    first = tuple(
        Gap(int(rows[i + 1]), int(times[i]), int(times[i + 1]) - interval_ns, int(steps[i]) - 1)
        for i in at[:LISTED].tolist()
    )
    return first, len(at), int((steps[at] - 1).sum())


def _values(instrument: Instrument, event: np.void) -> str:
    prices, volumes = _FIELDS.get(int(event["kind"]), ((), ()))
    words = event["v"].tolist()
    parts = [f"{name} {_short(instrument.price(words[at]))}" for at, name in prices]
    parts += [f"{name} {_short(instrument.volume(words[at]))}" for at, name in volumes]
    return ", ".join((utc_text(int(event["ts"])), *parts))


def _short(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _broken(instrument: Instrument, events: Events, what: str, at: int) -> str:
    return f"{what}: {_values(instrument, events[at])}"


def _identity(event: np.void, interval_ns: int) -> str:
    if event["kind"] == Kind.TRADE:
        return f"trade {int(event['v'][2])}"
    return f"bar of {utc_text(int(event['ts']) - interval_ns)}"
