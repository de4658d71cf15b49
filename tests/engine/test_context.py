"""What a strategy asks becomes an order: sizes, stops, targets, and clear refusals of what cannot be."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from bot4_core.domain.event import Bar
from bot4_core.domain.instrument import Instrument
from bot4_core.domain.limits import Limits
from bot4_core.domain.order import OrderState, OrderType, Role, Side, TimeInForce
from bot4_core.errors import DomainError
from bot4_core.strategy import Context, Strategy

from .rig import BTC, ETH, MINUTE, Quiet, Rig, rig


def at_100(**changes: Any) -> Rig:
    r = rig(**changes)
    r.bar(10_000)
    return r


#: side and kind -> prices as shares of the mark; a marketable limit needs its stop beyond the market
ENTRIES: dict[tuple[str, str], dict[str, str]] = {
    ("buy", "market"): {}, ("sell", "market"): {},
    ("buy", "limit below"): {"limit": "0.99"}, ("sell", "limit above"): {"limit": "1.01"},
    ("buy", "limit above"): {"limit": "1.01", "stop_price": "0.985"},
    ("sell", "limit below"): {"limit": "0.99", "stop_price": "1.015"},
    ("buy", "stop"): {"trigger": "1.01"}, ("sell", "stop"): {"trigger": "0.99"},
}  # fmt: skip


@pytest.mark.parametrize(("side", "kind"), ENTRIES)
def test_a_fraction_at_the_position_limit_with_the_default_stop_passes_and_a_lot_more_does_not(
    side: str, kind: str
) -> None:
    rng = random.Random(side + kind)
    for _ in range(60):
        market = Instrument(
            symbol="BTC/USDT", tick=rng.choice(["0.01", "0.05", "0.0001"]), lot=rng.choice(["0.001", "0.01", "0.00001"])
        )
        r = rig(market, margin=True, leverage="3", balances={"USDT": rng.randint(10**13, 10**14)})
        mark = rng.randint(50_000, 90_000)
        r.bar(mark)
        prices: dict[str, Any] = {
            name: market.price(int(mark * Fraction(share))) for name, share in ENTRIES[side, kind].items()
        }

        order = getattr(r.ctx, side)(market, fraction="0.02", **prices)

        assert order.denied is None
        r.desk.orders.retire(order)
        more = r.order(
            order.quantity_lots + 1, instrument=market, side=order.side, type=order.type, price_ticks=order.price_ticks,
            trigger_ticks=order.trigger_ticks, stop_ticks=order.stop_ticks,
        )  # fmt: skip
        assert r.failed(more) == ["position"]


@pytest.mark.parametrize(
    ("size", "lots"),
    [
        ({"quantity": "1.2345"}, 1_234), ({"quantity": 2}, 2_000), ({"notional": "100.5"}, 1_000),
        ({"notional": "100.49"}, 999), ({"fraction": "0.01"}, 9_950), ({"fraction": Decimal("0.0001005")}, 100),
    ],
    ids=str,
)  # fmt: skip
def test_a_size_is_rounded_down_to_a_lot_at_the_worst_price(size: dict[str, Any], lots: int) -> None:
    order = at_100().ctx.buy(BTC, **size)

    assert order.denied is None
    assert order.quantity_lots == lots


def test_a_size_below_a_lot_is_denied_and_not_rounded_up() -> None:
    order = at_100().ctx.buy(BTC, quantity="0.0009")

    assert order.state is OrderState.DENIED
    assert order.denied is not None
    assert [failure.rule for failure in order.denied.failures] == ["venue_filters"]


def test_a_fraction_of_equity_in_another_quote_is_converted_at_its_mark() -> None:
    cross = Instrument(symbol="BTC/EUR", tick="0.01", lot="0.001")
    euro = Instrument(symbol="EUR/USDT", tick="0.0001", lot="0.1")
    r = rig(cross, euro, BTC, balances={"USDT": 10**13, "EUR": 10**13})
    r.bars(10_000, 11_000, 11_000)

    order = r.ctx.buy(cross, fraction="0.01")

    equity = Fraction(r.account.equity)
    per_lot = Fraction("100.5") * Fraction("0.001") * Fraction("1.1")
    assert order.denied is None
    assert order.quantity_lots == int(equity / 100 / per_lot)


@pytest.mark.parametrize(
    ("side", "wish", "stop", "target"),
    [
        ("buy", {}, 9_801, 0), ("sell", {}, 10_201, 0),  # 2 % of 100.01 is 2.0002: rounded towards the entry
        ("buy", {"stop": "0.01"}, 9_901, 0), ("sell", {"stop": "0.0101"}, 10_102, 0),
        ("buy", {"stop_price": "97.5"}, 9_750, 0), ("buy", {"target": "0.05"}, 9_801, 10_501),
        ("sell", {"target": "0.05"}, 10_201, 9_501), ("buy", {"target_price": "111.11"}, 9_801, 11_111),
        ("buy", {"limit": "95", "target": "0.1"}, 9_310, 10_450), ("buy", {"trigger": "105"}, 10_290, 0),
    ],
    ids=str,
)  # fmt: skip
def test_stops_and_targets_are_ratios_of_the_entry_rounded_towards_it_or_prices(
    side: str, wish: dict[str, Any], stop: int, target: int
) -> None:
    r = rig(margin=True, leverage="2")
    r.bar(10_001)

    order = getattr(r.ctx, side)(BTC, fraction="0.01", **wish)

    assert (order.denied, order.stop_ticks, order.target_ticks) == (None, stop, target)


def test_an_approved_entry_brings_its_stop_and_target_along() -> None:
    r = at_100()
    order = r.ctx.buy(BTC, quantity=10, stop="0.02", target="0.04", tag="breakout")

    stop, target = r.child(order, Role.STOP), r.child(order, Role.TARGET)
    for child in (stop, target):
        assert (child.side, child.quantity_lots, child.parent_id, child.reduce_only, child.tag, child.strategy) == (
            Side.SELL, 10_000, order.order_id, True, "breakout", "quiet",
        )  # fmt: skip
    assert (stop.type, stop.trigger_ticks, target.type, target.price_ticks) == (
        OrderType.STOP, 9_800, OrderType.LIMIT, 10_400,
    )  # fmt: skip
    assert [(action.name, each.order_id) for action, each in r.send()] == [("SUBMIT", order.order_id)]
    assert {each.state for each in (order, stop, target)} == {OrderState.SUBMITTED}


def test_a_denied_entry_brings_nothing_along_and_is_a_value() -> None:
    r = at_100()
    order = r.ctx.buy(BTC, quantity=10_000)

    assert order.state is OrderState.DENIED
    assert order.denied is not None
    assert order.denied.rule == "position"
    assert (order.stop_id, order.target_id) == (0, 0)
    assert r.ctx.orders() == []
    assert r.send() == []


def test_the_type_follows_from_limit_and_trigger() -> None:
    r = at_100()
    wishes: list[dict[str, Any]] = [{}, {"limit": 99}, {"trigger": 101}, {"limit": 102, "trigger": 101}]

    made = [r.ctx.buy(BTC, fraction="0.001", **wish) for wish in wishes]

    assert [order.type for order in made] == [
        OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT,
    ]  # fmt: skip
    assert [(order.price_ticks, order.trigger_ticks) for order in made] == [
        (0, 0), (9_900, 0), (0, 10_100), (10_200, 10_100),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({}, "exactly one of fraction, quantity, notional; got none"),
        ({"fraction": "0.01", "quantity": 1}, "exactly one of .* got fraction, quantity"),
        ({"quantity": 1, "notional": 1}, "exactly one"),
        ({"fraction": 0.01}, r"fraction: 0\.01 \(float\) is not an exact number"),
        ({"quantity": "abc"}, "quantity: 'abc' is not a plain decimal"), ({"quantity": True}, "quantity: True"),
        ({"quantity": 0}, "quantity 0 must be greater than 0"), ({"fraction": "-0.01"}, "fraction -0.01 must"),
        ({"notional": "NaN"}, "notional: 'NaN'"), ({"quantity": 1, "limit": "100.005"}, "BTC/USDT price 100.005"),
        ({"quantity": 1, "limit": 0}, "limit 0 must be greater"), ({"quantity": 1, "trigger": "-1"}, "trigger -1 must"),
        ({"quantity": 1, "stop": "0.02", "stop_price": 98}, "give stop or stop_price, not both"),
        ({"quantity": 1, "target": "0.02", "target_price": 110}, "give target or target_price, not both"),
        ({"quantity": 1, "stop": 2}, r"stop 2 must be a ratio below 1 \('0.02' is 2 %\), or give stop_price"),
        ({"quantity": 1, "stop": 0}, "stop 0 must be greater"), ({"quantity": 1, "target": 0.1}, "target: 0.1"),
        ({"quantity": 1, "stop_price": "97.123"}, "price 97.123"),
        ({"quantity": 1, "tif": TimeInForce.GTD}, "expire_ns must lie in the future"),
        ({"quantity": 1, "tif": TimeInForce.GTD, "expire_ns": 5}, "expire_ns must lie in the future"),
        ({"quantity": 1, "tif": TimeInForce.GTD, "expire_ns": MINUTE}, "expire_ns must lie in the future"),
        ({"quantity": 1, "expire_ns": 5}, "belongs to TimeInForce.GTD only"),
        ({"quantity": 1, "expire_ns": 10**18}, "belongs to TimeInForce.GTD only"),
        ({"quantity": 1, "tif": TimeInForce.GTD, "expire_ns": 1e18}, "whole number of UTC nanoseconds"),
        ({"quantity": 1, "tif": "IOC"}, "tif 'IOC' must be one of TimeInForce"),
        ({"quantity": 1, "post_only": True}, "post_only needs a limit"),
        ({"quantity": 1, "ta_score": 0.5}, "ta_score: 0.5"),
    ],
    ids=str,
)  # fmt: skip
def test_a_wish_that_cannot_be_is_an_error_that_says_what_to_write(wish: dict[str, Any], message: str) -> None:
    r = at_100()

    with pytest.raises(DomainError, match=message):
        r.ctx.buy(BTC, **wish)
    assert r.facts == []
    assert r.send() == []


def test_a_good_till_date_order_keeps_its_end_and_any_other_has_none() -> None:
    r = at_100()
    order = r.ctx.buy(BTC, quantity=1, limit=99, tif=TimeInForce.GTD, expire_ns=MINUTE + 1, post_only=True)

    assert (order.denied, order.tif, order.expire_ns, order.post_only) == (None, TimeInForce.GTD, MINUTE + 1, True)
    assert r.ctx.buy(BTC, quantity=1, tif=TimeInForce.IOC).expire_ns == 0


def test_a_size_by_money_before_the_first_price_is_an_error_and_by_quantity_is_denied() -> None:
    r = rig()

    with pytest.raises(DomainError, match="BTC/USDT has no price yet: size by quantity"):
        r.ctx.buy(BTC, fraction="0.01")
    assert r.ctx.buy(BTC, quantity=1).denied is not None


def test_an_instrument_outside_the_trade_list_is_refused_everywhere() -> None:
    r = at_100()
    wishes = (lambda it: r.ctx.buy(it, quantity=1), lambda it: r.ctx.bars(1, it))
    for call in (r.ctx.position, r.ctx.orders, r.ctx.close, *wishes):
        with pytest.raises(DomainError, match=r"ETH/USDT is not in the trade list of strategy quiet \(BTC/USDT\)"):
            call(ETH)


def test_an_own_made_instrument_of_the_same_symbol_does_not_change_the_tick() -> None:
    order = at_100().ctx.buy(Instrument(symbol="BTC/USDT", tick="1", lot="1"), quantity="1.5", limit="99.99")

    assert (order.price_ticks, order.quantity_lots, order.instrument) == (9_999, 1_500, BTC)


def test_a_strategys_default_stop_is_its_own_and_may_be_none() -> None:
    tight, none = Quiet(default_stop=Decimal("0.01")), Quiet(default_stop=None)

    assert at_100(strategy=tight).ctx.buy(BTC, quantity=1).stop_ticks == 9_900
    bare = at_100(strategy=none).ctx.buy(BTC, quantity=1)
    assert bare.denied is not None
    assert bare.denied.rule == "stop_cover"


def test_close_closes_what_no_other_close_works_on_and_never_more() -> None:
    r = at_100()
    assert r.ctx.close(BTC) is None
    r.open(r.ctx.buy(BTC, quantity=10), 10_000)

    first, rest = r.ctx.close(BTC, quantity="2.5005", tag="part"), r.ctx.close(BTC)

    assert first is not None
    assert rest is not None
    assert [(o.quantity_lots, o.side, o.role, o.type, o.tag, o.denied) for o in (first, rest)] == [
        (2_500, Side.SELL, Role.CLOSE, OrderType.MARKET, "part", None),
        (7_500, Side.SELL, Role.CLOSE, OrderType.MARKET, "", None),
    ]
    assert r.ctx.close(BTC) is None
    with pytest.raises(DomainError, match="quantity 0 must be greater"):
        r.ctx.close(BTC, quantity=0)


def test_reasons_of_a_trade_travel_with_the_intent() -> None:
    r = at_100()
    order = r.ctx.buy(BTC, quantity=1, signal_strength="0.7", ta_score=1, ml_confidence=Decimal("0.9"), tag="why")
    r.send()

    blob = next(fact.blob for fact in r.facts if fact.words[0] == order.order_id)
    assert blob is not None
    assert {name: blob[name] for name in ("signal_strength", "ta_score", "ml_confidence", "tag")} == {
        "signal_strength": "0.7", "ta_score": "1", "ml_confidence": "0.9", "tag": "why",
    }  # fmt: skip
    assert (blob["equity"], blob["worst_ticks"], blob["stop_ticks"]) == (100_000 * 10**8, 10_050, 9_800)


def test_a_strategy_sees_its_own_orders_positions_and_money_only() -> None:
    class Other(Strategy):
        def on_bar(self, ctx: Context, bar: Bar) -> None: ...

    r = rig(BTC, ETH, beside=[("other", Other(), [0, 1])])
    r.bars(10_000, 10_000)
    other = r.engine.dispatch._strategies["other"][0]
    order = r.ctx.buy(BTC, quantity=1)

    assert [each.order_id for each in r.ctx.orders()] == [order.order_id, order.stop_id]
    assert list(other.orders()) == []
    assert r.ctx.orders(ETH) == []
    assert (r.ctx.equity, r.ctx.balance("USDT"), r.ctx.position(BTC).lots) == (100_000, 100_000, 0)
    assert (r.ctx.now, r.ctx.instruments) == (MINUTE, (BTC, ETH))


def test_limits_of_a_policy_reach_the_strategys_orders() -> None:
    r = at_100(limits=Limits().tightened({"position": "0.005"}))

    assert r.ctx.buy(BTC, fraction="0.005").denied is None
    denied = r.ctx.buy(BTC, fraction="0.006").denied
    assert denied is not None
    assert denied.failures[0].limit == "0.005"
