"""Order reports of the venue, applied to orders, account and strategies (TRADING.md O-1 to O-4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..domain.event import Flag, Kind, Reason
from ..domain.money import ratio_to_fraction
from ..domain.order import MOVES, TERMINAL, Order, OrderState, Role
from ..strategy import Fill
from .indicators import Row

if TYPE_CHECKING:
    from .core import Engine

#: what a report makes of its order, where the order's state allows it
_STATES: dict[int, OrderState] = {
    Kind.ACK: OrderState.ACKNOWLEDGED,
    Kind.TRIGGERED: OrderState.TRIGGERED,
    Kind.CANCELLED: OrderState.CANCELLED,
    Kind.REJECTED: OrderState.REJECTED,
    Kind.EXPIRED: OrderState.EXPIRED,
}
#: plain ints: the operators of an enum's members cost a microsecond
_VIOLATION, _FEE_BASE, _MAKER = int(Flag.VIOLATION), int(Flag.FEE_BASE), int(Flag.MAKER)
_REASONS = {int(reason): reason.name for reason in Reason}


def apply_report(engine: Engine, row: Row) -> None:
    """Applies one report.

    Args:
        engine: the engine.
        row: the report as an event record tuple.
    """
    kind = row[2]
    order = engine.desk.orders.find(row[4])
    if order is None:
        engine.desk.journal(row[0], row[1], kind, row[3] | _VIOLATION, row[4:10], None)
        return
    if kind == Kind.FILL:
        _apply_fill(engine, order, row)
        return
    after = _STATES.get(kind)
    odd = after is not None and _contradicts(order, after, row)
    engine.desk.journal(row[0], row[1], kind, row[3] | (_VIOLATION if odd else 0), row[4:10], None)
    if kind == Kind.CANCEL_REJECTED:
        order.pending_cancel = False
    elif after is not None and after in MOVES[order.state]:
        order.move(after, row[0], _REASONS.get(row[6], f"reason {row[6]}") if after in TERMINAL else "")
        if order.is_terminal:
            _ended(engine, order, row[0])
            if order.role is Role.CLOSE and row[6] != Reason.REQUESTED:
                engine.back_off(order.index)
            engine.dispatch.tell_order(order)


def _contradicts(order: Order, after: OrderState, row: Row) -> bool:
    """True for an end that our books do not agree with: out of turn, or the venue counts other fills (O-3)."""
    if after not in TERMINAL:
        return False  # a late acknowledgement is overtaken, not wrong
    told = row[5] if after is not OrderState.REJECTED else 0
    return after not in MOVES[order.state] or told != order.filled_lots


def _apply_fill(engine: Engine, order: Order, row: Row) -> None:
    ts, index, _, flags, _, price, lots, fee, trade_id, cost = row
    if trade_id in order.trade_ids:  # told twice, as after a reconnect: the fact is kept, the money moved once (O-4)
        engine.desk.journal(ts, index, Kind.FILL, flags | _VIOLATION, row[4:10], None)
        return
    order.trade_ids.add(trade_id)
    violation = order.fill(lots, cost, fee, ts)
    engine.desk.journal(ts, index, Kind.FILL, flags | (_VIOLATION if violation else 0), row[4:10], None)
    if order.filled_lots > order.quantity_lots:
        _halt_symbol(engine, order, ts)
    in_base = bool(flags & _FEE_BASE)
    engine.account.valuation.roll(ts)
    closed = engine.account.apply_fill(index, order.side, lots, cost, fee, in_base, ts)
    engine.fills += 1
    if closed is not None:
        engine.round_trips += 1
    if order.is_terminal:
        _ended(engine, order, ts)
    if order.stop_ticks:
        _recheck_stop(engine, order)
    asset = order.instrument.base if in_base else order.instrument.quote
    engine.dispatch.tell_fill(Fill(order, ts, price, lots, fee, asset, bool(flags & _MAKER), closed))


def _recheck_stop(engine: Engine, entry: Order) -> None:
    """P-1 once more, against the average fill: a gap may have left the stop too far away; what filled is closed."""
    limit, stop = engine.desk.gate.limits.stop_distance, engine.desk.orders.find(entry.stop_id)
    if limit is None or stop is None:
        return
    num, den = ratio_to_fraction(limit)
    distance = abs(entry.cost_units - entry.instrument.cost_units(entry.stop_ticks, entry.filled_lots))
    if distance * den > entry.cost_units * num:
        engine.coverage.distrust(stop)


def _halt_symbol(engine: Engine, order: Order, ts: int) -> None:
    """An overfill: venue and books disagree about this instrument, so it takes no new risk (O-3)."""
    desk, reason = engine.desk, f"order {order.order_id} filled {order.filled_lots} of {order.quantity_lots} lots"
    if order.index not in desk.gate.halted_symbols:
        desk.gate.halted_symbols[order.index] = reason
        blob = {
            "mode": f"no new risk in {order.instrument.symbol}",
            "reason": reason,
            "rule": "symbol_halt",
            "measured": f"{order.filled_lots} lots",
            "limit": f"{order.quantity_lots} lots",
        }
        desk.journal(ts, order.index, Kind.HALT, 0, (int(desk.latch.mode), 0, 0, 0, 0, 0), blob)
    for working in desk.orders.working(order.index):
        if working.role is Role.ENTRY and working is not order:
            desk.cancel(working)


def _ended(engine: Engine, order: Order, ts: int) -> None:
    """Retires an order; attached orders shrink to what their entry really filled, and never grow again."""
    engine.desk.orders.retire(order)
    if order.role is not Role.ENTRY or not order.filled_lots:
        return
    for child_id in (order.stop_id, order.target_id):
        child = engine.desk.orders.find(child_id) if child_id else None
        if child is None or child.is_terminal or child.quantity_lots <= order.filled_lots:
            continue
        child.quantity_lots = order.filled_lots
        engine.desk.journal(ts, order.index, Kind.RESIZED, 0, (child.order_id, order.filled_lots, 0, 0, 0, 0), None)
        if child.filled_lots >= child.quantity_lots:
            child.move(OrderState.FILLED, ts, "entry ended")
            engine.desk.orders.retire(child)
