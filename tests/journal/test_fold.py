"""The fold, record by record: TRADING.md O-1 to O-4, O-8."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot4_core.domain.event import Flag, Kind, Reason
from bot4_core.domain.portfolio import fee_in_quote
from bot4_core.errors import StoreError
from bot4_core.journal.fold import Fold
from bot4_core.journal.rows import Rows
from bot4_core.journal.writer import Pending

from .build import BTC, MINUTE, SHIB, RandomRun, denied, fill, info, intent, report


def feed(fold: Fold, records: Iterable[Pending]) -> Rows:
    """Folds records as the journal would hold them, from where the fold stands."""
    for ts, instrument, kind, flags, words, blob in records:
        text = None if blob is None else msgspec.json.encode(blob).decode()
        fold.apply(fold.next_seq, ts, instrument, int(kind), flags, words, text)
    return fold.take()


def folded(*records: Pending, **changes: Any) -> Rows:
    return feed(Fold(info(**changes)), records)


def test_an_order_goes_from_intent_through_partial_to_filled() -> None:
    fold = Fold(info())
    submitted = feed(fold, [intent(1, 10, side="buy", stop_ticks=390, size_fraction="0.02", equity=5)]).orders[0]
    assert (submitted.state, submitted.stop_ticks, submitted.size_fraction, submitted.equity_units) == (
        "submitted",
        390,
        "0.02",
        5,
    )
    assert feed(fold, [report(Kind.ACK, 1)]).orders[0].state == "acknowledged"
    partial = feed(fold, [fill(1, 4, 100, trade_id=1, fee=3)]).orders[0]
    assert (partial.state, partial.filled_lots, partial.fee_units) == ("partially_filled", 4, 3)
    done = feed(fold, [fill(1, 6, 100, trade_id=2, fee=4)]).orders[0]
    assert (done.state, done.filled_lots, done.fee_units) == ("filled", 10, 7)
    assert done.cost_units == BTC.cost_units(100, 4) + BTC.cost_units(100, 6)
    assert not done.violation


@pytest.mark.parametrize(
    ("kind", "state"), [(Kind.CANCELLED, "cancelled"), (Kind.REJECTED, "rejected"), (Kind.EXPIRED, "expired")]
)
def test_a_terminal_report_ends_the_order_with_its_reason(kind: Kind, state: str) -> None:
    order = folded(intent(1, 10), report(kind, 1, reason=Reason.MIN_NOTIONAL)).orders[0]
    assert (order.state, order.reason) == (state, "min_notional")


def test_a_trigger_moves_an_acknowledged_stop() -> None:
    assert folded(intent(1, 10), report(Kind.ACK, 1), report(Kind.TRIGGERED, 1)).orders[0].state == "triggered"


def test_a_late_acknowledgement_does_not_take_a_fill_back() -> None:
    order = folded(intent(1, 10), fill(1, 4, 100, trade_id=1), report(Kind.ACK, 1)).orders[0]
    assert (order.state, order.violation) == ("partially_filled", False)


def test_pending_cancel_stands_beside_the_state_and_a_partial_fill_keeps_it() -> None:
    fold = Fold(info())
    asked = feed(fold, [intent(1, 10), report(Kind.CANCEL, 1)]).orders[0]
    assert (asked.state, asked.pending_cancel) == ("submitted", True)
    assert feed(fold, [fill(1, 4, 100, trade_id=1)]).orders[0].pending_cancel
    refused = feed(fold, [report(Kind.CANCEL_REJECTED, 1)]).orders[0]
    assert (refused.state, refused.pending_cancel) == ("partially_filled", False)


def test_a_fill_after_the_end_is_applied_and_flagged() -> None:
    rows = folded(intent(1, 10), report(Kind.CANCELLED, 1, filled=10), fill(1, 10, 100, trade_id=1))
    order = rows.orders[0]
    assert (order.state, order.filled_lots, order.reported_lots, order.violation) == ("cancelled", 10, 10, True)
    assert rows.fills[0].violation
    assert rows.positions[0].lots == 10


def test_a_terminal_report_with_missing_fills_is_visible_as_not_settled() -> None:
    order = folded(intent(1, 10), fill(1, 4, 100, trade_id=1), report(Kind.CANCELLED, 1, filled=6)).orders[0]
    assert (order.filled_lots, order.reported_lots) == (4, 6)


def test_a_protective_order_shrinks_to_what_its_entry_filled() -> None:
    fold = Fold(info())
    feed(fold, [intent(1, 10), intent(2, 10, side="sell", role="stop"), fill(1, 6, 100, trade_id=1)])
    resize = (0, 0, Kind.RESIZED, 0, (2, 6, 0, 0, 0, 0), None)
    assert feed(fold, [report(Kind.EXPIRED, 1, filled=6), resize]).orders[1].quantity_lots == 6
    stop = feed(fold, [fill(2, 6, 90, trade_id=2, flags=Flag.SELL)]).orders[0]
    assert (stop.state, stop.violation) == ("filled", False)


def test_a_protective_order_that_filled_as_much_is_done_by_shrinking() -> None:
    rows = folded(
        intent(2, 10, side="sell", role="stop"),
        fill(2, 6, 90, trade_id=2, flags=Flag.SELL),
        (0, 0, Kind.RESIZED, 0, (2, 6, 0, 0, 0, 0), None),
    )
    assert (rows.orders[0].state, rows.orders[0].quantity_lots) == ("filled", 6)


def test_an_overfill_is_applied_and_flagged() -> None:
    rows = folded(intent(1, 10), fill(1, 11, 100, trade_id=1))
    assert (rows.orders[0].state, rows.orders[0].violation, rows.fills[0].violation) == ("filled", True, True)
    assert rows.positions[0].lots == 11


def test_a_fill_that_is_reported_twice_counts_once() -> None:
    fold = Fold(info())
    rows = feed(fold, [intent(1, 10), fill(1, 4, 100, trade_id=1), fill(1, 4, 100, trade_id=1)])
    assert (len(rows.fills), rows.positions[0].lots, fold.duplicate_fills) == (1, 4, 1)


def test_two_legs_of_a_self_trade_share_a_trade_id_and_both_count() -> None:
    sell = Flag.SELL
    rows = folded(
        intent(1, 10, side="buy"),
        intent(2, 10, side="sell"),
        fill(1, 10, 100, trade_id=9),
        fill(2, 10, 100, trade_id=9, flags=sell),
    )
    assert [row.side for row in rows.fills] == ["buy", "sell"]
    assert rows.positions[0].lots == 0


def test_a_fill_of_a_strangers_order_is_adopted_and_flagged() -> None:
    rows = folded(fill(77, 5, 100, trade_id=1, flags=Flag.SELL))
    order = rows.orders[0]
    assert (order.order_id, order.role, order.side, order.violation) == (77, "external", "sell", True)
    assert (order.exchange, rows.fills[0].venue, rows.fills[0].account) == ("main", "sim", "main")
    assert rows.positions[0].lots == -5


def test_a_denial_gives_an_order_and_one_row_per_failed_rule() -> None:
    rows = folded(denied(1, "position", "drawdown", ts=5))
    assert (rows.orders[0].state, rows.orders[0].reason) == ("denied", "position")
    assert [(e.n, e.rule, e.measured, e.limit, e.order_id) for e in rows.risk_events] == [
        (0, "position", "0.05", "0.02", 1),
        (1, "drawdown", "0.05", "0.02", 1),
    ]


def test_a_halt_is_a_risk_event_that_is_no_denial() -> None:
    blob = {"mode": "killed", "reason": "breach", "rule": "drawdown", "measured": "0.16", "limit": "0.15"}
    event = folded((3, 0, Kind.HALT, 0, (3, 0, 0, 0, 0, 0), blob)).risk_events[0]
    assert (event.action, event.rule, event.measured, event.note) == ("halt", "drawdown", "0.16", "killed: breach")


def test_a_partial_close_takes_its_share_of_cost_and_fee_and_the_rest_stays() -> None:
    rows = folded(
        intent(1, 3, ts=0, tag="in"),
        fill(1, 3, 100, trade_id=1, fee=10),
        intent(2, 1, side="sell", role="target", tag="out"),
        fill(2, 1, 120, trade_id=2, fee=5, ts=2 * MINUTE, flags=Flag.SELL),
    )
    cost = BTC.cost_units(100, 3)
    trip = rows.round_trips[0]
    assert (trip.quantity_lots, trip.entry_cost_units, trip.entry_fee_units) == (1, cost // 3, 10 // 3)
    assert trip.pnl_units == BTC.cost_units(120, 1) - cost // 3 - 10 // 3 - 5
    assert (trip.side, trip.reason, trip.tag, trip.bars, trip.strategy) == ("buy", "target", "out", 2, "trend")
    assert (trip.entry_order_id, trip.exit_order_id, trip.fee_units) == (1, 2, 8)
    position = rows.positions[0]
    assert (position.lots, position.entry_cost_units, position.entry_fee_units) == (2, cost - cost // 3, 7)
    assert (position.realised_units, position.fee_units) == (trip.pnl_units, 15)


def test_closing_fills_of_one_order_are_one_trade_across_batches() -> None:
    fold = Fold(info())
    feed(fold, [intent(1, 10), fill(1, 10, 100, trade_id=1), intent(2, 10, side="sell", role="close")])
    first = feed(fold, [fill(2, 4, 110, trade_id=2, ts=MINUTE)]).round_trips[0]
    second = feed(fold, [fill(2, 6, 120, trade_id=3, ts=3 * MINUTE)]).round_trips[0]
    assert (first.seq, first.quantity_lots) == (second.seq, 4)
    assert (second.quantity_lots, second.exit_ts, second.bars) == (10, 3 * MINUTE, 3)
    assert second.exit_cost_units == BTC.cost_units(110, 4) + BTC.cost_units(120, 6)


def test_a_flip_closes_then_opens_the_other_side() -> None:
    rows = folded(
        intent(1, 10),
        fill(1, 10, 100, trade_id=1),
        intent(2, 15, side="sell", role="entry"),
        fill(2, 15, 110, trade_id=2),
        intent(3, 5, side="buy", role="stop"),
        fill(3, 5, 105, trade_id=3),
    )
    long, short = rows.round_trips
    assert (long.side, long.quantity_lots, long.reason) == ("buy", 10, "reversal")
    assert (short.side, short.quantity_lots, short.entry_order_id, short.reason) == ("sell", 5, 2, "stop")
    assert rows.positions[0].lots == 0
    assert rows.positions[0].opened_ns == 0


def test_positions_of_two_instruments_are_apart() -> None:
    rows = folded(
        intent(1, 10, instrument=0),
        fill(1, 10, 100, trade_id=1),
        intent(2, 10, instrument=1, side="sell"),
        fill(2, 10, 100, trade_id=2, instrument=SHIB),
    )
    assert [(row.instrument, row.lots) for row in rows.positions] == [(0, 10), (1, -10)]
    assert not rows.round_trips


def test_a_fee_in_base_is_valued_at_the_fill_and_rounded_against_us() -> None:
    # 10 lots = 10,000 base units at 1.23 cost 12,300 quote units; 7 base units are 8.61 quote units
    assert fee_in_quote(BTC, 10, 12_300, 7) == 9
    assert fee_in_quote(BTC, 10, 12_300, -7) == -8
    rows = folded(intent(1, 10), fill(1, 10, 123, trade_id=1, fee=7, flags=Flag.FEE_BASE))
    row = rows.fills[0]
    assert (row.fee_units, row.fee_asset, row.fee_scale, row.fee_quote_units) == (7, "BTC", 8, 9)
    assert rows.positions[0].fee_units == 9


def test_a_gap_in_seq_is_refused() -> None:
    fold = Fold(info())
    fold.apply(0, 0, 0, Kind.EQUITY, 0, (1, 1, 1, 1, 0, 0), None)
    with pytest.raises(StoreError, match="jumps from seq 0 to 2"):
        fold.apply(2, 0, 0, Kind.EQUITY, 0, (1, 1, 1, 1, 0, 0), None)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ((0, 0, Kind.INTENT, 0, (1, 1, 0, 0, 0, 0), None), "seq 1 has no blob"),
        ((0, 0, Kind.INTENT, 0, (1, 1, 0, 0, 0, 0), {"side": "up"}), "blob of seq 1 cannot be read"),
        ((0, 9, Kind.INTENT, 0, (1, 1, 0, 0, 0, 0), intent(1, 1)[5]), "names instrument 9, the run has 2"),
        ((0, 0, Kind.INTENT, 0, (5, 1, 0, 0, 0, 0), intent(5, 1)[5]), "order id 5 is used twice"),
        ((0, 0, Kind.FILL, 0, (5, 100, 0, 0, 1, 0), None), "seq 1: a fill of 0 lots"),
        ((0, 0, Kind.RUN_START, 0, (99, 0, 0, 0, 0, 0), None), "journal format 99"),
    ],
)
def test_records_that_break_the_conventions_are_refused(record: Pending, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        folded(intent(5, 1), record)


def test_market_data_in_the_stream_changes_nothing() -> None:
    assert folded((0, 0, Kind.BAR, 0, (1, 2, 3, 4, 5, 6), None)) == Rows()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), orders=st.integers(1, 60), cut=st.integers(1, 40))
def test_profits_and_the_open_position_sum_to_the_change_of_equity(seed: int, orders: int, cut: int) -> None:
    run = RandomRun(seed, orders)
    fold = Fold(info())
    records = list(run.records())
    trips = {}
    positions = {}
    for start in range(0, len(records), cut):
        rows = feed(fold, records[start : start + cut])
        trips.update({row.seq: row for row in rows.round_trips})
        positions.update({row.instrument: row for row in rows.positions})

    for index, traded in enumerate((BTC, SHIB)):
        position = positions.get(index)
        lots = position.lots if position else 0
        value = traded.cost_units(run.marks[index], abs(lots)) * (1 if lots >= 0 else -1)
        cost = position.entry_cost_units if position else 0
        unrealised = value - cost if lots >= 0 else cost + value
        profit = sum(row.pnl_units for row in trips.values() if row.instrument == index)
        fees = position.entry_fee_units if position else 0
        run.portfolio.own.setdefault(traded.base, 0)
        assert run.portfolio.own[traded.base] == lots * traded.lot_units
        # what this instrument's trading did to the quote balance, and what is held, is its change of equity
        assert profit + unrealised - fees == _quote_change(records, index) + value
    assert sum(_quote_change(records, i) for i in range(2)) == run.portfolio.own.get("USDT", 0)


def _quote_change(records: list[Pending], index: int) -> int:
    """Quote units that fills of one instrument brought, straight from the records."""
    total = 0
    for _, instrument, kind, flags, words, _ in records:
        if kind == Kind.FILL and instrument == index:
            total += (1 if flags & Flag.SELL else -1) * words[5] - words[3]
    return total


def test_every_state_that_a_fold_writes_is_a_state_of_the_machine() -> None:
    from bot4_core.domain.order import OrderState

    fold = Fold(info())
    feed(fold, RandomRun(3, 400).records())
    names = {state.name.lower() for state in OrderState}
    seen = {row.state for row in fold.orders.values()}
    assert seen <= names
    assert {"filled", "cancelled", "rejected", "denied"} <= seen
