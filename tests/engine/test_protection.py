"""Coverage (P-2) and the kill plan (K-3, K-6, K-7), judged by the commands that leave and by the positions."""

from __future__ import annotations

import pytest

from bot4_core.domain.event import Kind, Reason
from bot4_core.domain.limits import Limits
from bot4_core.domain.order import Order, OrderState, OrderType, Role, Side
from bot4_core.engine.desk import Action
from bot4_core.native.latch import Mode

from .rig import BTC, ETH, Rig, rig


def entered(lots: int = 10_000, *, filled: int | None = None, guarded: bool = True) -> tuple[Rig, Order]:
    """A market buy at 100.00 with its stop live, filled so far."""
    r = rig(guarded=guarded, limits=None if guarded else Limits().without_guard())
    r.bar(10_000)
    order = r.order(lots)
    r.desk.wish(order, 10_000, 10_050)
    r.open(order, 10_000, filled or lots)
    return r, order


def closes(r: Rig) -> list[tuple[int, int, str]]:
    sent = [order for action, order in r.send() if action is Action.SUBMIT]
    return [(order.index, order.quantity_lots, order.tag) for order in sent if order.role is Role.CLOSE]


def test_a_position_with_a_live_stop_is_covered() -> None:
    r, _ = entered()
    r.bar(10_000)

    assert closes(r) == []
    assert r.engine.coverage.uncovered_lot_ns == 0


def test_a_partial_fill_is_covered_by_the_part_of_the_stop_that_belongs_to_it() -> None:
    r, _ = entered(filled=4_000)

    assert closes(r) == []


@pytest.mark.parametrize("kind", [Kind.REJECTED, Kind.CANCELLED, Kind.EXPIRED])
def test_a_stop_that_dies_lets_the_whole_position_be_closed_at_once(kind: Kind) -> None:
    r, order = entered()

    r.say(r.report(kind, r.child(order, Role.STOP), 0, Reason.INSUFFICIENT_BALANCE))

    assert closes(r) == [(0, 10_000, "no live stop (P-2)")]


def test_a_stop_that_was_never_acknowledged_does_not_count() -> None:
    r = rig()
    r.bar(10_000)
    order = r.order(10_000)
    r.desk.wish(order, 10_000, 10_050)
    r.send()

    r.say(r.report(Kind.ACK, order), r.fill_row(order, 10_000, 10_000))

    assert closes(r) == [(0, 10_000, "no live stop (P-2)")]


def test_a_close_on_its_way_is_not_sent_twice() -> None:
    r, order = entered()
    r.say(r.report(Kind.CANCELLED, r.child(order, Role.STOP)))
    assert len(closes(r)) == 1

    r.say(r.report(Kind.CANCEL_REJECTED, order))

    assert closes(r) == []


def test_what_a_rejected_close_leaves_open_is_closed_again_at_the_next_event_and_not_before() -> None:
    r, order = entered()
    r.say(r.report(Kind.CANCELLED, r.child(order, Role.STOP)))
    close = next(o for _, o in r.send() if o.role is Role.CLOSE)

    r.say(r.report(Kind.REJECTED, close, 0, Reason.OVERFLOW))
    assert closes(r) == []
    r.bar(10_000)

    assert closes(r) == [(0, 10_000, "no live stop (P-2)")]


def test_uncovered_lots_times_time_are_counted_until_the_position_is_closed() -> None:
    r, order = entered()
    r.say(r.report(Kind.CANCELLED, r.child(order, Role.STOP)))
    close = next(o for _, o in r.send() if o.role is Role.CLOSE)
    began = r.now

    r.now += 499
    r.say(r.fill_row(close, 6_000, 10_000))
    assert r.engine.coverage.uncovered_lot_ns == 10_000 * 500
    r.now += 99
    r.say(r.fill_row(close, 4_000, 10_000))
    r.now += 1_000
    r.say(r.report(Kind.CANCEL_REJECTED, order))

    assert r.now - began == 500 + 100 + 1_001
    assert r.engine.coverage.uncovered_lot_ns == 10_000 * 500 + 4_000 * 100


def test_the_end_of_the_run_counts_what_still_stands_uncovered() -> None:
    r, order = entered()
    r.say(r.report(Kind.CANCELLED, r.child(order, Role.STOP)))
    r.bar(10_000)
    r.engine.stop()

    assert r.engine.coverage.uncovered_lot_ns == 10_000 * (r.desk.now - (r.now - 60 * 10**9))


def test_a_stop_that_sold_a_part_covers_the_rest() -> None:
    r, order = entered()
    stop = r.child(order, Role.STOP)

    r.say(r.report(Kind.TRIGGERED, stop, 9_800), r.fill_row(stop, 3_000, 9_800))

    assert r.account.position_lots(0) == 7_000
    assert closes(r) == []


def test_what_a_stop_has_sold_already_it_does_not_cover_for_another_entry() -> None:
    r, first = entered()
    stop = r.child(first, Role.STOP)
    r.say(r.report(Kind.TRIGGERED, stop, 9_800), r.fill_row(stop, 3_000, 9_800))
    second = r.order(5_000)
    r.desk.wish(second, 10_000, 10_050)
    assert second.denied is None
    r.send()

    r.say(r.report(Kind.ACK, second), r.fill_row(second, 5_000, 10_000))  # and no word of its stop

    assert closes(r) == [(0, 5_000, "no live stop (P-2)")]


def test_stops_of_another_instrument_or_side_cover_nothing() -> None:
    r = rig(BTC, ETH, margin=True, leverage="3")
    r.bars(10_000, 10_000)
    long, short = r.order(10_000), r.order(1_000, index=1, instrument=ETH, side=Side.SELL, stop_ticks=10_200)
    for order, worst in ((long, 10_050), (short, 9_950)):
        r.desk.wish(order, 10_000, worst)
        r.open(order, 10_000)

    r.say(r.report(Kind.CANCELLED, r.child(long, Role.STOP)))

    assert closes(r) == [(0, 10_000, "no live stop (P-2)")]


def test_unguarded_positions_may_stand_without_a_stop() -> None:
    r, order = entered(guarded=False)
    if order.stop_id:
        r.say(r.report(Kind.CANCELLED, r.child(order, Role.STOP)))

    assert closes(r) == []


# the halt


def falling() -> tuple[Rig, Order, Order]:
    """A position of 9 % of equity from an earlier peak, a working entry, and a mark that falls through 15 %."""
    r = rig(BTC, ETH, balances={"USDT": 86_000 * 10**8})
    r.account.valuation.restore_peak(100_000 * 10**8)
    r.bars(10_000, 10_000)
    held = r.order(15_000)
    r.desk.wish(held, 10_000, 10_050)
    r.open(held, 10_000)
    resting = r.order(10, index=1, instrument=ETH, type=OrderType.LIMIT, price_ticks=9_000, stop_ticks=8_900)
    r.desk.wish(resting, 10_000, 9_000)
    assert resting.denied is None
    r.send()
    r.say(r.report(Kind.ACK, resting), r.report(Kind.ACK, r.child(resting, Role.STOP)))
    return r, held, resting


def test_the_drawdown_halt_latches_cancels_entries_and_flattens_and_the_stops_stay() -> None:
    r, held, resting = falling()
    r.bars(3_334, 10_000)
    assert r.engine.halted == ""  # 85,000.10: not yet
    r.bars(3_333, 10_000)

    sent = r.send()
    assert r.desk.latch.mode is Mode.KILLED
    assert r.engine.halted == "drawdown 0.15000050 reached 0.15"
    assert [o.order_id for action, o in sent if action is Action.CANCEL] == [resting.order_id]
    assert [(o.index, o.side, o.quantity_lots, o.tag) for action, o in sent if action is Action.SUBMIT] == [
        (0, Side.SELL, 15_000, "halt: drawdown")
    ]
    assert r.child(held, Role.STOP).state is OrderState.ACKNOWLEDGED
    halt = next(fact for fact in r.facts if fact.kind is Kind.HALT)
    assert halt.blob == {
        "mode": "killed", "reason": "drawdown 0.15000050 reached 0.15", "rule": "drawdown",
        "measured": "0.15000050", "limit": "0.15",
    }  # fmt: skip


def test_the_latch_is_set_before_anything_is_cancelled_or_closed() -> None:
    r, _, _ = falling()
    r.bars(3_330, 10_000)
    r.send()

    kinds = r.kinds()
    assert kinds[kinds.index(Kind.HALT) :] == [Kind.HALT, Kind.CANCEL, Kind.INTENT]


def test_after_the_halt_entries_are_denied_and_a_second_breach_changes_nothing() -> None:
    r, _, _ = falling()
    r.bars(3_330, 10_000)
    r.send()
    facts = r.kinds().count(Kind.HALT)

    r.bars(3_000, 10_000)

    assert r.kinds().count(Kind.HALT) == facts == 1
    denied = r.ctx.buy(ETH, quantity="0.1").denied
    assert denied is not None
    assert denied.rule == "latch"
    assert r.send() == []


def test_an_entry_that_fills_after_the_halt_is_flattened_too_although_its_stop_lives() -> None:
    r, _, resting = falling()
    r.bars(3_330, 10_000)
    r.send()

    r.say(r.fill_row(resting, 10, 9_000))

    assert closes(r) == [(1, 10, "halt")]
    assert r.child(resting, Role.STOP).state is OrderState.ACKNOWLEDGED


def test_an_entry_waiting_for_its_send_is_cancelled_with_its_stop_by_the_latch() -> None:
    r = rig()
    r.bar(10_000)
    order = r.ctx.buy(BTC, fraction="0.01", target="0.05")
    r.engine.halt("manual", "1", "0")

    assert r.send() == []
    family = [order, r.child(order, Role.STOP), r.child(order, Role.TARGET)]
    assert [each.state for each in family] == [OrderState.CANCELLED] * 3
    assert list(r.desk.orders.all_working()) == []
    assert (r.desk.orders.entries, r.desk.orders.open_entries(0)) == (0, 0)
    assert Kind.INTENT not in r.kinds()


@pytest.mark.parametrize(
    ("mode", "entries", "reduces"),
    [(Mode.REDUCE_ONLY, False, True), (Mode.CANCEL_ONLY, False, False), (Mode.KILLED, False, True)],
)
def test_each_mode_lets_leave_what_it_allows_and_cancels_always(mode: Mode, entries: bool, reduces: bool) -> None:
    r, _ = entered()
    resting = r.ctx.buy(BTC, quantity=1, limit=90)
    r.send()
    r.desk.latch.set(mode, "test", "test", r.now)

    assert (r.ctx.buy(BTC, fraction="0.001").denied is None) is entries
    close = r.ctx.close(BTC)
    assert close is not None
    assert (close.denied is None) is reduces
    assert r.ctx.cancel(resting)
    assert Action.CANCEL in [action for action, _ in r.send()]


def test_a_run_that_is_ending_takes_no_order_any_more() -> None:
    r, _ = entered()
    r.engine.stop()

    denied = r.ctx.buy(BTC, fraction="0.001").denied
    assert denied is not None
    assert denied.rule == "stopping"
    assert r.send() == []


def test_flatten_closes_every_position_once() -> None:
    r = rig(BTC, ETH)
    r.bars(10_000, 10_000)
    for index, instrument in enumerate((BTC, ETH)):
        order = r.order(1_000, index=index, instrument=instrument)
        r.desk.wish(order, 10_000, 10_050)
        r.open(order, 10_000)

    r.engine.flatten("end")
    r.engine.flatten("end")

    assert closes(r) == [(0, 1_000, "end"), (1, 1_000, "end")]
