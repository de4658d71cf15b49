"""The desk: wishes become orders here, pass the gate, and leave as commands whose intent is already journaled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum

import attrs
import msgspec

from ..domain.event import Kind
from ..domain.order import Denied, Failure, Order, OrderState, OrderType, Role, Side, TimeInForce
from ..native.latch import Latch, Mode
from .account import Account
from .gate import Gate
from .orders import ClientIds, OrderTable
from .rules import Wish, sized, worst_price

#: ``recorder(ts, instrument, kind, flags, words, blob)`` takes every fact for the journal, in order
Recorder = Callable[[int, int, int, int, Sequence[int], Mapping[str, object] | None], object]


def _texts(kind: type[IntEnum]) -> list[str]:
    """Lower-case names by value: an enum's own ``name`` is slow, and four are journaled with each order."""
    names = {member.value: member.name.lower() for member in kind}
    return [names.get(value, "") for value in range(max(names) + 1)]


_SIDE_TEXT, _TYPE_TEXT, _TIF_TEXT, _ROLE_TEXT = _texts(Side), _texts(OrderType), _texts(TimeInForce), _texts(Role)


class Action(IntEnum):
    """What a command asks of the exchange."""

    SUBMIT = 1
    CANCEL = 2


class Command(msgspec.Struct, frozen=True, gc=False):
    """One command for the exchange of ``order.exchange``."""

    action: Action
    order: Order


class Desk:
    """Orders of one run on their way out.

    Args:
        account, orders, gate: the run's books, order table and gate.
        client_ids: source of ids.
        recorder: takes every fact for the journal, in order.
        latch: the kill latch.

    Attributes:
        now: time of the event being processed, UTC ns; the engine sets it.
        accepting: False once the run is ending: then every wish is denied.
        outbox: commands that wait to be taken out by :meth:`commands`; always the same list.
    """

    def __init__(
        self,
        account: Account,
        orders: OrderTable,
        gate: Gate,
        client_ids: ClientIds,
        recorder: Recorder,
        latch: Latch,
    ) -> None:
        self.account = account
        self.orders = orders
        self.gate = gate
        self.client_ids = client_ids
        self.journal = recorder
        self.latch = latch
        self.now = 0
        self.accepting = True
        self.outbox: list[Command] = []

    def commands(self) -> Iterator[Command]:
        """Takes out the commands of the step; each intent is journaled before it is given away (D-10)."""
        while self.outbox:
            batch = self.outbox.copy()
            self.outbox.clear()
            for command in batch:
                if command.action is Action.CANCEL:
                    if command.order.is_terminal:  # latched before the send: the venue never saw it
                        continue
                    words = (command.order.order_id, 0, 0, 0, 0, 0)
                    self.journal(self.now, command.order.index, Kind.CANCEL, 0, words, None)
                    yield command
                elif self._commit(command.order):
                    yield command

    def _commit(self, order: Order) -> bool:
        """The last look before the send (O-6), then Validated → Submitted for the order and what it brings along."""
        if order.raises_risk and self.latch.mode != Mode.ACTIVE:
            for each in (order, *self._attached(order)):
                each.move(OrderState.CANCELLED, self.now, "latched before the send")
                self.orders.retire(each)
            return False
        for each in (order, *self._attached(order)):
            each.move(OrderState.SUBMITTED, self.now)
            self._journal_order(Kind.INTENT, each)
        return True

    def _attached(self, order: Order) -> list[Order]:
        found = [self.orders.find(child_id) for child_id in (order.stop_id, order.target_id) if child_id]
        return [child for child in found if child is not None]

    def wish(self, order: Order, mark: int, worst: int) -> None:
        """Takes an order through the gate; approved ones wait for the end of the step."""
        if not self.accepting:
            self._deny(order, Failure("stopping", "the run is ending", "no new orders"))
            return
        wish = Wish(order, mark, worst, self.now, self.account.equity_units())
        if order.raises_risk:
            order.worst_ticks, order.equity_units = worst, wish.equity_units
            wish, order.size_fraction = sized(self.gate, wish)
        verdict = self.gate.judge(wish)
        if verdict is not None:
            self._deny(order, *verdict.failures)
            return
        order.move(OrderState.VALIDATED, self.now)
        self.orders.add(order)
        if order.raises_risk:
            self._attach(order)
        self.outbox.append(Command(Action.SUBMIT, order))

    def _deny(self, order: Order, *failures: Failure) -> None:
        order.denied = Denied(tuple(failures))
        order.move(OrderState.DENIED, self.now, order.denied.rule)
        self._journal_order(Kind.DENIED, order)

    def _attach(self, entry: Order) -> None:
        """Makes the stop and target that the entry brings along."""
        if entry.stop_ticks:
            entry.stop_id = self._child(entry, Role.STOP, OrderType.STOP, trigger=entry.stop_ticks)
        if entry.target_ticks:
            entry.target_id = self._child(entry, Role.TARGET, OrderType.LIMIT, price=entry.target_ticks)

    def _child(self, entry: Order, role: Role, kind: OrderType, *, price: int = 0, trigger: int = 0) -> int:
        child = self._reducing(
            entry.index, entry.side.opposite, entry.quantity_lots, role, entry.strategy, entry.exchange, entry.tag
        )
        child.type, child.price_ticks, child.trigger_ticks = kind, price, trigger
        child.parent_id = entry.order_id
        child.move(OrderState.VALIDATED, self.now)
        self.orders.add(child)
        return child.order_id

    def _reducing(
        self, index: int, side: Side, lots: int, role: Role, strategy: str, exchange: str, tag: str
    ) -> Order:
        return Order(
            order_id=self.orders.new_id(),
            client_id=self.client_ids.next(),
            strategy=strategy,
            exchange=exchange,
            instrument=self.account.instruments[index],
            index=index,
            side=side,
            type=OrderType.MARKET,
            quantity_lots=lots,
            reduce_only=True,
            role=role,
            tag=tag,
            created_ns=self.now,
        )

    def closable_lots(self, index: int) -> int:
        """Lots of the position that no close is already working on."""
        closes = sum(o.remaining_lots for o in self.orders.working(index) if o.role is Role.CLOSE)
        return abs(self.account.position_lots(index)) - closes

    def close_position(self, index: int, lots: int, strategy: str, exchange: str, tag: str) -> Order:
        """Wishes to close so many lots at market, reduce-only."""
        side = Side.SELL if self.account.position_lots(index) > 0 else Side.BUY
        order = self._reducing(index, side, lots, Role.CLOSE, strategy, exchange, tag)
        mark = self.account.mark_ticks(index)
        self.wish(order, mark, worst_price(order.type, side, 0, 0, mark, self.gate.limits.collar))
        return order

    def cancel(self, order: Order) -> None:
        """Asks for an order's end, once."""
        if not order.is_terminal and not order.pending_cancel:
            order.pending_cancel = True
            self.outbox.append(Command(Action.CANCEL, order))

    def cancel_entries(self) -> None:
        """Asks for the end of every working entry order."""
        for order in self.orders.all_working():
            if order.role is Role.ENTRY:
                self.cancel(order)

    def _journal_order(self, kind: Kind, order: Order) -> None:
        failures = order.denied.failures if order.denied else ()
        words = (
            order.order_id, order.quantity_lots, order.price_ticks, order.trigger_ticks, order.parent_id, len(failures),
        )
        self.journal(self.now, order.index, kind, int(order.side), words, self._order_blob(order))

    def _order_blob(self, order: Order) -> dict[str, object]:
        blob: dict[str, object] = {
            "client_id": order.client_id,
            "strategy": order.strategy,
            "exchange": order.exchange,
            "side": _SIDE_TEXT[order.side],
            "type": _TYPE_TEXT[order.type],
            "tif": _TIF_TEXT[order.tif],
            "role": _ROLE_TEXT[order.role],
            "reduce_only": order.reduce_only,
            "post_only": order.post_only,
            "tag": order.tag,
            "stop_ticks": order.stop_ticks,
            "target_ticks": order.target_ticks,
        }
        if order.raises_risk:
            blob["worst_ticks"] = order.worst_ticks
            blob["equity"] = order.equity_units
            blob["size_fraction"] = order.size_fraction
        for name in ("signal_strength", "ta_score", "ml_confidence"):
            value = getattr(order, name)
            if value is not None:
                blob[name] = str(value)
        if order.denied:
            blob["failures"] = [attrs.asdict(failure) for failure in order.denied.failures]
        return blob
