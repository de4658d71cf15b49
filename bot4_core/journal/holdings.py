"""Positions and trades, folded from fills (TRADING.md O-8).

The arithmetic is the domain's Position. A trade (round trip) is the portion of a position that one order closed:
its closing fills are merged, its share of the entry's cost and fees is exact, and the shares of all trades with
what is still open sum to what was paid.
"""

from __future__ import annotations

import msgspec

from ..domain.instrument import Instrument
from ..domain.order import Side
from ..domain.portfolio import Closed, Position
from .rows import FillRow, OrderRow, PositionRow, RoundTripRow


class Holdings:
    """Every position of a run and the trades that came out of them.

    Args:
        interval_ns: bar length of the run, 0 when it has none.
    """

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns
        self._positions: dict[tuple[str, int], tuple[Position, PositionRow]] = {}
        self._openers: dict[tuple[str, int], OrderRow] = {}
        self._trips: dict[int, RoundTripRow] = {}
        self._dirty_positions: dict[tuple[str, int], PositionRow] = {}
        self._dirty_trips: dict[int, RoundTripRow] = {}

    def take(self) -> tuple[list[PositionRow], list[RoundTripRow]]:
        """Positions and trades that are new or changed since the last call, as they now are."""
        positions = [msgspec.structs.replace(row) for row in self._dirty_positions.values()]
        trips = [msgspec.structs.replace(row) for row in self._dirty_trips.values()]
        self._dirty_positions.clear()
        self._dirty_trips.clear()
        return positions, trips

    def apply(self, fill: FillRow, order: OrderRow, traded: Instrument) -> None:
        """Moves the position by one fill of an order; what the fill closes becomes, or joins, a trade."""
        key = (order.exchange, fill.instrument)
        held = self._positions.get(key)
        if held is None:
            held = self._positions[key] = (Position(traded), _flat(key))
        position, row = held
        before = position.lots
        side = Side.SELL if fill.side == "sell" else Side.BUY
        closed = position.apply(side, fill.quantity_lots, fill.cost_units, fill.fee_quote_units, fill.ts)
        if closed is not None:
            self._close_trip(fill, order, closed, self._openers[key])
        if position.lots and (before == 0 or (before > 0) != (position.lots > 0)):
            self._openers[key] = order
        row.seq = fill.seq
        row.updated_ts = fill.ts
        row.lots = position.lots
        row.entry_cost_units = position.entry_cost
        row.entry_fee_units = position.entry_fees
        row.realised_units = position.realised
        row.fee_units += fill.fee_quote_units
        row.opened_ns = position.opened_ns
        self._dirty_positions[key] = row

    def _close_trip(self, fill: FillRow, order: OrderRow, closed: Closed, opener: OrderRow) -> None:
        trip = self._trips.get(order.order_id)
        if trip is None or trip.entry_ts != closed.entry_ts or trip.entry_order_id != opener.order_id:
            trip = RoundTripRow(
                seq=fill.seq,
                instrument=fill.instrument,
                exchange=order.exchange,
                strategy=opener.strategy,
                entry_order_id=opener.order_id,
                exit_order_id=order.order_id,
                side="buy" if closed.side is Side.BUY else "sell",
                entry_ts=closed.entry_ts,
                exit_ts=closed.exit_ts,
                quantity_lots=0,
                entry_cost_units=0,
                exit_cost_units=0,
                entry_fee_units=0,
                exit_fee_units=0,
                pnl_units=0,
                bars=None,
                reason="reversal" if order.role == "entry" else order.role,
                tag=order.tag,
            )
            self._trips[order.order_id] = trip
        trip.exit_ts = closed.exit_ts
        trip.quantity_lots += closed.lots
        trip.entry_cost_units += closed.entry_cost
        trip.exit_cost_units += closed.exit_cost
        trip.entry_fee_units += closed.entry_fees
        trip.exit_fee_units += closed.exit_fees
        trip.pnl_units += closed.pnl
        if self._interval_ns:
            trip.bars = (trip.exit_ts - trip.entry_ts) // self._interval_ns
        self._dirty_trips[trip.seq] = trip


def _flat(key: tuple[str, int]) -> PositionRow:
    return PositionRow(
        exchange=key[0],
        instrument=key[1],
        seq=0,
        updated_ts=0,
        lots=0,
        entry_cost_units=0,
        entry_fee_units=0,
        realised_units=0,
        fee_units=0,
        opened_ns=0,
    )
