"""Positions against average cost in fractions, and books that always sum to zero."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot4_core.domain.instrument import Instrument
from bot4_core.domain.order import Side
from bot4_core.domain.portfolio import Closed, Portfolio, Position
from bot4_core.errors import DomainError

from .reference.average_cost import Book

BTC = Instrument(symbol="BTC/USDT", tick="0.01", lot="0.00001")
BUY, SELL = Side.BUY, Side.SELL

#: side, lots, price in ticks, fee in quote units (negative is a maker's rebate)
fill = st.tuples(st.sampled_from(Side), st.integers(1, 50), st.integers(1, 10**7), st.integers(-(10**6), 10**6))


@given(st.lists(fill, min_size=1, max_size=40))
@settings(max_examples=500)
def test_it_agrees_with_average_cost_in_fractions(fills: list[tuple[Side, int, int, int]]) -> None:
    position, book = Position(BTC), Book()
    for ts, (side, lots, ticks, fee) in enumerate(fills, 1):
        cost = BTC.cost_units(ticks, lots)
        closed = position.apply(side, lots, cost, fee, ts)
        profit = book.fill(side.sign * lots, cost, fee)

        assert position.lots == book.lots
        assert (closed is None) == (profit is None)
        # every division may round by one unit, and earlier roundings stay in the open part
        assert abs(position.entry_cost - book.cost) <= ts
        assert abs(position.entry_fees - book.fees) <= ts
        if closed is not None and profit is not None:
            assert abs(closed.pnl - profit) <= 2 * ts
        if position.lots == 0:
            assert (position.entry_cost, position.entry_fees, position.opened_ns) == (0, 0, 0)
            assert position.realised == book.realised  # flat, every remainder has come back


@given(st.lists(fill, min_size=1, max_size=40), st.integers(1, 10**7))
@settings(max_examples=500)
def test_not_a_unit_is_lost_between_profit_cash_and_what_is_held(
    fills: list[tuple[Side, int, int, int]], mark: int
) -> None:
    position, cash, closes = Position(BTC), 0, []
    for ts, (side, lots, ticks, fee) in enumerate(fills, 1):
        cost = BTC.cost_units(ticks, lots)
        cash -= side.sign * cost + fee
        if closed := position.apply(side, lots, cost, fee, ts):
            closes.append(closed)

    held = BTC.cost_units(mark, abs(position.lots)) * (1 if position.lots >= 0 else -1)
    profit = sum(each.pnl for each in closes)
    assert profit + position.unrealised(mark) - position.entry_fees == cash + held
    assert position.realised == profit
    for each in closes:
        direction = 1 if each.side is BUY else -1
        gross = direction * (each.exit_cost - each.entry_cost)
        assert each.pnl == gross - each.entry_fees - each.exit_fees


def test_a_long_is_weighted_and_closed_in_part_with_its_share_of_fees() -> None:
    position = Position(BTC)
    position.apply(BUY, 10, 1000, 10, 5)
    position.apply(BUY, 30, 5000, 30, 6)

    closed = position.apply(SELL, 20, 4000, 8, 9)

    assert closed == Closed(
        entry_ts=5, exit_ts=9, side=BUY, lots=20, entry_cost=3000, exit_cost=4000, entry_fees=20, exit_fees=8,
        pnl=972, adverse_ticks=0,
    )  # fmt: skip
    assert (position.lots, position.entry_cost, position.entry_fees, position.realised) == (20, 3000, 20, 972)


def test_a_short_earns_when_the_price_falls() -> None:
    position = Position(BTC)
    position.apply(SELL, 10, 1000, 1, 1)

    closed = position.apply(BUY, 10, 800, 1, 2)

    assert closed is not None
    assert (closed.side, closed.pnl, position.lots) == (SELL, 198, 0)


def test_a_larger_opposite_fill_closes_and_opens_the_rest_at_its_own_price() -> None:
    position = Position(BTC)
    position.apply(BUY, 10, 1000, 10, 1)

    closed = position.apply(SELL, 30, 3600, 30, 2)

    assert closed is not None
    assert (closed.lots, closed.exit_cost, closed.exit_fees, closed.pnl) == (10, 1200, 10, 180)
    assert (position.lots, position.entry_cost, position.entry_fees, position.opened_ns) == (-20, 2400, 20, 2)


@pytest.mark.parametrize("lots", [0, -5])
def test_a_fill_of_nothing_is_refused(lots: int) -> None:
    with pytest.raises(DomainError, match=r"BTC/USDT: a fill of"):
        Position(BTC).apply(BUY, lots, 1, 0, 1)


def test_the_average_entry_is_a_price_and_none_when_flat() -> None:
    position = Position(Instrument(symbol="BTC/USDT", tick="0.1", lot="1", multiplier="0.01"))
    assert position.average_entry is None

    position.apply(SELL, 3, position.instrument.cost_units(600_000, 3), 0, 1)

    assert position.average_entry == 60_000
    assert position.quantity == -3


def test_the_worst_price_is_the_low_of_a_long_and_the_high_of_a_short() -> None:
    position = Position(BTC)
    position.observe(1, 99)
    position.apply(BUY, 1, 100, 0, 1)
    for low, high in ((95, 120), (97, 99), (90, 91), (93, 200)):
        position.observe(low, high)
    long = position.apply(SELL, 2, 200, 0, 2)
    position.observe(50, 130)
    position.observe(60, 125)
    short = position.apply(BUY, 1, 100, 0, 3)

    assert long is not None
    assert short is not None
    assert (long.adverse_ticks, short.adverse_ticks, position.adverse_ticks) == (90, 130, 0)


@pytest.mark.parametrize(("side", "profit"), [(BUY, 50), (SELL, -50)])
def test_unrealised_profit_follows_the_mark(side: Side, profit: int) -> None:
    position = Position(Instrument(symbol="A/B", tick="1", lot="1", quote_scale=0))
    position.apply(side, 5, 500, 3, 1)

    assert position.unrealised(110) == profit


def portfolio() -> Portfolio:
    return Portfolio({"BTC": 8, "USDT": 8, "ETH": 8})


booked = st.tuples(
    st.sampled_from(Side), st.integers(1, 10**6), st.integers(1, 10**12), st.integers(-(10**6), 10**6),
    st.sampled_from(["BTC", "USDT"]),
)  # fmt: skip


@given(st.lists(booked, max_size=30), st.integers(0, 10**15))
@settings(max_examples=300)
def test_every_asset_sums_to_zero_over_us_the_market_and_the_fee_collector(
    fills: list[tuple[Side, int, int, int, str]], start: int
) -> None:
    books = portfolio()
    books.deposit("USDT", start)
    own = {"USDT": start, "BTC": 0}
    for side, lots, cost, fee, fee_asset in fills:
        books.apply_fill(BTC, side, lots, cost, fee, fee_asset)
        own["BTC"] += side.sign * lots * 1000
        own["USDT"] -= side.sign * cost
        own[fee_asset] -= fee

    assert books.imbalance() == {}
    assert {asset: books.own.get(asset, 0) for asset in own} == own


def test_an_imbalance_is_found_and_named() -> None:
    books = portfolio()
    books.deposit("USDT", 100)
    books.own["USDT"] += 1

    assert books.imbalance() == {"USDT": 1}


def test_a_fee_in_the_base_asset_reduces_what_can_be_sold() -> None:
    books = portfolio()
    books.deposit("USDT", 10**10)

    books.apply_fill(BTC, BUY, 100, 10**9, 100, "BTC")

    assert books.balance("BTC") == Decimal("0.00099900")
    assert books.balance("USDT") == 90


def test_a_rebate_pays_us_out_of_the_fee_account() -> None:
    books = portfolio()

    books.apply_fill(BTC, SELL, 1, 500, -7, "USDT")

    assert (books.own["USDT"], books.fees["USDT"], books.market["USDT"]) == (507, -7, -500)


def test_money_in_an_asset_nobody_trades_is_refused() -> None:
    with pytest.raises(DomainError, match=r"DOGE is not traded here; known: BTC, ETH, USDT"):
        portfolio().deposit("DOGE", 1)


def test_a_balance_beyond_64_bits_is_refused_and_not_wrapped() -> None:
    books = portfolio()
    books.deposit("USDT", 2**63 - 1)
    with pytest.raises(DomainError, match="64 bits"):
        books.deposit("USDT", 1)
    assert books.own["USDT"] == 2**63 - 1
    assert books.imbalance() == {}


def test_the_remainder_of_each_division_stays_with_the_open_part() -> None:
    position = Position(BTC)
    assert position.opened_ns == 0
    position.apply(BUY, 3, 100, 10, 1)
    part = position.apply(SELL, 1, 50, 5, 2)
    flip = position.apply(SELL, 3, 100, 10, 3)

    assert part is not None
    assert flip is not None
    assert (part.entry_cost, part.entry_fees) == (33, 3)
    assert (flip.entry_cost, flip.entry_fees, flip.exit_cost, flip.exit_fees) == (67, 7, 66, 6)
    assert (position.lots, position.entry_cost, position.entry_fees) == (-1, 34, 4)
