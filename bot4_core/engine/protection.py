"""The coverage ledger (TRADING.md P-2): what of a position a live stop covers, and which stops it needs."""

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
        self._far: set[int] = set()
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

    def uncovered_lots(self, index: int) -> int:
        """Lots of one instrument without a live stop, as of the last update."""
        return self._uncovered.get(index, 0)

    def advance(self, ts: int) -> None:
        """Lets time pass over what is uncovered."""
        if self._uncovered:
            self.uncovered_lot_ns += sum(self._uncovered.values()) * (ts - self._since)
        self._since = ts

    def distrust(self, stop: Order) -> None:
        """From now on this stop counts as too far from its entry's average fill (P-1)."""
        self._far.add(stop.order_id)

    def too_far(self, index: int) -> int:
        """Lots whose only live stop is too far from the fill (P-1)."""
        if not self._far:
            return 0
        far = [order for order in self._stops(index) if order.order_id in self._far]
        held = abs(self._account.position_lots(index)) - self._protected(index) + sum(map(self._covers, far))
        return max(0, min(held, sum(map(self._covers, far))))

    def needs(self, stop: Order) -> bool:
        """Whether a stop must stay: its entry still works, or without it a part of the position would stand bare.

        Stops whose end was asked for already do not count as the ones that remain.
        """
        parent = self._orders.find(stop.parent_id)
        if parent is not None and not parent.is_terminal:
            return True
        position = self._account.position_lots(stop.index)
        others = (each for each in self._stops(stop.index) if each is not stop and not each.pending_cancel)
        return stop.side.sign * position < 0 and sum(map(self._covers, others)) < abs(position)

    def _protected(self, index: int) -> int:
        return sum(map(self._covers, self._stops(index)))

    def _stops(self, index: int) -> list[Order]:
        """Working stops that close the position as it now is."""
        position = self._account.position_lots(index)
        return [
            order
            for order in self._orders.working(index)
            if order.role is Role.STOP and order.side.sign * position < 0
        ]

    def _covers(self, stop: Order) -> int:
        """An attached stop covers what its entry filled, less what the stop itself and its target already sold."""
        if stop.state not in _LIVE:
            return 0
        parent = self._orders.find(stop.parent_id)
        if parent is None:
            return max(0, stop.quantity_lots - stop.filled_lots)
        target = self._orders.find(parent.target_id) if parent.target_id else None
        sold = stop.filled_lots + (target.filled_lots if target is not None else 0)
        return max(0, min(parent.filled_lots, stop.quantity_lots) - sold)
