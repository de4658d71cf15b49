"""Protective closes: cut to what the venue takes, never sent twice at one instant; the ledger that calls for them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot4_core.domain.event import Bar, Kind, Reason
from bot4_core.domain.instrument import Instrument
from bot4_core.domain.limits import Limits
from bot4_core.domain.order import Order, OrderState, Role, Side, TimeInForce
from bot4_core.engine.desk import Action
from bot4_core.protocols import RunStatus
from bot4_core.strategy import Context, Strategy
from bot4_core.testing import bars_from_closes, run_strategy

from .rig import BTC, Rig, rig

NO_STOP, TOO_FAR = "no live stop (P-2)", "stop too far from the fill (P-1)"


def entered(lots: int = 10_000, ticks: int = 10_000, filled: int = 0, **changes: Any) -> tuple[Rig, Order]:
    """A buy at a mark of 100.00 with its stop at 98.00, filled at ``ticks``."""
    filters = changes.pop("filters", {})
    r = rig(Instrument(symbol="BTC/USDT", tick="0.01", lot="0.001", **filters), **changes)
    r.bar(10_000)
    order = r.order(lots)
    r.desk.wish(order, 10_000, 10_050)
    r.open(order, ticks, filled or lots)
    return r, order


def closes(r: Rig) -> list[Order]:
    return [order for action, order in r.send() if action is Action.SUBMIT and order.role is Role.CLOSE]


def lose_stop(r: Rig, order: Order) -> None:
    r.say(r.report(Kind.CANCELLED, r.child(order, Role.STOP)))


def lots_and_tags(orders: list[Order]) -> list[tuple[int, str]]:
    return [(order.quantity_lots, order.tag) for order in orders]


# what the venue takes


def test_a_protective_close_is_split_by_the_largest_quantity() -> None:
    r, _ = entered(4_500, filters={"max_quantity": "5"})
    for _ in range(2):
        order = r.order(4_500)
        r.desk.wish(order, 10_000, 10_050)
        r.open(order, 10_000)
    r.engine.flatten("all")

    assert lots_and_tags(closes(r)) == [(4_500, "all")] * 3


def test_at_most_ten_parts_work_at_once_and_the_rest_follows() -> None:
    r, order = entered(12_000, filters={"max_quantity": "12"})
    object.__setattr__(r.account.instruments[0], "max_quantity", Decimal(1))  # the venue tightened its filter
    lose_stop(r, order)
    parts = closes(r)
    assert lots_and_tags(parts) == [(1_000, NO_STOP)] * 10

    r.say(r.fill_row(parts[0], 1_000, 10_000))
    assert lots_and_tags(closes(r)) == [(1_000, NO_STOP)]
    r.say(r.fill_row(parts[1], 1_000, 10_000))
    assert lots_and_tags(closes(r)) == [(1_000, NO_STOP)]
    r.say(r.fill_row(parts[2], 1_000, 10_000))
    assert closes(r) == []


def test_a_strategys_close_is_split_too_and_gives_the_first_part() -> None:
    r, _ = entered(10_000, filters={"max_quantity": "10"})
    object.__setattr__(r.account.instruments[0], "max_quantity", Decimal(4))

    close = r.ctx.close(r.account.instruments[0], tag="out")
    parts = closes(r)
    assert close is parts[0]
    assert lots_and_tags(parts) == [(3_334, "out"), (3_333, "out"), (3_333, "out")]


def test_dust_below_the_smallest_quantity_is_left_and_journaled_once() -> None:
    r, order = entered(10_000, filled=500, filters={"min_quantity": "1"})
    r.say(r.cancelled(order))
    lose_stop(r, order)
    for _ in range(3):
        r.bar(10_000)
        r.say(r.report(Kind.CANCEL_REJECTED, order))

    assert closes(r) == []
    denied = [fact.blob for fact in r.facts if fact.kind is Kind.DENIED]
    assert len(denied) == 1
    assert denied[0] is not None
    assert (denied[0]["strategy"], denied[0]["failures"]) == (
        "", [{"rule": "venue_filters", "measured": "quantity 0.500", "limit": ">= 1", "unit": "BTC"}],
    )  # fmt: skip


def test_less_than_the_smallest_quantity_without_a_stop_closes_the_smallest_where_so_much_is_held() -> None:
    r, _ = entered(5_000, filters={"min_quantity": "1"})
    bare = r.order(1_000)
    r.desk.wish(bare, 10_000, 10_050)
    r.send()
    r.say(r.report(Kind.ACK, bare), r.fill_row(bare, 400, 10_000))

    assert lots_and_tags(closes(r)) == [(1_000, NO_STOP)]


# refused closes


@pytest.mark.parametrize("reason", [Reason.MAX_QUANTITY, Reason.BOOK_FULL, Reason.MIN_QUANTITY])
def test_a_refused_close_waits_for_the_instruments_next_event(reason: Reason) -> None:
    r, order = entered()
    lose_stop(r, order)
    sent = 0
    for _ in range(5):
        (close,) = closes(r)
        sent += 1
        r.say(r.report(Kind.REJECTED, close, 0, reason))
        r.say(r.report(Kind.CANCEL_REJECTED, order))  # other news of the same instrument is no event
        assert closes(r) == []
        r.bar(10_000)

    assert sent == 5


def test_a_close_that_its_strategy_takes_back_delays_no_protective_close() -> None:
    r, order = entered()
    close = r.ctx.close(r.account.instruments[0])
    assert close is not None
    r.send()
    assert r.ctx.cancel(close)
    r.send()
    r.say(r.report(Kind.CANCELLED, r.child(order, Role.STOP)), r.cancelled(close))

    assert lots_and_tags(closes(r)) == [(10_000, NO_STOP)]


def test_a_refusal_in_the_step_of_an_event_waits_for_the_next_event() -> None:
    r, order = entered()
    lose_stop(r, order)
    (close,) = closes(r)
    r.now += 1
    row = r.report(Kind.REJECTED, close, 0, Reason.BOOK_FULL)
    r.step([(r.now, 0, Kind.BAR, 0, 10_000, 10_000, 10_000, 10_000, 5, 1)], [row])
    assert closes(r) == []

    r.bar(10_000)
    assert lots_and_tags(closes(r)) == [(10_000, NO_STOP)]


def test_a_close_of_a_part_on_its_way_is_not_sent_again_for_the_covered_part() -> None:
    r, _ = entered(5_000)
    bare = r.order(5_000)
    r.desk.wish(bare, 10_000, 10_050)
    r.send()
    r.say(r.report(Kind.ACK, bare), r.fill_row(bare, 5_000, 10_000))
    assert lots_and_tags(closes(r)) == [(5_000, NO_STOP)]

    r.say(r.report(Kind.CANCEL_REJECTED, bare))

    assert closes(r) == []


def test_a_halt_in_a_backtest_leaves_dust_that_the_venue_does_not_take_and_the_run_ends() -> None:
    class Dusty(Strategy):
        n: int = 0

        def on_bar(self, ctx: Context, bar: Bar) -> None:
            self.n += 1
            if self.n == 1:
                ctx.buy(bar.instrument, quantity="4.5", stop="0.035", tif=TimeInForce.IOC)

    dusty = Instrument(symbol="BTC/USDT", tick="0.01", lot="0.00001", volume_scale=5, min_quantity="1")
    bars = bars_from_closes([100] * 4 + [98] * 4, instrument=dusty, volume="10")  # an IOC gets 0.5 of it
    result = run_strategy(Dusty, bars, risk={"drawdown": "0.000009"})

    made = [order for order in result.orders if order.role == "close"]
    assert [(order.quantity_lots, order.state, order.reason) for order in made] == [(50_000, "denied", "venue_filters")]


def test_a_halt_in_a_backtest_closes_a_position_above_the_largest_quantity() -> None:
    class Four(Strategy):
        n: int = 0

        def on_bar(self, ctx: Context, bar: Bar) -> None:
            self.n += 1
            if self.n <= 4:
                ctx.buy(bar.instrument, quantity="4.5", stop="0.035")

    capped = Instrument(symbol="BTC/USDT", tick="0.01", lot="0.00001", volume_scale=5, max_quantity="5")
    closes_at = [100] * 6 + [99, 98, 98, 98]
    result = run_strategy(Four, bars_from_closes(closes_at, instrument=capped), risk={"drawdown": "0.0002"})

    made = [order for order in result.orders if order.role == "close"]
    assert [(order.quantity_lots, order.state) for order in made] == [(450_000, "filled")] * 4


def test_a_refused_close_is_sent_again_by_the_loop_for_single_marked_events_too() -> None:
    r, order = entered()
    lose_stop(r, order)
    (close,) = closes(r)
    r.say(r.report(Kind.REJECTED, close, 0, Reason.BOOK_FULL))
    assert closes(r) == []
    r.now += 60 * 10**9
    r.step([(r.now, 0, Kind.BAR, 0, 10_000, 10_000, 10_000, 10_000, 5, 1)], flags=RunStatus.MARKED)

    assert lots_and_tags(closes(r)) == [(10_000, NO_STOP)]


# the ledger


def test_an_unguarded_run_keeps_the_ledger_and_closes_nothing() -> None:
    r, order = entered(guarded=False, limits=Limits().without_guard())
    lose_stop(r, order)
    began = r.now
    r.now += 999
    r.say(r.report(Kind.CANCEL_REJECTED, order))

    assert closes(r) == []
    assert r.engine.coverage.uncovered_lot_ns == 10_000 * (r.now - began)


def test_what_a_target_filled_its_stop_does_not_cover() -> None:
    r = rig()
    r.bar(10_000)
    first = r.ctx.buy(BTC, quantity=5, stop="0.02", target="0.05")
    r.open(first, 10_000)
    r.say(r.fill_row(r.child(first, Role.TARGET), 3_000, 10_500))
    second = r.ctx.buy(BTC, quantity=3, stop="0.02")
    assert second.denied is None
    r.send()

    r.say(r.report(Kind.ACK, second), r.fill_row(second, 3_000, 10_000))  # and no word of its stop

    assert lots_and_tags(closes(r)) == [(3_000, NO_STOP)]


# P-1 against the average fill: the stop at 98.00 is 4 % from 102.0833


@pytest.mark.parametrize(("ticks", "closed"), [(10_208, []), (10_209, [(10_000, TOO_FAR)])])
def test_a_fill_too_far_from_its_stop_is_closed(ticks: int, closed: list[tuple[int, str]]) -> None:
    r, _ = entered(ticks=ticks)

    assert lots_and_tags(closes(r)) == closed


def test_the_average_of_the_fills_counts_and_the_rest_of_the_entry_is_cancelled() -> None:
    r, order = entered(filled=5_000)
    assert closes(r) == []
    r.say(r.fill_row(order, 2_000, 10_600))  # 101.71
    assert closes(r) == []

    r.say(r.fill_row(order, 2_000, 10_600))  # 102.67
    assert [(action.name, each.order_id == order.order_id) for action, each in r.send()] == [
        ("CANCEL", True), ("SUBMIT", False)
    ]  # fmt: skip
    close = r.desk.orders.find(r.desk.orders.created)
    assert close is not None
    assert lots_and_tags([close]) == [(9_000, TOO_FAR)]
    assert r.engine.coverage.uncovered_lot_ns == 0  # the stop is far, but it lives


def test_only_what_stands_behind_the_far_stop_is_closed() -> None:
    r, _ = entered(3_000)
    far = r.order(2_000)
    r.desk.wish(far, 10_000, 10_050)
    r.open(far, 10_600)
    assert lots_and_tags(closes(r)) == [(2_000, TOO_FAR)]

    r.say(r.fill_row(next(o for o in r.desk.orders.working(0) if o.role is Role.CLOSE), 2_000, 10_000))

    assert closes(r) == []
    assert r.account.position_lots(0) == 3_000


def test_a_short_is_rechecked_on_its_side() -> None:
    r = rig(margin=True)
    r.bar(10_000)
    short = r.order(1_000, side=Side.SELL, stop_ticks=10_200)
    r.desk.wish(short, 10_000, 9_950)
    r.open(short, 9_800)

    (close,) = closes(r)
    assert (close.side, close.quantity_lots, close.tag) == (Side.BUY, 1_000, TOO_FAR)


def test_an_unguarded_fill_is_not_rechecked() -> None:
    r, order = entered(ticks=12_000, guarded=False, limits=Limits().without_guard())

    assert closes(r) == []
    assert order.state is OrderState.FILLED
