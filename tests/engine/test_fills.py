"""Fills: applied once, never lost, odd ones flagged, and the stop follows what was really filled (O-3, O-4)."""

from __future__ import annotations

from bot4_core.domain.event import Flag, Kind, Reason
from bot4_core.domain.order import OrderState, Role, Side

from .listening import acknowledge, last_flags, ready
from .rig import BTC, ETH, Action, rig

S = OrderState


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


def test_a_trade_told_twice_moves_money_once_and_the_second_word_is_flagged() -> None:
    r, order, listener = ready()
    acknowledge(r, order)
    row = r.fill_row(order, 4_000, 10_000)

    r.say(row)
    r.say(row)

    assert (order.filled_lots, r.account.position_lots(0), r.engine.fills, len(listener.fills)) == (4_000, 4_000, 1, 1)
    assert r.kinds().count(Kind.FILL) == 2
    assert last_flags(r, Kind.FILL) & Flag.VIOLATION


def test_one_trade_id_fills_both_sides_of_a_trade_with_ourselves() -> None:
    r, order, _ = ready()
    acknowledge(r, order)
    r.say(r.fill_row(order, 10_000, 10_000))
    close = r.ctx.close(BTC)
    assert close is not None
    r.send()

    r.trade_id -= 1
    r.say(r.fill_row(close, 10_000, 10_000))

    assert r.account.position_lots(0) == 0


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


def test_what_a_resize_says_is_journaled_with_time_and_instrument() -> None:
    r = rig(BTC, ETH)
    r.bars(10_000, 10_000)
    order = r.ctx.buy(ETH, quantity=1)
    r.open(order, 10_000, 40)

    r.say(r.cancelled(order))

    fact = next(fact for fact in r.facts if fact.kind is Kind.RESIZED)
    assert (fact.ts, fact.instrument, fact.flags, fact.words) == (r.now, 1, 0, (order.stop_id, 40, 0, 0, 0, 0))
