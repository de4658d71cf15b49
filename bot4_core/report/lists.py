"""The report's tables that follow from the journal's rows: denials, halts, instruments, open positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from attrs import frozen

from ..domain.instrument import Instrument
from ..domain.money import from_units
from ..domain.portfolio import average_price
from ..journal.reading import RunRecord
from ..journal.records import RunInfo
from ..journal.rows import PositionRow, RiskEventRow
from .metrics import Stat
from .summary import OpenPosition
from .trades import Trade


@frozen
class Denial:
    """What one rule refused.

    Args:
        rule: its name.
        count: orders it refused (an order refused by two rules counts in both).
        measured, limit, unit: of the refusal that is shown as an example, the first one.
        symbol: what that order was for.
        ts: when, UTC ns.
    """

    rule: str
    count: int
    measured: str
    limit: str
    unit: str
    symbol: str
    ts: int


@frozen
class Halt:
    """One change of the trading mode by the engine (TRADING.md K-6)."""

    ts: int
    mode: str
    rule: str
    measured: str
    limit: str


@frozen
class InstrumentRow:
    """One instrument's part of the run; amounts in its quote asset.

    Args:
        symbol, asset: the pair and its quote asset.
        orders: orders sent; ``denied`` orders refused by the gate.
        fills, trades: own fills and closed trades.
        win_rate: of its trades.
        pnl: profit of its closed trades after fees.
        fees: fees of all its fills.
        traded: sum of price times quantity over its fills.
    """

    symbol: str
    asset: str
    orders: int
    denied: int
    fills: int
    trades: int
    win_rate: Stat
    pnl: Decimal
    fees: Decimal
    traded: Decimal


def denials_of(events: Sequence[RiskEventRow], instruments: Sequence[Instrument]) -> tuple[Denial, ...]:
    """What each rule refused, the busiest first."""
    counts = Counter(e.rule for e in events if e.action == "denied")
    first: dict[str, RiskEventRow] = {}
    for event in events:
        if event.action == "denied":
            first.setdefault(event.rule, event)
    return tuple(
        Denial(rule, count, e.measured, e.limit, e.unit, instruments[e.instrument].symbol, e.ts)
        for rule, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        for e in (first[rule],)
    )


def halts_of(events: Sequence[RiskEventRow]) -> tuple[Halt, ...]:
    """Changes of the trading mode, in their order."""
    return tuple(
        Halt(e.ts, e.note.partition(":")[0], e.rule, e.measured, e.limit) for e in events if e.action == "halt"
    )


def instruments_of(record: RunRecord, trades: Sequence[Trade]) -> tuple[InstrumentRow, ...]:
    """Each instrument's part of the run, in the order of the config."""
    rows = []
    by_symbol: dict[str, list[Trade]] = {}
    for trade in trades:
        by_symbol.setdefault(trade.symbol, []).append(trade)
    for index, instrument in enumerate(record.info.instruments):
        orders = [o for o in record.orders if o.instrument == index]
        fills = [f for f in record.fills if f.instrument == index]
        own = by_symbol.get(instrument.symbol, [])
        denied = sum(o.state == "denied" for o in orders)
        rows.append(
            InstrumentRow(
                instrument.symbol,
                instrument.quote,
                len(orders) - denied,
                denied,
                len(fills),
                len(own),
                Stat(sum(t.pnl > 0 for t in own) / len(own)) if own else Stat(None, "no trade"),
                sum((t.pnl for t in own), Decimal(0)),
                from_units(sum(f.fee_quote_units for f in fills), instrument.quote_scale),
                from_units(sum(f.cost_units for f in fills), instrument.quote_scale),
            )
        )
    return tuple(rows)


def open_positions_of(rows: Sequence[PositionRow], info: RunInfo) -> tuple[OpenPosition, ...]:
    """What was open when the journal stops; nobody said at which price."""
    out = []
    for row in rows:
        if row.lots:
            instrument = info.instruments[row.instrument]
            quantity = instrument.quantity(row.lots)
            average = average_price(instrument, row.lots, row.entry_cost_units)
            out.append(OpenPosition(symbol=instrument.symbol, quantity=quantity, average_entry=average))
    return tuple(out)
