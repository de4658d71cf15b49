"""The trades of a run: exact rows for the report, and the same as CSV.

A trade is a portion of a position that one order closed (see ``RoundTripRow`` of the journal). Amounts are exact
decimals of the quote asset. A price is cost divided by quantity and need not end; the cost beside it always does.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Context, Decimal
from pathlib import Path

from attrs import frozen

from ..domain.instrument import Instrument
from ..domain.money import from_units
from ..journal.rows import OrderRow, RoundTripRow
from .files import write_text
from .wording import iso_utc, plain

#: Wide enough for the exact quotient of two 64-bit amounts where it ends; else so many digits and no more.
_PRICE = Context(prec=28)
_RETURN = Decimal("1e-12")

COLUMNS = (
    "trade",
    "symbol",
    "side",
    "entry_time",
    "exit_time",
    "entry_ts",
    "exit_ts",
    "quantity",
    "entry_price",
    "exit_price",
    "entry_cost",
    "exit_cost",
    "entry_fees",
    "exit_fees",
    "fees",
    "pnl",
    "return",
    "asset",
    "bars_held",
    "holding_s",
    "reason",
    "tag",
    "exit_tag",
    "strategy",
    "exchange",
)


@frozen(kw_only=True)
class Trade:
    """One closed trade; amounts in ``asset``.

    Args:
        number: from 1, in the order of their exits.
        symbol, asset: what traded, and the quote asset of the amounts.
        side: long or short.
        entry_ts, exit_ts: UTC ns.
        quantity: closed quantity in base.
        entry_cost, exit_cost: what the portion cost and brought, before fees.
        entry_price, exit_price: cost divided by quantity.
        entry_fees, exit_fees: fees of both ends.
        pnl: profit after all fees.
        bars: whole bars between entry and exit, None without bars.
        reason: stop, target, close or reversal.
        tag, exit_tag: the strategy's words for the entry and for the exit.
        strategy, exchange: names of the config tables.
    """

    number: int
    symbol: str
    asset: str
    side: str
    entry_ts: int
    exit_ts: int
    quantity: Decimal
    entry_cost: Decimal
    exit_cost: Decimal
    entry_price: Decimal
    exit_price: Decimal
    entry_fees: Decimal
    exit_fees: Decimal
    pnl: Decimal
    bars: int | None
    reason: str
    tag: str
    exit_tag: str
    strategy: str
    exchange: str

    @property
    def fees(self) -> Decimal:
        """Entry and exit fees."""
        return self.entry_fees + self.exit_fees

    @property
    def gross(self) -> Decimal:
        """Profit before fees."""
        return self.pnl + self.fees

    @property
    def result(self) -> Decimal:
        """Profit after fees over the entry's cost, to twelve decimals; 0 for a trade that cost nothing."""
        return (self.pnl / self.entry_cost).quantize(_RETURN, context=_WIDE) if self.entry_cost else Decimal(0)

    @property
    def holding_ns(self) -> int:
        """Time between the first entry fill and the last exit fill."""
        return self.exit_ts - self.entry_ts


_WIDE = Context(prec=60)


def trades_of(
    round_trips: Iterable[RoundTripRow], instruments: Sequence[Instrument], orders: Iterable[OrderRow]
) -> list[Trade]:
    """The journal's round trips as exact trades, in the order of their exits."""
    tags = {order.order_id: order.tag for order in orders}
    rows = sorted(round_trips, key=lambda row: (row.exit_ts, row.seq))
    return [_trade(number, row, instruments[row.instrument], tags) for number, row in enumerate(rows, 1)]


def _trade(number: int, row: RoundTripRow, instrument: Instrument, tags: Mapping[int, str]) -> Trade:
    scale = instrument.quote_scale
    entry_cost, exit_cost = from_units(row.entry_cost_units, scale), from_units(row.exit_cost_units, scale)
    quantity = instrument.quantity(row.quantity_lots)
    return Trade(
        number=number,
        symbol=instrument.symbol,
        asset=instrument.quote,
        side="long" if row.side == "buy" else "short",
        entry_ts=row.entry_ts,
        exit_ts=row.exit_ts,
        quantity=quantity,
        entry_cost=entry_cost,
        exit_cost=exit_cost,
        entry_price=_price(entry_cost, quantity, instrument),
        exit_price=_price(exit_cost, quantity, instrument),
        entry_fees=from_units(row.entry_fee_units, scale),
        exit_fees=from_units(row.exit_fee_units, scale),
        pnl=from_units(row.pnl_units, scale),
        bars=row.bars,
        reason=row.reason,
        tag=tags.get(row.entry_order_id, ""),
        exit_tag=row.tag,
        strategy=row.strategy,
        exchange=row.exchange,
    )


def _price(cost: Decimal, quantity: Decimal, instrument: Instrument) -> Decimal:
    size = quantity * instrument.multiplier
    return _PRICE.divide(cost, size) if size else Decimal(0)


def safe_cell(text: str) -> str:
    """Text that a spreadsheet will not run: one that starts like a formula gets an apostrophe in front.

    Source: OWASP, "CSV Injection".
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text


def _cells(trade: Trade) -> dict[str, str]:
    return {
        "trade": str(trade.number),
        "symbol": safe_cell(trade.symbol),
        "side": trade.side,
        "entry_time": iso_utc(trade.entry_ts),
        "exit_time": iso_utc(trade.exit_ts),
        "entry_ts": str(trade.entry_ts),
        "exit_ts": str(trade.exit_ts),
        "quantity": plain(trade.quantity),
        "entry_price": plain(trade.entry_price),
        "exit_price": plain(trade.exit_price),
        "entry_cost": plain(trade.entry_cost),
        "exit_cost": plain(trade.exit_cost),
        "entry_fees": plain(trade.entry_fees),
        "exit_fees": plain(trade.exit_fees),
        "fees": plain(trade.fees),
        "pnl": plain(trade.pnl),
        "return": plain(trade.result),
        "asset": safe_cell(trade.asset),
        "bars_held": "" if trade.bars is None else str(trade.bars),
        "holding_s": plain(from_units(trade.holding_ns, 9)),
        "reason": safe_cell(trade.reason),
        "tag": safe_cell(trade.tag),
        "exit_tag": safe_cell(trade.exit_tag),
        "strategy": safe_cell(trade.strategy),
        "exchange": safe_cell(trade.exchange),
    }


def csv_lines(trades: Iterable[Trade]) -> Iterator[str]:
    """The CSV line by line, the header first (RFC 4180 quoting, UTF-8, CRLF)."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS)
    writer.writeheader()
    for trade in trades:
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(_cells(trade))
    yield buffer.getvalue()


def write_csv(trades: Iterable[Trade], path: Path) -> None:
    """Writes the trades as CSV; the file appears whole or not at all.

    Raises:
        ConfigError: the path cannot be written.
    """
    write_text(path, csv_lines(trades))
