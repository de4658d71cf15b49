"""Other reports of the venue: acknowledgements, triggers, ends, and what contradicts our books (O-1 to O-4)."""

from __future__ import annotations

import pytest

from bot4_core.domain.event import Bar, Flag, Kind, Reason
from bot4_core.domain.order import OrderState
from bot4_core.strategy import Context

from .listening import Listener, acknowledge, last_flags, ready
from .rig import BTC, ETH, rig

S = OrderState


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
