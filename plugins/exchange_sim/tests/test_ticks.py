"""Matching against trades and quotes: L-1 to L-4, and stops without bars."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from bot4_core.sdk import Flag, Kind, OrderType, Reason, Side, TimeInForce

from .scenario import BTC, INTERVAL, START, Make, Records, bars, fills, flat, outline, ticks

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, STOP, STOP_LIMIT = OrderType
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK
SOLD = int(Flag.SELL)
COINS = {"balances": {"USDT": Decimal(1_000_000), "BTC": Decimal(1000)}}

Row = tuple[int, int, Sequence[int], int]


def quote(at: int, bid: int, bid_size: int, ask: int, ask_size: int) -> Row:
    """A quote so many ns after the start; sizes in lots."""
    return (at, Kind.QUOTE, (bid, bid_size, ask, ask_size), 0)


def trade(at: int, price: int, lots: int, flags: int = 0) -> Row:
    """A print; ``SOLD`` when the aggressor sold."""
    return (at, Kind.TRADE, (price, lots, at), flags)


def tape(*rows: Row) -> Records:
    """Records of these rows."""
    return ticks(rows)


def test_T1_a_taker_never_meets_the_quote_that_caused_it(sim: Make) -> None:
    s = sim(tape(quote(0, 99, 5, 101, 5), quote(10, 98, 5, 102, 5)))
    s.until(START)
    s.send(BUY, MARKET, 3)
    reports = s.finish()
    assert fills(reports) == [(102, 3)]
    assert reports[-1][0] == START + 10


def test_T1_an_order_under_way_misses_the_quotes_before_its_arrival(sim: Make) -> None:
    s = sim(tape(quote(0, 99, 5, 101, 5), quote(9, 99, 5, 103, 5), quote(10, 99, 5, 104, 5)), latency="10ns")
    s.until(START)
    s.send(BUY, MARKET, 3)
    assert fills(s.finish()) == [(104, 3)]


def test_L3_a_taker_walks_the_displayed_size_and_waits_for_more(sim: Make) -> None:
    s = sim(tape(quote(0, 99, 5, 101, 5), quote(1, 99, 5, 101, 5), quote(2, 99, 5, 101, 5), quote(3, 99, 5, 101, 7),
                 quote(4, 99, 5, 101, 6), quote(5, 99, 5, 102, 4)))
    s.until(START)
    s.send(BUY, MARKET, 12)
    # 5 at once; nothing while the size stays; 2 by the increase; a decrease gives nothing back; a new price is new
    assert fills(s.finish()) == [(101, 5), (101, 2), (102, 4)]


def test_L3_a_decrease_takes_what_we_took_first_out_of_sight(sim: Make) -> None:
    s = sim(tape(quote(0, 99, 5, 101, 9), quote(1, 99, 5, 101, 9), quote(2, 99, 5, 101, 3), quote(3, 99, 5, 101, 5)))
    s.until(START)
    s.send(BUY, MARKET, 4)
    s.until(START + 1)
    s.send(BUY, MARKET, 9)
    # took 4 of 9; at 3 displayed all of it may be ours; the increase by 2 is new
    assert fills(s.finish()) == [(101, 2)]


def test_L4_an_empty_side_fills_nothing(sim: Make) -> None:
    s = sim(tape(quote(0, 99, 5, 101, 5), quote(1, 99, 5, 0, 0), quote(2, 99, 5, 103, 5)))
    s.until(START)
    s.send(BUY, MARKET, 1)
    assert fills(s.finish()) == [(103, 1)]


@pytest.mark.parametrize(("tif", "lots", "filled", "ended"),
                         [(IOC, 7, 5, True), (FOK, 6, 0, True), (FOK, 5, 5, False)])
def test_L4_ioc_and_fok_are_settled_at_the_first_quote(
    sim: Make, tif: TimeInForce, lots: int, filled: int, ended: bool
) -> None:
    s = sim(tape(quote(0, 99, 5, 101, 5), quote(1, 99, 5, 101, 5), quote(2, 99, 5, 101, 50)))
    s.until(START)
    order = s.send(BUY, MARKET, lots, tif=tif)
    reports = s.finish()
    assert sum(lots for _, lots in fills(reports)) == filled
    assert ((order.order_id, Kind.CANCELLED, Reason.TIME_IN_FORCE) in outline(reports)) is ended


@pytest.mark.parametrize(("limit", "reason"), [(100, None), (101, Reason.WOULD_CROSS)])
def test_L4_post_only_is_judged_on_the_quote_at_arrival(sim: Make, limit: int, reason: Reason | None) -> None:
    s = sim(tape(quote(0, 99, 5, 101, 5), quote(1, 99, 5, 101, 5)))
    s.until(START)
    order = s.send(BUY, LIMIT, 1, price_ticks=limit, post_only=True)
    assert outline(s.finish()) == [
        (order.order_id, Kind.REJECTED, reason) if reason else (order.order_id, Kind.ACK, 0)
    ]


def test_a_marketable_limit_takes_within_its_price_and_rests(sim: Make) -> None:
    s = sim(tape(quote(0, 99, 5, 101, 5), quote(1, 99, 5, 100, 3), quote(2, 99, 5, 101, 5), quote(3, 98, 1, 100, 9)))
    s.until(START)
    s.send(BUY, LIMIT, 7, price_ticks=101)
    reports = [r for r in s.finish() if r[2] == Kind.FILL]
    # 3 at the better ask as taker; 101 displayed is at our price, not through it; then 100 is through: at our 101
    assert [(r[6], r[7], r[4]) for r in reports] == [(100, 3, 0), (101, 4, 1)]


@pytest.mark.parametrize(("ask", "filled"), [(100, False), (99, True)])
def test_L2_a_quote_must_come_through_our_price(sim: Make, ask: int, filled: bool) -> None:
    s = sim(tape(quote(0, 99, 5, 101, 5), quote(1, 98, 5, ask, 4)))
    s.until(START)
    s.send(BUY, LIMIT, 6, price_ticks=100)
    reports = s.finish()
    assert fills(reports) == ([(100, 4)] if filled else [])  # at most the crossing size, at our price
    assert all(r[4] for r in reports if r[2] == Kind.FILL)


def test_L1_prints_at_our_price_work_off_the_queue_and_the_excess_fills(sim: Make) -> None:
    s = sim(tape(quote(0, 100, 10, 102, 5), trade(1, 100, 4, SOLD), trade(2, 100, 7, SOLD), trade(3, 100, 2, SOLD)))
    s.until(START)
    s.send(BUY, LIMIT, 2, price_ticks=100)
    reports = [r for r in s.finish() if r[2] == Kind.FILL]
    assert [(r[0] - START, r[6], r[7]) for r in reports] == [(2, 100, 1), (3, 100, 1)]


def test_L1_one_print_at_our_price_is_shared_by_our_orders(sim: Make) -> None:
    s = sim(tape(quote(0, 100, 2, 102, 5), trade(1, 100, 6, SOLD)))
    s.until(START)
    first, second = s.send(BUY, LIMIT, 3, price_ticks=100), s.send(BUY, LIMIT, 3, price_ticks=100)
    reports = s.finish()
    assert fills(reports, first) == [(100, 3)]
    assert fills(reports, second) == [(100, 1)]  # 6 printed, 2 stood before both, 3 went to the first


def test_L1_prints_of_the_other_aggressor_do_not_count(sim: Make) -> None:
    s = sim(tape(quote(0, 100, 1, 102, 5), trade(1, 100, 50), trade(2, 100, 2, SOLD)))
    s.until(START)
    s.send(BUY, LIMIT, 5, price_ticks=100)
    reports = s.finish()
    assert fills(reports) == [(100, 1)]
    assert reports[-1][0] == START + 2


def test_L1_a_shrinking_level_shortens_the_queue_and_a_print_counts_once(sim: Make) -> None:
    s = sim(tape(quote(0, 100, 10, 102, 5), trade(1, 100, 4, SOLD), quote(2, 100, 6, 102, 5), trade(3, 100, 6, SOLD),
                 quote(4, 100, 9, 102, 5), trade(5, 100, 1, SOLD)))
    s.until(START)
    s.send(BUY, LIMIT, 5, price_ticks=100)
    # 10 ahead; 4 printed and the level says so: 6; 6 printed: 0; what joined later stands behind us
    reports = [r for r in s.finish() if r[2] == Kind.FILL]
    assert [(r[0] - START, r[7]) for r in reports] == [(5, 1)]


def test_L1_the_queue_is_gone_when_our_price_becomes_the_best_alone(sim: Make) -> None:
    s = sim(tape(quote(0, 100, 10, 102, 5), quote(1, 99, 3, 102, 5), trade(2, 100, 2, SOLD)))
    s.until(START)
    s.send(BUY, LIMIT, 5, price_ticks=100)
    assert fills(s.finish()) == [(100, 2)]


def test_L1_behind_the_best_price_only_a_print_through_us_fills(sim: Make) -> None:
    s = sim(tape(quote(0, 100, 10, 102, 5), trade(1, 98, 50, SOLD), trade(2, 97, 3, SOLD)))
    s.until(START)
    s.send(BUY, LIMIT, 5, price_ticks=98)
    assert [(r[0] - START, r[6], r[7]) for r in s.finish() if r[2] == Kind.FILL] == [(2, 98, 3)]


def test_L2_a_print_through_us_is_shared_by_our_orders(sim: Make) -> None:
    s = sim(tape(quote(0, 100, 10, 102, 5), trade(1, 97, 7, SOLD)))
    s.until(START)
    first, second = s.send(BUY, LIMIT, 5, price_ticks=98), s.send(BUY, LIMIT, 5, price_ticks=98)
    reports = s.finish()
    assert fills(reports, first) == [(98, 5)]
    assert fills(reports, second) == [(98, 2)]


@pytest.mark.parametrize(("side", "price"), [(BUY, 10_002), (SELL, 9_998)])
def test_trades_alone_fill_a_taker_at_the_next_print_moved_against_us(sim: Make, side: Side, price: int) -> None:
    s = sim(tape(trade(0, 10_000, 1), trade(1, 10_000, 3), trade(2, 10_000, 9)), **COINS)
    s.until(START)
    s.send(side, MARKET, 5)
    assert fills(s.finish()) == [(price, 3), (price, 2)]


@pytest.mark.parametrize(("limit", "price"), [(10_001, 10_001), (10_005, 10_002)])
def test_trades_alone_cap_a_marketable_limit(sim: Make, limit: int, price: int) -> None:
    s = sim(tape(trade(0, 10_000, 1), trade(1, 10_000, 3)))
    s.until(START)
    s.send(BUY, LIMIT, 5, price_ticks=limit)
    assert fills(s.finish()) == [(price, 3)]


@pytest.mark.parametrize(("printed", "filled"), [(9_900, False), (9_899, True)])
def test_trades_alone_fill_a_resting_limit_only_through_its_price(sim: Make, printed: int, filled: bool) -> None:
    s = sim(tape(trade(0, 10_000, 1), trade(1, printed, 3, SOLD)))
    s.until(START)
    s.send(BUY, LIMIT, 5, price_ticks=9_900)
    assert fills(s.finish()) == ([(9_900, 3)] if filled else [])


@pytest.mark.parametrize(("printed", "hit"), [(9_901, False), (9_900, True)])
def test_a_stop_triggers_on_the_last_trade_and_fills_at_the_next_print(sim: Make, printed: int, hit: bool) -> None:
    s = sim(tape(trade(0, 10_000, 1), trade(1, printed, 3, SOLD), trade(2, 9_950, 3)),
            spread=Decimal(0), slippage=Decimal(0), **COINS)
    s.until(START)
    s.send(SELL, STOP, 2, trigger_ticks=9_900)
    assert fills(s.finish()) == ([(9_950, 2)] if hit else [])


def test_with_trades_present_a_quote_does_not_trigger_a_stop(sim: Make) -> None:
    s = sim(tape(quote(0, 100, 5, 102, 5), trade(1, 101, 1), quote(2, 90, 5, 92, 5), trade(3, 95, 1),
                 quote(4, 94, 5, 96, 5)), **COINS)
    s.until(START)
    s.send(SELL, STOP, 2, trigger_ticks=95)
    reports = s.finish()
    assert [(r[0] - START, r[2]) for r in reports] == [(0, Kind.ACK), (3, Kind.TRIGGERED), (4, Kind.FILL)]
    assert fills(reports) == [(94, 2)]


@pytest.mark.parametrize(("bid", "hit"), [(96, False), (95, True)])
def test_quotes_alone_trigger_a_stop_on_the_opposite_side(sim: Make, bid: int, hit: bool) -> None:
    s = sim(tape(quote(0, 100, 5, 102, 5), quote(1, bid, 5, 99, 5), quote(2, 93, 5, 99, 5)), **COINS)
    s.until(START)
    s.send(SELL, STOP, 2, trigger_ticks=95)
    reports = s.finish()
    assert any(r[2] == Kind.TRIGGERED and r[0] == START + 1 for r in reports) is hit
    assert fills(reports) == [(93, 2)] * hit


def test_a_stop_limit_rests_after_its_trigger(sim: Make) -> None:
    s = sim(tape(quote(0, 100, 5, 102, 5), quote(1, 95, 5, 97, 5), quote(2, 90, 5, 92, 5), quote(3, 97, 5, 99, 5)),
            **COINS)
    s.until(START)
    s.send(SELL, STOP_LIMIT, 2, trigger_ticks=95, price_ticks=94)
    # it could take at 95 when it triggered; at the next quote the bid is 90: it rests, and 97 is through it
    assert fills(s.finish()) == [(94, 2)]


def test_attached_orders_work_on_ticks(sim: Make) -> None:
    s = sim(tape(quote(0, 99, 9, 101, 9), quote(1, 99, 9, 101, 3), quote(2, 99, 9, 102, 9), quote(3, 105, 4, 107, 9),
                 quote(4, 90, 9, 92, 9), quote(5, 89, 9, 92, 9)))
    s.until(START)
    entry = s.send(BUY, MARKET, 5, stop=90, target=104)
    reports = s.finish()
    assert fills(reports, entry) == [(101, 3), (102, 2)]
    assert fills(reports, entry.target_id) == [(104, 4)]
    assert fills(reports, entry.stop_id) == [(89, 1)]
    assert s.exchange.position_lots(0) == 0
    assert s.exchange.open_orders() == 0


def test_events_of_one_time_are_one_step(sim: Make) -> None:
    s = sim(tape(quote(0, 99, 5, 101, 5), trade(0, 100, 1), trade(0, 100, 2), quote(5, 99, 5, 101, 5)))
    s.exchange.wake_on(0, 1 << Kind.TRADE)
    s.finish()
    assert s.wakes == 1
    assert [(step[0] - START, step[2]) for step in s.steps] == [(0, Kind.QUOTE), (0, Kind.TRADE), (0, Kind.TRADE)]


def test_where_there_are_ticks_bars_wake_but_do_not_fill(sim: Make) -> None:
    quotes = tape(quote(1, 9_999, 50, 10_001, 50), quote(INTERVAL + 5, 10_009, 50, 10_011, 50))
    s = sim(None, (BTC, bars(flat(3)), INTERVAL), (BTC, quotes, 0))
    s.exchange.wake_on(0, 1 << Kind.BAR)
    s.after_bar(0)
    s.send(BUY, MARKET, 2)
    reports = s.finish()
    assert fills(reports) == [(10_011, 2)]
    assert sum(step[2] == Kind.BAR for step in s.steps) == 3


def test_volume_units_become_lots_whole_ones_only(sim: Make) -> None:
    from attrs import evolve

    fine = evolve(BTC, volume_scale=4)  # ten units are one lot
    s = sim(None, (fine, tape(trade(0, 10_000, 10), trade(1, 10_000, 39)), 0), spread=Decimal(0), slippage=Decimal(0))
    s.until(START)
    s.send(BUY, MARKET, 5)
    assert fills(s.finish()) == [(10_000, 3)]
