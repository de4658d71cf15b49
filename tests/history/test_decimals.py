"""Columns of text to exact integers, against Decimal and Fraction as the oracle."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot4_core.domain.money import parse_decimal
from bot4_core.errors import DomainError
from bot4_core.history.decimals import parse_column, scale_column, text_array

INT64 = 2**63
PLAIN = st.from_regex(r"[0-9]{0,20}\.?[0-9]{0,20}", fullmatch=True)
NUMBERS = st.one_of(
    PLAIN,
    st.from_regex(r"[+-]?[0-9]{1,12}(\.[0-9]{0,12})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.text(max_size=12),
    st.sampled_from(
        ["NaN", "inf", "1_000", " 1", "1 ", "١", "0x10", "", ".", "--1", "1.2.3", "9" * 70, "1e99", "true"]
    ),
)
STEPS = st.sampled_from(["1", "0.01", "0.00000001", "0.5", "0.25", "0.0003", "5", "1e-18"])


def oracle(text: str, step: Decimal) -> tuple[int, bool] | None:
    """Units and whether they were rounded, or None where the text is no number or too large."""
    if "\0" in text:
        return None
    try:
        value = parse_decimal(text)
    except DomainError:
        return None
    ratio = Fraction(value) / Fraction(step)
    exact = Context(prec=200).divide(Decimal(ratio.numerator), Decimal(ratio.denominator))
    units = int(exact.to_integral_value(ROUND_HALF_EVEN))
    return (units, ratio.denominator != 1) if -INT64 <= units < INT64 else None


@given(texts=st.lists(NUMBERS.filter(lambda text: "\0" not in text), min_size=1, max_size=20), step=STEPS)
@example(texts=["9223372036854775807", "9223372036854775808", "18446744073709551616"], step="1")
@example(texts=["0.005", "0.015", "0.025", "0.0149999999999999999"], step="0.01")
@example(texts=["0000000000000000000000001"], step="1")
def test_every_text_becomes_what_decimal_says(texts: list[str], step: str) -> None:
    size = Decimal(step)
    scaled = scale_column(parse_column(text_array(texts)), Fraction(size))
    for row, text in enumerate(texts):
        expected = oracle(text, size)
        if expected is None:
            assert scaled.unfit[row], text
            assert scaled.units[row] == 0
        else:
            assert (int(scaled.units[row]), bool(scaled.inexact[row])) == expected, text
            assert not scaled.unfit[row]


def test_half_is_rounded_to_even() -> None:
    column = parse_column(text_array(["0.5", "1.5", "2.5", "-0.5", "-1.5", "2.50000000000000000001"]))
    scaled = scale_column(column, Fraction(1))
    assert scaled.units.tolist() == [0, 2, 2, 0, -2, 3]
    assert scaled.inexact.all()


def test_the_usual_texts_take_the_fast_path() -> None:
    column = parse_column(text_array(["61837.63000000", "1723161254087891268", "0.00233281", "7", ".5", "5."]))
    assert not column.odd
    assert column.mantissa.tolist() == [6183763000000, 1723161254087891268, 233281, 7, 5, 5]
    assert column.decimals.tolist() == [8, 0, 8, 0, 1, 0]


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_empty_columns_hold_nothing_readable(texts: list[str]) -> None:
    scaled = scale_column(parse_column(np.array(texts, dtype=np.str_)), Fraction(1))
    assert scaled.unfit.all()


def test_a_long_field_is_no_number() -> None:
    assert text_array(["1" * 64, "1" * 65]).tolist() == ["1" * 64, "?"]
