"""Whole columns of decimal text to exact integers: digits by numpy, the rare odd text one by one.

Nothing here ever becomes a float: a value is ``mantissa / 10**decimals``, and a conversion to ticks or volume
units is integer arithmetic on the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

from ..domain.money import INT64_MAX, INT64_MIN, Rounding, divide, parse_decimal
from ..errors import DomainError

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: A longer field is no number of ours; the same bound as that of ``parse_decimal``.
MAX_FIELD = 64
#: Digits that surely fit uint64; what of them does not fit int64 takes the slow path.
_FAST_DIGITS = 19


@frozen(eq=False)
class DecimalColumn:
    """Numbers of one column, exact.

    Attributes:
        mantissa, decimals: value = mantissa / 10**decimals, for the rows of the fast path.
        odd: values of the other readable rows (sign, exponent, more than int64 holds), by position.
        unreadable: rows whose text is no plain decimal number.
    """

    mantissa: Ints
    decimals: Ints
    odd: dict[int, Decimal] = field(repr=False)
    unreadable: Mask = field(repr=False)


@frozen(eq=False)
class Scaled:
    """A column in units.

    Attributes:
        units: the integers; 0 where ``unfit``.
        inexact: rows that were rounded.
        unfit: rows that are unreadable or do not fit 64 bits.
    """

    units: Ints
    inexact: Mask
    unfit: Mask


def text_array(texts: Sequence[str]) -> npt.NDArray[np.str_]:
    """Fields as an array; one longer than 64 characters becomes ``?``, which no parser takes for a value."""
    if max(map(len, texts), default=0) > MAX_FIELD:
        texts = [text if len(text) <= MAX_FIELD else "?" for text in texts]
    return np.array(texts, dtype=np.str_)


def parse_column(texts: npt.NDArray[np.str_]) -> DecimalColumn:
    """Reads a column of ASCII decimal numbers (grammar of ``parse_decimal``).

    Args:
        texts: one-dimensional, from :func:`text_array`.
    """
    rows = len(texts)
    width = texts.dtype.itemsize // 4
    decimals = np.zeros(rows, dtype=np.int64)
    if rows == 0 or width == 0:
        return DecimalColumn(decimals, decimals, {}, np.ones(rows, dtype=np.bool_))
    wide = np.zeros(rows, dtype=np.uint64)
    codes = np.ascontiguousarray(texts).view(np.uint32).reshape(rows, width)
    # one byte per character, one row of the array per character position: each loop below runs over
    # contiguous memory; 255 stands for every character that is not ASCII
    characters = np.minimum(codes, 255).astype(np.uint8).T.copy()
    digits = np.zeros(rows, dtype=np.int64)
    points = np.zeros(rows, dtype=np.int64)
    plain = np.ones(rows, dtype=np.bool_)
    for position in range(width):
        character = characters[position]
        value = character - np.uint8(48)  # wraps around for what is below "0"
        is_digit, is_point = value <= 9, character == 46
        room = is_digit & (digits < _FAST_DIGITS)
        np.copyto(wide, wide * np.uint64(10) + value, where=room)
        decimals += is_digit & (points > 0)
        digits += is_digit
        points += is_point
        plain &= is_digit | is_point | (character == 0)
    plain &= (points <= 1) & (digits >= 1) & (digits <= _FAST_DIGITS) & (wide <= INT64_MAX)
    mantissa = wide.astype(np.int64)
    odd: dict[int, Decimal] = {}
    unreadable = np.zeros(rows, dtype=np.bool_)
    for row in np.flatnonzero(~plain).tolist():
        try:
            odd[row] = parse_decimal(str(texts[row]))
        except DomainError:
            unreadable[row] = True
    mantissa[~plain] = 0
    decimals[~plain] = 0
    return DecimalColumn(mantissa, decimals, odd, unreadable)


def scale_column(column: DecimalColumn, step: Fraction) -> Scaled:
    """How many ``step`` each value is, rounded half-even where it is no whole number.

    Args:
        column: the values.
        step: tick, volume unit or time unit, above 0.
    """
    units = np.zeros(len(column.mantissa), dtype=np.int64)
    inexact = np.zeros(len(units), dtype=np.bool_)
    unfit = column.unreadable.copy()
    for places in np.unique(column.decimals).tolist():
        chosen = np.flatnonzero(column.decimals == places)
        ratio = Fraction(1, 10**places) / step
        mantissa = column.mantissa[chosen]
        times, by = ratio.numerator, ratio.denominator
        if by > INT64_MAX or int(mantissa.max()) > INT64_MAX // times:
            for row in chosen.tolist():
                _scale_one(Fraction(int(column.mantissa[row])) * ratio, row, units, inexact, unfit)
            continue
        quotient, remainder = np.divmod(mantissa * times, by)
        other = by - remainder
        units[chosen] = quotient + ((remainder > other) | ((remainder == other) & (quotient % 2 == 1)))
        inexact[chosen] = remainder != 0
    for row, value in column.odd.items():
        _scale_one(Fraction(value) / step, row, units, inexact, unfit)
    units[unfit] = 0
    return Scaled(units, inexact & ~unfit, unfit)


def _scale_one(value: Fraction, row: int, units: Ints, inexact: Mask, unfit: Mask) -> None:
    whole = divide(value.numerator, value.denominator, Rounding.HALF_EVEN)
    if INT64_MIN <= whole <= INT64_MAX:
        units[row], inexact[row] = whole, value.denominator != 1
    else:
        unfit[row] = True
