"""Protective orders that an entry brings along, and orders that only reduce (P-2, K-4)."""

from __future__ import annotations

from decimal import Decimal

from bot4_core.sdk import Kind, OrderType, Reason, Side, TimeInForce

from .scenario import Make, bars, close_of, fills, flat, outline

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, STOP, _ = OrderType
FREE = {"spread": Decimal(0), "slippage": Decimal(0)}
THIN = (10_000, 10_000, 10_000, 10_000, 100)  # 5 lots may fill


def test_children_are_acknowledged_with_the_first_fill(sim: Make) -> None:
    s = sim(bars(flat(3)), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, MARKET, 4, stop=9_800, target=10_200)
    assert outline(s.finish()) == [
        (entry.order_id, Kind.ACK, 0),
        (entry.order_id, Kind.FILL, 0),
        (entry.stop_id, Kind.ACK, 0),
        (entry.target_id, Kind.ACK, 0),
    ]


def test_P2_the_stop_grows_with_each_partial_fill(sim: Make) -> None:
    s = sim(bars([*flat(1), THIN, THIN, (10_000, 10_000, 9_700, 9_700)]), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, MARKET, 8, stop=9_800)
    reports = s.finish()
    assert fills(reports, entry) == [(10_000, 5), (10_000, 3)]
    assert fills(reports, entry.stop_id) == [(9_800, 8)]
    assert [r[2] for r in reports if r[5] == entry.stop_id] == [Kind.ACK, Kind.TRIGGERED, Kind.FILL]


def test_P2_a_partly_filled_entry_is_protected_while_it_works_and_after(sim: Make) -> None:
    """The stop closes the first part, comes back for the second, and ends with the entry."""
    s = sim(bars([*flat(1), THIN, (10_000, 10_000, 9_700, 9_900, 100), (9_900, 9_900, 9_900, 9_900, 2000), *flat(1)]),
            **FREE)
    s.after_bar(0)
    entry = s.send(BUY, MARKET, 8, stop=9_800)
    reports = s.finish()
    assert fills(reports, entry) == [(10_000, 5), (10_000, 3)]
    assert sum(lots for _, lots in fills(reports, entry.stop_id)) == 8
    assert s.exchange.position_lots(0) == 0
    assert s.exchange.open_orders() == 0


def test_an_entry_that_ends_unfilled_takes_its_children_along(sim: Make) -> None:
    s = sim(bars(flat(3)))
    s.after_bar(0)
    entry = s.send(BUY, LIMIT, 4, price_ticks=9_900, stop=9_800, target=10_200)
    s.after_bar(1)
    s.exchange.cancel(entry)
    assert outline(s.finish()) == [
        (entry.order_id, Kind.CANCELLED, Reason.REQUESTED),
        (entry.stop_id, Kind.CANCELLED, Reason.PARENT_ENDED),
        (entry.target_id, Kind.CANCELLED, Reason.PARENT_ENDED),
    ]
    assert s.exchange.open_orders() == 0


def test_a_refused_entry_takes_its_children_along(sim: Make) -> None:
    s = sim(bars(flat(3)))
    s.after_bar(0)
    entry = s.send(BUY, LIMIT, 10**9, price_ticks=9_900, stop=9_800)
    assert outline(s.finish()) == [
        (entry.order_id, Kind.REJECTED, Reason.INSUFFICIENT_BALANCE),
        (entry.stop_id, Kind.CANCELLED, Reason.PARENT_ENDED),
    ]


def test_children_of_a_cancelled_part_keep_what_was_filled(sim: Make) -> None:
    s = sim(bars([*flat(1), THIN, *flat(1), (10_000, 10_000, 9_700, 9_700)]), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, MARKET, 8, tif=TimeInForce.IOC, stop=9_800, target=10_200)
    reports = s.finish()
    assert fills(reports, entry.stop_id) == [(9_800, 5)]
    assert outline(reports)[-2:] == [
        (entry.stop_id, Kind.FILL, 0),  # all that was protected: filled, not cancelled
        (entry.target_id, Kind.CANCELLED, Reason.SIBLING_FILLED),
    ]


def test_a_partly_filled_target_shrinks_the_stop(sim: Make) -> None:
    s = sim(bars([*flat(2), (10_000, 10_300, 10_000, 10_000, 40), (10_000, 10_000, 9_700, 9_700)]), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, MARKET, 8, stop=9_800, target=10_200)
    reports = s.finish()
    assert fills(reports, entry.target_id) == [(10_200, 2)]
    assert fills(reports, entry.stop_id) == [(9_800, 6)]
    assert outline(reports)[-2:] == [
        (entry.target_id, Kind.CANCELLED, Reason.SIBLING_FILLED),
        (entry.stop_id, Kind.CANCELLED, Reason.SIBLING_FILLED),
    ]
    assert s.exchange.position_lots(0) == 0


def test_closing_the_position_ends_what_could_only_reduce_it(sim: Make) -> None:
    s = sim(bars(flat(5)), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, MARKET, 4, stop=9_800, target=10_200)
    s.after_bar(1)
    own = s.send(SELL, STOP, 4, trigger_ticks=9_700, reduce_only=True)
    close = s.send(SELL, MARKET, 4, reduce_only=True)
    assert outline(s.finish()) == [
        (own.order_id, Kind.ACK, 0),
        (close.order_id, Kind.ACK, 0),
        (close.order_id, Kind.FILL, 0),
        (entry.stop_id, Kind.CANCELLED, Reason.POSITION_CLOSED),
        (entry.target_id, Kind.CANCELLED, Reason.POSITION_CLOSED),
        (own.order_id, Kind.CANCELLED, Reason.POSITION_CLOSED),
    ]


def test_K4_a_reducing_order_never_flips_the_position(sim: Make) -> None:
    s = sim(bars(flat(5)), account="margin", **FREE)
    s.after_bar(0)
    s.send(BUY, MARKET, 4)
    s.after_bar(1)
    close = s.send(SELL, MARKET, 10, reduce_only=True)
    reports = s.finish()
    assert fills(reports, close) == [(10_000, 4)]
    assert outline(reports)[-1] == (close.order_id, Kind.CANCELLED, Reason.POSITION_CLOSED)
    assert s.exchange.position_lots(0) == 0


def test_K4_a_reducing_order_without_a_position_is_refused(sim: Make) -> None:
    s = sim(bars(flat(3)), account="margin")
    s.after_bar(0)
    order = s.send(SELL, MARKET, 1, reduce_only=True)
    assert outline(s.finish()) == [(order.order_id, Kind.REJECTED, Reason.POSITION_CLOSED)]


def test_K4_a_reducing_order_of_the_wrong_side_is_refused(sim: Make) -> None:
    s = sim(bars(flat(4)), account="margin")
    s.after_bar(0)
    s.send(BUY, MARKET, 4)
    s.after_bar(1)
    order = s.send(BUY, MARKET, 1, reduce_only=True)
    assert outline(s.finish()) == [(order.order_id, Kind.REJECTED, Reason.POSITION_CLOSED)]


def test_a_flip_keeps_its_own_stop_and_ends_the_old_one(sim: Make) -> None:
    s = sim(bars([*flat(4), (10_000, 10_300, 10_000, 10_000)]), account="margin", **FREE)
    s.after_bar(0)
    long = s.send(BUY, MARKET, 4, stop=9_800)
    s.after_bar(1)
    short = s.send(SELL, MARKET, 9, stop=10_200)
    reports = s.finish()
    assert (long.stop_id, Kind.CANCELLED, Reason.POSITION_CLOSED) in outline(reports)
    assert fills(reports, short.stop_id) == [(10_200, 5)]  # clamped to the position of 5
    assert s.exchange.position_lots(0) == 0


def test_a_short_is_protected_by_a_buy_stop(sim: Make) -> None:
    s = sim(bars([*flat(3), (10_000, 10_250, 10_000, 10_000)]), account="margin")
    s.after_bar(0)
    entry = s.send(SELL, MARKET, 4, stop=10_200, target=9_800)
    reports = s.finish()
    assert fills(reports, entry.stop_id) == [(10_202, 4)]  # 10200 plus 1.02, up
    assert [r[3] for r in reports if r[5] == entry.stop_id] == [0, 0, 0]  # a buy


def test_a_dormant_child_can_be_cancelled(sim: Make) -> None:
    s = sim(bars([*flat(2), (10_000, 10_000, 9_700, 9_700)]), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, LIMIT, 4, price_ticks=9_900, stop=9_800)
    s.after_bar(1)
    s.exchange.cancel(s.order(SELL, STOP, 1, order_id=entry.stop_id, trigger_ticks=1))
    reports = s.finish()
    assert outline(reports) == [
        (entry.stop_id, Kind.CANCELLED, Reason.REQUESTED),
        (entry.order_id, Kind.FILL, 0),
    ]


def test_a_stop_the_open_gapped_over_closes_a_market_entry_at_that_open(sim: Make) -> None:
    s = sim(bars([*flat(1), *flat(2, 9_500)]), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, MARKET, 4, stop=9_800)
    reports = s.finish()
    assert fills(reports) == [(9_500, 4), (9_500, 4)]
    assert {r[0] for r in reports if r[2] == Kind.FILL} == {close_of(1)}
    assert reports[-1][5] == entry.stop_id
