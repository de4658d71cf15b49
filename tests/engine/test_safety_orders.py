"""What a strategy cannot do with orders: strip its own stop, change what was approved, or smuggle text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot4_core.domain.event import Kind
from bot4_core.domain.limits import Limits
from bot4_core.domain.order import Order, OrderState, OrderType, Role, Side
from bot4_core.engine.desk import Action
from bot4_core.errors import DomainError
from bot4_core.native.latch import Mode
from bot4_core.strategy import Context

from .listening import Listener, ready
from .rig import BTC, ETH, Quiet, Rig, rig


def holding(**changes: Any) -> tuple[Rig, Order]:
    r = rig(**changes)
    r.bar(10_000)
    entry = r.ctx.buy(BTC, quantity=2, stop="0.02", target="0.05")
    r.open(entry, 10_000)
    return r, entry


# a protective stop stays


def test_the_stop_of_a_working_entry_cannot_be_cancelled_but_the_entry_can() -> None:
    r = rig()
    r.bar(10_000)
    entry = r.ctx.buy(BTC, quantity=1, limit="99")
    stop = r.child(entry, Role.STOP)

    assert r.ctx.cancel(stop) is False  # not even before it was sent
    r.send()
    assert r.ctx.cancel(stop) is False
    assert not stop.pending_cancel
    assert r.ctx.cancel(entry) is True
    assert r.send() == [(Action.CANCEL, entry)]


def test_the_stop_of_a_position_cannot_be_cancelled_and_its_target_can() -> None:
    r, entry = holding()

    assert r.ctx.cancel(r.child(entry, Role.STOP)) is False
    assert r.send() == []
    assert r.ctx.cancel(r.child(entry, Role.TARGET)) is True


def test_a_stop_that_covers_nothing_any_more_can_be_cancelled_once() -> None:
    r, first = holding()
    second = r.ctx.buy(BTC, quantity=2, stop="0.03")
    r.open(second, 10_000)
    close = r.ctx.close(BTC, quantity=2)
    assert close is not None
    r.send()
    assert r.ctx.cancel(r.child(first, Role.STOP)) is False  # the close is on its way, no more
    r.say(r.fill_row(close, 2_000, 10_000))

    assert r.ctx.cancel(r.child(first, Role.STOP)) is True
    assert r.ctx.cancel(r.child(second, Role.STOP)) is False  # the other one is leaving


def test_an_unguarded_run_may_cancel_its_stop() -> None:
    r, entry = holding(guarded=False, limits=Limits().without_guard())

    assert r.ctx.cancel(r.child(entry, Role.STOP)) is True


def test_orders_of_others_are_not_cancelled() -> None:
    r = rig(BTC, ETH, beside=[("other", Quiet(), [1])])
    r.bars(10_000, 10_000)
    other = r.engine.dispatch._strategies["other"][0]
    foreign = other.buy(ETH, quantity=1, limit="99")

    assert r.ctx.cancel(foreign) is False
    assert other.cancel(foreign) is True


# what was approved is what leaves

CHANGES: dict[str, Callable[[Rig, Order], object]] = {
    "quantity_lots": lambda r, o: setattr(o, "quantity_lots", o.quantity_lots * 500),
    "stop_ticks": lambda r, o: setattr(o, "stop_ticks", 1),
    "stop_id": lambda r, o: setattr(o, "stop_id", 0),
    "role": lambda r, o: setattr(o, "role", Role.CLOSE),
    "index": lambda r, o: setattr(o, "index", 1),
    "trigger_ticks": lambda r, o: setattr(r.child(o, Role.STOP), "trigger_ticks", 1),
    "side": lambda r, o: setattr(o, "side", Side.SELL),
    "tag": lambda r, o: setattr(o, "tag", 5),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_order_that_was_changed_after_its_approval_is_held_back_and_journaled(name: str) -> None:
    listener = Listener()
    r = rig(BTC, ETH, strategy=listener)
    r.bars(10_000, 10_000)
    order = r.ctx.buy(BTC, quantity=1, tag="as judged")
    stop = r.child(order, Role.STOP)
    CHANGES[name](r, order)

    assert r.send() == []
    (fact,) = r.facts
    assert (fact.kind, fact.instrument, fact.words[:2]) == (Kind.DENIED, 0, (order.order_id, 1_000))
    assert fact.blob is not None
    assert fact.blob["failures"] == [
        {"rule": "approved_terms", "measured": f"changed: {name}", "limit": "as approved", "unit": ""}
    ]
    assert (fact.blob["tag"], fact.blob["role"], fact.blob["side"]) == ("as judged", "entry", "buy")
    assert (order.state, stop.state) == (OrderState.CANCELLED, OrderState.CANCELLED)
    assert listener.ended == [(each.order_id, "changed after the gate approved it") for each in (order, stop)]
    assert r.desk.orders.all_working() == []
    assert (r.desk.orders.entries, r.gate.approved, r.gate.denied) == (0, 0, 1)


def test_a_close_that_was_changed_does_not_leave_either() -> None:
    r, _ = holding()
    close = r.ctx.close(BTC, quantity=1)
    assert close is not None
    close.quantity_lots = 2_000

    assert r.send() == []
    assert close.denied is not None
    assert close.denied.rule == "approved_terms"


def test_an_order_held_back_by_the_latch_is_journaled_and_told() -> None:
    listener = Listener()
    r = rig(strategy=listener)
    r.bar(10_000)
    order = r.ctx.buy(BTC, quantity=1)
    r.desk.latch.set(Mode.REDUCE_ONLY, "test", "test", r.now)

    assert r.send() == []
    (fact,) = r.facts
    assert (fact.kind, fact.words[0], fact.blob and fact.blob["failures"]) == (
        Kind.DENIED, order.order_id,
        [{"rule": "latch", "measured": "REDUCE_ONLY", "limit": "ACTIVE", "unit": ""}],
    )  # fmt: skip
    assert listener.ended == [(id_, "latched before the send") for id_ in (order.order_id, order.stop_id)]


def test_an_overfill_is_journaled_as_a_halt_of_its_instrument_once() -> None:
    r, order, _ = ready("1")
    r.say(r.fill_row(order, 1_001, 10_000))
    r.say(r.fill_row(order, 1, 10_000))

    halts = [fact for fact in r.facts if fact.kind is Kind.HALT]
    assert [(fact.instrument, fact.words[0]) for fact in halts] == [(0, Mode.ACTIVE)]
    assert halts[0].blob == {
        "mode": "no new risk in BTC/USDT", "reason": "order 1 filled 1001 of 1000 lots", "rule": "symbol_halt",
        "measured": "1001 lots", "limit": "1000 lots",
    }  # fmt: skip


# text


@pytest.mark.parametrize("tag", [5, None, "\ud800", "a\0b", "line\nline", "x" * 257, b"bytes"])
def test_a_tag_that_the_journal_cannot_hold_is_an_error_at_the_call(tag: Any) -> None:
    r, _ = holding()
    facts = len(r.facts)

    for wish in (lambda: r.ctx.buy(BTC, quantity=1, tag=tag), lambda: r.ctx.close(BTC, tag=tag)):
        with pytest.raises(DomainError, match=r"tag .* printable text of at most 256"):
            wish()
    assert (r.send(), len(r.facts)) == ([], facts)


@pytest.mark.parametrize("tag", ["", "x" * 256, "Größe é 漢"])
def test_other_tags_are_kept(tag: str) -> None:
    r, _ = holding()
    close = r.ctx.close(BTC, tag=tag)

    assert close is not None
    assert close.tag == tag


# a stop entry is judged where it fires


def test_a_trigger_that_the_market_has_passed_cannot_make_an_order_look_small() -> None:
    r = rig(margin=True)
    r.bar(10_000)
    order = r.ctx.buy(BTC, fraction="0.0199", trigger="2", stop="0.03")

    assert order.denied is not None
    assert order.denied.failures[0].rule == "trigger_side"
    assert str(order.denied.failures[0]) == "trigger_side: 2.00 USDT, allowed > 100.00 USDT"
    assert order.quantity_lots <= 20_000


def test_a_working_stop_entry_counts_at_the_mark_that_ran_past_its_trigger() -> None:
    r = rig(limits=Limits(position=None))
    r.bar(10_000)
    entry = r.ctx.buy(BTC, quantity=1, trigger="101")
    assert entry.denied is None
    r.send()
    r.bar(20_000)

    other = r.ctx.buy(BTC, quantity=1, stop="0.02")
    assert other.size_fraction == "0.00402000"  # 2 × 200 × 1.005 of 100,000


# a close and our own entries (K-4)


def sent(r: Rig) -> list[tuple[str, int]]:
    return [(action.name, order.order_id) for action, order in r.send()]


def test_closing_the_position_cancels_the_entries_that_would_open_it_again_first() -> None:
    r, _ = holding()
    resting = r.ctx.buy(BTC, quantity=1, limit="90")
    breakout = r.ctx.buy(BTC, quantity=1, trigger="110")
    r.send()
    r.facts.clear()
    close = r.ctx.close(BTC)
    assert close is not None

    assert sent(r) == [
        ("CANCEL", resting.order_id), ("CANCEL", breakout.order_id), ("SUBMIT", close.order_id)
    ]  # fmt: skip
    assert r.kinds() == [Kind.CANCEL, Kind.CANCEL, Kind.INTENT]


def test_closing_a_part_cancels_only_what_the_close_could_trade_with() -> None:
    r, _ = holding()
    for limit in ("99.49", "99.50"):
        r.ctx.buy(BTC, quantity=1, limit=limit)
    r.ctx.buy(BTC, quantity=1, trigger="110")
    far, near, _ = [order for _, order in r.send()]
    close = r.ctx.close(BTC, quantity=1)  # worst price 99.50
    assert close is not None

    assert sent(r) == [("CANCEL", near.order_id), ("SUBMIT", close.order_id)]
    assert not far.pending_cancel


def test_a_close_that_is_denied_cancels_nothing() -> None:
    r, _ = holding()
    r.ctx.buy(BTC, quantity=1, limit="99.9")
    r.send()
    r.desk.latch.set(Mode.CANCEL_ONLY, "test", "test", r.now)

    assert r.ctx.close(BTC) is not None
    assert r.send() == []


def test_entries_of_the_closes_own_side_and_of_other_instruments_stay() -> None:
    r = rig(BTC, ETH, margin=True, leverage="3")
    r.bars(10_000, 10_000)
    r.open(r.ctx.buy(BTC, quantity=2), 10_000)
    r.ctx.sell(BTC, quantity=1, limit="101", stop="0.02")
    r.ctx.buy(ETH, quantity=1, limit="99")
    r.send()
    close = r.ctx.close(BTC)
    assert close is not None

    assert sent(r) == [("SUBMIT", close.order_id)]


def test_a_strategy_can_answer_an_order_that_was_held_back() -> None:
    class Again(Listener):
        def on_order(self, ctx: Context, order: Order) -> None:
            super().on_order(ctx, order)
            if order.role is Role.ENTRY:
                ctx.buy(BTC, quantity=1, limit="99")

    r = rig(strategy=Again())
    r.bar(10_000)
    r.ctx.buy(BTC, quantity=1).quantity_lots = 7

    assert [order.type for _, order in r.send()] == [OrderType.LIMIT]
