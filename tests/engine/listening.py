"""A strategy that keeps what it is told, and a sent buy for tests of the venue's reports."""

from __future__ import annotations

from bot4_core.domain.event import Bar, Kind
from bot4_core.domain.order import Order
from bot4_core.strategy import Context, Fill, Strategy

from .rig import BTC, Rig, rig


class Listener(Strategy):
    """Keeps what it is told."""

    def on_start(self, ctx: Context) -> None:
        self.fills: list[Fill] = []
        self.ended: list[tuple[int, str]] = []

    def on_bar(self, ctx: Context, bar: Bar) -> None: ...

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.fills.append(fill)

    def on_order(self, ctx: Context, order: Order) -> None:
        self.ended.append((order.order_id, order.history[-1].reason))


def ready(lots: str = "10", **wish: object) -> tuple[Rig, Order, Listener]:
    """A sent buy of so many BTC at a mark of 100.00."""
    listener = Listener()
    r = rig(strategy=listener)
    r.bar(10_000)
    order = r.ctx.buy(BTC, quantity=lots, **wish)  # type: ignore[arg-type]  # named as buy names them
    assert order.denied is None
    r.send()
    return r, order, listener


def acknowledge(r: Rig, order: Order) -> None:
    children = [each for each in map(r.desk.orders.find, (order.stop_id, order.target_id)) if each]
    r.say(*(r.report(Kind.ACK, each) for each in (order, *children)))


def last_flags(r: Rig, kind: Kind) -> int:
    return next(fact.flags for fact in reversed(r.facts) if fact.kind is kind)
