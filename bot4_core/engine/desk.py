"""The desk: wishes become orders here, pass the gate, and leave as commands whose intent is already journaled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from operator import attrgetter

import attrs
import msgspec

from ..domain.event import Kind, Reason
from ..domain.money import Rounding
from ..domain.order import Denied, Failure, Order, OrderState, OrderType, Role, Side, TimeInForce
from ..native.latch import Latch, Mode
from .account import Account
from .gate import Gate
from .orders import ClientIds, OrderTable
from .reducing import MAX_CLOSES
from .rules import Wish, sized, worst_price

#: ``recorder(ts, instrument, kind, flags, words, blob)`` takes every fact for the journal, in order
Recorder = Callable[[int, int, int, int, Sequence[int], Mapping[str, object] | None], object]


def _texts(kind: type[IntEnum]) -> list[str]:
    """Lower-case names by value: an enum's own ``name`` is slow, and four are journaled with each order."""
    names = {member.value: member.name.lower() for member in kind}
    return [names.get(value, "") for value in range(max(names) + 1)]


_SIDE_TEXT, _TYPE_TEXT, _TIF_TEXT, _ROLE_TEXT = _texts(Side), _texts(OrderType), _texts(TimeInForce), _texts(Role)

#: everything the gate judges or the journal and the venue are told; a strategy holds the order until the step ends
_TERMS = (
    "order_id", "client_id", "strategy", "exchange", "instrument", "index", "side", "type", "quantity_lots",
    "price_ticks", "trigger_ticks", "tif", "expire_ns", "reduce_only", "post_only", "role", "parent_id", "stop_ticks",
    "target_ticks", "stop_id", "target_id", "tag", "signal_strength", "ta_score", "ml_confidence", "worst_ticks",
    "equity_units", "size_fraction",
)  # fmt: skip
_terms: Callable[[Order], tuple[object, ...]] = attrgetter(*_TERMS)


class Action(IntEnum):
    """What a command asks of the exchange."""

    SUBMIT = 1
    CANCEL = 2


class Command(msgspec.Struct, frozen=True, gc=False):
    """One command for the exchange of ``order.exchange``.

    Attributes:
        action, order: what is asked for, and of which order.
        approved: of a submit, the order and what it brings along, each with its terms as the gate approved them.
    """

    action: Action
    order: Order
    approved: tuple[tuple[Order, tuple[object, ...]], ...] = ()


def _nobody(order: Order) -> None:
    """Nobody listens yet."""


class Desk:
    """Orders of one run on their way out.

    Args:
        account, orders, gate: the run's books, order table and gate.
        client_ids: source of ids.
        recorder: takes every fact for the journal, in order.
        latch: the kill latch.

    Attributes:
        now: time of the event being processed, UTC ns; the engine sets it.
        accepting: False once the run is ending: then nothing that raises risk is taken.
        outbox: commands that wait to be taken out by :meth:`commands`; always the same list.
        withdrawn: told of each approved order that was held back before its send; the engine sets it.
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
        self.withdrawn: Callable[[Order], object] = _nobody

    def commands(self) -> Iterator[Command]:
        """Takes out the commands of the step; each intent is journaled before it is given away (D-10)."""
        while self.outbox:
            batch = self.outbox.copy()
            self.outbox.clear()
            for command in batch:
                if command.action is Action.CANCEL:
                    if command.order.is_terminal:  # withdrawn before the send: the venue never saw it
                        continue
                    words = (command.order.order_id, 0, 0, 0, 0, 0)
                    self.journal(self.now, command.order.index, Kind.CANCEL, 0, words, None)
                    yield command
                elif self._commit(command):
                    yield command

    def _commit(self, command: Command) -> bool:
        """The last look before the send (O-6), then Validated → Submitted for the order and what it brings along."""
        for each, terms in command.approved:
            if _terms(each) != terms:
                self._withdraw(command, _changed(command), "changed after the gate approved it")
                return False
        if command.order.raises_risk and self.latch.mode != Mode.ACTIVE:
            mode = Mode(self.latch.mode).name
            self._withdraw(command, Failure("latch", mode, Mode.ACTIVE.name), "latched before the send")
            return False
        for each, _ in command.approved:
            each.move(OrderState.SUBMITTED, self.now)
            self._journal_order(Kind.INTENT, each)
        return True

    def _withdraw(self, command: Command, failure: Failure, reason: str) -> None:
        """Holds an approved order back: it is journaled as denied, as it was approved, and its strategy is told."""
        for each, terms in command.approved:
            for name, value in zip(_TERMS, terms, strict=True):
                setattr(each, name, value)
        command.order.denied = Denied((failure,))
        self._journal_order(Kind.DENIED, command.order)
        self.gate.withdraw()
        for each, _ in command.approved:
            each.move(OrderState.CANCELLED, self.now, reason)
            self.orders.retire(each)
        for each, _ in command.approved:
            self.withdrawn(each)

    def hold_back(self, command: Command, reason: str) -> None:
        """Ends an order whose intent is journaled but which was not sent (O-6): no byte of it left the process.

        Args:
            command: of :meth:`commands`.
            reason: for the order's history and its strategy.
        """
        for each, _ in command.approved:
            words = (each.order_id, 0, int(Reason.NOT_SENT), 0, 0, 0)
            self.journal(self.now, each.index, Kind.CANCELLED, 0, words, None)
            each.move(OrderState.CANCELLED, self.now, reason)
            self.orders.retire(each)
        for each, _ in command.approved:
            self.withdrawn(each)

    def wish(self, order: Order, mark: int, worst: int) -> None:
        """Takes an order through the gate; approved ones wait for the end of the step."""
        if not self.accepting and order.raises_risk:
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
        family = (order, *self._attach(order)) if order.raises_risk else (order,)
        self.outbox.append(Command(Action.SUBMIT, order, tuple([(each, _terms(each)) for each in family])))

    def _deny(self, order: Order, *failures: Failure) -> None:
        order.denied = Denied(tuple(failures))
        order.move(OrderState.DENIED, self.now, order.denied.rule)
        self._journal_order(Kind.DENIED, order)

    def _attach(self, entry: Order) -> list[Order]:
        """Makes the stop and target that the entry brings along."""
        children = []
        if entry.stop_ticks:
            children.append(self._child(entry, Role.STOP, OrderType.STOP, trigger=entry.stop_ticks))
            entry.stop_id = children[-1].order_id
        if entry.target_ticks:
            children.append(self._child(entry, Role.TARGET, OrderType.LIMIT, price=entry.target_ticks))
            entry.target_id = children[-1].order_id
        return children

    def _child(self, entry: Order, role: Role, kind: OrderType, *, price: int = 0, trigger: int = 0) -> Order:
        child = self._reducing(
            entry.index, entry.side.opposite, entry.quantity_lots, role, entry.strategy, entry.exchange, entry.tag
        )
        child.type, child.price_ticks, child.trigger_ticks = kind, price, trigger
        child.parent_id = entry.order_id
        child.move(OrderState.VALIDATED, self.now)
        self.orders.add(child)
        return child

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

    def closing_lots(self, index: int) -> int:
        """Lots that closes are already working on."""
        return sum(o.remaining_lots for o in self.orders.working(index) if o.role is Role.CLOSE)

    def closable_lots(self, index: int) -> int:
        """Lots of the position that no close is already working on."""
        return abs(self.account.position_lots(index)) - self.closing_lots(index)

    def close_position(self, index: int, lots: int, strategy: str, exchange: str, tag: str) -> Order:
        """Wishes to close so many lots at market, reduce-only; entries that would trade with the close end first (K-4).

        Args:
            index: instrument.
            lots: how much; in several orders where one would be above the venue's largest quantity, as many as the
                gate lets work at once.
            strategy: who asks, "" for the engine; exchange: of the instrument; tag: why.

        Returns:
            The first of the orders.
        """
        parts = self._parts(index, lots, strategy)
        whole = not strategy or lots >= self.closable_lots(index)
        first = self._close_part(index, parts[0], strategy, exchange, tag, whole)
        for part in parts[1:]:
            self._close_part(index, part, strategy, exchange, tag, whole)
        return first

    def _parts(self, index: int, lots: int, strategy: str) -> list[int]:
        """So many lots in equal parts that the venue takes."""
        instrument = self.account.instruments[index]
        if not instrument.max_quantity:
            return [lots]
        largest = max(1, instrument.lots(instrument.max_quantity, Rounding.FLOOR))
        count = -(-lots // largest)
        each, rest = divmod(lots, count)
        room = max(1, MAX_CLOSES - self.orders.open_closes(index, strategy))
        return [each + (place < rest) for place in range(min(count, room))]

    def _close_part(self, index: int, lots: int, strategy: str, exchange: str, tag: str, whole: bool) -> Order:
        side = Side.SELL if self.account.position_lots(index) > 0 else Side.BUY
        order = self._reducing(index, side, lots, Role.CLOSE, strategy, exchange, tag)
        mark = self.account.mark_ticks(index)
        worst = worst_price(order.type, side, 0, 0, mark, self.gate.limits.collar)
        self.wish(order, mark, worst)
        if order.denied is None:
            submit = self.outbox.pop()
            for entry in self.orders.working(index):
                if entry.role is Role.ENTRY and entry.side is not side and (whole or _crosses(entry, worst)):
                    self.cancel(entry)
            self.outbox.append(submit)
        return order

    def cancel(self, order: Order) -> None:
        """Asks for an order's end, once."""
        if not order.is_terminal and not order.pending_cancel:
            order.pending_cancel = True
            self.outbox.append(Command(Action.CANCEL, order))

    def unanswered(self) -> int:
        """Cancels the venue has not answered."""
        return sum(order.pending_cancel for order in self.orders.all_working())

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


def _changed(command: Command) -> Failure:
    """Which terms differ from what the gate approved."""
    names = {
        name
        for each, terms in command.approved
        for name, now, then in zip(_TERMS, _terms(each), terms, strict=True)
        if now != then
    }
    return Failure("approved_terms", f"changed: {', '.join(sorted(names))}", "as approved")


def _crosses(entry: Order, worst: int) -> bool:
    """Whether an entry of the other side could trade with a market close that goes no further than ``worst``."""
    if entry.type is OrderType.LIMIT:
        return (entry.price_ticks - worst) * entry.side.sign >= 0
    return entry.type is OrderType.MARKET or entry.state is OrderState.TRIGGERED
