"""Settings refuse what cannot be, in the words a user needs."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from bot4_exchange_sim import bot4_exchanges
from bot4_exchange_sim.rules import rules_text
from bot4_exchange_sim.settings import Fees, SimSettings

from bot4_core.sdk import Capability

GIVEN: dict[str, Any] = {"history": ["a.b4h"], "balances": {"USDT": Decimal(1)}}


def test_defaults_are_conservative() -> None:
    settings = SimSettings(**GIVEN)
    assert (settings.spread_ratio, settings.slippage_ratio, settings.participation_ratio) == (
        Decimal("0.0002"), Decimal("0.0001"), Decimal("0.05"))
    assert settings.fees == Fees(maker=Decimal("0.001"), taker=Decimal("0.001"))
    assert (settings.account, settings.fill_profile, settings.latency_ns) == ("spot", "conservative", 0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"history": []}, "history is empty"),
        ({"history": ["a.b4h", "a.b4h"]}, "names 'a"),
        ({"balances": {}}, "balances is empty"),
        ({"balances": {"USDT": Decimal(-1)}}, "USDT is -1"),
        ({"spread": Decimal("0.11")}, "spread 0.11 must be from 0 to 0.1"),
        ({"slippage": Decimal("-0.1")}, "slippage -0.1 must be from 0"),
        ({"participation": Decimal(0)}, "participation 0 must be above 0"),
        ({"participation": Decimal("1.01")}, "participation 1.01 must be from 0 to 1"),
        ({"leverage": Decimal("0.5")}, "leverage 0.5 must be from 1"),
        ({"latency": "50"}, "'50' is no duration"),
        ({"latency": "-5ms"}, "is no duration"),
        ({"latency": "61m"}, "more than an hour"),
        ({"fill_profile": "compat-backtesting", "spread": Decimal(0)}, "has no spread"),
        ({"balances": {"USDT": Decimal("NaN")}}, "USDT is NaN"),
        ({"history": None}, "nothing to play: write history"),
        ({"market": {"BTC/USDT": Decimal(1)}}, "history and market are both given"),
        ({"bars": 9}, "bars belong to a made-up market"),
        ({"bars": 9, "interval": "5m"}, "interval and bars belong to a made-up market"),
        ({"speed": Decimal(0)}, "speed 0 must be above 0"),
        ({"speed": Decimal("-1")}, "speed -1 must be above 0"),
        ({"speed": Decimal("1000000.1")}, "at most 1000000"),
        ({"speed": Decimal("NaN")}, "speed NaN must be above 0"),
        ({"speed": "fast"}, "'fast' must be a number or 'max'"),
        ({"jitter": "50"}, "'50' is no duration"),
    ],
)
def test_wrong_settings_say_what_is_allowed(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        SimSettings(**{**GIVEN, **wrong})


MADE: dict[str, Any] = {"market": {"BTC/USDT": Decimal(30_000)}, "balances": {"USDT": Decimal(1)}}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"market": {}}, "market is empty"),
        ({"market": {"BTCUSDT": Decimal(1)}}, "'BTCUSDT' must read BASE/QUOTE"),
        ({"market": {"BTC/BTC": Decimal(1)}}, "two different assets"),
        ({"market": {"B\tC/USDT": Decimal(1)}}, "must read BASE/QUOTE"),
        ({"market": {"BTC/USDT": Decimal(0)}}, "BTC/USDT starts at 0; a made-up market starts from 0.000001"),
        ({"market": {"BTC/USDT": Decimal("10000000.1")}}, "from 0.000001 to 10000000"),
        ({"market": {"BTC/USDT": Decimal("NaN")}}, "BTC/USDT starts at NaN"),
        ({"interval": "90"}, "'90' is no bar length"),
        ({"interval": "0m"}, "'0m' is no bar length"),
        ({"interval": "2d"}, "bars of 2d are longer than a day"),
        ({"bars": 0}, "bars 0 must be from 1 to 2000000"),
        ({"bars": 2_000_001}, "must be from 1 to 2000000"),
        ({"bars": 1_000_001, "market": {"A/B": Decimal(1), "C/B": Decimal(1)}}, "2 markets of 1000001"),
        ({"bars": 30_000, "interval": "1d"}, "30000 bars of 1d are more than 75 years"),
    ],
)
def test_wrong_markets_say_what_is_allowed(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        SimSettings(**{**MADE, **wrong})


def test_a_made_up_market_has_minutes_unless_told_otherwise() -> None:
    assert (SimSettings(**MADE).interval_ns, SimSettings(**MADE).bars_each) == (60 * 10**9, 100_000)
    made = SimSettings(**MADE, interval="4h", bars=2_000_000 // 24)
    assert (made.interval_ns, made.bars_each) == (4 * 3600 * 10**9, 83_333)


@pytest.mark.parametrize(
    ("given", "ratio"),
    [({}, 1), ({"speed": Decimal("0.5")}, Fraction(1, 2)), ({"speed": Decimal(3600)}, 3600), ({"speed": "max"}, None)],
)
def test_speed_is_exact_or_no_waiting(given: dict[str, Any], ratio: Fraction | None) -> None:
    assert SimSettings(**GIVEN, **given).speed_ratio == ratio


def test_speed_and_jitter_are_no_rules_of_the_result() -> None:
    plain = rules_text(SimSettings(**GIVEN), bars=True, ticks=True)
    assert rules_text(SimSettings(**GIVEN, speed="max", jitter="50ms"), bars=True, ticks=True) == plain
    assert "survivorship" in plain["universe"]


def test_the_rules_of_a_made_up_market_say_so() -> None:
    assert "no recorded market" in rules_text(SimSettings(**MADE), bars=True, ticks=False)["universe"]


def test_a_rebate_above_the_taker_fee_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rebate of 0\.002"):
        SimSettings(**GIVEN, fees=Fees(maker=Decimal("-0.002"), taker=Decimal("0.001")))


@pytest.mark.parametrize(
    ("text", "ns"),
    [("0ms", 0), ("50ms", 50_000_000), ("7ns", 7), ("3us", 3000), ("2s", 2 * 10**9), ("1h", 3600 * 10**9)],
)
def test_latency_is_a_duration(text: str, ns: int) -> None:
    assert SimSettings(**GIVEN, latency=text).latency_ns == ns


def test_rules_in_force_name_their_numbers() -> None:
    text = rules_text(SimSettings(**GIVEN, latency="50ms"), bars=True, ticks=True)
    assert "half spread 0.01 %" in text["market"]
    assert "5 %" in text["volume"]
    assert "50ms" in text["timing"]
    assert "taker 0.1 %" in text["fees"]
    assert {"queue", "quotes", "stop trigger", "not simulated", "universe"} <= set(text)


def test_rules_of_compat_promise_nothing_conservative() -> None:
    text = rules_text(SimSettings(**GIVEN, fill_profile="compat-backtesting"), bars=True, ticks=False)
    assert text["market"] == "at the next bar's open exactly"
    assert "no volume" not in text
    assert "quotes" not in text


def test_the_spec_declares_what_the_simulator_can() -> None:
    (spec,) = bot4_exchanges()
    assert spec.name == "sim"
    assert spec.settings is SimSettings
    assert spec.capabilities == {
        Capability.REPLAY, Capability.STREAM, Capability.ATTACHED_ORDERS, Capability.REDUCE_ONLY
    }
