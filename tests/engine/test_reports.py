"""Reports of the venue: applied once, never lost, and flagged when they contradict our books (O-1 to O-4)."""

from __future__ import annotations

import pytest

from bot4_core.domain.event import Bar, Flag, Kind, Reason
from bot4_core.domain.order import Order, OrderState, Role, Side
from bot4_core.strategy import Context, Fill, Strategy

from .rig import BTC, ETH, Action, Rig, rig

S = OrderState


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


def test_a_fill_changes_order_position_and_money_and_is_told() -> None:
    r, order, listener = ready()
    acknowledge(r, order)

    r.say(r.fill_row(order, 10_000, 10_010, fee=100_000_000, flags=Flag.MAKER))

    assert (order.state, order.filled_lots, order.fee_units) == (S.FILLED, 10_000, 100_000_000)
    assert r.account.position_lots(0) == 10_000
    assert r.account.portfolio.own == {"USDT": (100_000 - 1_001 - 1) * 10**8, "BTC": 10 * 10**8}
    told = listener.fills[0]
    assert (told.order, told.price_ticks, told.lots, told.fee_units, told.fee_asset, told.maker) == (
        order, 10_010, 10_000, 100_000_000, "USDT", True,
    )  # fmt: skip
    assert told.closed is None
    assert r.engine.fills == 1


def test_a_closing_fill_tells_what_it_closed_and_counts_a_round_trip() -> None:
    r, order, listener = ready()
    acknowledge(r, order)
    r.say(r.fill_row(order, 10_000, 10_000))
    close = r.ctx.close(BTC)
    assert close is not None
    r.send()

    r.say(r.fill_row(close, 10_000, 10_100))

    assert listener.fills[-1].closed is not None
    assert listener.fills[-1].closed.pnl == 10 * 10**8
    assert r.engine.round_trips == 1


def test_a_fee_in_the_base_asset_is_taken_from_the_base_and_valued_in_the_trade() -> None:
    r, order, listener = ready()
    acknowledge(r, order)

    r.say(r.fill_row(order, 10_000, 10_000, fee=10**6, flags=Flag.FEE_BASE))

    assert r.account.portfolio.own["BTC"] == 10 * 10**8 - 10**6
    assert r.account.positions[0].entry_fees == 10**8  # 0.01 BTC at 100
    assert listener.fills[0].fee_asset == "BTC"


def test_a_fill_after_the_end_is_applied_flagged_and_told() -> None:
    r, order, listener = ready()
    acknowledge(r, order)
    r.say(r.cancelled(order))

    r.say(r.fill_row(order, 4_000, 10_000))

    assert (order.state, order.filled_lots, order.violation) == (S.CANCELLED, 4_000, True)
    assert r.account.position_lots(0) == 4_000
    assert last_flags(r, Kind.FILL) & Flag.VIOLATION
    assert len(listener.fills) == 1


def test_more_than_was_ordered_is_applied_and_flagged() -> None:
    r, order, _ = ready()
    acknowledge(r, order)
    r.say(r.fill_row(order, 9_000, 10_000))
    assert not last_flags(r, Kind.FILL) & Flag.VIOLATION

    r.say(r.fill_row(order, 2_000, 10_000))

    assert (order.state, order.filled_lots, order.violation) == (S.FILLED, 11_000, True)
    assert r.account.position_lots(0) == 11_000
    assert last_flags(r, Kind.FILL) & Flag.VIOLATION


def test_an_overfill_halts_its_symbol_and_no_other() -> None:
    r = rig(BTC, ETH)
    r.bars(10_000, 10_000)
    resting = [r.ctx.buy(each, quantity=1, limit=99) for each in (BTC, ETH)]
    order = r.ctx.buy(BTC, quantity=1)
    r.open(order, 10_000, 1_000)
    assert r.ctx.buy(BTC, quantity=1).denied is None
    r.send()

    r.say(r.fill_row(order, 1, 10_000))

    cancels = {each.order_id for action, each in r.send() if action is Action.CANCEL}
    assert resting[0].order_id in cancels
    assert resting[1].order_id not in cancels
    denied = r.ctx.buy(BTC, quantity=1).denied
    assert str(denied) == "symbol_halt: order 5 filled 1001 of 1000 lots, allowed fills that agree with their orders"
    assert r.ctx.buy(ETH, quantity=1).denied is None
    assert r.ctx.close(BTC) is not None


def test_an_overfill_is_never_counted_as_covered_by_a_stop_that_was_not_made_for_it() -> None:
    r, order, _ = ready()
    acknowledge(r, order)

    r.say(r.fill_row(order, 12_000, 10_000))

    assert r.child(order, Role.STOP).quantity_lots == 10_000
    closes = [command for _, command in r.send() if command.role is Role.CLOSE]
    assert [close.quantity_lots for close in closes] == [2_000]


@pytest.mark.parametrize("kind", [Kind.ACK, Kind.FILL, Kind.CANCELLED, Kind.REJECTED])
def test_a_report_about_an_order_that_is_not_ours_is_kept_and_flagged(kind: Kind) -> None:
    r, _, listener = ready()

    r.say((0, 0, kind, 0, 999, 10_000, 5, 0, 1, 50_000))

    assert r.facts[-1].words[0] == 999
    assert r.facts[-1].flags & Flag.VIOLATION
    assert r.account.position_lots(0) == 0
    assert listener.fills == listener.ended == []


@pytest.mark.parametrize(
    ("kind", "state"),
    [(Kind.CANCELLED, S.CANCELLED), (Kind.REJECTED, S.REJECTED), (Kind.EXPIRED, S.EXPIRED)],
)
def test_an_end_moves_the_order_says_why_and_is_told_once(kind: Kind, state: OrderState) -> None:
    r, order, listener = ready()
    row = r.report(kind, order, 0, Reason.WOULD_CROSS)

    r.say(row)
    r.say(row)

    assert order.state is state
    assert listener.ended == [(order.order_id, "WOULD_CROSS")]
    assert order not in r.ctx.orders()
    assert r.desk.orders.entries == 0
    assert r.desk.orders.ended[state] == 1


def test_an_unknown_reason_is_kept_as_its_number() -> None:
    r, order, listener = ready()

    r.say(r.report(Kind.CANCELLED, order, 0, 4_711))

    assert listener.ended == [(order.order_id, "reason 4711")]


def test_an_end_that_counts_other_fills_than_ours_is_flagged() -> None:
    r, order, _ = ready()
    acknowledge(r, order)
    r.say(r.fill_row(order, 3_000, 10_000))

    r.say(r.report(Kind.CANCELLED, order, 4_000, Reason.REQUESTED))

    assert order.state is S.CANCELLED
    assert last_flags(r, Kind.CANCELLED) & Flag.VIOLATION


def test_a_rejection_after_a_fill_contradicts_the_fill_and_moves_nothing() -> None:
    r, order, listener = ready()
    acknowledge(r, order)
    r.say(r.fill_row(order, 3_000, 10_000))

    r.say(r.report(Kind.REJECTED, order, 0, Reason.MIN_NOTIONAL))

    assert order.state is S.PARTIALLY_FILLED
    assert last_flags(r, Kind.REJECTED) & Flag.VIOLATION
    assert listener.ended == []


def test_an_acknowledgement_that_comes_late_changes_nothing() -> None:
    r, order, _ = ready()
    r.say(r.fill_row(order, 3_000, 10_000))

    r.say(r.report(Kind.ACK, order), r.report(Kind.TRIGGERED, order, 10_000))

    assert order.state is S.PARTIALLY_FILLED
    assert not last_flags(r, Kind.ACK) & Flag.VIOLATION


@pytest.mark.parametrize(
    ("kind", "after"), [(Kind.ACK, S.ACKNOWLEDGED), (Kind.TRIGGERED, S.TRIGGERED), (Kind.CANCELLED, S.CANCELLED)]
)
def test_the_venues_word_resolves_an_unknown_order(kind: Kind, after: OrderState) -> None:
    r, order, _ = ready()
    order.move(S.UNKNOWN, r.now)

    r.say(r.report(kind, order))

    assert order.state is after


def test_a_trigger_moves_a_waiting_stop() -> None:
    r, order, _ = ready(trigger="101")
    acknowledge(r, order)

    r.say(r.report(Kind.TRIGGERED, order, 10_100))

    assert order.state is S.TRIGGERED


def test_a_refused_cancel_leaves_the_order_working_and_may_be_asked_again() -> None:
    r, order, _ = ready()
    acknowledge(r, order)
    r.ctx.cancel(order)
    assert order.pending_cancel
    r.ctx.cancel(order)
    assert [action.name for action, _ in r.send()] == ["CANCEL"]

    r.say(r.report(Kind.CANCEL_REJECTED, order, 0, Reason.UNKNOWN_ORDER))

    assert (order.state, order.pending_cancel) == (S.ACKNOWLEDGED, False)
    r.ctx.cancel(order)
    assert [action.name for action, _ in r.send()] == ["CANCEL"]


def test_an_entry_cancelled_half_filled_shrinks_its_stop_and_target() -> None:
    r, order, _ = ready(target="0.05")
    acknowledge(r, order)
    r.say(r.fill_row(order, 4_000, 10_000))

    r.say(r.cancelled(order))

    stop, target = r.child(order, Role.STOP), r.child(order, Role.TARGET)
    assert (stop.quantity_lots, target.quantity_lots) == (4_000, 4_000)
    resized = [fact.words[:2] for fact in r.facts if fact.kind is Kind.RESIZED]
    assert resized == [(stop.order_id, 4_000), (target.order_id, 4_000)]
    assert r.send() == []


def test_a_stop_that_had_sold_all_that_was_bought_ends_with_its_entry() -> None:
    r, order, _ = ready()
    acknowledge(r, order)
    stop = r.child(order, Role.STOP)
    r.say(r.fill_row(order, 4_000, 10_000))
    r.say(r.fill_row(stop, 4_000, 9_800))

    r.say(r.cancelled(order))

    assert (stop.state, stop.quantity_lots) == (S.FILLED, 4_000)
    assert list(r.desk.orders.working(0)) == []


def test_a_fill_after_the_cancel_does_not_grow_a_stop_the_venue_has_cut() -> None:
    r, order, _ = ready()
    acknowledge(r, order)
    r.say(r.fill_row(order, 4_000, 10_000))
    r.say(r.cancelled(order))

    r.say(r.fill_row(order, 6_000, 10_000))

    assert r.child(order, Role.STOP).quantity_lots == 4_000
    assert [(each.role, each.quantity_lots) for _, each in r.send()] == [(Role.CLOSE, 6_000)]


def test_a_whole_fill_leaves_its_stop_as_it_is() -> None:
    r, order, _ = ready()
    acknowledge(r, order)

    r.say(r.fill_row(order, 10_000, 10_000))

    assert Kind.RESIZED not in r.kinds()
    assert r.child(order, Role.STOP).state is S.ACKNOWLEDGED


def test_every_report_of_a_step_is_applied_before_the_strategy_sees_the_bar() -> None:
    class Late(Listener):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            seen.append(ctx.position(BTC).lots)

    seen: list[int] = []
    r = rig(strategy=Late())
    r.bar(10_000)
    order = r.ctx.buy(BTC, quantity="10")
    r.send()
    r.now += 1
    r.step([(r.now, 0, Kind.BAR, 0, 1, 1, 1, 1, 1, 1)], [r.report(Kind.ACK, order), r.fill_row(order, 10_000, 10_000)])

    assert seen == [0, 10_000]


def test_a_short_position_is_opened_and_bought_back_the_same_way() -> None:
    r = rig(margin=True, leverage="2")
    r.bar(10_000)
    order = r.ctx.sell(BTC, quantity="10")
    r.open(order, 10_000)
    assert r.account.position_lots(0) == -10_000

    close = r.ctx.close(BTC)
    assert close is not None
    assert (close.side, close.reduce_only) == (Side.BUY, True)
    r.send()
    r.say(r.fill_row(close, 10_000, 9_900))

    assert r.account.equity_units() == (100_000 + 10) * 10**8


def test_every_report_stands_in_the_journal_as_the_venue_said_it() -> None:
    r = rig(BTC, ETH)
    r.bars(10_000, 10_000)
    order = r.ctx.buy(ETH, quantity=1)
    r.send()
    r.facts.clear()
    rows = [
        r.report(Kind.ACK, order), r.report(Kind.TRIGGERED, order, 10_000), r.report(Kind.CANCEL_REJECTED, order, 0, 7),
        r.fill_row(order, 30, 10_000, fee=5, flags=Flag.MAKER), r.report(Kind.CANCELLED, order, 30, Reason.REQUESTED),
    ]  # fmt: skip

    r.say(*rows)

    said = [(fact.ts, fact.instrument, fact.kind, fact.flags, *fact.words) for fact in r.facts]
    assert [each for each in said if each[2] != Kind.RESIZED] == [(r.now, *row[1:]) for row in rows]
    assert [move.ts for move in order.history[-4:]] == [r.now] * 4


@pytest.mark.parametrize("kind", [Kind.CANCELLED, Kind.REJECTED, Kind.EXPIRED])
def test_an_end_in_turn_is_not_flagged_and_the_same_end_again_is(kind: Kind) -> None:
    r, order, _ = ready()

    for flagged in (False, True):
        r.say(r.report(kind, order, 0, Reason.TIME_IN_FORCE))
        assert bool(last_flags(r, kind) & Flag.VIOLATION) is flagged


def test_what_a_resize_says_is_journaled_with_time_and_instrument() -> None:
    r = rig(BTC, ETH)
    r.bars(10_000, 10_000)
    order = r.ctx.buy(ETH, quantity=1)
    r.open(order, 10_000, 40)

    r.say(r.cancelled(order))

    fact = next(fact for fact in r.facts if fact.kind is Kind.RESIZED)
    assert (fact.ts, fact.instrument, fact.flags, fact.words) == (r.now, 1, 0, (order.stop_id, 40, 0, 0, 0, 0))
