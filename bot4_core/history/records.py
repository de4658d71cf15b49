"""What a market-data record may say, whatever file it came from: vectorised rules over event arrays.

One set of rules serves the history file (which refuses), the import (which refuses or repairs) and the check
(which lists). A rule never changes anything; it answers with a mask of the records that break it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..domain.event import Flag, Kind

Events = np.ndarray[tuple[int], np.dtype[np.void]]
Mask = npt.NDArray[np.bool_]

#: No venue traded before 2009; records after 2100 mean that a clock or a unit is wrong. Fixed bounds, so that
#: one file is judged the same on every machine; the import also refuses times after tomorrow.
EARLIEST_NS = 1_230_768_000_000_000_000
LATEST_NS = 4_102_444_800_000_000_000

MARKET_KINDS = (Kind.BAR, Kind.TRADE, Kind.QUOTE, Kind.LEVEL)
_MARKET_FLAGS = int(Flag.SELL | Flag.SNAPSHOT | Flag.LAST)


def _bar_rules(v: npt.NDArray[np.int64]) -> Iterator[tuple[str, Mask]]:
    opening, high, low, close = v[:, 0], v[:, 1], v[:, 2], v[:, 3]
    yield "high below low", high < low
    outside = (np.maximum(opening, close) > high) | (np.minimum(opening, close) < low)
    yield "open or close outside low..high", outside & (high >= low)
    yield "price not above 0", v[:, :4].min(axis=1) <= 0
    yield "negative volume or trade count", (v[:, 4] < 0) | (v[:, 5] < 0)


def _trade_rules(v: npt.NDArray[np.int64]) -> Iterator[tuple[str, Mask]]:
    yield "price not above 0", v[:, 0] <= 0
    yield "negative quantity", v[:, 1] < 0


def _quote_rules(v: npt.NDArray[np.int64]) -> Iterator[tuple[str, Mask]]:
    bid, ask = v[:, 0], v[:, 2]
    # an empty side is price 0 with size 0: legal in a thin market
    bid_empty, ask_empty = (bid == 0) & (v[:, 1] == 0), (ask == 0) & (v[:, 3] == 0)
    yield "price not above 0", ((bid <= 0) & ~bid_empty) | ((ask <= 0) & ~ask_empty)
    yield "negative size", (v[:, 1] < 0) | (v[:, 3] < 0)
    yield "bid above ask", (bid > ask) & (bid > 0) & (ask > 0)


def _level_rules(v: npt.NDArray[np.int64]) -> Iterator[tuple[str, Mask]]:
    yield "price not above 0", v[:, 0] <= 0
    yield "negative size or order count", (v[:, 1] < 0) | (v[:, 2] < 0)


_RULES = {Kind.BAR: _bar_rules, Kind.TRADE: _trade_rules, Kind.QUOTE: _quote_rules, Kind.LEVEL: _level_rules}


def impossible(events: Events) -> Iterator[tuple[str, Mask]]:
    """Each rule that single records must keep, with a mask of those that break it.

    Args:
        events: records of ``EVENT_DTYPE``, in any order.

    Yields:
        ``(what is wrong, mask)``; a mask may be all false.
    """
    kind, ts = events["kind"], events["ts"]
    yield "time outside 2009..2100", (ts < EARLIEST_NS) | (ts >= LATEST_NS)
    yield "instrument index not 0", events["instrument"] != 0
    yield "unknown flag", (events["flags"] & ~np.uint16(_MARKET_FLAGS)) != 0
    yield "no market-data record", ~np.isin(kind, np.array(MARKET_KINDS, dtype=np.uint16))
    for member in MARKET_KINDS:
        chosen = kind == member
        if not chosen.any():
            continue
        values = np.ascontiguousarray(events["v"][chosen])
        for what, broken in _RULES[member](values):
            mask = np.zeros(len(events), dtype=np.bool_)
            mask[chosen] = broken
            yield what, mask


def kinds_of(events: Events) -> tuple[Kind, ...]:
    """The kinds present, in the order of their numbers; a kind that is none of ours is left out."""
    present = set(np.unique(events["kind"]).tolist())
    return tuple(kind for kind in Kind if int(kind) in present)


def utc_text(ts_ns: int) -> str:
    """A UTC time as ISO 8601, with as many decimals as it needs: ``2022-08-01T00:05:00Z``."""
    seconds, fraction = divmod(ts_ns, 1_000_000_000)
    text = str(np.datetime64(seconds, "s"))
    return f"{text}.{fraction:09d}".rstrip("0") + "Z" if fraction else text + "Z"
