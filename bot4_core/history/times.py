"""Whole columns of time text to UTC nanoseconds: epoch numbers in any one unit, or ISO 8601."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from attrs import define

from ..errors import ConfigError, HistoryError
from .decimals import Ints, Mask, parse_column, scale_column
from .records import EARLIEST_NS, LATEST_NS

DAY_NS = 86_400_000_000_000
#: Epoch units and how many nanoseconds one has. For times from 2009 to today no number fits two of them.
UNITS_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", "iso": "ISO 8601"}
_ISO = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<zone> ?Z| ?UTC|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)
_INTERVAL = re.compile(r"([1-9][0-9]{0,8})(ns|us|ms|s|m|h|d|w)", re.ASCII)
#: longest first, so that a length is written in the largest unit that divides it
_LENGTHS_NS = {
    "w": 7 * DAY_NS,
    "d": DAY_NS,
    "h": DAY_NS // 24,
    "m": DAY_NS // 1440,
    "s": UNITS_NS["s"],
    "ms": UNITS_NS["ms"],
    "us": UNITS_NS["us"],
    "ns": 1,
}


def parse_interval(text: str) -> int:
    """Nanoseconds of a length such as ``5m``, ``1h``, ``30s`` or ``250ms``; at most 31 days.

    Raises:
        ConfigError: for anything else.
    """
    match = _INTERVAL.fullmatch(text)
    length = int(match[1]) * _LENGTHS_NS[match[2]] if match else 0
    if not 0 < length <= 31 * DAY_NS:
        raise ConfigError(f"interval {text!r} must read like 1m, 5m, 1h or 1d, and be at most 31d")
    return length


def interval_text(length_ns: int) -> str:
    """A length as :func:`parse_interval` reads it: ``5m``."""
    unit = next(name for name, size in _LENGTHS_NS.items() if length_ns % size == 0)
    return f"{length_ns // _LENGTHS_NS[unit]}{unit}"


def parse_time(text: str) -> int:
    """UTC nanoseconds of an ISO 8601 date or time, UTC where it names no zone.

    Raises:
        ConfigError: for anything else, or a time outside 2009..2100.
    """
    times, bad = TimeReader(column="time", now_ns=LATEST_NS - 2 * DAY_NS, unit="iso").read(np.array([text[:64]]))
    if bad:
        raise ConfigError(f"{bad[0]}; write it as 2024-01-31 or 2024-01-31T12:00:00Z")
    return int(times[0])


@define
class TimeReader:
    """Reads one file's time column, chunk by chunk; the first readable time settles the unit and the rest must keep it.

    Args:
        column: the column's name; a suffix ``_s``, ``_ms``, ``_us`` or ``_ns`` states the unit.
        now_ns: the present, UTC nanoseconds; a time after tomorrow is absurd.
    """

    column: str
    now_ns: int
    unit: str = ""
    zoned: bool | None = None

    def __attrs_post_init__(self) -> None:
        suffix = self.column.rpartition("_")[2]
        if suffix in UNITS_NS and "_" in self.column:
            self.unit = suffix

    def read(self, texts: npt.NDArray[np.str_]) -> tuple[Ints, dict[int, str]]:
        """Times of one chunk.

        Returns:
            Nanoseconds (0 where bad), and what is wrong by position.

        Raises:
            HistoryError: when no unit fits the first rows; the message names no file, the caller does.
        """
        if not self.unit and len(texts):
            self.unit = self._guess(texts[:20].tolist())
        if self.unit == "iso":
            return self._read_iso(texts)
        column = parse_column(texts)
        scaled = scale_column(column, Fraction(1, UNITS_NS[self.unit]))
        bad: dict[int, str] = dict.fromkeys(np.flatnonzero(column.unreadable).tolist(), "time is no number")
        wrong = (scaled.unfit | self._outside(scaled.units)) & ~column.unreadable
        for row in np.flatnonzero(wrong).tolist():
            bad[row] = self._absurd(str(texts[row]))
        for row in np.flatnonzero(scaled.inexact & ~wrong).tolist():
            bad[row] = f"time {texts[row]} is finer than a nanosecond"
        times = scaled.units
        times[list(bad)] = 0
        return times, bad

    def _outside(self, times: Ints) -> Mask:
        return (times < EARLIEST_NS) | (times > self.now_ns + DAY_NS)

    def _units_that_fit(self, text: str) -> list[str]:
        column = parse_column(np.array([text], dtype=np.str_))
        if column.unreadable[0]:
            return []
        found = []
        for unit, length in UNITS_NS.items():
            scaled = scale_column(column, Fraction(1, length))
            if not scaled.unfit[0] and not self._outside(scaled.units)[0]:
                found.append(unit)
        return found

    def _guess(self, first: list[str]) -> str:
        for text in first:
            fits = self._units_that_fit(text)
            if fits:
                return fits[0]
            if _ISO.fullmatch(text.strip()):
                return "iso"
        raise HistoryError(
            f"row 1 (line 2): time {first[0][:40]!r} in column {self.column} is neither ISO 8601 nor an epoch time "
            "between 2009 and tomorrow in s, ms, us or ns"
        )

    def _absurd(self, text: str) -> str:
        fits = self._units_that_fit(text)
        if fits:
            return f"time {text} looks like {_UNIT_NAMES[fits[0]]} in a column of {_UNIT_NAMES[self.unit]}: mixed units"
        return f"time {text} is outside 2009..tomorrow"

    def _read_iso(self, texts: npt.NDArray[np.str_]) -> tuple[Ints, dict[int, str]]:
        seconds = np.zeros(len(texts), dtype="datetime64[s]")
        fractions = np.zeros(len(texts), dtype=np.int64)
        bad: dict[int, str] = {}
        for row, text in enumerate(texts.tolist()):
            match = _ISO.fullmatch(text.strip())
            problem = self._zone_problem(match["zone"]) if match else f"time {text[:40]!r} is not ISO 8601"
            if match and not problem:
                try:
                    seconds[row] = np.datetime64(f"{match['date']}T{match['time'] or '00:00'}", "s")
                except ValueError:
                    problem = f"time {text[:40]!r} is no date"
                fractions[row] = int((match["fraction"] or "0").ljust(9, "0"))
            if problem:
                bad[row] = problem
        whole = seconds.astype(np.int64)
        absurd = (whole < EARLIEST_NS // UNITS_NS["s"]) | (whole > (self.now_ns + DAY_NS) // UNITS_NS["s"])
        for row in np.flatnonzero(absurd).tolist():
            bad.setdefault(row, f"time {texts[row]} is outside 2009..tomorrow")
        whole[list(bad)] = 0
        times = whole * UNITS_NS["s"] + fractions
        times[list(bad)] = 0
        return times, bad

    def _zone_problem(self, zone: str | None) -> str:
        if zone and zone[0] in "+-" and zone.strip("+-").replace(":", "") != "0000":
            return f"time zone {zone} is not UTC"
        if self.zoned is None:
            self.zoned = zone is not None
        return "" if self.zoned == (zone is not None) else "some times name a zone and some do not: mixed zones"
