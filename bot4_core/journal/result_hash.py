"""The result hash (DECISIONS.md D-6): the same decisions and fills give the same 64 hex digits.

SHA-256 over the canonical orders, fills and denials of a run, each list in seq order. No run id, wall time, path,
client id, trade id or seq goes in: ids are drawn anew in paper and live, and an extra equity sample moves every
seq. An order is named by its place in the run, an instrument by symbol and version.

A canonical row is one JSON array and a newline; the digest is
``SHA-256("bot4-result/1\\n" + SHA-256(orders) + SHA-256(fills) + SHA-256(denials))``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from ..domain.instrument import Instrument
from .rows import FillRow, OrderRow, RiskEventRow, Rows

_encode = msgspec.json.Encoder().encode


class ResultHash:
    """Built up while a run is written, so that finishing it reads nothing again.

    Fills and denials are final when they appear and are hashed as they come; orders change until the end and are
    hashed once, by :meth:`hexdigest`.

    Args:
        instruments: the run's instrument table.
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._names = [f"{instrument.symbol}@{instrument.version}" for instrument in instruments]
        self._places: dict[int, int] = {}
        self._fills = hashlib.sha256()
        self._denials = hashlib.sha256()

    def add(self, rows: Rows) -> None:
        """Takes the next rows of a fold, in the order in which the fold yields them."""
        for order in rows.orders:
            self._place(order.order_id)
        for fill in rows.fills:
            self._fills.update(self._fill_line(fill))
        for event in rows.risk_events:
            if event.action == "denied":
                self._denials.update(self._denial_line(event))

    def hexdigest(self, orders: Iterable[OrderRow]) -> str:
        """The hash of everything added and of the run's orders, in seq order, as they now are."""
        order_hash = hashlib.sha256()
        for order in orders:
            order_hash.update(self._order_line(order))
        parts = order_hash.digest() + self._fills.digest() + self._denials.digest()
        return hashlib.sha256(b"bot4-result/1\n" + parts).hexdigest()

    def _place(self, order_id: int) -> int:
        return self._places.setdefault(order_id, len(self._places) + 1)

    def _order_line(self, order: OrderRow) -> bytes:
        line = (
            self._place(order.order_id),
            order.ts,
            self._names[order.instrument],
            order.exchange,
            order.strategy,
            order.side,
            order.type,
            order.tif,
            order.role,
            order.state,
            order.reason,
            order.quantity_lots,
            order.price_ticks,
            order.trigger_ticks,
            self._places.get(order.parent_id, 0),
            order.stop_ticks,
            order.target_ticks,
            order.reduce_only,
            order.post_only,
            order.filled_lots,
            order.cost_units,
            order.fee_units,
            order.violation,
        )
        return _encode(line) + b"\n"

    def _fill_line(self, fill: FillRow) -> bytes:
        line = (
            self._place(fill.order_id),
            fill.ts,
            self._names[fill.instrument],
            fill.side,
            fill.price_ticks,
            fill.quantity_lots,
            fill.cost_units,
            fill.fee_units,
            fill.fee_asset,
            fill.maker,
            fill.violation,
        )
        return _encode(line) + b"\n"

    def _denial_line(self, event: RiskEventRow) -> bytes:
        line = (self._place(event.order_id), event.ts, event.rule, event.measured, event.limit, event.unit)
        return _encode(line) + b"\n"


def result_hash(rows: Rows, instruments: Iterable[Instrument]) -> str:
    """The result hash of a whole run.

    Args:
        rows: every row of the run, orders in seq order as they ended.
        instruments: the run's instrument table.
    """
    whole = ResultHash(instruments)
    whole.add(rows)
    return whole.hexdigest(rows.orders)
