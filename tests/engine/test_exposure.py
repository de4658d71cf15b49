"""K-1: the position one base asset may reach, with everything that is held and working."""

from __future__ import annotations

from typing import Any

import pytest

from bot4_core.domain.instrument import Instrument
from bot4_core.domain.order import OrderState, OrderType, Role, Side

from .rig import BTC, Rig, rig

LIMIT = {"type": OrderType.LIMIT, "price_ticks": 10_000}
SHORT = {"side": Side.SELL, "stop_ticks": 10_200}
EURO = Instrument(symbol="BTC/EUR", tick="0.01", lot="0.001")
RATE = Instrument(symbol="EUR/USDT", tick="0.0001", lot="0.1")


def at_100(**changes: Any) -> Rig:
    """BTC marked at 100.00, 100,000 USDT."""
    r = rig(**changes)
    r.bars(*[10_000] * len(r.account.instruments))
    return r


def work(r: Rig, lots: int, **changes: Any) -> None:
    order = r.order(lots, **changes)
    order.move(OrderState.VALIDATED, 1)
    r.desk.orders.add(order)


def hold(r: Rig, lots: int, index: int = 0) -> None:
    side, instrument = (Side.BUY if lots > 0 else Side.SELL), r.account.instruments[index]
    r.account.apply_fill(index, side, abs(lots), instrument.cost_units(10_000, abs(lots)), 0, False, r.now)


@pytest.mark.parametrize(("lots", "denied"), [(19_999, []), (20_000, []), (20_001, ["position"])])
def test_a_position_may_reach_two_percent_of_equity_and_not_a_lot_more(lots: int, denied: list[str]) -> None:
    assert at_100().failed(at_100().order(lots, **LIMIT)) == denied


@pytest.mark.parametrize(("lots", "denied"), [(19_900, []), (19_901, ["position"])])
def test_a_market_order_is_judged_at_the_collar_beyond_the_mark(lots: int, denied: list[str]) -> None:
    r = at_100()

    assert r.failed(r.order(lots)) == denied


@pytest.mark.parametrize(("lots", "denied"), [(4_999, []), (5_000, []), (5_001, ["position"])])
def test_held_and_working_lots_count_with_the_new_ones(lots: int, denied: list[str]) -> None:
    r = at_100()
    hold(r, 5_000)
    work(r, 10_000, **LIMIT)

    assert r.failed(r.order(lots, **LIMIT)) == denied


@pytest.mark.parametrize(("lots", "denied"), [(4_900, []), (5_000, ["position"])])
def test_a_working_stop_entry_far_above_the_mark_counts_at_its_own_worst_price(lots: int, denied: list[str]) -> None:
    r = at_100()
    work(r, 10_000, type=OrderType.STOP, trigger_ticks=15_000, stop_ticks=14_700)  # 1,507.50 USDT with the collar

    assert r.failed(r.order(lots, **LIMIT)) == denied


def test_a_limit_buy_below_the_mark_is_judged_at_its_limit() -> None:
    r = at_100()
    cheap = {"type": OrderType.LIMIT, "price_ticks": 8_000, "stop_ticks": 7_840}

    assert r.failed(r.order(25_000, **cheap)) == []
    assert r.failed(r.order(25_001, **cheap)) == ["position"]


@pytest.mark.parametrize(("lots", "denied"), [(20_000, []), (20_001, ["position"])])
def test_a_short_sale_at_market_is_judged_at_the_mark(lots: int, denied: list[str]) -> None:
    r = at_100(margin=True)

    assert r.failed(r.order(lots, **SHORT)) == denied


def two_quotes(held: int, *working: tuple[Side, int]) -> Rig:
    """BTC/USDT beside BTC/EUR at a rate of 1, where so much is held and works."""
    r = rig(BTC, EURO, RATE, margin=True, leverage="9", balances={"USDT": 10**13, "EUR": 10**5})
    r.bars(10_000, 10_000, 10_000)
    if held:
        hold(r, held, index=1)
    for side, lots in working:
        work(r, lots, **LIMIT, index=1, side=side)
    return r


@pytest.mark.parametrize(
    ("held", "working", "room"),
    [
        (10_000, [], 10_000), (-10_000, [], 10_000),
        (0, [(Side.BUY, 8_000)], 12_000), (0, [(Side.SELL, 8_000)], 12_000),
        (5_000, [(Side.BUY, 4_000)], 11_000), (5_000, [(Side.SELL, 4_000)], 15_000),
        (5_000, [(Side.SELL, 16_000)], 9_000), (-5_000, [(Side.SELL, 4_000)], 11_000),
        (0, [(Side.BUY, 6_000), (Side.SELL, 7_000)], 13_000),
    ],
)  # fmt: skip
def test_pairs_of_one_base_asset_are_one_position_however_their_orders_fill(
    held: int, working: list[tuple[Side, int]], room: int
) -> None:
    r = two_quotes(held, *working)

    assert r.failed(r.order(room, **LIMIT)) == []
    assert r.failed(r.order(room + 1, **LIMIT)) == ["position"]


def test_stops_and_targets_never_raise_a_position() -> None:
    r = at_100()
    hold(r, 10_000)
    for role in (Role.STOP, Role.TARGET):
        work(r, 10_000, **LIMIT, role=role)

    assert r.failed(r.order(10_000, **LIMIT)) == []


def test_a_close_that_may_fill_first_counts_against_an_entry_of_its_side() -> None:
    r = at_100(margin=True, leverage="9")
    hold(r, -15_000)
    work(r, 15_000, role=Role.CLOSE, **LIMIT)

    assert r.failed(r.order(20_000, **LIMIT)) == []
    assert r.failed(r.order(20_001, **LIMIT)) == ["position"]


def test_an_order_against_a_short_may_not_flip_it_beyond_the_limit() -> None:
    r = at_100(margin=True)
    hold(r, -10_000)

    assert r.failed(r.order(29_900, **LIMIT)) == []
    assert r.failed(r.order(30_100, **LIMIT)) == ["position"]
