"""The bot's books: equity marked to market, conversion between quotes, and what cannot be valued."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import pytest

from bot4_core.domain.event import EVENT, Kind
from bot4_core.domain.instrument import Instrument
from bot4_core.domain.order import Side
from bot4_core.engine.account import Account, _sample_length
from bot4_core.errors import ConfigError, DomainError
from bot4_core.native.memory import pointer_to

from .rig import BTC, ETH, MINUTE, rig

CROSS = Instrument(symbol="ETH/BTC", tick="0.00001", lot="0.001")


def test_equity_follows_every_fill_fee_and_mark_exactly() -> None:
    """Over random fills in three markets, one of them quoted in another's base, equity is the sum of what is held."""
    rng = random.Random(5)
    r = rig(BTC, ETH, CROSS, balances={"USDT": 10**13, "BTC": 10**9})
    marks = [10_000, 5_000, 4_000]
    r.bars(*marks)
    own = {"USDT": Fraction(10**5), "BTC": Fraction(10), "ETH": Fraction(0)}
    for _ in range(300):
        index = rng.randrange(3)
        market, side = (BTC, ETH, CROSS)[index], rng.choice(list(Side))
        lots, ticks, fee = rng.randint(1, 500), rng.randint(1, 9_000), rng.randint(-500, 500)
        in_base = rng.random() < 0.3
        cost = market.cost_units(ticks, lots)
        r.account.apply_fill(index, side, lots, cost, fee, in_base, r.now)
        own[market.base] += side.sign * lots * Fraction(market.lot)
        own[market.quote] -= side.sign * Fraction(cost, 10**8)
        own[market.base if in_base else market.quote] -= Fraction(fee, 10**8)
        marks = [rng.randint(1, 20_000) for _ in marks]
        r.bars(*marks)
        meant = own["USDT"] + own["BTC"] * marks[0] / 100 + own["ETH"] * marks[1] / 100

        assert r.account.equity_units() == int(meant * 10**8 // 1)
        assert r.account.portfolio.imbalance() == {}
    assert r.account.equity == Decimal(r.account.equity_units()).scaleb(-8)


def test_the_reporting_asset_is_the_first_balance_that_something_is_quoted_in() -> None:
    assert Account((BTC, ETH, CROSS), {"ETH": 1, "USDT": 1, "BTC": 1}, span_ns=1).reporting == "USDT"
    assert Account((CROSS,), {"ETH": 1, "BTC": 1}, span_ns=1).reporting == "BTC"
    assert Account((BTC,), {}, span_ns=1).reporting == "USDT"


def test_a_balance_nobody_trades_is_refused() -> None:
    with pytest.raises(DomainError, match="DOGE is not traded here"):
        Account((BTC,), {"USDT": 1, "DOGE": 1}, span_ns=1)


def test_an_asset_without_a_way_to_the_reporting_asset_is_refused() -> None:
    with pytest.raises(ConfigError, match="ETH cannot be valued in USDT: add the history of ETH/USDT"):
        Account((BTC, CROSS), {"USDT": 1}, span_ns=1)


def test_notional_in_another_quote_is_converted_at_the_mark_and_rounded_up() -> None:
    r = rig(BTC, ETH, CROSS)
    r.bars(3_333, 5_000, 4_000)

    value = Fraction("0.001") * 7 * Fraction("0.00001") * 4_001 * Fraction("33.33") * 10**8
    assert r.account.notional_units(2, 7, 4_001) == -(-value.numerator // value.denominator)
    assert r.account.notional_units(2, -7, 4_001) == r.account.notional_units(2, 7, 4_001)
    assert r.account.notional_units(0, 7, 4_001) == BTC.cost_units(4_001, 7)


def test_notional_without_a_rate_is_an_error_and_not_zero() -> None:
    r = rig(BTC, ETH, CROSS)

    with pytest.raises(DomainError, match="BTC has no price in USDT yet"):
        r.account.notional_units(2, 7, 4_001)


def test_instruments_of_one_base_are_known() -> None:
    r = rig(BTC, ETH, CROSS)

    assert (r.account.same_base(0), r.account.same_base(1), r.account.same_base(2)) == ([0], [1, 2], [1, 2])


def test_a_bar_without_volume_marks_nothing() -> None:
    r = rig()
    r.bar(10_000)
    r.bar(5_000, volume=0)

    assert r.account.mark_ticks(0) == 10_000


def test_a_closed_trade_knows_the_worst_price_it_saw() -> None:
    r = rig()
    r.bar(10_000)
    r.account.apply_fill(0, Side.BUY, 10, BTC.cost_units(10_000, 10), 0, False, r.now)
    for close, low in ((9_900, 9_700), (10_100, 9_950)):
        r.bar(close, low=low)

    closed = r.account.apply_fill(0, Side.SELL, 10, BTC.cost_units(10_100, 10), 0, False, r.now)

    assert closed is not None
    assert closed.adverse_ticks == 9_700


def test_quotes_mark_only_where_they_are_all_there_is() -> None:
    quotes = Account((BTC,), {"USDT": 1}, span_ns=1, mark_kinds=[1 << Kind.QUOTE])
    bars = Account((BTC,), {"USDT": 1}, span_ns=1)
    memory = memoryview(bytearray(EVENT.pack(MINUTE, 0, Kind.QUOTE, 0, 99, 1, 101, 1, 0, 0)))
    for account in (quotes, bars):
        account.valuation.mark_events(pointer_to(memory), 1)

    assert (quotes.mark_ticks(0), bars.mark_ticks(0)) == (100, 0)


@pytest.mark.parametrize(
    ("days", "seconds"), [(0.01, 1), (1, 60), (30, 900), (365, 4 * 3600), (3650, 86400), (10**6, 86400)]
)
def test_the_curve_is_sampled_at_most_some_thousand_times(days: float, seconds: int) -> None:
    assert _sample_length(int(days * 86400 * 10**9)) == seconds * 10**9


def test_the_worst_price_of_one_trade_is_not_carried_to_the_next() -> None:
    r = rig()
    r.bar(10_000)
    adverse = []
    for low in (9_000, 9_900):
        r.account.apply_fill(0, Side.BUY, 10, BTC.cost_units(10_000, 10), 0, False, r.now)
        r.bar(10_000, low=low)
        closed = r.account.apply_fill(0, Side.SELL, 10, BTC.cost_units(10_000, 10), 0, False, r.now)
        assert closed is not None
        adverse.append(closed.adverse_ticks)

    assert adverse == [9_000, 9_900]


def test_a_fee_in_the_base_is_valued_in_quote_and_rounded_against_us() -> None:
    r = rig()
    r.bar(10_000)

    r.account.apply_fill(0, Side.BUY, 3, 1_000, 1, True, r.now)  # 1,000 units for 300,000: a third of a hundredth each

    assert r.account.positions[0].entry_fees == 1


def test_a_notional_below_a_unit_is_rounded_up() -> None:
    cents = Instrument(symbol="BTC/USDT", tick="0.01", lot="0.001", quote_scale=2)

    assert rig(cents).account.notional_units(0, 1, 10_001) == 11
