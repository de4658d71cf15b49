"""The number grammar of RELIABILITY.md section 5 and the roundings of DECISIONS.md D-3, by hand."""

from __future__ import annotations

import math
from fractions import Fraction

DIGITS = "0123456789"


def _take_digits(text: str) -> tuple[str, str]:
    end = 0
    while end < len(text) and text[end] in DIGITS:
        end += 1
    return text[:end], text[end:]


def _take_sign(text: str) -> tuple[int, str]:
    if text[:1] in ("+", "-"):
        return (-1 if text[0] == "-" else 1), text[1:]
    return 1, text


def read_number(text: str) -> Fraction | None:
    """The exact value of a plain number, None when it is refused: one character after the other, no regex."""
    if len(text) > 64:
        return None
    sign, rest = _take_sign(text)
    whole, rest = _take_digits(rest)
    part = ""
    if rest[:1] == ".":
        part, rest = _take_digits(rest[1:])
    if not whole and not part:
        return None
    exponent = 0
    if rest[:1] in ("e", "E"):
        direction, rest = _take_sign(rest[1:])
        digits, rest = _take_digits(rest)
        if not 1 <= len(digits) <= 2:
            return None
        exponent = direction * int(digits)
    if rest:
        return None
    significant = (whole + part).lstrip("0")
    last_place = exponent - len(part)
    if len(significant) > 38 or not -30 <= last_place <= 30:
        return None
    return sign * int(significant or "0") * Fraction(10) ** last_place


def round_ratio(ratio: Fraction, rounding: str) -> int | None:
    """The whole number a ratio becomes; None where "exact" must refuse."""
    if rounding == "exact":
        return int(ratio) if ratio.denominator == 1 else None
    if rounding == "floor":
        return math.floor(ratio)
    if rounding == "ceiling":
        return math.ceil(ratio)
    below = math.floor(ratio)
    rest = ratio - below
    if rest * 2 != 1:
        return below + (rest * 2 > 1)
    return below if below % 2 == 0 else below + 1
