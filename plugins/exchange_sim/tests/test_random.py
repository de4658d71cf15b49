"""The kernel against the oracle on random bars and orders; equal reports, equal balances, whatever the chunking."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from bot4_exchange_sim.settings import Fees
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from bot4_core.sdk import EVENT_DTYPE, Instrument, Kind, Order, OrderType, Side, TimeInForce

from . import oracle
from . import oracle_parts as parts
from .scenario import INTERVAL, START, Sim, close_of

_BTC = Instrument(symbol="BTC/USDT", tick=Decimal("0.1"), lot=Decimal("0.01"), volume_scale=3, quote_scale=3,
                  min_quantity=Decimal("0.02"), max_quantity=Decimal("2"), min_notional=Decimal("1"))
_ETH = Instrument(symbol="ETH/USDT", tick=Decimal("0.03"), lot=Decimal("0.007"), volume_scale=2, quote_scale=3)
_SPECS = [
    parts.Spec(Fraction(1), 10**6, Fraction(1, 10), "BTC", "USDT", 2, 200, 1000),
    parts.Spec(Fraction(21, 100), 7 * 10**5, Fraction(10, 7), "ETH", "USDT"),
]
_TYPE = {"MARKET": OrderType.MARKET, "LIMIT": OrderType.LIMIT, "STOP": OrderType.STOP,
         "STOP_LIMIT": OrderType.STOP_LIMIT}
_TIF = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK, "GTD": TimeInForce.GTD}

_price = st.integers(90, 110)


@st.composite
def _candles(draw: st.DrawFn, instrument: int, count: int) -> list[parts.Candle]:
    made = []
    for bar in range(count):
        if draw(st.integers(0, 9)) == 0:
            continue  # B-7: a missing bar
        four = sorted(draw(st.tuples(_price, _price, _price, _price)))
        inner = draw(st.permutations(four[1:3]))
        volume = draw(st.sampled_from([0, 40, 200, 1000, 4000, 100_000]))
        made.append(parts.Candle(close_of(bar), instrument, inner[0], four[3], four[0], inner[1], volume))
    return made


@st.composite
def _ticket(draw: st.DrawFn, ids: list[int]) -> parts.Ticket:
    def new_id() -> int:
        ids.append(ids[-1] + 1)
        return draw(st.sampled_from([ids[-1]] * 30 + [1]))

    kind = draw(st.sampled_from(["MARKET", "MARKET", "LIMIT", "LIMIT", "STOP", "STOP_LIMIT"]))
    limit, trigger, stop, target = draw(st.tuples(_price, _price, _price, _price))
    sign = draw(st.sampled_from([1, 1, -1]))
    tif = draw(st.sampled_from(["GTC"] * 5 + ["IOC", "FOK", "GTD"]))
    legs = draw(st.sampled_from(["", "", "s", "st", "t", "st"]))
    attached = bool(legs) and draw(st.booleans())
    return parts.Ticket(
        new_id(), draw(st.sampled_from([0, 0, 1])), sign, kind, draw(st.integers(1, 60)),
        limit=limit if "LIMIT" in kind else 0,
        trigger=trigger if "STOP" in kind else 0,
        tif=tif,
        expire=START + draw(st.integers(1, 20)) * INTERVAL // 2 if tif == "GTD" else 0,
        reduce_only=draw(st.integers(0, 3)) == 0 and not attached,
        post_only=kind == "LIMIT" and draw(st.integers(0, 4)) == 0,
        stop=(new_id(), stop) if attached and "s" in legs else None,
        target=(new_id(), target) if attached and "t" in legs else None,
    )


@st.composite
def _world(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(3, 10))
    candles = sorted(
        draw(_candles(0, count)) + draw(_candles(1, count)), key=lambda c: (c.ts, c.instrument)
    )
    ids = [0]
    actions: list[tuple[int, parts.Ticket | int]] = []
    for _ in range(draw(st.integers(1, 12))):
        # at a close, or inside a bar
        at = START + draw(st.integers(0, 2 * count)) * INTERVAL // 2
        if draw(st.integers(0, 3)) == 0:
            actions.append((at, draw(st.integers(1, max(ids[-1], 1)))))
        else:
            actions.append((at, draw(_ticket(ids))))
    return {
        "candles": candles,
        "actions": sorted(actions, key=lambda each: each[0]),
        "margin": draw(st.booleans()),
        "compat": draw(st.integers(0, 5)) == 0,
        "latency": draw(st.sampled_from([0, 0, 0, 1, 20 * 10**9, 90 * 10**9])),
        "spread": draw(st.sampled_from(["0", "0.0002", "0.013"])),
        "slippage": draw(st.sampled_from(["0", "0.0001", "0.02"])),
        "participation": draw(st.sampled_from(["1", "0.05", "0.333"])),
        "maker": draw(st.sampled_from(["0.001", "0", "-0.0003"])),
        "taker": draw(st.sampled_from(["0.001", "0.0007"])),
        "cash": draw(st.sampled_from([100_000, 3_000, 500])),
        "coins": draw(st.sampled_from(["0", "0.25"])),
    }


def _play_oracle(world: dict[str, Any]) -> oracle.Oracle:
    compat = world["compat"]
    venue = parts.Venue(
        spread=Fraction(0 if compat else world["spread"]),
        slippage=Fraction(0 if compat else world["slippage"]),
        participation=Fraction(1 if compat else world["participation"]),
        maker=Fraction(world["maker"]), taker=Fraction(world["taker"]),
        latency=world["latency"], margin=world["margin"], compat=compat,
    )
    balances = {"USDT": world["cash"] * 1000, "BTC": int(Decimal(world["coins"]) * 10**8), "ETH": 0}
    made = oracle.Oracle(venue, _SPECS, INTERVAL, balances)
    left = world["candles"]
    for at, action in world["actions"]:
        left = made.play(left, at)
        if isinstance(action, int):
            made.cancel(action)
        else:
            # a ticket is the order's whole life: play with a copy
            made.submit(parts.Ticket(**{n: getattr(action, n) for n in (
                "id", "instrument", "sign", "type", "lots", "limit", "trigger", "tif", "expire", "reduce_only",
                "post_only", "stop", "target")}))
    made.play(left, 2**63 - 1)
    return made


def _order(sim: Sim, t: parts.Ticket) -> Order:
    return Order(
        order_id=t.id, client_id="c", strategy="s", exchange="e", instrument=sim.exchange.instruments[t.instrument],
        index=t.instrument, side=Side.BUY if t.sign > 0 else Side.SELL, type=_TYPE[t.type], quantity_lots=t.lots,
        price_ticks=t.limit, trigger_ticks=t.trigger, tif=_TIF[t.tif], expire_ns=t.expire,
        reduce_only=t.reduce_only, post_only=t.post_only,
        stop_id=t.stop[0] if t.stop else 0, stop_ticks=t.stop[1] if t.stop else 0,
        target_id=t.target[0] if t.target else 0, target_ticks=t.target[1] if t.target else 0,
    )


def _records(candles: list[parts.Candle], instrument: int) -> Any:
    own = [c for c in candles if c.instrument == instrument]
    events = np.zeros(len(own), EVENT_DTYPE)
    for place, c in enumerate(own):
        events[place] = (c.ts, 0, Kind.BAR, 0, (c.open, c.high, c.low, c.close, c.volume, 0))
    return events


def _play_sim(world: dict[str, Any], folder: Path, wake: int) -> Sim:
    given: dict[str, Any] = {
        "balances": {"USDT": Decimal(world["cash"]), "BTC": Decimal(world["coins"])},
        "account": "margin" if world["margin"] else "spot",
        "latency": f"{world['latency']}ns",
    }
    given["fees"] = Fees(maker=Decimal(world["maker"]), taker=Decimal(world["taker"]))
    if world["compat"]:
        given["fill_profile"] = "compat-backtesting"
    else:
        given |= {n: Decimal(world[n]) for n in ("spread", "slippage", "participation")}
    histories = [(_BTC, _records(world["candles"], 0), INTERVAL), (_ETH, _records(world["candles"], 1), INTERVAL)]
    sim = Sim(folder, histories, given)
    for index in range(2):
        sim.exchange.wake_on(index, wake)
    for at, action in world["actions"]:
        sim.until(at)
        if isinstance(action, int):
            stand_in = sim.order(Side.BUY, OrderType.MARKET, 1, order_id=action)
            sim.exchange.cancel(stand_in)
        else:
            sim.exchange.submit(_order(sim, action))
    sim.finish()
    return sim


def _worlds() -> st.SearchStrategy[dict[str, Any]]:
    return _world().filter(lambda world: {c.instrument for c in world["candles"]} == {0, 1})


_GENERAL = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@settings(_GENERAL, max_examples=300)
@given(_worlds(), st.sampled_from([0, 1 << Kind.BAR]))
def test_kernel_and_oracle_agree_on_every_report(world: dict[str, Any], wake: int) -> None:
    expected = _play_oracle(world)
    with tempfile.TemporaryDirectory() as folder:
        sim = _play_sim(world, Path(folder), wake)
    assert sim.reports == expected.reports
    assert sim.exchange.balances() == expected.balances
    assert [sim.exchange.position_lots(i) for i in range(2)] == expected.position


@settings(_GENERAL, max_examples=60)
@given(_worlds())
def test_reports_do_not_depend_on_who_is_woken(world: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        quiet = _play_sim(world, Path(folder), 0)
        woken = _play_sim(world, Path(folder), 1 << Kind.BAR)
    assert quiet.reports == woken.reports
    assert len(woken.steps) == len(world["candles"])


@settings(_GENERAL, max_examples=60)
@given(_worlds())
def test_balances_move_by_exactly_what_the_fills_say(world: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sim = _play_sim(world, Path(folder), 0)
    expected = dict(sim.exchange.starting_balances())
    for _, index, kind, sell, _, _, _, lots, fee, _, cost in sim.reports:
        if kind == Kind.FILL:
            instrument = sim.exchange.instruments[index]
            sign = -1 if sell else 1
            expected[instrument.base] += sign * instrument.base_units(lots)
            expected[instrument.quote] -= sign * cost + fee
    assert sim.exchange.balances() == expected


@pytest.mark.parametrize("kind", range(parts.ACK, parts.CANCEL_REJECTED + 1))
def test_random_worlds_reach_every_kind_of_report(kind: int) -> None:
    """The comparison above is worth something only if its worlds fill, trigger, cancel, refuse and expire."""
    find(
        _worlds(),
        lambda world: any(report[2] == kind for report in _play_oracle(world).reports),
        settings=settings(_GENERAL, max_examples=3000, phases=[Phase.generate], database=None),
        random=Random(1),
    )
