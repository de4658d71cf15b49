"""Rows of the projections: what a fold yields, the database stores and the report reads.

Field names are column names (``run`` aside, which the store adds); units are in the names, see tables.py.
"""

from __future__ import annotations

import msgspec
from attrs import define, field


class OrderRow(msgspec.Struct, kw_only=True, gc=False):
    """One order, as its events left it.

    Attributes:
        order_id: number of the order in this run.
        seq, ts: of the intent or denial; ``updated_ts`` of the newest event.
        state: lower-case name of an OrderState.
        reason: why it ended: the venue's reason, or the first failed rule of a denial.
        equity_units, size_fraction, worst_ticks: what the gate judged it by.
        filled_lots, cost_units: sums of its fills; ``fee_units`` their fees in quote units.
        reported_lots: cumulative quantity in the venue's terminal report, None before it. The order is settled
            when it equals ``filled_lots`` (TRADING.md O-3).
        violation: a fact about it broke a rule (late fill, overfill, an order that is not ours).
    """

    order_id: int
    seq: int
    ts: int
    updated_ts: int
    instrument: int
    exchange: str
    strategy: str
    client_id: str | None
    side: str
    type: str
    tif: str
    role: str
    state: str
    reason: str = ""
    quantity_lots: int
    price_ticks: int
    trigger_ticks: int
    parent_id: int
    stop_ticks: int = 0
    target_ticks: int = 0
    worst_ticks: int = 0
    equity_units: int = 0
    size_fraction: str | None = None
    reduce_only: bool = False
    post_only: bool = False
    pending_cancel: bool = False
    filled_lots: int = 0
    cost_units: int = 0
    fee_units: int = 0
    reported_lots: int | None = None
    violation: bool = False
    tag: str = ""
    signal_strength: str | None = None
    ta_score: str | None = None
    ml_confidence: str | None = None


class FillRow(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """One fill. ``fee_units`` are of ``fee_asset``; ``fee_quote_units`` the same in quote, rounded against us."""

    seq: int
    ts: int
    order_id: int
    instrument: int
    venue: str
    account: str
    symbol: str
    trade_id: int
    venue_order_id: str
    side: str
    price_ticks: int
    quantity_lots: int
    cost_units: int
    fee_units: int
    fee_asset: str
    fee_scale: int
    fee_quote_units: int
    maker: bool
    violation: bool


class PositionRow(msgspec.Struct, kw_only=True, gc=False):
    """Net position in one instrument at one exchange, flat ones included.

    Attributes:
        lots: signed, negative when short.
        entry_cost_units, entry_fee_units: of the open lots.
        realised_units: profit of all closed portions, after fees.
        fee_units: every fee paid in this instrument, in quote units.
        opened_ns: first fill of the open position, 0 when flat.
    """

    exchange: str
    instrument: int
    seq: int
    updated_ts: int
    lots: int
    entry_cost_units: int
    entry_fee_units: int
    realised_units: int
    fee_units: int
    opened_ns: int


class RoundTripRow(msgspec.Struct, kw_only=True, gc=False):
    """One trade: a portion of a position that one order closed, all its closing fills together.

    Attributes:
        seq: of the first closing fill.
        strategy, entry_order_id: of the order that opened the position.
        side: buy for a long that was sold, sell for a short that was bought back.
        entry_ts: first fill of the position; ``exit_ts``: last closing fill of the order.
        entry_cost_units, exit_cost_units: what the portion cost and brought; average prices derive from them.
        pnl_units: profit after entry and exit fees, each counted once.
        bars: whole bars between entry and exit, None when the run has no bars.
        reason: what closed it: stop, target, close, or reversal (an entry of the other side).
        tag: of the closing order.
    """

    seq: int
    instrument: int
    exchange: str
    strategy: str
    entry_order_id: int
    exit_order_id: int
    side: str
    entry_ts: int
    exit_ts: int
    quantity_lots: int
    entry_cost_units: int
    exit_cost_units: int
    entry_fee_units: int
    exit_fee_units: int
    pnl_units: int
    bars: int | None
    reason: str
    tag: str

    @property
    def fee_units(self) -> int:
        """Entry and exit fees together, quote units."""
        return self.entry_fee_units + self.exit_fee_units


class RiskEventRow(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """One failed rule of a denied order (``action`` denied), or one change of the trading mode (``action`` halt).

    ``n`` counts the failed rules of one record from 0. A halt has order_id 0, and the mode entered with its reason
    in ``note``.
    """

    seq: int
    n: int
    ts: int
    action: str
    order_id: int
    instrument: int
    strategy: str
    rule: str
    measured: str
    limit: str
    unit: str
    note: str


class EquityRow(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """One sample of the account, in units of the reporting asset."""

    seq: int
    ts: int
    equity_units: int
    exposure_units: int
    buy_hold_units: int
    peak_units: int


@define(eq=True)
class Rows:
    """Rows of every projection; lists in seq order."""

    orders: list[OrderRow] = field(factory=list)
    fills: list[FillRow] = field(factory=list)
    positions: list[PositionRow] = field(factory=list)
    round_trips: list[RoundTripRow] = field(factory=list)
    risk_events: list[RiskEventRow] = field(factory=list)
    equity: list[EquityRow] = field(factory=list)
