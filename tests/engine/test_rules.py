"""Each rule of the gate just below, at and just above its limit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot4_core.domain.instrument import Instrument
from bot4_core.domain.limits import Limits
from bot4_core.domain.money import ratio_text
from bot4_core.domain.order import OrderState, OrderType, Role, Side
from bot4_core.engine.rules import worst_price
from bot4_core.native.latch import Mode

from .rig import BTC, ETH, Rig, rig

SECOND = 10**9
LIMIT = {"type": OrderType.LIMIT, "price_ticks": 10_000}
CHEAP_LIMIT = {"type": OrderType.LIMIT, "price_ticks": 5_000}
CHEAP_STOP = {"type": OrderType.STOP, "trigger_ticks": 5_000, "side": Side.SELL}
SHORT = {"side": Side.SELL, "stop_ticks": 10_200}


def at_100(**changes: object) -> Rig:
    """BTC marked at 100.00, 100,000 USDT."""
    r = rig(**changes)  # type: ignore[arg-type]  # named as rig names them
    r.bars(*[10_000] * len(r.account.instruments))
    return r


def work(r: Rig, lots: int, **changes: object) -> None:
    order = r.order(lots, **changes)
    order.move(OrderState.VALIDATED, 1)
    r.desk.orders.add(order)


def hold(r: Rig, lots: int, index: int = 0) -> None:
    side, instrument = (Side.BUY if lots > 0 else Side.SELL), r.account.instruments[index]
    r.account.apply_fill(index, side, abs(lots), instrument.cost_units(10_000, abs(lots)), 0, False, r.now)


# stop


@pytest.mark.parametrize(
    ("stop", "denied"),
    [(9_599, True), (9_600, False), (9_601, False), (9_997, False), (9_998, False), (9_999, True), (10_000, True),
     (10_200, True), (0, True)],
)  # fmt: skip
def test_the_stop_of_a_buy_is_at_least_two_ticks_and_at_most_four_percent_below(stop: int, denied: bool) -> None:
    r = at_100()

    assert r.failed(r.order(1_000, **LIMIT, stop_ticks=stop)) == ["stop_cover"] * denied


@pytest.mark.parametrize(
    ("stop", "denied"),
    [(10_401, True), (10_400, False), (10_399, False), (10_002, False), (10_001, True), (9_800, True), (0, True)],
)
def test_the_stop_of_a_sale_is_on_the_other_side(stop: int, denied: bool) -> None:
    r = at_100(margin=True)

    assert r.failed(r.order(1_000, **LIMIT, side=Side.SELL, stop_ticks=stop)) == ["stop_cover"] * denied


@pytest.mark.parametrize(("stop", "denied"), [(9_647, True), (9_648, False)])
def test_the_distance_counts_from_the_worst_fill_of_a_market_order(stop: int, denied: bool) -> None:
    r = at_100()

    assert r.failed(r.order(1_000, stop_ticks=stop)) == ["stop_cover"] * denied


def test_a_buy_limit_above_the_market_needs_its_stop_below_the_market() -> None:
    r = at_100()
    marketable = {"type": OrderType.LIMIT, "price_ticks": 10_300}

    assert r.failed(r.order(1_000, **marketable, stop_ticks=10_094)) == ["stop_cover"]
    assert r.failed(r.order(1_000, **marketable, stop_ticks=9_990)) == []


def test_a_sell_limit_below_the_market_needs_its_stop_above_the_market() -> None:
    r = at_100(margin=True)
    marketable = {"type": OrderType.LIMIT, "price_ticks": 9_700, "side": Side.SELL}

    assert r.failed(r.order(1_000, **marketable, stop_ticks=9_890)) == ["stop_cover"]
    assert r.failed(r.order(1_000, **marketable, stop_ticks=10_010)) == []


def test_a_stop_entry_is_measured_from_its_trigger() -> None:
    r = at_100()
    breakout = {"type": OrderType.STOP, "trigger_ticks": 11_000}

    assert r.failed(r.order(1_000, **breakout, stop_ticks=10_780)) == []
    assert r.failed(r.order(1_000, **breakout, stop_ticks=10_999)) == ["stop_cover"]
    assert r.failed(r.order(1_000, **breakout, stop_ticks=10_400)) == ["stop_cover"]


@pytest.mark.parametrize(("trigger", "denied"), [(9_950, True), (9_999, True), (10_000, True), (10_001, False)])
@pytest.mark.parametrize("kind", [{"type": OrderType.STOP}, {"type": OrderType.STOP_LIMIT, "price_ticks": 10_001}])
def test_a_buy_waits_above_the_mark(kind: dict[str, object], trigger: int, denied: bool) -> None:
    r = at_100()

    assert r.failed(r.order(1_000, **kind, trigger_ticks=trigger)) == ["trigger_side"] * denied


@pytest.mark.parametrize(("trigger", "denied"), [(10_050, True), (10_001, True), (10_000, True), (9_999, False)])
@pytest.mark.parametrize("kind", [{"type": OrderType.STOP}, {"type": OrderType.STOP_LIMIT, "price_ticks": 9_999}])
def test_a_sale_waits_below_the_mark(kind: dict[str, object], trigger: int, denied: bool) -> None:
    r = at_100(margin=True)

    assert r.failed(r.order(1_000, **kind, **SHORT, trigger_ticks=trigger)) == ["trigger_side"] * denied


def test_a_stop_entry_without_a_mark_is_refused() -> None:
    r = rig()

    assert "trigger_side" in r.failed(r.order(1_000, type=OrderType.STOP, trigger_ticks=10_000))


# drawdown


@pytest.mark.parametrize(
    ("equity", "denied"),
    [(85_000_01000000, []), (85_000_00000000, ["drawdown"]), (84_999_99000000, ["drawdown"])],
)
def test_no_new_risk_from_fifteen_percent_below_the_peak(equity: int, denied: list[str]) -> None:
    r = rig(balances={"USDT": equity})
    r.account.valuation.set_limit(0)  # the engine's own halt would latch first
    r.account.valuation.restore_peak(100_000 * 10**8)
    r.bars(10_000)

    assert r.failed(r.order(1_000)) == denied


# sizes and counts


@pytest.mark.parametrize(("lots", "denied"), [(9_999, []), (10_000, []), (10_001, ["max_notional"])])
def test_one_order_may_be_as_large_as_the_largest_notional(lots: int, denied: list[str]) -> None:
    r = at_100(limits=Limits(max_notional=Decimal(1000)))

    assert r.failed(r.order(lots, **LIMIT)) == denied


@pytest.mark.parametrize(("working", "denied"), [(1, []), (2, []), (3, ["open_orders"])])
def test_working_entries_of_all_instruments_are_counted_together(working: int, denied: list[str]) -> None:
    r = rig(BTC, ETH, limits=Limits(open_orders=3))
    r.bars(10_000, 10_000)
    for n in range(working):
        work(r, 10, index=n % 2, instrument=(BTC, ETH)[n % 2])

    assert r.failed(r.order(1_000)) == denied


@pytest.mark.parametrize(("working", "denied"), [(1, []), (2, []), (3, ["open_orders_per_symbol"])])
def test_working_entries_of_one_instrument_have_a_limit_of_their_own(working: int, denied: list[str]) -> None:
    r = rig(BTC, ETH, limits=Limits(open_orders_per_symbol=3))
    r.bars(10_000, 10_000)
    for _ in range(working):
        work(r, 10)

    assert r.failed(r.order(1_000)) == denied
    assert r.failed(r.order(1_000, index=1)) == []


def test_stops_and_closes_are_no_open_entries() -> None:
    r = at_100(limits=Limits(open_orders=1, open_orders_per_symbol=1))
    work(r, 10, role=Role.STOP, side=Side.SELL)
    work(r, 10, role=Role.CLOSE, side=Side.SELL)

    assert r.failed(r.order(1_000)) == []


@pytest.mark.parametrize(
    ("age_ns", "denied"), [(0, True), (2 * SECOND - 1, True), (2 * SECOND, False), (2 * SECOND + 1, False)]
)
def test_an_equal_order_within_the_window_is_a_duplicate(age_ns: int, denied: bool) -> None:
    r = at_100(limits=Limits(duplicate_window_s=Decimal(2)))
    assert r.failed(r.order(1_000), ts=5) == []

    assert r.failed(r.order(1_000), ts=5 + age_ns) == ["duplicate"] * denied


def test_a_different_order_is_no_duplicate() -> None:
    r = at_100(limits=Limits(duplicate_window_s=Decimal(2)), margin=True)
    assert r.failed(r.order(1_000)) == []

    breakout = {"type": OrderType.STOP, "trigger_ticks": 10_100, "stop_ticks": 9_900}
    for lots, changes in ((999, {}), (1_000, LIMIT), (1_000, SHORT), (1_000, breakout)):
        assert r.failed(r.order(lots, **changes)) == []


@pytest.mark.parametrize(("age_ns", "denied"), [(SECOND // 2, True), (SECOND - 1, True), (SECOND, False)])
def test_orders_within_any_second_are_limited(age_ns: int, denied: bool) -> None:
    r = at_100(limits=Limits(orders_per_second=2))
    assert r.failed(r.order(1_000), ts=5) == []
    assert r.failed(r.order(1_000), ts=5 + SECOND // 2) == []

    assert r.failed(r.order(1_000), ts=5 + age_ns) == ["order_rate"] * denied


def test_a_denied_order_uses_up_no_rate_and_is_no_duplicate_of_itself() -> None:
    r = at_100(limits=Limits(orders_per_second=1, duplicate_window_s=Decimal(2)))
    assert r.failed(r.order(1_000, stop_ticks=0)) == ["stop_cover"]

    assert r.failed(r.order(1_000)) == []


# buying power


@pytest.mark.parametrize(("free", "denied"), [(100_10000001, []), (100_10000000, []), (100_09999999, ["buying_power"])])
def test_a_spot_buy_needs_its_cost_and_its_fee(free: int, denied: list[str]) -> None:
    r = rig(balances={"USDT": free, "BTC": 1_000 * 10**8})
    r.bars(10_000)

    assert r.failed(r.order(1_000, **LIMIT)) == denied


@pytest.mark.parametrize(("free", "denied"), [(200_20000000, []), (200_19999999, ["buying_power"])])
def test_a_spot_buy_waits_behind_the_working_ones(free: int, denied: list[str]) -> None:
    r = rig(balances={"USDT": free, "BTC": 1_000 * 10**8})
    r.bars(10_000)
    work(r, 1_000, **LIMIT)

    assert r.failed(r.order(1_000, **LIMIT)) == denied


def test_only_working_buys_stand_before_a_spot_buy() -> None:
    r = rig(balances={"USDT": 100_10000000, "BTC": 1_000 * 10**8})
    r.bar(10_000)
    work(r, 1_000, **LIMIT, **SHORT)
    work(r, 1_000, **LIMIT, role=Role.CLOSE)

    assert r.failed(r.order(1_000, **LIMIT)) == []


@pytest.mark.parametrize(("working", "enough"), [(0, 12), (1, 23)])
def test_cost_and_fee_are_rounded_up_to_the_assets_smallest_unit(working: int, enough: int) -> None:
    cents = Instrument(symbol="BTC/USDT", tick="0.01", lot="0.001", quote_scale=2)  # 0.10001 a lot is 11 cents
    for free, denied in ((enough, []), (enough - 1, ["buying_power"])):
        r = rig(cents, balances={"USDT": free, "BTC": 1_000 * 10**8})
        r.bar(10_001)
        for _ in range(working):
            work(r, 1, **LIMIT | {"price_ticks": 10_001})

        assert r.failed(r.order(1, **LIMIT | {"price_ticks": 10_001})) == denied


@pytest.mark.parametrize(("lots", "denied"), [(1_999, []), (2_000, []), (2_001, ["buying_power"])])
def test_a_spot_sale_needs_the_base_asset(lots: int, denied: list[str]) -> None:
    r = rig(balances={"USDT": 100_000 * 10**8, "BTC": 3 * 10**8})
    r.bars(10_000)
    work(r, 1_000, **LIMIT, **SHORT)

    assert r.failed(r.order(lots, **LIMIT, **SHORT)) == denied


@pytest.mark.parametrize(("leverage", "denied"), [("0.0401", []), ("0.04", []), ("0.0399", ["buying_power"])])
def test_margin_counts_gross_exposure_with_working_entries_over_equity(leverage: str, denied: list[str]) -> None:
    r = rig(BTC, ETH, margin=True, leverage=leverage)
    r.bars(10_000, 10_000)
    hold(r, -2_000, index=1)
    work(r, 10_000, **LIMIT)

    assert r.failed(r.order(10_000, **LIMIT)) == denied


# venue filters


@pytest.mark.parametrize(
    ("filters", "lots", "denied"),
    [
        ({"min_quantity": "0.5"}, 499, True), ({"min_quantity": "0.5"}, 500, False), ({}, 0, True), ({}, 1, False),
        ({"max_quantity": "0.5"}, 500, False), ({"max_quantity": "0.5"}, 501, True),
        # the stop at 98.00 sells at 97.51 after the collar, and 0.1 % is the fee: 97.41249 a coin
        ({"min_notional": "9.7412490"}, 100, False), ({"min_notional": "9.7412491"}, 100, True),
    ],
)  # fmt: skip
def test_the_instruments_own_filters_hold_for_the_entry_and_for_its_stop(
    filters: dict[str, str], lots: int, denied: bool
) -> None:
    r = rig(Instrument(symbol="BTC/USDT", tick="0.01", lot="0.001", **filters))
    r.bars(10_000)

    assert r.failed(r.order(lots)) == ["venue_filters"] * denied


@pytest.mark.parametrize(
    ("entry", "lots", "denied"),
    [
        (CHEAP_LIMIT, 100, False), (CHEAP_LIMIT, 99, True), (CHEAP_STOP, 100, False), (CHEAP_STOP, 99, True),
        ({}, 50, False), ({}, 49, True),
    ],
)  # fmt: skip
def test_the_smallest_notional_is_counted_at_the_orders_own_price(
    entry: dict[str, object], lots: int, denied: bool
) -> None:
    cheap = Instrument(symbol="BTC/USDT", tick="0.01", lot="0.001", min_notional="5")
    r = rig(cheap, limits=Limits().without_guard(), margin=True)
    r.bar(10_000)

    assert r.failed(r.order(lots, **entry, stop_ticks=0)) == ["venue_filters"] * denied


# latch


@pytest.mark.parametrize(("mode", "entry", "close"), [
    (Mode.REDUCE_ONLY, ["latch"], []), (Mode.CANCEL_ONLY, ["latch"], ["latch"]), (Mode.KILLED, ["latch"], []),
])  # fmt: skip
def test_a_latch_stops_entries_in_every_mode_and_closes_only_in_cancel_only(
    mode: Mode, entry: list[str], close: list[str]
) -> None:
    r = at_100()
    hold(r, 1_000)
    r.gate.latch.set(mode, "test", "test", 1)

    assert r.failed(r.order(1_000)) == entry
    assert r.failed(r.order(1_000, role=Role.CLOSE, side=Side.SELL)) == close


# the worst price


@pytest.mark.parametrize(
    ("kind", "side", "price", "trigger", "worst"),
    [
        (OrderType.MARKET, Side.BUY, 0, 0, 10_052), (OrderType.MARKET, Side.SELL, 0, 0, 9_950),
        (OrderType.LIMIT, Side.BUY, 9_000, 0, 9_000), (OrderType.LIMIT, Side.SELL, 11_000, 0, 11_000),
        (OrderType.STOP, Side.BUY, 0, 11_000, 11_055), (OrderType.STOP, Side.SELL, 0, 9_000, 8_955),
        (OrderType.STOP_LIMIT, Side.BUY, 11_100, 11_000, 11_100),
        # the mark ran past the trigger: it fires there
        (OrderType.STOP, Side.BUY, 0, 9_000, 10_052), (OrderType.STOP, Side.SELL, 0, 11_000, 9_950),
    ],
)  # fmt: skip
def test_the_worst_price_is_the_limit_or_the_collar_beyond_trigger_or_mark(
    kind: OrderType, side: Side, price: int, trigger: int, worst: int
) -> None:
    assert worst_price(kind, side, price, trigger, 10_001, Decimal("0.005")) == worst


@pytest.mark.parametrize(
    ("numerator", "denominator", "text"),
    [
        (1, 50, "0.02000000"), (10**17 + 1, 5 * 10**18, "0.02000001"), (1, 3, "0.33333334"), (1, 0, "unbounded"),
        (1, -5, "unbounded"),
    ],
)
def test_a_measured_ratio_is_rounded_up_so_that_a_breach_never_looks_equal(
    numerator: int, denominator: int, text: str
) -> None:
    assert ratio_text(numerator, denominator) == text
