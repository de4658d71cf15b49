"""Exact numbers: what is read, what is refused, and how each rounding falls."""

from __future__ import annotations

import time
from decimal import Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot4_core.domain.money import (
    INT64_MAX,
    INT64_MIN,
    Rounding,
    check_int64,
    divide,
    from_units,
    parse_decimal,
    quantize,
    ratio_to_fraction,
    to_units,
)
from bot4_core.errors import DomainError

from .reference.numbers import read_number, round_ratio

ALPHABET = "0123456789.eE+-_ ,٣०０NaInf\n\t"


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "nan", "sNaN", "inf", "-Infinity", "1e31", "1e-31", "1E+5000000", "9" * 39, "0." + "0" * 30 + "1",
        "1_000", " 5 ", "5\n", "٣", "１２", "१", "", "+", "-", ".", "e5", "1e", "1e+", "1.2.3", "--1", "0x10", "1,5",
        "½", "1" * 65, "0" * 65, "1 000", "5\x00", "−5", "\ud800",
    ],
)  # fmt: skip
def test_text_that_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(DomainError):
        parse_decimal(text)


@pytest.mark.parametrize(
    "value",
    [
        True, False, None, 1.5, float("nan"), float("inf"), b"5", [1], {}, 1 + 2j, Fraction(1, 2), object(),
        Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("1E+31"), Decimal("1E-31"),
        Decimal("1E+5000000"), Decimal("1E-5000000"), Decimal("9" * 39), 10**38, -(10**38), 1 << 5_000_000,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_exact_finite_number_is_refused(value: object) -> None:
    with pytest.raises(DomainError) as refusal:
        parse_decimal(value)
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    "monster",
    ["1E+5000000", "9" * 10_000_000, Decimal("1E+5000000"), 1 << 5_000_000, ["9" * 10_000_000]],
    ids=["exponent", "text", "Decimal", "int", "list"],
)
def test_a_monstrous_number_is_refused_quickly(monster: object) -> None:
    began = time.process_time()
    with pytest.raises(DomainError):
        parse_decimal(monster)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("given_value", "meant"),
    [
        ("0", 0), ("-0", 0), ("+1.50", Fraction(3, 2)), (".5", Fraction(1, 2)), ("5.", 5), ("1e30", 10**30),
        ("1E-30", Fraction(1, 10**30)), ("9" * 38, int("9" * 38)), ("000000000000000000000000000000000000000000007", 7),
        (7, 7), (-7, -7), (0, 0), (10**38 - 1, 10**38 - 1), (Decimal("0.02"), Fraction(1, 50)),
        (Decimal("1E+30"), 10**30),
    ],
)  # fmt: skip
def test_a_plain_number_is_read_exactly(given_value: object, meant: Fraction | int) -> None:
    assert Fraction(parse_decimal(given_value)) == meant


@given(
    st.text(ALPHABET, max_size=70)
    | st.from_regex(r"[+-]?[0-9]{0,40}\.?[0-9]{0,40}([eE][+-]?[0-9]{0,3})?", fullmatch=True)
)
@settings(max_examples=1500)
def test_reading_agrees_with_a_reader_written_by_hand(text: str) -> None:
    meant = read_number(text)
    if meant is None:
        with pytest.raises(DomainError):
            parse_decimal(text)
    else:
        assert Fraction(parse_decimal(text)) == meant


@given(st.integers(-(2**70), 2**70), st.integers(1, 2**40), st.sampled_from(Rounding))
@settings(max_examples=800)
def test_division_rounds_as_the_fraction_does(numerator: int, denominator: int, rounding: Rounding) -> None:
    meant = round_ratio(Fraction(numerator, denominator), rounding.value)
    if meant is None:
        with pytest.raises(DomainError, match="not a whole number"):
            divide(numerator, denominator, rounding)
    else:
        assert divide(numerator, denominator, rounding) == meant


@pytest.mark.parametrize(
    ("numerator", "floor", "ceiling", "half_even"),
    [(5, 2, 3, 2), (7, 3, 4, 4), (3, 1, 2, 2), (-5, -3, -2, -2), (-7, -4, -3, -4), (6, 3, 3, 3), (0, 0, 0, 0)],
)
def test_halves_go_to_the_even_side(numerator: int, floor: int, ceiling: int, half_even: int) -> None:
    rounded = [divide(numerator, 2, r) for r in (Rounding.FLOOR, Rounding.CEILING, Rounding.HALF_EVEN)]

    assert rounded == [floor, ceiling, half_even]


amounts = st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, places=10)
steps = st.sampled_from([Decimal(s) for s in ("0.01", "0.00000001", "0.5", "0.25", "5", "0.3", "0.0007", "1E-10")])


@given(amounts, steps, st.sampled_from(Rounding))
@settings(max_examples=800)
def test_steps_are_counted_as_the_fraction_says(value: Decimal, step: Decimal, rounding: Rounding) -> None:
    meant = round_ratio(Fraction(value) / Fraction(step), rounding.value)
    if meant is None or not INT64_MIN <= meant <= INT64_MAX:
        with pytest.raises(DomainError):
            to_units(value, step, rounding)
    else:
        assert to_units(value, step, rounding) == meant


def test_a_value_off_the_step_is_refused_with_its_name_and_step() -> None:
    with pytest.raises(DomainError, match=r"limit price 100\.015 is not a multiple of 0\.01"):
        to_units(Decimal("100.015"), Decimal("0.01"), Rounding.EXACT, "limit price")


@pytest.mark.parametrize("edge", [INT64_MIN, INT64_MAX])
def test_the_last_64_bit_value_fits_and_the_next_does_not(edge: int) -> None:
    beyond = edge + (1 if edge > 0 else -1)

    assert to_units(Decimal(edge), Decimal(1), Rounding.EXACT) == check_int64(edge, "amount") == edge
    with pytest.raises(DomainError, match="64 bits"):
        to_units(Decimal(beyond), Decimal(1), Rounding.EXACT)
    with pytest.raises(DomainError, match="64 bits"):
        check_int64(beyond, "amount")


@given(st.integers(INT64_MIN, INT64_MAX), st.integers(0, 18))
def test_units_come_back_unchanged_whatever_context_a_strategy_has_set(units: int, scale: int) -> None:
    with localcontext(Context(prec=3)):
        amount = from_units(units, scale)

    assert Fraction(amount) == Fraction(units, 10**scale)
    assert to_units(amount, Decimal(1).scaleb(-scale), Rounding.EXACT) == units


@pytest.mark.parametrize(
    ("rounding", "shown"), [(Rounding.FLOOR, "-1.24"), (Rounding.CEILING, "-1.23"), (Rounding.HALF_EVEN, "-1.24")]
)
def test_an_amount_is_shown_with_the_decimals_asked_for(rounding: Rounding, shown: str) -> None:
    assert str(quantize(Decimal("-1.235"), 2, rounding)) == shown


def test_showing_an_amount_exactly_refuses_to_lose_digits() -> None:
    assert str(quantize(Decimal("1.5"), 2, Rounding.EXACT)) == "1.50"
    with pytest.raises(DomainError):
        quantize(Decimal("1.235"), 2, Rounding.EXACT)


@given(amounts)
def test_a_ratio_becomes_the_same_fraction_with_a_positive_denominator(value: Decimal) -> None:
    numerator, denominator = ratio_to_fraction(value)

    assert denominator > 0
    assert Fraction(numerator, denominator) == Fraction(value)
