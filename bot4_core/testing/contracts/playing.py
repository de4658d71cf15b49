"""Playing a ``Replay`` with a fixed script of orders, and what came of it; the exchange contract judges that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from ...domain.event import EVENT, EVENT_SIZE, Kind
from ...domain.order import Order, OrderState, OrderType, Role, Side, TimeInForce
from ...native.memory import pointer_to
from ...native.valuation import Valuation
from ...protocols import Clock, Replay, RunStatus, Streaming
from .promise import BrokenPromise, require

FOREVER = 2**63 - 1
MARKET_KINDS = 1 << Kind.BAR | 1 << Kind.TRADE | 1 << Kind.QUOTE | 1 << Kind.LEVEL
ENDS = frozenset({Kind.CANCELLED, Kind.REJECTED, Kind.EXPIRED})
_NO_ANSWER = frozenset({Kind.CANCELLED, Kind.CANCEL_REJECTED})
#: beyond the events of the history, a run makes at most so many calls: reports, timers and the end
_SPARE_CALLS = 20_000
Row = tuple[int, ...]


@define
class Sent:
    """An order the script sent, or one that it brought along.

    Args:
        order: the order.
        at: time of the step in which it was sent, UTC ns.
        parent: the entry that brought it along.
    """

    order: Order
    at: int
    parent: Sent | None = None
    cancels: int = 0
    answers: int = 0
    acked: bool = False
    filled: int = 0
    ends: list[Kind] = field(factory=list)

    @property
    def wanted(self) -> int:
        """Lots it is to fill: an attached order has as many as its entry has filled."""
        return self.parent.filled if self.parent else self.order.quantity_lots

    @property
    def ended(self) -> bool:
        """True once it ended, by a report or by its last fill."""
        return bool(self.ends) or (0 < self.filled >= self.wanted and (not self.parent or self.parent.ended))


@define
class Play:
    """One run of an exchange object.

    Args:
        exchange: a fresh one.

    Attributes:
        steps: time, events and reports of each step told, in order.
        raw: the bytes of all of them.
        sent: every order by id, attached ones included.
        marks: latest price of each instrument, ticks.
        lots: net position of each instrument, from the fills.
        watch: called for each report after it was counted, with the position before it.
        after_step: each called after each step, the script last.
        turns: how often the script had its turn.
    """

    exchange: Replay
    kinds: int = MARKET_KINDS
    steps: list[tuple[int, list[Row], list[Row]]] = field(factory=list)
    raw: bytearray = field(factory=bytearray)
    sent: dict[int, Sent] = field(factory=dict)
    marks: dict[int, int] = field(factory=dict)
    lots: dict[int, int] = field(factory=dict)
    watch: list[Callable[[Play, Row, int], None]] = field(factory=list)
    after_step: list[Callable[[Play, int, list[Row]], None]] = field(factory=list)
    now: int = 0
    turns: int = 0
    _ids: int = 1
    _calls: int = 0
    valuation: Valuation = field(init=False)

    def __attrs_post_init__(self) -> None:
        count = len(self.exchange.instruments)
        self.valuation = Valuation(count, sample_ns=3600 * 10**9, n_samples=64, cash_mul=1)
        self.valuation.set_cash(1)
        self.exchange.attach(self.valuation)
        for index in range(count):
            kinds = self.exchange.kinds(index)
            marked = 1 << Kind.QUOTE if kinds == 1 << Kind.QUOTE else 1 << Kind.BAR | 1 << Kind.TRADE
            self.valuation.set_mark_kinds(index, marked)
            self.exchange.wake_on(index, self.kinds)

    def until(self, ns: int = FOREVER) -> int:
        """Plays up to a time, included, or to the end; gives the last status."""
        self.exchange.wake_at(ns)
        while True:
            status = self._pull(self.exchange.run)
            while status & RunStatus.MORE:
                status = self._pull(self.exchange.run_on)
            require(status >= 0, f"run() answered {status}: it cannot go on over a sound history")
            if status & (RunStatus.TIMER | RunStatus.FINISHED):
                return status
            self._take(status)

    def _pull(self, call: Callable[[], int]) -> int:
        self._calls += 1
        bound = 4 * self.exchange.total_events + _SPARE_CALLS
        require(self._calls < bound, f"run() was called {bound} times and there is no end: FINISHED must come")
        return call()

    def _take(self, status: int) -> None:
        events = self._rows(self.exchange.step, status & RunStatus.EVENTS)
        reports = self._rows(self.exchange.reports, status >> RunStatus.REPORTS_SHIFT & RunStatus.EVENTS)
        require(events or reports, "run() told of a step that has neither events nor reports")
        self.now = max(row[0] for row in (*events, *reports))
        self.steps.append((self.now, events, reports))
        for row in reports:
            self._count(row)
        if events and not status & RunStatus.MARKED:
            self.valuation.mark_events(pointer_to(self.exchange.step), len(events))
        for row in events:
            self.marks[row[1]] = _price(row)
        for follower in self.after_step:
            follower(self, self.now, events)

    def _rows(self, buffer: memoryview, count: int) -> list[Row]:
        taken = bytes(buffer[: count * EVENT_SIZE])
        self.raw += taken
        return list(EVENT.iter_unpack(taken))

    def _count(self, row: Row) -> None:
        one, before = self.sent.get(row[4]), self.lots.get(row[1], 0)
        if one is not None:
            kind = Kind(row[2])
            one.acked = one.acked or kind in (Kind.ACK, Kind.TRIGGERED, Kind.FILL)
            one.answers += bool(one.cancels) and kind in _NO_ANSWER
            if kind is Kind.FILL:
                one.filled += row[6]
                self.lots[row[1]] = before + one.order.side.sign * row[6]
            elif kind in ENDS:
                one.ends.append(kind)
        for watcher in self.watch:
            watcher(self, row, before)

    # orders

    def send(self, index: int, side: Side, type: OrderType, lots: int, **more: Any) -> Order:
        """Sends an order, with the attached orders its ``stop_ticks`` and ``target_ticks`` ask for."""
        order = self._order(index, side, type, lots, **more)
        entry = self.sent[order.order_id] = Sent(order, self.now)
        brought = (("stop", Role.STOP, OrderType.STOP, order.stop_ticks),
                   ("target", Role.TARGET, OrderType.LIMIT, order.target_ticks))  # fmt: skip
        for name, role, kind, ticks in brought:
            if ticks:
                prices = {"trigger_ticks": ticks} if role is Role.STOP else {"price_ticks": ticks}
                child = self._order(index, side.opposite, kind, lots, role=role, reduce_only=True, **prices)
                child.parent_id = order.order_id
                setattr(order, f"{name}_id", child.order_id)
                self.sent[child.order_id] = Sent(child, self.now, entry)
        self.exchange.submit(order)
        return order

    def _order(self, index: int, side: Side, type: OrderType, lots: int, **more: Any) -> Order:
        made = Order(
            order_id=self._ids,
            client_id=f"contract-{self._ids}",
            strategy="contract",
            exchange="main",
            instrument=self.exchange.instruments[index],
            index=index,
            side=side,
            type=type,
            quantity_lots=lots,
            created_ns=self.now,
            **more,
        )
        self._ids += 1
        made.move(OrderState.VALIDATED, self.now)
        made.move(OrderState.SUBMITTED, self.now)
        return made

    def close(self, index: int, lots: int) -> Order:
        """Sends a reduce-only order against the position."""
        side = Side.SELL if self.lots.get(index, 0) > 0 else Side.BUY
        return self.send(index, side, OrderType.MARKET, lots, role=Role.CLOSE, reduce_only=True)

    def cancel(self, order: Order) -> None:
        """Asks for an order's end."""
        self.sent[order.order_id].cancels += 1
        self.exchange.cancel(order)

    def working(self) -> list[Sent]:
        """Orders that have not ended, attached ones only once their entry has a fill."""
        return [one for one in self.sent.values() if not one.ended and (one.parent is None or one.parent.filled)]


def _price(row: Row) -> int:
    """What an event says a thing is worth: a bar's close, a trade's price, a quote's bid."""
    return row[7] if row[2] == Kind.BAR else row[4]


def size(exchange: Replay, index: int, mark: int) -> int:
    """Lots worth about a two-hundredth of the starting balance, not below what the venue takes."""
    instrument = exchange.instruments[index]
    wealth = exchange.starting_balances().get(instrument.quote, 0)
    least = max(instrument.cost_units(mark, 1), 1)
    smallest = max(int(instrument.min_quantity / instrument.lot), int(instrument.min_notional * 2 *
                   10**instrument.quote_scale) // least)  # fmt: skip
    return max(wealth // 200 // least, smallest + 1, 1)


def script(play: Play, now: int, events: list[Row]) -> None:
    """A dozen steps of orders, again and again: entries of every type, closes that ask for too much, cancels.

    Every other round closes nothing, so that stops and targets come to their end by themselves.
    """
    round, turn = divmod(play.turns, 12)
    play.turns += bool(events)
    for index in sorted({row[1] for row in events}):
        mark = play.marks[index]
        lots, held = size(play.exchange, index, mark), abs(play.lots.get(index, 0))
        step = _STEPS.get(turn)
        if step is not None:
            step(play, index, mark, lots)
        elif turn == 4 and held and round % 2:
            play.close(index, 3 * held)
        elif turn == 11 and held and round % 2:
            play.close(index, held)
            play.close(index, held)


def _market(play: Play, index: int, mark: int, lots: int) -> None:
    stop, target = mark * 992 // 1000, mark * 1006 // 1000
    play.send(index, Side.BUY, OrderType.MARKET, lots, stop_ticks=stop, target_ticks=target)


def _near(play: Play, index: int, mark: int, lots: int) -> None:
    near = mark * 998 // 1000
    play.send(index, Side.BUY, OrderType.LIMIT, lots, price_ticks=near, stop_ticks=near * 97 // 100)
    if play.exchange.shorting:
        play.send(index, Side.SELL, OrderType.MARKET, lots, stop_ticks=mark * 103 // 100)


def _far(play: Play, index: int, mark: int, lots: int) -> None:
    far = mark * 4 // 5
    play.send(index, Side.BUY, OrderType.LIMIT, lots, price_ticks=far, stop_ticks=far * 97 // 100)


def _cancel(play: Play, index: int, mark: int, lots: int) -> None:
    ours = [one for one in play.sent.values() if one.order.index == index and one.parent is None]
    for one in [one for one in ours if not one.ended][-2:] + [one for one in ours if one.ended][-1:]:
        play.cancel(one.order)


def _breakout(play: Play, index: int, mark: int, lots: int) -> None:
    above = mark * 1003 // 1000
    play.send(index, Side.BUY, OrderType.STOP, lots, trigger_ticks=above, stop_ticks=above * 97 // 100)


def _short_lived(play: Play, index: int, mark: int, lots: int) -> None:
    play.send(index, Side.BUY, OrderType.LIMIT, lots, price_ticks=mark * 9 // 10, tif=TimeInForce.IOC)
    late = play.now + 3 * max(play.exchange.intervals_ns[index], 10**9)
    near = mark * 995 // 1000
    play.send(
        index, Side.BUY, OrderType.LIMIT, lots, price_ticks=near, stop_ticks=near * 97 // 100, tif=TimeInForce.GTD,
        expire_ns=late,
    )


_STEPS: Mapping[int, Callable[[Play, int, int, int], None]] = {
    0: _market, 2: _near, 6: _far, 8: _cancel, 9: _breakout, 10: _short_lived,
}  # fmt: skip


def played(
    exchange: Replay,
    watch: Callable[[Play, Row, int], None] | None = None,
    after: Callable[[Play, int, list[Row]], None] | None = None,
) -> Play:
    """A whole run with the script; what still works at the end of the history is cancelled.

    Args:
        exchange: a fresh one.
        watch: called for each report, with the position before it.
        after: called after each step, before the script goes on.
    """
    followers = [] if after is None else [after]
    play = Play(exchange, after_step=[*followers, script], watch=[] if watch is None else [watch])
    play.until()
    play.after_step = followers
    for one in play.working():
        play.cancel(one.order)
    play.until()
    return play


async def streamed(exchange: Streaming, clock: Clock, bound: int) -> list[list[Row]]:
    """The steps that a stream tells, put together as ``Arrival`` says: market events by instrument, one list a step.

    Args:
        exchange: a fresh one.
        clock: the time it runs by.
        bound: the most pieces it may come in.
    """
    exchange.wake_at(FOREVER)
    steps: list[list[Row]] = []
    rows: list[Row] = []
    pieces = 0
    async for arrival in exchange.stream(clock):
        pieces += 1
        require(pieces <= bound, f"the stream came in more than {bound} pieces and there is no end")
        require(not arrival.status & RunStatus.TIMER, "the stream told of a timer that nobody set")
        if arrival.status & RunStatus.FINISHED:
            require(not rows, "FINISHED came in the middle of a step")
            return steps
        rows += EVENT.iter_unpack(bytes(arrival.records))
        if arrival.status & RunStatus.STEP:
            steps.append(sorted((row for row in rows if row[2] < Kind.ACK), key=lambda row: row[1]))
            rows = []
    raise BrokenPromise("the stream ended without FINISHED")
