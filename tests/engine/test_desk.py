"""The desk: nothing leaves before its intent is in the journal, and a denial is journaled with every number."""

from __future__ import annotations

from decimal import Decimal

from bot4_core.domain.event import Kind
from bot4_core.domain.limits import Limits
from bot4_core.domain.order import OrderState, OrderType, Role, Side
from bot4_core.engine.desk import Action
from bot4_core.native.latch import Mode

from .rig import BTC, Rig, rig


def at_100() -> Rig:
    r = rig()
    r.bar(10_000)
    return r


def test_each_intent_stands_in_the_journal_before_its_command_is_given_away() -> None:
    r = at_100()
    order = r.ctx.buy(BTC, quantity=1, target="0.05")
    second = r.ctx.buy(BTC, quantity=2)
    assert r.facts == []

    given = r.desk.commands()
    first = next(given)
    assert (first.action, first.order) == (Action.SUBMIT, order)
    assert [fact.words[0] for fact in r.facts] == [order.order_id, order.stop_id, order.target_id]
    assert order.state is OrderState.SUBMITTED
    assert second.state is OrderState.VALIDATED
    assert [command.order for command in given] == [second]


def test_the_intent_holds_what_the_order_was_judged_by() -> None:
    r = at_100()
    order = r.ctx.buy(BTC, quantity=1, limit=99, trigger=101, tag="x")
    r.send()

    entry, stop = r.facts
    assert (entry.kind, entry.ts, entry.flags) == (Kind.INTENT, r.now, Side.BUY)
    assert entry.words == (order.order_id, 1_000, 9_900, 10_100, 0, 0)
    assert (stop.flags, stop.words) == (Side.SELL, (order.stop_id, 1_000, 0, order.stop_ticks, order.order_id, 0))
    assert entry.blob is not None
    assert stop.blob is not None
    meant = {
        "side": "buy", "type": "stop_limit", "tif": "gtc", "role": "entry", "reduce_only": False, "strategy": "quiet",
        "exchange": "main", "worst_ticks": 9_900, "equity": 100_000 * 10**8, "stop_ticks": 9_702,
    }  # fmt: skip
    assert {name: entry.blob[name] for name in meant} == meant
    assert (stop.blob["role"], stop.blob["type"], stop.blob["reduce_only"]) == ("stop", "stop", True)
    assert entry.blob["client_id"] != stop.blob["client_id"]


def test_a_denial_is_journaled_at_once_with_every_failed_rule() -> None:
    r = rig(limits=Limits(max_notional=Decimal(100)))
    r.bar(10_000)
    order = r.ctx.buy(BTC, quantity=100, stop_price=90)

    (fact,) = r.facts
    assert (fact.kind, fact.words) == (Kind.DENIED, (order.order_id, 100_000, 0, 0, 0, 3))
    assert fact.blob is not None
    assert fact.blob["failures"] == [
        {"rule": "stop_cover", "measured": "0.10447762", "limit": "0.04", "unit": ""},
        {"rule": "position", "measured": "0.10050000", "limit": "0.02", "unit": ""},
        {"rule": "max_notional", "measured": "10050", "limit": "100", "unit": "USDT"},
    ]
    assert order.history[-1].reason == "stop_cover"


def test_cancels_are_journaled_and_leave_after_what_came_before_them() -> None:
    r = at_100()
    order = r.ctx.buy(BTC, quantity=1)
    r.ctx.cancel(order)

    assert [(action, each.order_id) for action, each in r.send()] == [
        (Action.SUBMIT, order.order_id), (Action.CANCEL, order.order_id),
    ]  # fmt: skip
    assert r.kinds() == [Kind.INTENT, Kind.INTENT, Kind.CANCEL]
    last = r.facts[-1]
    assert (last.ts, last.instrument, last.flags, last.words, last.blob) == (
        r.now, 0, 0, (order.order_id, 0, 0, 0, 0, 0), None,
    )  # fmt: skip


def test_an_ended_order_is_not_cancelled_again() -> None:
    r = at_100()
    order = r.ctx.buy(BTC, quantity=1)
    r.send()
    r.say(r.cancelled(order))

    r.ctx.cancel(order)

    assert r.send() == []


def test_a_latch_set_between_the_gate_and_the_send_holds_the_entry_back_but_not_the_close() -> None:
    r = at_100()
    r.open(r.ctx.buy(BTC, quantity=10), 10_000)
    close, entry = r.ctx.close(BTC), r.ctx.buy(BTC, quantity=1)
    assert close is not None
    r.ctx.cancel(entry)
    r.desk.latch.set(Mode.REDUCE_ONLY, "test", "test", r.now)

    assert [(action, each.order_id) for action, each in r.send()] == [(Action.SUBMIT, close.order_id)]
    assert entry.state is OrderState.CANCELLED


def test_commands_made_while_commands_are_taken_out_leave_too() -> None:
    r = at_100()
    r.ctx.buy(BTC, quantity=1)

    seen = []
    for command in r.desk.commands():
        if not seen:
            r.ctx.buy(BTC, quantity=2)
        seen.append(command.order.quantity_lots)

    assert seen == [1_000, 2_000]
    assert not r.desk.outbox


def test_only_entries_are_cancelled_when_entries_are() -> None:
    r = at_100()
    r.open(r.ctx.buy(BTC, quantity=10), 10_000)
    resting = r.ctx.buy(BTC, quantity=1, limit=99)
    r.ctx.close(BTC, quantity=1)
    r.send()

    r.desk.cancel_entries()

    assert [(action, each.order_id) for action, each in r.send()] == [(Action.CANCEL, resting.order_id)]


def test_closable_is_the_position_without_what_closes_are_working_on() -> None:
    r = at_100()
    r.open(r.ctx.buy(BTC, quantity=10), 10_000)
    assert r.desk.closable_lots(0) == 10_000
    close = r.ctx.close(BTC, quantity=4)
    assert close is not None
    assert r.desk.closable_lots(0) == 6_000
    r.send()

    r.say(r.fill_row(close, 1_000, 10_000))

    assert r.desk.closable_lots(0) == 6_000


def test_every_order_gets_an_id_of_its_own() -> None:
    r = at_100()
    for _ in range(5):
        r.ctx.buy(BTC, quantity=1, target="0.05")
    r.ctx.buy(BTC, quantity=10**6)
    r.send()

    blobs = [fact.blob for fact in r.facts if fact.blob]
    assert len({blob["client_id"] for blob in blobs}) == len(blobs) == 16


def test_children_of_an_entry_are_resting_orders_that_only_reduce() -> None:
    r = rig(margin=True, leverage="2")
    r.bar(10_000)
    order = r.ctx.sell(BTC, quantity=1, target="0.05")

    stop, target = r.child(order, Role.STOP), r.child(order, Role.TARGET)
    assert (stop.type, stop.side, stop.trigger_ticks, stop.price_ticks) == (OrderType.STOP, Side.BUY, 10_200, 0)
    assert (target.type, target.side, target.trigger_ticks, target.price_ticks) == (
        OrderType.LIMIT, Side.BUY, 0, 9_500,
    )  # fmt: skip
    assert not stop.raises_risk
    assert not target.raises_risk
