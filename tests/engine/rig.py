"""Drives the real engine by hand: events and reports in as packed records, commands and journal out.

The venue is the test itself: it decides which commands are acknowledged, filled, cancelled or never answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from attrs import define, frozen

from bot4_core.domain.event import EVENT, EVENT_SIZE, Flag, Kind, Reason
from bot4_core.domain.instrument import Instrument
from bot4_core.domain.limits import Limits
from bot4_core.domain.order import Order, OrderType, Role, Side
from bot4_core.engine.account import Account
from bot4_core.engine.context import StrategyContext
from bot4_core.engine.core import Engine, Pull
from bot4_core.engine.desk import Action, Desk
from bot4_core.engine.gate import Gate
from bot4_core.engine.orders import ClientIds, OrderTable
from bot4_core.engine.rules import Venue, Wish, worst_price
from bot4_core.engine.series import Feed
from bot4_core.native.latch import Latch
from bot4_core.protocols import RunStatus
from bot4_core.strategy import Strategy

MINUTE = 60 * 10**9
_ROOM = 64

BTC = Instrument(symbol="BTC/USDT", tick="0.01", lot="0.001", min_notional="5", volume_scale=3)
ETH = Instrument(symbol="ETH/USDT", tick="0.01", lot="0.01", volume_scale=3)


@frozen
class Fact:
    """One journal record."""

    ts: int
    instrument: int
    kind: Kind
    flags: int
    words: tuple[int, ...]
    blob: Mapping[str, object] | None


class Quiet(Strategy):
    """Wants nothing by itself; tests trade through its context."""


@define
class Rig:
    """An engine with one strategy on all instruments; ``ctx`` is that strategy's context."""

    engine: Engine
    ctx: StrategyContext
    facts: list[Fact]
    steps: bytearray
    reports: bytearray
    advance: Callable[[Pull], int]
    now: int = 0
    trade_id: int = 0

    @property
    def desk(self) -> Desk:
        return self.engine.desk

    @property
    def gate(self) -> Gate:
        return self.engine.desk.gate

    @property
    def account(self) -> Account:
        return self.engine.account

    def step(
        self, events: Sequence[tuple[int, ...]] = (), reports: Sequence[tuple[int, ...]] = (), flags: int = 0
    ) -> int:
        """One step: rows of ``(ts, instrument, kind, flags, v0..v5)`` and ``RunStatus`` bits; the engine's answer."""
        for memory, rows in ((self.steps, events), (self.reports, reports)):
            for place, row in enumerate(rows):
                EVENT.pack_into(memory, place * EVENT_SIZE, *row)
        statuses = iter([len(events) | len(reports) << RunStatus.REPORTS_SHIFT | flags])
        return self.advance(lambda: next(statuses, RunStatus.FINISHED))

    def bar(self, close: int, index: int = 0, *, low: int = 0, high: int = 0, volume: int = 10**6, ts: int = 0) -> None:
        """One bar, a minute after the last one."""
        self.now = ts or self.now + MINUTE
        words = (close, max(high, close), low or close, close, volume, 1)
        self.step([(self.now, index, Kind.BAR, 0, *words)])

    def bars(self, *closes: int) -> None:
        """A bar of each instrument, all at one time."""
        self.now += MINUTE
        self.step([(self.now, i, Kind.BAR, 0, c, c, c, c, 10**6, 1) for i, c in enumerate(closes)])

    def report(self, kind: Kind, order: Order, *words: int, flags: int = 0) -> tuple[int, ...]:
        """A report row about an order."""
        filled = (order.order_id, *words, 0, 0, 0, 0, 0)[:6]
        return (self.now, order.index, kind, flags, *filled)

    def fill_row(self, order: Order, lots: int, ticks: int, fee: int = 0, flags: int = 0) -> tuple[int, ...]:
        """A fill report; the fee is in quote units unless the flags say otherwise."""
        self.trade_id += 1
        cost = order.instrument.cost_units(ticks, lots)
        return self.report(Kind.FILL, order, ticks, lots, fee, self.trade_id, cost, flags=flags | order.side)

    def say(self, *rows: tuple[int, ...]) -> None:
        """A step of reports only, a nanosecond later."""
        self.now += 1
        self.step([], [(self.now, *row[1:]) for row in rows])

    def send(self) -> list[tuple[Action, Order]]:
        """Takes out the commands, as the driver does."""
        return [(command.action, command.order) for command in self.desk.commands()]

    def child(self, order: Order, role: Role) -> Order:
        """The attached stop or target of an entry."""
        found = self.desk.orders.find(order.stop_id if role is Role.STOP else order.target_id)
        assert found is not None
        return found

    def open(self, order: Order, ticks: int, lots: int = 0) -> None:
        """Sends an entry, acknowledges it with its stop, and fills it."""
        assert order.denied is None, str(order.denied)
        self.send()
        attached = [each for each in (order.stop_id, order.target_id) if each]
        acks = [self.report(Kind.ACK, each) for each in (order, *map(self.desk.orders.find, attached)) if each]
        self.say(*acks, self.fill_row(order, lots or order.quantity_lots, ticks))

    def cancelled(self, order: Order, reason: Reason = Reason.REQUESTED) -> tuple[int, ...]:
        """The venue's word that an order ended."""
        return self.report(Kind.CANCELLED, order, order.filled_lots, int(reason))

    def kinds(self) -> list[Kind]:
        """Kinds of the journal so far."""
        return [fact.kind for fact in self.facts]

    def order(self, lots: int, **changes: object) -> Order:
        """An order made by hand: a market buy with a stop 2 % below a mark of 100.00."""
        given: dict[str, object] = {
            "order_id": self.desk.orders.new_id(), "client_id": self.desk.client_ids.next(), "strategy": "quiet",
            "exchange": "main", "instrument": self.account.instruments[int(str(changes.get("index", 0)))], "index": 0,
            "side": Side.BUY, "type": OrderType.MARKET, "quantity_lots": lots, "stop_ticks": 9_800,
        }  # fmt: skip
        return Order(**{**given, **changes})

    def wish(self, order: Order, ts: int | None = None) -> Wish:
        """The wish the desk would bring to the gate."""
        mark = self.account.mark_ticks(order.index)
        worst = worst_price(
            order.type, order.side, order.price_ticks, order.trigger_ticks, mark, self.gate.limits.collar
        )
        return Wish(order, mark, worst, self.now if ts is None else ts, self.account.equity_units())

    def failed(self, order: Order, ts: int | None = None) -> list[str]:
        """Names of the rules an order fails, empty when it is approved."""
        verdict = self.gate.judge(self.wish(order, ts))
        return [] if verdict is None else [failure.rule for failure in verdict.failures]


def rig(
    *instruments: Instrument,
    strategy: Strategy | None = None,
    limits: Limits | None = None,
    margin: bool = False,
    leverage: str = "1",
    fee: str = "0.001",
    balances: Mapping[str, int] | None = None,
    policies: Sequence[tuple[str, object]] = (),
    interval_ns: int = MINUTE,
    guarded: bool = True,
    history: int = 100,
    trading_from: int = 0,
    beside: Sequence[tuple[str, Strategy, Sequence[int]]] = (),
) -> Rig:
    """A started engine over BTC/USDT (or the instruments given) with 100,000 USDT; ``beside`` are more strategies."""
    table = instruments or (BTC,)
    account = Account(table, balances or {table[0].quote: 100_000 * 10**table[0].quote_scale}, span_ns=10**15)
    account.valuation.restore_peak(account.portfolio.own[account.reporting])
    rules = limits or Limits()
    if rules.drawdown is not None:
        account.valuation.set_limit(int(rules.drawdown * 10**9))
    facts: list[Fact] = []
    orders, latch = OrderTable(len(table)), Latch.memory("rig")
    venue = Venue(shorting=margin, leverage=Decimal(leverage), taker_fee=Decimal(fee))
    gate = Gate(rules, account, orders, latch, venue, policies)  # type: ignore[arg-type]  # tests pass odd policies
    desk = Desk(
        account, orders, gate, ClientIds(1, 1),
        lambda *fact: facts.append(Fact(fact[0], fact[1], Kind(fact[2]), fact[3], tuple(fact[4]), fact[5])), latch,
    )  # fmt: skip
    feeds = [Feed(each, index, interval_ns, history) for index, each in enumerate(table)]
    engine = Engine(desk, feeds, guarded=guarded)
    engine.add_strategy(strategy or Quiet(), "quiet", "main", list(range(len(table))))
    for name, other, indices in beside:
        engine.add_strategy(other, name, "main", indices)
    steps, reports = bytearray(_ROOM * EVENT_SIZE), bytearray(_ROOM * EVENT_SIZE)
    engine.start(0, trading_from)
    advance = engine.connect(memoryview(steps), memoryview(reports))
    context = next(iter(engine.dispatch._strategies.values()))[0]
    return Rig(engine, context, facts, steps, reports, advance)


__all__ = ["BTC", "ETH", "MINUTE", "Action", "Fact", "Flag", "Quiet", "Rig", "rig"]
