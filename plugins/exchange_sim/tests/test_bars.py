"""Each bar rule of TRADING.md section 4 by its name, with the boundaries one tick to each side."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot4_core.sdk import Kind, OrderType, Reason, Side, TimeInForce

from .scenario import BTC, ETH, INTERVAL, Make, bars, close_of, fills, flat, outline

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, STOP, STOP_LIMIT = OrderType
IOC, FOK, GTD = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD
FREE = {"spread": Decimal(0), "slippage": Decimal(0)}
COINS = {"balances": {"USDT": Decimal(1_000_000), "BTC": Decimal(1000)}}


@pytest.mark.parametrize(("side", "opened", "price"), [(BUY, 10_000, 10_002), (SELL, 10_000, 9_998),
                                                      (BUY, 10_001, 10_004), (SELL, 10_001, 9_998)])
def test_B1_market_pays_half_spread_and_slippage_rounded_against_us(
    sim: Make, side: Side, opened: int, price: int
) -> None:
    s = sim(bars([*flat(1), *flat(2, opened)]), **COINS)
    s.after_bar(0)
    s.send(side, MARKET, 5)
    assert fills(s.finish()) == [(price, 5)]


def test_B1_own_fills_of_a_bar_share_the_participation_cap(sim: Make) -> None:
    s = sim(bars([(10_000, 10_000, 10_000, 10_000, volume) for volume in (100, 100, 119, 120)]), **FREE)
    s.after_bar(0)
    first, second = s.send(BUY, MARKET, 7), s.send(BUY, MARKET, 6)
    reports = s.finish()
    assert fills(reports, first) == [(10_000, 5), (10_000, 2)]
    assert fills(reports, second) == [(10_000, 3), (10_000, 3)]  # 119 lots allow 5, and 2 of them are taken


def test_B1_rest_of_an_ioc_is_cancelled(sim: Make) -> None:
    s = sim(bars([(10_000, 10_000, 10_000, 10_000, 100)] * 3), **FREE)
    s.after_bar(0)
    order = s.send(BUY, MARKET, 6, tif=IOC)
    reports = s.finish()
    assert fills(reports) == [(10_000, 5)]
    assert outline(reports)[-1] == (order.order_id, Kind.CANCELLED, Reason.TIME_IN_FORCE)
    assert reports[-1][6] == 5  # filled so far


@pytest.mark.parametrize(("lots", "filled"), [(5, True), (6, False)])
def test_B1_fok_is_all_or_none(sim: Make, lots: int, filled: bool) -> None:
    s = sim(bars([(10_000, 10_000, 10_000, 10_000, 100)] * 3), **FREE)
    s.after_bar(0)
    order = s.send(BUY, MARKET, lots, tif=FOK)
    reports = s.finish()
    assert fills(reports) == ([(10_000, lots)] if filled else [])
    if not filled:
        assert outline(reports)[-1] == (order.order_id, Kind.CANCELLED, Reason.TIME_IN_FORCE)


@pytest.mark.parametrize(("latency", "bar"), [("0ms", 1), ("1ns", 2), ("60s", 2), ("60000000001ns", 3)])
def test_T1_first_bar_is_the_one_that_opens_at_or_after_arrival(sim: Make, latency: str, bar: int) -> None:
    s = sim(bars(flat(5)), latency=latency)
    s.after_bar(0)
    s.send(BUY, MARKET, 1)
    reports = s.finish()
    assert [r[0] for r in reports if r[2] == Kind.FILL] == [close_of(bar)]


def test_T1_all_symbols_of_one_time_come_before_an_order_that_results(sim: Make) -> None:
    s = sim(bars(flat(3)), (ETH, bars(flat(3)), INTERVAL))
    for index in range(2):
        s.exchange.wake_on(index, 1 << Kind.BAR)
    s.after_bar(0)
    assert [(step[0], step[1]) for step in s.steps] == [(close_of(0), 0), (close_of(0), 1)]
    assert s.wakes == 1
    s.send(BUY, MARKET, 1, index=1)
    assert [r[0] for r in s.finish() if r[2] == Kind.FILL] == [close_of(1)]


def test_T2_a_cancel_inside_a_bar_acts_at_its_end_and_its_fill_stands(sim: Make) -> None:
    s = sim(bars([*flat(2), (10_000, 10_000, 9_899, 9_950), *flat(2)]))
    s.after_bar(0)
    order = s.send(BUY, LIMIT, 1, price_ticks=9_900)
    s.until(close_of(1) + 1)
    s.exchange.cancel(order)
    assert outline(s.finish()) == [
        (order.order_id, Kind.FILL, 0),
        (order.order_id, Kind.CANCEL_REJECTED, Reason.UNKNOWN_ORDER),
    ]


@pytest.mark.parametrize(("offset", "cancelled_at"), [(0, close_of(1)), (1, close_of(2))])
def test_T2_a_cancel_at_the_open_acts_at_once(sim: Make, offset: int, cancelled_at: int) -> None:
    s = sim(bars(flat(5)))
    s.after_bar(0)
    order = s.send(BUY, LIMIT, 1, price_ticks=9_900)
    s.until(close_of(1) + offset)
    s.exchange.cancel(order)
    reports = s.finish()
    assert [(r[0], r[7]) for r in reports if r[2] == Kind.CANCELLED] == [(cancelled_at, Reason.REQUESTED)]


@pytest.mark.parametrize(("low", "filled"), [(9_900, False), (9_899, True)])
def test_B2_resting_buy_needs_a_low_one_tick_beyond(sim: Make, low: int, filled: bool) -> None:
    s = sim(bars([*flat(2), (10_000, 10_000, low, 9_950)]))
    s.after_bar(0)
    s.send(BUY, LIMIT, 1, price_ticks=9_900)
    reports = [r for r in s.finish() if r[2] == Kind.FILL]
    assert fills(reports) == ([(9_900, 1)] if filled else [])
    assert all(r[4] for r in reports)  # maker


@pytest.mark.parametrize(("high", "filled"), [(10_100, False), (10_101, True)])
def test_B2_resting_sell_needs_a_high_one_tick_beyond(sim: Make, high: int, filled: bool) -> None:
    s = sim(bars([*flat(2), (10_000, high, 10_000, 10_050)]), **COINS)
    s.after_bar(0)
    s.send(SELL, LIMIT, 1, price_ticks=10_100)
    assert fills(s.finish()) == ([(10_100, 1)] if filled else [])


def test_B2_resting_buy_fills_at_its_limit_when_the_open_gaps_below(sim: Make) -> None:
    s = sim(bars([*flat(2), *flat(1, 9_800)]))
    s.after_bar(0)
    s.send(BUY, LIMIT, 1, price_ticks=9_900)
    assert fills(s.finish()) == [(9_900, 1)]


@pytest.mark.parametrize(("limit", "price"), [(10_003, 10_001), (10_001, 10_001), (10_000, 10_000)])
def test_B2_marketable_buy_takes_at_open_plus_slippage_capped_at_its_limit(sim: Make, limit: int, price: int) -> None:
    s = sim(bars(flat(3)))
    s.after_bar(0)
    s.send(BUY, LIMIT, 1, price_ticks=limit)
    reports = s.finish()
    assert fills(reports) == [(price, 1)]
    assert not any(r[4] for r in reports)  # taker


@pytest.mark.parametrize(("limit", "price"), [(9_997, 9_999), (9_999, 9_999), (10_000, 10_000)])
def test_B2_marketable_sell_mirrors_the_buy(sim: Make, limit: int, price: int) -> None:
    s = sim(bars(flat(3)), **COINS)
    s.after_bar(0)
    s.send(SELL, LIMIT, 1, price_ticks=limit)
    assert fills(s.finish()) == [(price, 1)]


def test_B2_remainder_of_a_marketable_limit_rests(sim: Make) -> None:
    s = sim(bars([(10_000, 10_000, 10_000, 10_000, 100)] * 3 + [(10_010, 10_010, 9_999, 10_000, 100)]))
    s.after_bar(0)
    s.send(BUY, LIMIT, 8, price_ticks=10_000)
    reports = [r for r in s.finish() if r[2] == Kind.FILL]
    assert [(r[0], r[6], r[7], r[4]) for r in reports] == [(close_of(1), 10_000, 5, 0), (close_of(3), 10_000, 3, 1)]


@pytest.mark.parametrize(("limit", "reason"), [(9_999, None), (10_000, Reason.WOULD_CROSS)])
def test_B2_post_only_is_refused_when_its_first_open_would_cross(
    sim: Make, limit: int, reason: Reason | None
) -> None:
    s = sim(bars(flat(3)))
    s.after_bar(0)
    order = s.send(BUY, LIMIT, 1, price_ticks=limit, post_only=True)
    seen = outline(s.finish())
    assert seen == [(order.order_id, Kind.ACK, 0)] + (
        [(order.order_id, Kind.REJECTED, reason)] if reason else []
    )


@pytest.mark.parametrize("tif", [IOC, FOK])
def test_B2_immediate_limit_that_is_not_marketable_is_cancelled(sim: Make, tif: TimeInForce) -> None:
    s = sim(bars([*flat(1), (10_000, 10_000, 9_000, 9_000)]))
    s.after_bar(0)
    order = s.send(BUY, LIMIT, 1, price_ticks=9_999, tif=tif)
    assert outline(s.finish())[-1] == (order.order_id, Kind.CANCELLED, Reason.TIME_IN_FORCE)
    assert not fills(s.reports)


@pytest.mark.parametrize(("low", "filled"), [(9_901, False), (9_900, True)])
def test_B3_a_touch_triggers_a_sell_stop(sim: Make, low: int, filled: bool) -> None:
    s = sim(bars([*flat(2), (10_000, 10_000, low, 9_950)]), **COINS)
    s.after_bar(0)
    order = s.send(SELL, STOP, 1, trigger_ticks=9_900)
    reports = s.finish()
    assert fills(reports) == ([(9_899, 1)] if filled else [])  # 9900 less 0.99 of slippage, down
    if filled:
        assert outline(reports)[-2:] == [(order.order_id, Kind.TRIGGERED, 0), (order.order_id, Kind.FILL, 0)]
        assert not reports[-1][4]  # taker


@pytest.mark.parametrize(("high", "filled"), [(10_099, False), (10_100, True)])
def test_B3_a_touch_triggers_a_buy_stop(sim: Make, high: int, filled: bool) -> None:
    s = sim(bars([*flat(2), (10_000, high, 10_000, 10_050)]))
    s.after_bar(0)
    s.send(BUY, STOP, 1, trigger_ticks=10_100)
    assert fills(s.finish()) == ([(10_102, 1)] if filled else [])  # 10100 plus 1.01, up


@pytest.mark.parametrize(("opened", "price"), [(9_900, 9_899), (9_899, 9_898), (9_500, 9_499)])
def test_B3_a_gap_over_the_stop_fills_at_the_open(sim: Make, opened: int, price: int) -> None:
    s = sim(bars([*flat(2), *flat(1, opened)]), **COINS)
    s.after_bar(0)
    s.send(SELL, STOP, 1, trigger_ticks=9_900)
    assert fills(s.finish()) == [(price, 1)]


def test_B3_rest_of_a_triggered_stop_goes_on_as_a_market_order(sim: Make) -> None:
    s = sim(bars([*flat(2), (10_000, 10_000, 9_900, 9_950, 100), (9_950, 9_990, 9_950, 9_990, 100)]), **COINS, **FREE)
    s.after_bar(0)
    s.send(SELL, STOP, 8, trigger_ticks=9_900)
    assert fills(s.finish()) == [(9_900, 5), (9_950, 3)]


def test_B4_the_limit_of_a_stop_limit_competes_from_the_next_bar(sim: Make) -> None:
    falling = [(10_000, 10_000, 9_800, 9_850), (9_850, 9_880, 9_850, 9_880), (9_880, 9_896, 9_880, 9_890)]
    s = sim(bars([*flat(2), *falling]), **COINS)
    s.after_bar(0)
    order = s.send(SELL, STOP_LIMIT, 1, trigger_ticks=9_900, price_ticks=9_895)
    reports = s.finish()
    assert [(r[0], r[2]) for r in reports if r[5] == order.order_id][1:] == [
        (close_of(2), Kind.TRIGGERED),
        (close_of(4), Kind.FILL),
    ]
    assert fills(reports) == [(9_895, 1)]


def test_B4_a_stop_limit_the_market_left_behind_stays_unfilled(sim: Make) -> None:
    s = sim(bars([*flat(2), *flat(3, 9_800)]), **COINS)
    s.after_bar(0)
    order = s.send(SELL, STOP_LIMIT, 1, trigger_ticks=9_900, price_ticks=9_895)
    assert outline(s.finish())[-1] == (order.order_id, Kind.TRIGGERED, 0)
    assert s.exchange.open_orders() == 1


def test_B5_of_a_stop_and_a_target_in_reach_the_stop_fills(sim: Make) -> None:
    s = sim(bars([*flat(3), (10_000, 10_300, 9_700, 10_000)]), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, MARKET, 4, stop=9_800, target=10_200)
    reports = s.finish()
    assert fills(reports, entry.stop_id) == [(9_800, 4)]
    assert (entry.target_id, Kind.CANCELLED, Reason.SIBLING_FILLED) in outline(reports)
    assert s.exchange.position_lots(0) == 0


def test_B5_the_stop_is_live_on_the_bar_of_its_limit_entry(sim: Make) -> None:
    s = sim(bars([*flat(2), (10_000, 10_000, 9_700, 9_990)]), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, LIMIT, 4, price_ticks=9_900, stop=9_800)
    reports = s.finish()
    assert fills(reports, entry) == [(9_900, 4)]
    assert fills(reports, entry.stop_id) == [(9_800, 4)]


def test_B5_the_stop_is_live_on_the_bar_of_its_stop_entry_at_no_price_before_it(sim: Make) -> None:
    """The open lies below the stop, but the position was opened after it: the stop fills at its own price."""
    s = sim(bars([*flat(2), (10_000, 10_600, 10_000, 10_600)]), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, STOP, 4, trigger_ticks=10_500, stop=10_300)
    reports = s.finish()
    assert fills(reports, entry) == [(10_500, 4)]
    assert fills(reports, entry.stop_id) == [(10_300, 4)]


@pytest.mark.parametrize("kind", [LIMIT, STOP])
def test_B5_the_target_is_not_live_on_the_bar_of_a_limit_or_stop_entry(sim: Make, kind: OrderType) -> None:
    price = {"price_ticks": 9_900} if kind is LIMIT else {"trigger_ticks": 10_100}
    s = sim(bars([*flat(2), (10_000, 10_300, 9_850, 10_000), (10_000, 10_201, 10_000, 10_100)]), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, kind, 4, target=10_200, **price)
    reports = s.finish()
    assert [r[0] for r in reports if r[2] == Kind.FILL] == [close_of(2), close_of(3)]
    assert fills(reports, entry.target_id) == [(10_200, 4)]


def test_B5_the_target_of_a_market_entry_is_live_on_its_bar(sim: Make) -> None:
    s = sim(bars([*flat(1), (10_000, 10_201, 9_900, 10_100)]), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, MARKET, 4, stop=9_800, target=10_200)
    reports = s.finish()
    assert fills(reports, entry.target_id) == [(10_200, 4)]
    assert (entry.stop_id, Kind.CANCELLED, Reason.SIBLING_FILLED) in outline(reports)


def test_B5_on_the_bar_of_a_market_entry_the_stop_still_goes_first(sim: Make) -> None:
    s = sim(bars([*flat(1), (10_000, 10_201, 9_800, 10_100)]), **FREE)
    s.after_bar(0)
    entry = s.send(BUY, MARKET, 4, stop=9_800, target=10_200)
    assert fills(s.finish(), entry.stop_id) == [(9_800, 4)]


def test_B7_a_bar_without_volume_fills_and_triggers_nothing(sim: Make) -> None:
    empty = (9_000, 11_000, 9_000, 11_000, 0)
    s = sim(bars([*flat(1), empty, empty]), **COINS)
    s.after_bar(0)
    s.send(BUY, MARKET, 1)
    s.send(SELL, STOP, 1, trigger_ticks=9_900)
    s.send(BUY, LIMIT, 1, price_ticks=9_500)
    assert {r[2] for r in s.finish()} == {Kind.ACK}


def test_B7_after_a_missing_bar_the_next_one_fills(sim: Make) -> None:
    records = bars(flat(4))
    s = sim(records[[0, 2, 3]])
    s.after_bar(0)
    s.send(BUY, MARKET, 1)
    assert [r[0] for r in s.finish() if r[2] == Kind.FILL] == [close_of(2)]


@pytest.mark.parametrize(("expires", "filled"), [(close_of(2), True), (close_of(2) - 1, False)])
def test_gtd_is_not_filled_by_a_bar_that_closes_after_its_end(sim: Make, expires: int, filled: bool) -> None:
    s = sim(bars([*flat(2), (10_000, 10_000, 9_800, 9_900), *flat(2)]))
    s.after_bar(0)
    order = s.send(BUY, LIMIT, 1, price_ticks=9_900, tif=GTD, expire_ns=expires)
    reports = s.finish()
    assert bool(fills(reports)) is filled
    if not filled:
        assert reports[-1][:3] == (expires, 0, Kind.EXPIRED)
        assert reports[-1][5] == order.order_id


def test_gtd_that_is_over_at_arrival_expires_at_once(sim: Make) -> None:
    s = sim(bars(flat(3)), latency="1s")
    s.after_bar(0)
    order = s.send(BUY, LIMIT, 1, price_ticks=9_900, tif=GTD, expire_ns=close_of(0) + 10)
    assert outline(s.finish()) == [(order.order_id, Kind.EXPIRED, Reason.TIME_IN_FORCE)]


def test_work_at_one_open_is_done_in_order_of_arrival(sim: Make) -> None:
    s = sim(bars([*flat(1), (10_000, 10_000, 10_000, 10_000, 100)]), **FREE)
    s.after_bar(0)
    first, second = s.send(BUY, LIMIT, 3, price_ticks=10_010), s.send(BUY, MARKET, 3)
    reports = s.finish()
    assert fills(reports, first) == [(10_000, 3)]
    assert fills(reports, second) == [(10_000, 2)]


def test_compat_fills_at_the_open_exactly_without_volume_or_cap(sim: Make) -> None:
    s = sim(bars([*flat(1), (10_003, 10_010, 9_990, 10_000, 0), (9_000, 9_000, 9_000, 9_000, 1)]),
            fill_profile="compat-backtesting")
    s.after_bar(0)
    market = s.send(BUY, MARKET, 500)
    limit = s.send(BUY, LIMIT, 10, price_ticks=9_500)
    reports = s.finish()
    assert fills(reports, market) == [(10_003, 500)]
    assert fills(reports, limit) == [(9_000, 10)]  # backtesting.py gives the better open


def test_compat_flip_closes_and_opens_at_one_open(sim: Make) -> None:
    s = sim(bars(flat(4)), fill_profile="compat-backtesting", account="margin")
    s.after_bar(0)
    s.send(BUY, MARKET, 1)
    s.after_bar(1)
    s.send(SELL, MARKET, 1, reduce_only=True)
    s.send(SELL, MARKET, 1)
    s.finish()
    assert [(r[0], r[6], r[7]) for r in s.reports if r[2] == Kind.FILL] == [
        (close_of(1), 10_000, 1), (close_of(2), 10_000, 1), (close_of(2), 10_000, 1)
    ]
    assert s.exchange.position_lots(0) == -1


def test_the_first_bar_can_fill_an_order_of_the_start(sim: Make) -> None:
    s = sim(bars(flat(2)))
    s.send(BUY, LIMIT, 1, price_ticks=10_005)
    assert [r[0] for r in s.finish() if r[2] == Kind.FILL] == [close_of(0)]


def test_bars_of_an_instrument_do_not_touch_orders_of_another(sim: Make) -> None:
    s = sim(bars(flat(3)), (ETH, bars([(500, 500, 400, 450)] * 3), INTERVAL))
    s.after_bar(0)
    s.send(BUY, LIMIT, 1, price_ticks=460, index=0)
    assert not fills(s.finish())
    assert s.exchange.instruments == [BTC, ETH]
