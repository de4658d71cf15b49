"""The sample inputs of the contracts: markets, and a journal's stream. The same on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np

from ...domain.event import EVENT_DTYPE, Flag, Kind, Reason
from ...domain.instrument import Instrument
from ...history.file import write_history
from ..strategy import MarketBars

_HOUR_NS = 3600 * 10**9
#: 2024-01-01 00:00 UTC
_START_NS = 1_704_067_200 * 10**9
_BARS = 360
#: a turn of the trend each so many bars
_TURN = 60

BTC = Instrument(
    symbol="BTC/USDT",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    min_quantity=Decimal("0.0001"),
    min_notional=Decimal(5),
    volume_scale=5,
)
ETH = Instrument(symbol="ETH/USDT", tick=Decimal("0.01"), lot=Decimal("0.0001"), volume_scale=5)


def trending(instrument: Instrument = BTC, start: int = 4_000_000, volume: int = 500_000_000) -> MarketBars:
    """Hourly bars that climb for two and a half days and fall as long, again and again.

    Args:
        instrument: what they are of.
        start: first price in ticks.
        volume: of every bar, in the instrument's volume units.
    """
    return _market(instrument, _waves(start), volume)


def flat(instrument: Instrument = BTC, start: int = 4_000_000) -> MarketBars:
    """Hourly bars that do not move at all."""
    return _market(instrument, [start] * _BARS, 500_000_000)


def gappy(instrument: Instrument = BTC, start: int = 4_000_000) -> MarketBars:
    """A market with holes: bars that are missing, bars nobody traded in, prices that jump by a tenth overnight."""
    dice = random.Random(11)
    closes = []
    shift = 0
    for bar, price in enumerate(_waves(start)):
        if bar % 97 == 96:
            shift += dice.choice((-1, 1)) * start // 10
        closes.append(max(start // 2, price + shift))
    _, events = _market(instrument, closes, 500_000_000)
    quiet = np.arange(len(events)) % 13 == 12
    for column in range(4):
        events["v"][quiet, column] = events["v"][np.flatnonzero(quiet) - 1, 3]
    events["v"][quiet, 4:] = 0
    missing = np.arange(len(events)) % 41 > 37
    return instrument, events[~missing]


def _waves(start: int) -> Iterator[int]:
    """Closing prices in ticks: a trend that turns, with noise."""
    dice = random.Random(7)
    price = start
    for bar in range(_BARS):
        drift = 1 if bar // _TURN % 2 == 0 else -1
        price += drift * start // 400 + dice.randint(-start // 300, start // 300)
        yield price


def _market(instrument: Instrument, closes: Iterator[int] | list[int], volume: int) -> MarketBars:
    dice = random.Random(13)
    ends = list(closes)
    events = np.zeros(len(ends), dtype=EVENT_DTYPE)
    before = ends[0]
    for bar, end in enumerate(ends):
        room = 0 if end == before else abs(end - before) // 4 + dice.randint(0, ends[0] // 500)
        words = (before, max(before, end) + room, min(before, end) - room, end, volume, 10)
        events[bar] = (_START_NS + (bar + 1) * _HOUR_NS, 0, Kind.BAR, 0, words)
        before = end
    return instrument, events


def write_market(folder: Path, name: str = "market.b4h", market: MarketBars | None = None) -> str:
    """Writes a market as a history file; gives its name, as a setting would say it."""
    instrument, events = market or trending()
    write_history(folder / name, instrument, events, interval_ns=_HOUR_NS, source="contract", roundings=0)
    return name


def stream(records: int) -> list[tuple[int, ...]]:
    """The journal of a run that never was: every kind of record a sink is given, the first RUN_START, the last RUN_END.

    Args:
        records: how many, at least 2.

    Returns:
        ``(seq, ts, instrument, kind, flags, v0..v5)`` each, by seq.
    """
    made: list[tuple[int, ...]] = [(0, _START_NS, 0, int(Kind.RUN_START), 0, 1, 0, 0, 0, 0, 0)]
    for seq in range(1, records - 1):
        kind, flags, words = _CYCLE[seq % len(_CYCLE)]
        order = 1 + seq // len(_CYCLE)
        first = order if words is not None else 10**13 + seq
        made.append((seq, _START_NS + seq * _HOUR_NS, seq % 2, int(kind), int(flags), first, *(words or (0,) * 5)))
    made.append((records - 1, _START_NS + records * _HOUR_NS, 0, int(Kind.RUN_END), 0, records, 9, 0, 0, 0, 0))
    return made


#: kind, flags, and the words behind the order id (None: the record is about no order)
_CYCLE: tuple[tuple[Kind, Flag, tuple[int, ...] | None], ...] = (
    (Kind.INTENT, Flag(0), (1500, 0, 0, 0, 0)),
    (Kind.ACK, Flag(0), (0, 0, 0, 0, 0)),
    (Kind.FILL, Flag.MAKER, (4_000_000, 1500, 60_000_000, 77, 60_000_000_000)),
    (Kind.FILL, Flag.SELL | Flag.VIOLATION, (4_000_100, 700, -3, 78, 28_000_700_000)),
    (Kind.CANCEL, Flag(0), (0, 0, 0, 0, 0)),
    (Kind.CANCELLED, Flag(0), (700, Reason.REQUESTED, 0, 0, 0)),
    (Kind.DENIED, Flag(0), (1500, 4_000_000, 0, 0, 2)),
    (Kind.REJECTED, Flag.SELL, (0, Reason.MIN_NOTIONAL, 0, 0, 0)),
    (Kind.TRIGGERED, Flag.SELL, (3_900_000, 0, 0, 0, 0)),
    (Kind.EXPIRED, Flag(0), (0, Reason.TIME_IN_FORCE, 0, 0, 0)),
    (Kind.CANCEL_REJECTED, Flag(0), (0, Reason.UNKNOWN_ORDER, 0, 0, 0)),
    (Kind.RESIZED, Flag.SELL, (700, 0, 0, 0, 0)),
    (Kind.HALT, Flag(0), None),
    (Kind.EQUITY, Flag(0), None),
)
