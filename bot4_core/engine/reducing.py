"""The gate's rules for an order that reduces: limits and staleness are skipped, the venue's filters are not (K-4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..domain.order import Failure, Role
from ..native.latch import Mode
from .rules import Rule, Wish, quantity_filter

if TYPE_CHECKING:
    from .gate import Gate

#: closes that a strategy may have at work in one instrument; the engine's own are counted apart, so that no strategy
#: can use up the room of a protective close
MAX_CLOSES = 10


def _latch(gate: Gate, wish: Wish) -> Failure | None:
    """Reducing is allowed in every mode but CANCEL_ONLY (K-6)."""
    mode = gate.latch.mode
    return Failure("latch", Mode(mode).name, "any mode but CANCEL_ONLY") if mode == Mode.CANCEL_ONLY else None


def _reduces(gate: Gate, wish: Wish) -> Failure | None:
    """K-4: a reducing order with the other closes never exceeds the position, so it can never flip it."""
    order = wish.order
    position = gate.account.position_lots(order.index)
    closes = sum(o.remaining_lots for o in gate.orders.working(order.index) if o.role is Role.CLOSE)
    wanted = closes + order.quantity_lots
    if position * order.side.sign >= 0 or wanted > abs(position):
        return Failure("reduce_only", f"{wanted}", f"{max(0, -position * order.side.sign)}", "lots")
    return None


def _open_closes(gate: Gate, wish: Wish) -> Failure | None:
    """Working closes of one instrument, this one included: an exit in dust would fill the venue's book of orders."""
    count = gate.orders.open_closes(wish.order.index, wish.order.strategy) + 1
    return Failure("open_closes", str(count), str(MAX_CLOSES), "orders") if count > MAX_CLOSES else None


def _venue_quantity(gate: Gate, wish: Wish) -> Failure | None:
    """The venue's quantity filters; the minimum notional does not hold for what only reduces."""
    return quantity_filter(wish.order)


#: In the order they are reported.
REDUCING_RULES: tuple[tuple[str, Rule], ...] = (
    ("latch", _latch),
    ("reduce_only", _reduces),
    ("open_closes", _open_closes),
    ("venue_filters", _venue_quantity),
)
