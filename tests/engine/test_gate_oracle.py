"""Position, largest order and buying power against fractions, over random books: approvals and denials both counted."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest

from bot4_core.domain.instrument import Instrument
from bot4_core.domain.limits import Limits
from bot4_core.domain.order import Order, OrderState, OrderType, Role, Side

from .reference.exposure import BUY, SELL, Market, Working, dearest, gross_notional, position_notional, spot_cost
from .rig import BTC, ETH, Rig, rig

BTC_EUR = Instrument(symbol="BTC/EUR", tick="0.05", lot="0.002", volume_scale=3)
EUR = Instrument(symbol="EUR/USDT", tick="0.01", lot="0.1", volume_scale=3)
SOL = Instrument(symbol="SOL/USDT", tick="0.001", lot="0.1", volume_scale=3)
#: a spot account with one base in two quotes, a margin account with three bases in one quote
TABLES = {False: (BTC, BTC_EUR, EUR), True: (BTC, ETH, SOL)}
COLLAR = Fraction("0.005")
FEE = Fraction("0.001")
ROUNDS = 1500
NEEDED = 150


def markets_of(r: Rig, marks: list[int]) -> list[Market]:
    rates = {"USDT": Fraction(1)}
    for each, mark in zip(r.account.instruments, marks, strict=True):
        if each.quote == "USDT":
            rates[each.base] = Fraction(each.tick) * mark
    return [
        Market(
            each.base, each.quote, Fraction(each.tick) * Fraction(each.lot), rates[each.quote], mark,
            r.account.position_lots(index),
        )
        for index, (each, mark) in enumerate(zip(r.account.instruments, marks, strict=True))
    ]  # fmt: skip


def place(r: Rig, shape: Working) -> Order:
    """An order as the desk would hold it while it works."""
    kind = {(False, False): OrderType.MARKET, (True, False): OrderType.LIMIT, (False, True): OrderType.STOP}
    return r.order(
        shape.lots, index=shape.instrument, side=Side.BUY if shape.sign == BUY else Side.SELL,
        type=kind[bool(shape.limit), bool(shape.trigger)], price_ticks=shape.limit, trigger_ticks=shape.trigger,
        role=Role.ENTRY if shape.entry else Role.CLOSE, stop_ticks=1,
    )  # fmt: skip


def work(r: Rig, shape: Working) -> None:
    order = place(r, shape)
    order.move(OrderState.VALIDATED, 1)
    order.move(OrderState.SUBMITTED, 1)
    r.desk.orders.add(order)


def random_order(rng: random.Random, marks: list[int], *, sells: bool) -> Working:
    place_ = rng.randrange(len(marks))
    price = round(marks[place_] * rng.uniform(0.8, 1.3))
    limit, trigger = rng.choice([(0, 0), (price, 0), (0, price)])
    return Working(place_, rng.choice((BUY, SELL)) if sells else BUY, rng.randint(1, 400), limit, trigger)


def scene(rng: random.Random, *, margin: bool) -> tuple[Rig, list[Market], list[Working], Working]:
    table = TABLES[margin]
    marks = [rng.randint(5_000, 20_000) for _ in table]
    money = {"USDT": rng.randint(300, 3000) * 10**8} | ({} if margin else {"EUR": rng.randint(1, 200) * 10**8})
    r = rig(
        *table, margin=margin, leverage="0.1", balances=money,
        limits=Limits(stop_distance=None, drawdown=None, max_notional=Decimal(rng.randint(5, 60))),
    )  # fmt: skip
    r.bars(*marks)
    for index, each in enumerate(table):
        lots = rng.choice([0, 0, rng.randint(1, 300)]) * (rng.choice((1, -1)) if margin else 1)
        if lots:
            side = Side.BUY if lots > 0 else Side.SELL
            r.account.apply_fill(index, side, abs(lots), each.cost_units(marks[index], abs(lots)), 0, False, r.now)
    working = [random_order(rng, marks, sells=margin) for _ in range(rng.randint(0, 4))]
    for shape in working:
        work(r, shape)
    return r, markets_of(r, marks), working, random_order(rng, marks, sells=margin)


def meant_denials(
    r: Rig, markets: list[Market], working: list[Working], order: Working, margin: bool
) -> dict[str, bool]:
    equity, market = Fraction(r.account.equity), markets[order.instrument]
    own = dearest(order, market.mark, COLLAR) * order.lots * market.value
    free = Fraction(r.account.portfolio.own.get(market.quote, 0), 10**8)
    return {
        "position": position_notional(markets, working, order, COLLAR) > equity * Fraction("0.02"),
        "max_notional": own > Fraction(r.gate.limits.max_notional or 0),
        "buying_power": gross_notional(markets, working, order, COLLAR) > equity / 10
        if margin
        else spot_cost(markets, working, order, COLLAR, FEE) > free,
    }


@pytest.mark.parametrize("margin", [False, True], ids=["spot", "margin"])
def test_position_largest_order_and_buying_power_agree_with_fractions(margin: bool) -> None:
    rng, verdicts = random.Random(20 + margin), Counter[tuple[str, bool]]()
    for _ in range(ROUNDS):
        r, markets, working, order = scene(rng, margin=margin)
        failed = set(r.failed(place(r, order)))
        for rule, denied in meant_denials(r, markets, working, order, margin).items():
            assert (rule in failed) is denied, (rule, order, working, markets)
            verdicts[rule, denied] += 1

    for rule in ("position", "max_notional", "buying_power"):
        for denied in (False, True):
            assert verdicts[rule, denied] >= NEEDED, (verdicts, "too few to mean anything")
