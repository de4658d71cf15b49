"""The coverage ledger (TRADING.md P-2) and what happens when a position stands without a stop."""

from __future__ import annotations

from ..domain.order import Order, OrderState, Role
from .account import Account
from .orders import OrderTable

#: states in which a protective order is known to work at the venue
_LIVE = frozenset({OrderState.ACKNOWLEDGED, OrderState.TRIGGERED, OrderState.PARTIALLY_FILLED})


class Coverage:
    """Position quantity against live protective quantity, at every moment.

    Attributes:
        uncovered_lot_ns: sum over instruments of uncovered lots × time, the metric of P-2.
    """

    def __init__(self, account: Account, orders: OrderTable) -> None:
        self._account = account
        self._orders = orders
        self._uncovered: dict[int, int] = {}
        self._since = 0
        self.uncovered_lot_ns = 0

    def update(self, index: int, ts: int) -> int:
        """Re-reads one instrument after its orders or position changed.

        Args:
            index: instrument.
            ts: now, UTC ns.

        Returns:
            Lots of the position that no live protective order covers.
        """
        self.advance(ts)
        if not self._account.position_lots(index) and index not in self._uncovered:
            return 0
        uncovered = max(0, abs(self._account.position_lots(index)) - self._protected(index))
        if uncovered:
            self._uncovered[index] = uncovered
        else:
            self._uncovered.pop(index, None)
        return uncovered

    def advance(self, ts: int) -> None:
        """Lets time pass over what is uncovered."""
        if self._uncovered:
            self.uncovered_lot_ns += sum(self._uncovered.values()) * (ts - self._since)
        self._since = ts

    def _protected(self, index: int) -> int:
        position = self._account.position_lots(index)
        return sum(
            self._covers(order)
            for order in self._orders.working(index)
            if order.role is Role.STOP and order.side.sign * position < 0
        )

    def _covers(self, stop: Order) -> int:
        """An attached stop covers what its entry filled, less what the stop itself already sold."""
        if stop.state not in _LIVE:
            return 0
        parent = self._orders.find(stop.parent_id)
        wanted = parent.filled_lots if parent is not None else stop.quantity_lots
        return max(0, min(wanted, stop.quantity_lots) - stop.filled_lots)
