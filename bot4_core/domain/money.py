"""Exact amounts: Decimal outside, scaled int64 inside, never a float.

A *unit* is ``10**-scale`` of an asset, a *tick* the smallest price step of an instrument, a *lot* its
smallest quantity step. Every conversion that can lose something takes its rounding explicitly.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from enum import Enum
from functools import lru_cache

from ..errors import DomainError

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)

#: ASCII digits, at most one point, optional exponent: what Decimal() itself would also take
#: ("1_000", " 5 ", Arabic digits, "NaN") is refused (RELIABILITY.md section 5, "Number").
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_MAX_TEXT = 64
_MAX_DIGITS = 38
_MAX_EXPONENT = 30
#: wide enough for any 64-bit count times any number read here; a strategy may set a narrower context of its own
EXACT = Context(prec=80)
#: for averages, which may have no last digit
DERIVED = Context(prec=28)
_ROUND_UP = Context(prec=40, rounding=ROUND_CEILING)


class Rounding(Enum):
    """What happens to a value between two steps."""

    EXACT = "exact"
    FLOOR = "floor"
    CEILING = "ceiling"
    HALF_EVEN = "half-even"


_DECIMAL_MODE = {
    Rounding.FLOOR: ROUND_FLOOR,
    Rounding.CEILING: ROUND_CEILING,
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
}


def parse_decimal(text: object) -> Decimal:
    """An exact Decimal from text, int or Decimal.

    Args:
        text: ASCII text of at most 64 characters and 38 digits, exponent within ±30; an int; or a finite Decimal.

    Raises:
        DomainError: for floats, bools, NaN, infinities, other digits, or anything longer.
    """
    if isinstance(text, Decimal):
        value = text
    elif isinstance(text, int) and not isinstance(text, bool):
        if abs(text) >= 10**_MAX_DIGITS:  # before the conversion, which takes half a minute for a million digits
            raise DomainError(f"a whole number of {text.bit_length()} bits has more than {_MAX_DIGITS} digits")
        value = Decimal(text)
    elif isinstance(text, str):
        return _parse_text(text[: _MAX_TEXT + 1])
    else:
        shown = f"{text} " if isinstance(text, float | bool) else ""
        raise DomainError(f"{shown}({type(text).__name__}) is not an exact number: give text, a Decimal or an int")
    return _bounded(value)


@lru_cache(maxsize=1024)  # a strategy names the same sizes and distances with every order
def _parse_text(text: str) -> Decimal:
    if len(text) > _MAX_TEXT or not _NUMBER.fullmatch(text):
        raise DomainError(f"{text[:40]!r} is not a plain decimal number")
    return _bounded(Decimal(text))


def _bounded(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise DomainError(f"{value} is not a finite number")
    _, digits, exponent = value.as_tuple()
    if len(digits) > _MAX_DIGITS or not isinstance(exponent, int) or not -_MAX_EXPONENT <= exponent <= _MAX_EXPONENT:
        shown = str(value)[:40]
        raise DomainError(f"{shown} has more than {_MAX_DIGITS} digits or an exponent beyond ±{_MAX_EXPONENT}")
    return value


def check_int64(value: int, what: str) -> int:
    """The value itself, or DomainError when it does not fit 64 bits."""
    if not INT64_MIN <= value <= INT64_MAX:
        raise DomainError(f"{what} {value} does not fit 64 bits")
    return value


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """``numerator / denominator`` as an integer, by ``rounding`` between two; the denominator is positive.

    Raises:
        DomainError: under EXACT when a remainder is left.
    """
    quotient, remainder = divmod(numerator, denominator)
    if remainder == 0 or rounding is Rounding.FLOOR:
        return quotient
    if rounding is Rounding.CEILING:
        return quotient + 1
    if rounding is Rounding.EXACT:
        raise DomainError(f"{numerator}/{denominator} is not a whole number")
    twice = 2 * remainder
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


def to_units(value: Decimal, step: Decimal, rounding: Rounding, what: str = "value") -> int:
    """How many ``step`` are in ``value``.

    Args:
        value: the amount, price or quantity.
        step: the positive tick, lot or unit.
        rounding: what to do between two steps.
        what: named in the error.

    Raises:
        DomainError: under EXACT when value is no multiple of step; or past 64 bits.
    """
    (num, den), (step_num, step_den) = value.as_integer_ratio(), ratio_to_fraction(step)
    num, den = num * step_den, den * step_num
    if rounding is Rounding.EXACT and num % den:
        raise DomainError(f"{what} {value} is not a multiple of {step}")
    return check_int64(divide(num, den, rounding), what)


def from_units(units: int, scale: int) -> Decimal:
    """The Decimal that ``units`` of ``10**-scale`` are."""
    return Decimal(units).scaleb(-scale, EXACT)


@lru_cache(maxsize=256)  # limits, fees and ticks come back with every order
def ratio_to_fraction(value: Decimal) -> tuple[int, int]:
    """A ratio as exact numerator and positive denominator."""
    return value.as_integer_ratio()


def quantize(value: Decimal, scale: int, rounding: Rounding) -> Decimal:
    """The value with ``scale`` decimals, for showing; EXACT refuses to lose digits."""
    if rounding is Rounding.EXACT:
        return from_units(to_units(value, Decimal(1).scaleb(-scale), rounding), scale)
    return value.quantize(Decimal(1).scaleb(-scale), rounding=_DECIMAL_MODE[rounding], context=EXACT)


def ratio_text(numerator: int, denominator: int) -> str:
    """A measured ratio for people and the journal: rounded up to 8 decimals, so that a breach never looks equal."""
    if denominator <= 0:
        return "unbounded"
    return str(_ROUND_UP.divide(Decimal(numerator), Decimal(denominator)).quantize(Decimal("1e-8"), context=_ROUND_UP))
