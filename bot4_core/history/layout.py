"""Which columns of a table mean what: candles, trades, or recorded ticks (quotes and trades mixed)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from attrs import frozen

from ..errors import HistoryError


class Shape(Enum):
    """What the rows of a table are."""

    CANDLES = "candles"
    TRADES = "trades"
    TICKS = "ticks"


#: Names a column may have, by role, the first found wins. Times of the *open* stand before those of the close:
#: where a table has both, the open is what the interval can be checked against.
_TIME = (
    "open_time_ms",
    "open_time",
    "open time",
    "timestamp_ms",
    "timestamp",
    "time_ms",
    "time",
    "datetime",
    "date",
    "ts",
    "t",
)
_NAMES: dict[Shape, dict[str, tuple[str, ...]]] = {
    Shape.TICKS: {
        "time": ("local_ns",),
        "market": ("market",),
        "kind": ("kind",),
        "venue_time": ("trade_time_ms",),
        "id": ("id",),
        "price": ("price",),
        "quantity": ("qty",),
        "maker": ("is_buyer_maker",),
        "bid": ("bid",),
        "bid_size": ("bid_qty",),
        "ask": ("ask",),
        "ask_size": ("ask_qty",),
    },
    Shape.CANDLES: {
        "time": _TIME,
        "open": ("open", "o"),
        "high": ("high", "h"),
        "low": ("low", "l"),
        "close": ("close", "c"),
    },
    Shape.TRADES: {
        "time": ("trade_time_ms", "trade_time", "transact_time", *_TIME),
        "price": ("price", "p"),
        "quantity": ("qty", "quantity", "amount", "size", "volume", "q"),
    },
}
_OPTIONAL: dict[Shape, dict[str, tuple[str, ...]]] = {
    Shape.TICKS: {"symbol": ("symbol",)},
    Shape.CANDLES: {
        "volume": ("volume", "vol", "v", "base_volume"),
        "trades": ("trades", "trade_count", "number_of_trades", "num_trades", "count"),
        "symbol": ("symbol", "pair", "tic"),
    },
    Shape.TRADES: {
        "id": ("trade_id", "agg_trade_id", "id", "tid"),
        "side": ("side", "aggressor_side", "taker_side"),
        "maker": ("is_buyer_maker", "isbuyermaker"),
        "receive": ("receive_time_ns", "local_ns"),
        "symbol": ("symbol", "pair"),
    },
}
#: A candle table that knows only its closes.
_CLOSE_TIME = ("close_time_ms", "close_time", "close time")


@frozen
class Layout:
    """A recognised table.

    Attributes:
        shape: what its rows are.
        columns: column name by role.
        time_is_close: the time column of a candle holds the close instead of the open.
    """

    shape: Shape
    columns: Mapping[str, str]
    time_is_close: bool = False


def recognise(columns: Sequence[str], bar_time: str = "") -> Layout:
    """The layout of a table by its column names.

    Args:
        columns: names in lower case.
        bar_time: ``"open"`` or ``"close"``, what a candle's time means; empty: the open, unless the column says close.

    Raises:
        HistoryError: for a table that is none of ours; the message names no file, the caller does.
    """
    for shape in (Shape.TICKS, Shape.CANDLES, Shape.TRADES):
        names = dict(_NAMES[shape])
        closes = shape is Shape.CANDLES and bar_time != "open" and not set(_TIME) & set(columns)
        if closes or (shape is Shape.CANDLES and bar_time == "close"):
            names["time"] = (*_CLOSE_TIME, *_TIME)
        found = {role: _first(columns, accepted) for role, accepted in names.items()}
        if all(found.values()):
            found |= {role: _first(columns, accepted) for role, accepted in _OPTIONAL[shape].items()}
            chosen = {role: name for role, name in found.items() if name}
            is_close = shape is Shape.CANDLES and (bar_time == "close" or chosen["time"] in _CLOSE_TIME)
            return Layout(shape, chosen, is_close)
    shown = ", ".join(columns[:12]) or "none"
    raise HistoryError(
        f"columns {shown[:200]} are neither candles (a time, open, high, low, close) nor trades (a time, price, "
        "quantity); the first line must name the columns"
    )


def _first(columns: Sequence[str], accepted: Sequence[str]) -> str:
    return next((name for name in accepted if name in columns), "")
