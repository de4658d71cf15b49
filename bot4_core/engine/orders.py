"""The run's orders: ids, working orders per instrument, and what became of each."""

from __future__ import annotations

import random
import secrets
from collections import Counter, deque
from collections.abc import Iterable

from ..domain.order import Order, OrderState, Role

_TAG_BITS, _PROCESS_BITS, _COUNTER_BITS = 16, 72, 40


class ClientIds:
    """Client order ids of 128 bits: 16 install tag, 72 drawn once per process, 40 counter (RELIABILITY section 3).

    Args:
        tag: marks this installation's orders, 0..65535.
        seed: None draws the 72 bits from the system (paper, live); a number makes them repeatable (backtest, D-6).
    """

    def __init__(self, tag: int, seed: int | None) -> None:
        bits = secrets.randbits(_PROCESS_BITS) if seed is None else random.Random(seed).getrandbits(_PROCESS_BITS)
        self._prefix = ((tag & 0xFFFF) << _PROCESS_BITS | bits) << _COUNTER_BITS
        self._count = 0

    def next(self) -> str:
        """A fresh id, 32 hex digits; never given twice."""
        self._count += 1
        return f"{self._prefix | self._count:032x}"


#: so many ended orders are still found by a late report; an older one counts as not ours, and is flagged
_MAX_ENDED = 10_000


class OrderTable:
    """All orders that may still change, by id and by instrument, with counts of how orders ended."""

    def __init__(self, instruments: int) -> None:
        self._by_id: dict[int, Order] = {}
        self._working: list[dict[int, Order]] = [{} for _ in range(instruments)]
        self._ended: deque[int] = deque()
        self._entries = [0] * instruments
        self.entries = 0
        self.ended: Counter[OrderState] = Counter()
        self.created = 0

    def new_id(self) -> int:
        """The next order id, from 1."""
        self.created += 1
        return self.created

    def add(self, order: Order) -> None:
        """Takes in an order that passed the gate."""
        self._by_id[order.order_id] = order
        self._working[order.index][order.order_id] = order
        if order.role is Role.ENTRY:
            self._entries[order.index] += 1
            self.entries += 1

    def retire(self, order: Order) -> None:
        """Drops an ended order from the working ones; a late report still finds it by id for a long while."""
        if self._working[order.index].pop(order.order_id, None) is None:
            return
        self._ended.append(order.order_id)
        if len(self._ended) > _MAX_ENDED:
            del self._by_id[self._ended.popleft()]
        self.ended[order.state] += 1
        if order.role is Role.ENTRY:
            self._entries[order.index] -= 1
            self.entries -= 1

    def find(self, order_id: int) -> Order | None:
        """The order of a report, ended ones included; None when it is not ours or long forgotten."""
        return self._by_id.get(order_id)

    def working(self, index: int) -> Iterable[Order]:
        """Working orders of one instrument, oldest first."""
        return self._working[index].values()

    def all_working(self) -> list[Order]:
        """Every working order, by instrument, oldest first."""
        return [order for orders in self._working for order in orders.values()]

    def open_closes(self, index: int, strategy: str) -> int:
        """Working closes of one instrument that a strategy asked for; "" = the engine itself."""
        return sum(1 for o in self._working[index].values() if o.role is Role.CLOSE and o.strategy == strategy)

    def open_entries(self, index: int) -> int:
        """Working entry orders of one instrument."""
        return self._entries[index]
