"""Instruments: exact both ways, one rounding for a cost, and no instrument that cannot be."""

from __future__ import annotations

import json
from decimal import Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot4_core.domain.instrument import Instrument
from bot4_core.domain.money import INT64_MAX, Rounding
from bot4_core.errors import DomainError

from .reference.numbers import round_ratio


def btc(**changes: object) -> Instrument:
    return Instrument(**{"symbol": "BTC/USDT", "tick": "0.01", "lot": "0.00001", **changes})


positive = st.sampled_from(["0.01", "0.1", "1", "0.00000001", "0.0005", "0.25", "3", "1E-10", "0.07", "100"])
lots = st.sampled_from(["0.00001", "1", "0.1", "0.25", "10", "0.00000001"])
instruments = st.builds(
    lambda tick, lot, multiplier, scale: btc(tick=tick, lot=lot, multiplier=multiplier, quote_scale=scale),
    positive, lots, st.sampled_from(["1", "10", "1000"]), st.integers(0, 18),
)  # fmt: skip


@given(instruments, st.integers(1, 10**9), st.integers(1, 10**9), st.sampled_from(Rounding))
@settings(max_examples=800)
def test_a_cost_is_the_exact_product_rounded_once(
    instrument: Instrument, ticks: int, quantity: int, rounding: Rounding
) -> None:
    price = Fraction(instrument.tick) * ticks
    amount = Fraction(instrument.lot) * quantity * Fraction(instrument.multiplier)
    meant = round_ratio(price * amount * 10**instrument.quote_scale, rounding.value)

    if meant is None or meant > INT64_MAX:
        with pytest.raises(DomainError):
            instrument.cost_units(ticks, quantity, rounding)
    else:
        assert instrument.cost_units(ticks, quantity, rounding) == meant


@given(instruments, st.integers(0, INT64_MAX), st.integers(1, 40))
@settings(max_examples=400)
def test_ticks_lots_and_volumes_survive_the_way_out_and_back_in_any_decimal_context(
    instrument: Instrument, count: int, precision: int
) -> None:
    with localcontext(Context(prec=precision)):
        price, quantity, volume = instrument.price(count), instrument.quantity(count), instrument.volume(count)

    assert Fraction(price) == Fraction(instrument.tick) * count
    assert Fraction(quantity) == Fraction(instrument.lot) * count
    assert Fraction(volume) == Fraction(count, 10**8)
    assert instrument.ticks(price) == count
    assert instrument.lots(quantity) == count


def test_a_tick_of_thirty_digits_still_gives_exact_prices() -> None:
    tick = "0.123456789012345678901234567891"

    assert Fraction(btc(tick=tick).price(987654321)) == Fraction(tick) * 987654321


@pytest.mark.parametrize(
    ("price", "rounding", "ticks"),
    [
        ("100.00", Rounding.EXACT, 10000), ("100.009", Rounding.FLOOR, 10000), ("100.001", Rounding.CEILING, 10001),
        ("100.005", Rounding.HALF_EVEN, 10000), ("100.015", Rounding.HALF_EVEN, 10002),
    ],
)  # fmt: skip
def test_prices_become_ticks_by_the_rounding_asked_for(price: str, rounding: Rounding, ticks: int) -> None:
    assert btc().ticks(Decimal(price), rounding) == ticks


def test_a_price_off_the_tick_and_a_quantity_off_the_lot_are_refused_by_name() -> None:
    with pytest.raises(DomainError, match=r"BTC/USDT price 100\.005 is not a multiple of 0\.01"):
        btc().ticks(Decimal("100.005"))
    with pytest.raises(DomainError, match=r"BTC/USDT quantity 0\.000015 is not a multiple of 0\.00001"):
        btc().lots(Decimal("0.000015"))


def test_overflow_is_an_error_and_not_a_wrong_number() -> None:
    with pytest.raises(DomainError, match="64 bits"):
        btc().cost_units(2**62, 2**62)
    with pytest.raises(DomainError, match="64 bits"):
        btc().base_units(2**62)
    with pytest.raises(DomainError, match="64 bits"):
        btc().ticks(Decimal("1E+18"))


def test_assets_and_units_of_a_contract_follow_its_multiplier() -> None:
    contract = btc(lot="1", multiplier="0.001")

    assert (contract.base, contract.quote) == ("BTC", "USDT")
    assert contract.lot_units == 100_000
    assert contract.base_units(3) == 300_000
    assert contract.cost_units(5_000_000, 2) == 100 * 10**8
    numerator, denominator = contract.tick_lot_ratio
    assert Fraction(numerator, denominator) == Fraction("0.01") * Fraction("0.001") * 10**8


@given(instruments, st.sampled_from(["0", "5", "0.001"]), st.text("v0123.", min_size=1, max_size=5))
def test_a_mapping_is_json_and_reads_back_equal(instrument: Instrument, smallest: str, version: str) -> None:
    full = btc(
        tick=instrument.tick, lot=instrument.lot, multiplier=instrument.multiplier, quote_scale=instrument.quote_scale,
        min_quantity=smallest, max_quantity="9000", min_notional=smallest, volume_scale=3, version=version,
    )  # fmt: skip

    again = Instrument.from_mapping(json.loads(json.dumps(full.to_mapping())))

    assert again == full
    assert hash(again) == hash(full)
    assert again.tick_lot_ratio == full.tick_lot_ratio


@pytest.mark.parametrize("name", list(btc().to_mapping()))
def test_every_part_of_the_mapping_is_read_back(name: str) -> None:
    other = btc(
        symbol="ETH/BTC", tick="0.5", lot="0.1", min_quantity="1", max_quantity="2", min_notional="3", multiplier="4",
        volume_scale=1, base_scale=6, quote_scale=3, version="9",
    )  # fmt: skip
    mixed = {**btc().to_mapping(), name: other.to_mapping()[name]}

    assert Instrument.from_mapping(mixed) != btc()
    assert Instrument.from_mapping(mixed).to_mapping() == mixed


@pytest.mark.parametrize(
    "changes",
    [
        {"tick": "0"}, {"tick": "-0.01"}, {"tick": 0.01}, {"tick": "NaN"}, {"tick": None}, {"tick": True},
        {"lot": "0"}, {"lot": "0.000000001"}, {"multiplier": "0"}, {"min_quantity": "-1"}, {"max_quantity": "-1"},
        {"min_notional": "-1"}, {"min_notional": "inf"}, {"symbol": "BTCUSDT"}, {"symbol": "BTC/"}, {"symbol": "/USDT"},
        {"symbol": "A/B/C"}, {"symbol": ""}, {"symbol": 5}, {"symbol": None}, {"symbol": "BTC/BTC"},
        {"symbol": "BTC/USDT\n"}, {"symbol": "BTC /USDT"}, {"symbol": "B" * 60 + "/USDT"}, {"version": 5},
        {"volume_scale": -1}, {"volume_scale": 19}, {"volume_scale": True}, {"volume_scale": "8"},
        {"base_scale": 1.5}, {"quote_scale": 19}, {"version": ""},
    ],
    ids=str,
)  # fmt: skip
def test_an_instrument_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DomainError):
        btc(**changes)
    with pytest.raises(DomainError):
        Instrument.from_mapping({"symbol": "BTC/USDT", "tick": "0.01", "lot": "0.00001", **changes})


@pytest.mark.parametrize(
    "data",
    [
        {"symbol": "BTC/USDT", "tick": "0.01"},
        {"symbol": "BTC/USDT", "tick": "0.01", "lot": "1", "ticksize": "0.01"},
        {"symbol": "BTC/USDT", "tick": "0.01", "lot": "1", "_tick_lot": 5},
    ],
)
def test_missing_and_unknown_keys_of_a_mapping_are_named(data: dict[str, object]) -> None:
    with pytest.raises(DomainError, match=r"lot|ticksize|_tick_lot"):
        Instrument.from_mapping(data)


def test_instruments_differ_by_their_version_so_that_old_records_keep_their_tick() -> None:
    assert btc(version="1") != btc(version="2")
    assert len({btc(version="1"), btc(version="2"), btc(version="1")}) == 2
