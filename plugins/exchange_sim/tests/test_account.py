"""Balances, fees, filters and margin: the venue's own books, to the unit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from bot4_exchange_sim.settings import Fees

from bot4_core.sdk import Instrument, Kind, NativeError, Order, OrderType, Reason, Side

from .scenario import BTC, ETH, INTERVAL, Make, bars, fills, flat, outline

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, STOP, _ = OrderType
FREE: dict[str, Any] = {"spread": Decimal(0), "slippage": Decimal(0)}
NO_FEES = Fees(maker=Decimal(0), taker=Decimal(0))


def test_a_buy_and_a_sell_move_exactly_cost_and_fee(sim: Make) -> None:
    s = sim(bars(flat(4)), **FREE)
    s.after_bar(0)
    s.send(BUY, MARKET, 7)
    s.after_bar(1)
    cost, fee = 10_000 * 7 * 1000, 10_000 * 7
    start = dict(s.exchange.starting_balances())
    assert s.exchange.balances() == {"USDT": start["USDT"] - cost - fee, "BTC": 7 * 10**5}
    s.send(SELL, MARKET, 7)
    s.finish()
    assert s.exchange.balances() == {"USDT": start["USDT"] - 2 * fee, "BTC": 0}


@pytest.mark.parametrize(("rate", "fee"), [("0.001", 1000), ("0.00100001", 1001), ("0.0000001", 1), ("0", 0)])
def test_D3_fees_are_rounded_up_once(sim: Make, rate: str, fee: int) -> None:
    s = sim(bars(flat(3, 1000)), fees=Fees(maker=Decimal(0), taker=Decimal(rate)), **FREE)
    s.after_bar(0)
    s.send(BUY, MARKET, 1)  # cost 1000 ticks × 1000 units
    assert [r[8] for r in s.finish() if r[2] == Kind.FILL] == [fee]


def test_D3_a_rebate_is_rounded_against_us(sim: Make) -> None:
    s = sim(bars([*flat(2, 1001), (1001, 1001, 998, 1000)]),
            fees=Fees(maker=Decimal("-0.00019"), taker=Decimal("0.001")), **FREE)
    s.after_bar(0)
    s.send(BUY, LIMIT, 1, price_ticks=999)
    report = s.finish()[-1]
    assert report[8] == -189  # 999000 × 0.00019 = 189.81
    assert report[10] == 999_000


@pytest.mark.parametrize(("lots", "cost"), [(50, 50), (51, 52), (150, 152), (49, 49)])
def test_D3_cost_is_rounded_half_even_from_the_exact_product(sim: Make, lots: int, cost: int) -> None:
    coarse = evolve(BTC, quote_scale=3)  # one tick × one lot is 0.01 units; at 101 ticks: 50.5, 51.51, 151.5, 49.49
    s = sim(None, (coarse, bars(flat(3, 101)), INTERVAL), fees=NO_FEES, **FREE)
    s.after_bar(0)
    s.send(BUY, MARKET, lots)
    assert [r[10] for r in s.finish() if r[2] == Kind.FILL] == [cost]


def test_a_buy_beyond_the_balance_is_refused(sim: Make) -> None:
    # 10.00 USDT: at 10002 with 0.1 % fee one lot costs 0.1001...
    for lots, reason in ((99, None), (100, Reason.INSUFFICIENT_BALANCE)):
        s = sim(bars(flat(3)), balances={"USDT": Decimal(10)})
        s.after_bar(0)
        order = s.send(BUY, MARKET, lots)
        seen = outline(s.finish())
        assert (seen[0] == (order.order_id, Kind.REJECTED, reason)) is (reason is not None)


def test_open_buys_lock_what_they_may_cost(sim: Make) -> None:
    s = sim(bars(flat(4)), balances={"USDT": Decimal(10)}, fees=NO_FEES, **FREE)
    s.after_bar(0)
    first = s.send(BUY, LIMIT, 100, price_ticks=9_000)  # locks 9.00
    second = s.send(BUY, LIMIT, 12, price_ticks=9_000)  # 1.08 more
    s.after_bar(1)
    assert outline(s.reports)[-1] == (second.order_id, Kind.REJECTED, Reason.INSUFFICIENT_BALANCE)
    s.exchange.cancel(first)
    third = s.send(BUY, LIMIT, 12, price_ticks=9_000)
    assert outline(s.finish())[-1] == (third.order_id, Kind.ACK, 0)


def test_open_sells_lock_the_base(sim: Make) -> None:
    s = sim(bars(flat(4)), balances={"USDT": Decimal(10), "BTC": Decimal("0.010")})
    s.after_bar(0)
    first = s.send(SELL, LIMIT, 8, price_ticks=11_000)
    second = s.send(SELL, LIMIT, 3, price_ticks=11_000)
    third = s.send(SELL, LIMIT, 2, price_ticks=11_000)
    assert outline(s.finish()) == [
        (first.order_id, Kind.ACK, 0),
        (second.order_id, Kind.REJECTED, Reason.INSUFFICIENT_BALANCE),
        (third.order_id, Kind.ACK, 0),
    ]


def test_D14_a_spot_account_cannot_go_short(sim: Make) -> None:
    s = sim(bars(flat(3)))
    s.after_bar(0)
    order = s.send(SELL, MARKET, 1)
    assert outline(s.finish()) == [(order.order_id, Kind.REJECTED, Reason.INSUFFICIENT_BALANCE)]
    assert not s.exchange.shorting


def test_protective_orders_lock_nothing(sim: Make) -> None:
    s = sim(bars(flat(5)), **FREE)
    s.after_bar(0)
    s.send(BUY, MARKET, 4, stop=9_800, target=10_200)
    s.after_bar(1)
    close = s.send(SELL, MARKET, 4)
    assert fills(s.finish(), close) == [(10_000, 4)]


def test_a_market_buy_that_no_longer_fits_is_cut_to_what_does(sim: Make) -> None:
    s = sim(bars([*flat(1), *flat(2, 12_000)]), balances={"USDT": Decimal(10)}, fees=NO_FEES, **FREE)
    s.after_bar(0)
    order = s.send(BUY, MARKET, 100)
    reports = s.finish()
    assert fills(reports) == [(12_000, 83)]  # 9.96 of 10.00
    assert outline(reports)[-1] == (order.order_id, Kind.CANCELLED, Reason.INSUFFICIENT_BALANCE)
    assert s.exchange.balances()["USDT"] == 4 * 10**6


def test_a_market_buy_that_fits_not_one_lot_is_cancelled(sim: Make) -> None:
    s = sim(bars([*flat(1), *flat(2, 10_000_000)]), balances={"USDT": Decimal(10)}, **FREE)
    s.after_bar(0)
    order = s.send(BUY, MARKET, 1)
    assert outline(s.finish())[-1] == (order.order_id, Kind.CANCELLED, Reason.INSUFFICIENT_BALANCE)


FILTERED = Instrument(symbol="BTC/USDT", tick=Decimal("0.01"), lot=Decimal("0.001"), volume_scale=3,
                      min_quantity=Decimal("0.005"), max_quantity=Decimal("1"), min_notional=Decimal("1"))


@pytest.mark.parametrize(
    ("lots", "price", "reason"),
    [(4, 30_000, Reason.MIN_QUANTITY), (5, 20_000, None), (5, 19_999, Reason.MIN_NOTIONAL), (1000, 9_000, None),
     (1001, 9_000, Reason.MAX_QUANTITY)],
)
def test_filters_refuse_one_step_beyond_their_bound(sim: Make, lots: int, price: int, reason: Reason | None) -> None:
    s = sim(None, (FILTERED, bars(flat(3, 50_000)), INTERVAL))
    s.after_bar(0)
    order = s.send(BUY, LIMIT, lots, price_ticks=price)
    expected = (order.order_id, Kind.REJECTED, reason) if reason else (order.order_id, Kind.ACK, 0)
    assert outline(s.finish()) == [expected]


def test_reducing_orders_are_exempt_from_the_minimum_notional(sim: Make) -> None:
    s = sim(None, (FILTERED, bars([*flat(3, 20_000), *flat(2, 100)]), INTERVAL), **FREE)
    s.after_bar(0)
    s.send(BUY, MARKET, 5)
    s.after_bar(3)
    order = s.send(SELL, MARKET, 5, reduce_only=True)
    assert fills(s.finish(), order) == [(100, 5)]


def test_D14_a_margin_account_can_go_short_within_its_leverage(sim: Make) -> None:
    # equity 10.00, leverage 3: 30.00 of exposure at 100.00 is 300 lots
    for lots, reason in ((300, None), (301, Reason.INSUFFICIENT_MARGIN)):
        s = sim(bars(flat(3)), account="margin", balances={"USDT": Decimal(10)}, fees=NO_FEES, **FREE)
        s.after_bar(0)
        order = s.send(SELL, MARKET, lots)
        reports = s.finish()
        if reason:
            assert outline(reports) == [(order.order_id, Kind.REJECTED, reason)]
        else:
            assert s.exchange.position_lots(0) == -300
            assert s.exchange.balances() == {"USDT": 40 * 10**8, "BTC": -300 * 10**5}


def test_margin_counts_positions_and_open_orders_of_all_instruments(sim: Make) -> None:
    s = sim(bars(flat(5)), (ETH, bars(flat(5)), INTERVAL), account="margin", leverage=Decimal(2),
            balances={"USDT": Decimal(10)}, fees=NO_FEES, **FREE)
    s.after_bar(0)
    s.send(BUY, MARKET, 100, index=0)
    s.after_bar(1)
    resting = s.send(SELL, LIMIT, 60, index=1, price_ticks=11_000)
    over = s.send(SELL, MARKET, 35, index=1)
    fits = s.send(SELL, MARKET, 33, index=1)
    s.after_bar(2)
    assert (resting.order_id, Kind.ACK, 0) in outline(s.reports)
    assert (over.order_id, Kind.ACK, 0) in outline(s.reports)  # 100 + 60 + 35 <= 200
    assert (fits.order_id, Kind.REJECTED, Reason.INSUFFICIENT_MARGIN) in outline(s.reports)


def test_margin_lets_an_order_reduce_however_deep_the_loss(sim: Make) -> None:
    s = sim(bars([*flat(2), *flat(3, 6_900)]), account="margin", balances={"USDT": Decimal(10)}, fees=NO_FEES, **FREE)
    s.after_bar(0)
    s.send(BUY, MARKET, 300)
    s.after_bar(2)
    raising, lowering = s.send(BUY, MARKET, 1), s.send(SELL, MARKET, 300)
    reports = s.finish()
    assert (raising.order_id, Kind.REJECTED, Reason.INSUFFICIENT_MARGIN) in outline(reports)
    assert fills(reports, lowering) == [(6_900, 300)]


def test_an_amount_beyond_64_bits_is_refused(sim: Make) -> None:
    s = sim(bars(flat(3)), account="margin")
    s.after_bar(0)
    order = s.send(BUY, LIMIT, 2**62, price_ticks=2**50)
    assert outline(s.finish()) == [(order.order_id, Kind.REJECTED, Reason.OVERFLOW)]


def test_O7_an_order_id_is_never_taken_twice(sim: Make) -> None:
    s = sim(bars(flat(4)), **FREE)
    s.after_bar(0)
    s.send(BUY, MARKET, 1, order_id=77)
    s.after_bar(1)
    s.send(BUY, MARKET, 1, order_id=77)
    s.send(BUY, MARKET, 1, order_id=78, stop=9_000)
    assert outline(s.finish()) == [
        (77, Kind.REJECTED, Reason.DUPLICATE_ID), (78, Kind.ACK, 0), (78, Kind.FILL, 0), (1, Kind.ACK, 0)
    ]


def test_an_id_older_than_the_memory_counts_as_used(sim: Make) -> None:
    s = sim(bars(flat(4)))
    s.after_bar(0)
    s.send(BUY, LIMIT, 1, order_id=2**21, price_ticks=9_000)
    s.send(BUY, LIMIT, 1, order_id=2**20, price_ticks=9_000)
    s.send(BUY, LIMIT, 1, order_id=2**20 + 1, price_ticks=9_000)
    assert outline(s.finish()) == [
        (2**21, Kind.ACK, 0), (2**20, Kind.REJECTED, Reason.DUPLICATE_ID), (2**20 + 1, Kind.ACK, 0)
    ]


def test_a_cancel_of_an_unknown_order_is_refused(sim: Make) -> None:
    s = sim(bars(flat(3)))
    s.after_bar(0)
    s.exchange.cancel(s.order(BUY, MARKET, 1, order_id=99))
    assert outline(s.finish()) == [(99, Kind.CANCEL_REJECTED, Reason.UNKNOWN_ORDER)]


def test_a_cancel_sent_before_its_order_finds_nothing(sim: Make) -> None:
    s = sim(bars(flat(3)))
    s.after_bar(0)
    late = s.order(BUY, LIMIT, 1, price_ticks=9_000, stop=8_900)
    s.exchange.cancel(late)
    s.exchange.submit(late)
    assert outline(s.finish()) == [
        (late.order_id, Kind.CANCEL_REJECTED, Reason.UNKNOWN_ORDER), (late.order_id, Kind.ACK, 0)
    ]


def test_a_full_book_refuses_the_entry_with_its_children(sim: Make) -> None:
    s = sim(bars(flat(4)))
    s.after_bar(0)
    for _ in range(4095):
        s.send(BUY, LIMIT, 1, price_ticks=1)
    entry = s.send(BUY, LIMIT, 1, price_ticks=1, stop=1)
    last = s.send(BUY, LIMIT, 1, price_ticks=1)
    reports = s.finish()
    assert outline(reports)[-3:] == [
        (entry.order_id, Kind.REJECTED, Reason.BOOK_FULL),
        (entry.stop_id, Kind.CANCELLED, Reason.PARENT_ENDED),
        (last.order_id, Kind.ACK, 0),
    ]
    assert s.exchange.open_orders() == 4096


def _contradictions() -> list[dict[str, Any]]:
    return [
        {"type": LIMIT}, {"type": MARKET, "price_ticks": 5}, {"type": STOP}, {"type": LIMIT, "price_ticks": 0},
        {"type": MARKET, "post_only": True}, {"type": MARKET, "expire_ns": 5}, {"type": MARKET, "lots": 0},
        {"type": MARKET, "order_id": 0}, {"type": MARKET, "lots": -1},
    ]


@pytest.mark.parametrize("wrong", _contradictions())
def test_a_contradictory_order_never_reaches_the_venue(sim: Make, wrong: dict[str, Any]) -> None:
    s = sim(bars(flat(3)))
    order: Order = s.order(BUY, wrong.pop("type"), wrong.pop("lots", 1), **wrong)
    with pytest.raises(NativeError, match="contradictory"):
        s.exchange.submit(order)
    assert s.finish() == []
