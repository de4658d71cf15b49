"""Geometry of the page's charts: numbers in, SVG path text and tick places out. No markup here.

Every chart is a square of 1000 by 1000 units that the page stretches to the room it has; labels are placed in
per mille of the same square, so text is never stretched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
from attrs import frozen

from .metrics import DAY_NS, Floats, Ints
from .wording import moment

SIZE = 1000
_HOUR_NS = DAY_NS // 24
_MINUTE_NS = DAY_NS // 1440
#: Distances between time labels, and the strftime pattern that suits each.
_TIME_STEPS: tuple[tuple[int, str], ...] = (
    (10**9, "%H:%M:%S"),
    (5 * 10**9, "%H:%M:%S"),
    (15 * 10**9, "%H:%M:%S"),
    (_MINUTE_NS, "%H:%M"),
    (5 * _MINUTE_NS, "%H:%M"),
    (15 * _MINUTE_NS, "%H:%M"),
    (_HOUR_NS, "%H:%M"),
    (3 * _HOUR_NS, "%d %b %H:%M"),
    (6 * _HOUR_NS, "%d %b %H:%M"),
    (12 * _HOUR_NS, "%d %b %H:%M"),
    (DAY_NS, "%d %b"),
    (2 * DAY_NS, "%d %b"),
    (7 * DAY_NS, "%d %b"),
    (14 * DAY_NS, "%d %b"),
)
#: A histogram is at least this wide: a thousandth of a per cent.
_LEAST_SPAN = 1e-5
#: Beyond two weeks labels stand at the first of a month; so many months apart.
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)


@frozen
class Tick:
    """A label beside a chart. ``at`` is its place in per mille, from the left or from the top."""

    at: float
    text: str


@frozen
class Scale:
    """A vertical scale from ``low`` at the bottom to ``high`` at the top."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Per mille from the top."""
        span = self.high - self.low
        return SIZE / 2 if span <= 0 else SIZE * (self.high - value) / span


def scale_of(*curves: Sequence[float] | Floats, zero: bool = False) -> Scale:
    """A scale that holds all curves with a little room, from 0 when ``zero`` is set."""
    values = [float(v) for curve in curves if len(curve) for v in (np.min(curve), np.max(curve))]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if zero:
        return Scale(0.0, high * 1.05 if high > 0 else 1.0)
    room = (high - low) * 0.04 or abs(high) * 0.01 or 1.0
    return Scale(low - room, high + room)


def nice_steps(scale: Scale, most: int) -> list[float]:
    """Round values inside a scale, at most ``most`` of them, one, two or five times a power of ten apart."""
    span = scale.high - scale.low
    if span <= 0 or most < 1:
        return []
    magnitude = 10.0 ** math.floor(math.log10(span / most))
    step = next(m * magnitude for m in (1, 2, 5, 10, 20) if span / (m * magnitude) <= most)
    first = math.ceil(scale.low / step - 1e-9)
    last = math.floor(scale.high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def time_ticks(first_ns: int, last_ns: int, most: int, zone: tzinfo = UTC) -> list[Tick]:
    """Round moments between two times, at most ``most`` labels.

    Args:
        first_ns, last_ns: UTC ns.
        most: most labels that have room.
        zone: of the people who read it.
    """
    span = last_ns - first_ns
    if span <= 0:
        return []
    for step, pattern in _TIME_STEPS:
        if span / step <= most:
            offset = _offset_ns(first_ns, zone)
            moments = range(-(-(first_ns + offset) // step) * step - offset, last_ns + 1, step)
            return [_time_tick(m, first_ns, span, pattern, zone) for m in moments]
    return _month_ticks(first_ns, last_ns, most, zone)


def _month_ticks(first_ns: int, last_ns: int, most: int, zone: tzinfo) -> list[Tick]:
    months = (last_ns - first_ns) / (30 * DAY_NS)
    step = next((s for s in _MONTH_STEPS if months / s <= most), _MONTH_STEPS[-1])
    start = moment(first_ns, zone)
    number = start.year * 12 + start.month - 1
    ticks = []
    for k in range(-(-number // step) * step, number + int(months) + 3, step):
        ns = int(datetime(k // 12, k % 12 + 1, 1, tzinfo=zone).timestamp()) * 10**9
        if first_ns <= ns <= last_ns:
            ticks.append(_time_tick(ns, first_ns, last_ns - first_ns, "%b %Y" if step < 12 else "%Y", zone))
    return ticks[:most] if len(ticks) > most else ticks


def _time_tick(ns: int, first_ns: int, span: int, pattern: str, zone: tzinfo) -> Tick:
    return Tick(SIZE * (ns - first_ns) / span, moment(ns, zone).strftime(pattern))


def _offset_ns(ns: int, zone: tzinfo) -> int:
    offset = moment(ns, zone).utcoffset() or timedelta(0)
    return int(offset.total_seconds()) * 10**9


def line_path(ts: Ints, values: Sequence[float] | Floats, scale: Scale) -> str:
    """An SVG path through the points; one point becomes a line across."""
    if not len(ts):
        return ""
    span = int(ts[-1] - ts[0])
    if span == 0:
        y = scale.place(float(values[-1]))
        return f"M0 {y:.1f}H{SIZE}"
    return "M" + "L".join(
        f"{SIZE * int(t - ts[0]) / span:.1f} {scale.place(float(v)):.1f}" for t, v in zip(ts, values, strict=True)
    )


def area_path(ts: Ints, values: Sequence[float] | Floats, scale: Scale) -> str:
    """The same line closed down to the scale's zero (or its nearest end)."""
    line = line_path(ts, values, scale)
    if not line:
        return ""
    base = scale.place(min(max(0.0, scale.low), scale.high))
    return f"{line}V{base:.1f}H0Z"


def rug_path(moments: Sequence[int], first_ns: int, last_ns: int) -> str:
    """One short upright stroke per moment, for a strip below a chart."""
    span = last_ns - first_ns
    if span <= 0:
        return ""
    return "".join(f"M{SIZE * (t - first_ns) / span:.1f} 0V{SIZE}" for t in moments)


@frozen
class Bin:
    """One bar of a histogram: places in per mille, what it counts, and its range in words."""

    left: float
    width: float
    top: float
    height: float
    count: int
    gain: bool
    low: float
    high: float


def histogram(values: Sequence[float], most_bins: int = 40) -> list[Bin]:
    """Bars of equal round width with an edge at zero, so that none mixes gains and losses.

    Values beyond three times the 1 % and 99 % quantiles are counted in the outermost bars.
    """
    if not values:
        return []
    numbers = np.asarray(values, dtype=np.float64)
    low = max(float(numbers.min()), 3 * float(min(np.quantile(numbers, 0.01), 0.0)))
    high = min(float(numbers.max()), 3 * float(max(np.quantile(numbers, 0.99), 0.0)))
    step = _bin_width(max(max(high, 0.0) - min(low, 0.0), _LEAST_SPAN) / most_bins)
    first, last = math.floor(min(low, 0.0) / step), max(math.ceil(max(high, 0.0) / step), 1)
    if numbers.min() < 0:
        first = min(first, -1)
    which = np.clip(np.floor(numbers / step).astype(np.int64), first, last - 1)
    counts = np.bincount(which - first, minlength=last - first)
    tallest, slot = int(counts.max()), SIZE / len(counts)
    return [
        Bin(
            k * slot,
            slot * 0.9,
            SIZE * (1 - int(n) / tallest),
            SIZE * int(n) / tallest,
            int(n),
            first + k >= 0,
            (first + k) * step,
            (first + k + 1) * step,
        )
        for k, n in enumerate(counts)
    ]


def _bin_width(least: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(least))
    return next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= least * (1 - 1e-9))
