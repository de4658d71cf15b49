"""The settings of ``[exchange.NAME]`` with ``use = "sim"``."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import attrs
from attrs import field, frozen

_DURATION = re.compile(r"([0-9]{1,13})(ns|us|ms|s|m|h)", re.ASCII)
_UNIT_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}

_SPREAD = Decimal("0.0002")
_SLIPPAGE = Decimal("0.0001")
_PARTICIPATION = Decimal("0.05")


def duration_ns(text: str) -> int:
    """Nanoseconds of a duration such as ``50ms``.

    Raises:
        ValueError: the text is no whole number with one of the units ns, us, ms, s, m, h, or is more than an hour.
    """
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no duration: write a whole number and ns, us, ms, s, m or h, such as 50ms")
    value = int(match[1]) * _UNIT_NS[match[2]]
    if value > _UNIT_NS["h"]:
        raise ValueError(f"{text} is more than an hour")
    return value


def _between(low: str, high: str, *, low_included: bool = True) -> Any:
    """A validator for a ratio; None passes."""

    def valid(_: object, attribute: attrs.Attribute[Any], value: Decimal | None) -> None:
        if value is None:
            return
        if not value.is_finite() or not Decimal(low) <= value <= Decimal(high):
            raise ValueError(f"{attribute.name} {value} must be from {low} to {high}")
        if value == Decimal(low) and not low_included:
            raise ValueError(f"{attribute.name} {value} must be above {low}")

    return valid


def _valid_history(_: object, _attribute: object, value: list[str]) -> None:
    if not value:
        raise ValueError('history is empty: name at least one file, such as history = ["btcusdt-5m.b4h"]')
    twice = sorted({name for name in value if value.count(name) > 1})
    if twice:
        raise ValueError(f"history names {twice[0]!r} twice")


def _valid_balances(_: object, _attribute: object, value: dict[str, Decimal]) -> None:
    if not value:
        raise ValueError('balances is empty: give the account money, such as balances = { USDT = "100000" }')
    for asset, amount in value.items():
        if not amount.is_finite() or amount < 0:
            raise ValueError(f"balance of {asset} is {amount}, it must not be negative")


def _valid_latency(_: object, _attribute: object, value: str) -> None:
    duration_ns(value)


def _valid_fees(_: object, _attribute: object, value: Fees) -> None:
    if value.maker < 0 and -value.maker > value.taker:
        raise ValueError(f"a maker rebate of {-value.maker} above the taker fee of {value.taker} pays for nothing")


@frozen(kw_only=True)
class Fees:
    """Fees as shares of a fill's cost; both default to 0.001. A negative maker fee is a rebate."""

    maker: Decimal = field(default=Decimal("0.001"), validator=_between("-0.01", "0.1"))
    taker: Decimal = field(default=Decimal("0.001"), validator=_between("0", "0.1"))


@frozen(kw_only=True)
class SimSettings:
    """Settings of the simulated exchange.

    Args:
        history: history files by catalogue name or path relative to the TOML.
        balances: what the account holds at the start, asset to amount.
        fees: maker and taker fee.
        account: ``spot``, or ``margin``, which can go short.
        leverage: gross exposure over equity that a margin account allows.
        fill_profile: ``conservative``, or ``compat-backtesting`` for parity tests against backtesting.py.
        spread: distance of bid and ask as a share of the price, for data without quotes; 0.0002.
        slippage: what a taker pays beyond that, as a share of the price; 0.0001.
        participation: share of a bar's volume that all own fills together may take; 0.05.
        latency: from sending an order or cancel to its arrival, such as ``50ms``.
    """

    history: list[str] = field(validator=_valid_history)
    balances: dict[str, Decimal] = field(validator=_valid_balances)
    fees: Fees = field(factory=Fees, validator=_valid_fees)
    account: Literal["spot", "margin"] = "spot"
    leverage: Decimal = field(default=Decimal(3), validator=_between("1", "125"))
    fill_profile: Literal["conservative", "compat-backtesting"] = "conservative"
    spread: Decimal | None = field(default=None, validator=_between("0", "0.1"))
    slippage: Decimal | None = field(default=None, validator=_between("0", "0.1"))
    participation: Decimal | None = field(default=None, validator=_between("0", "1", low_included=False))
    latency: str = field(default="0ms", validator=_valid_latency)

    def __attrs_post_init__(self) -> None:
        given = [n for n in ("spread", "slippage", "participation") if getattr(self, n) is not None]
        if self.compat and given:
            raise ValueError(f"fill_profile compat-backtesting has no {' or '.join(given)}: leave it out")

    @property
    def compat(self) -> bool:
        """True under the looser rules of ``compat-backtesting``."""
        return self.fill_profile == "compat-backtesting"

    @property
    def spread_ratio(self) -> Fraction:
        """The spread in force."""
        return Fraction(0) if self.compat else Fraction(_SPREAD if self.spread is None else self.spread)

    @property
    def slippage_ratio(self) -> Fraction:
        """The slippage in force."""
        return Fraction(0) if self.compat else Fraction(_SLIPPAGE if self.slippage is None else self.slippage)

    @property
    def participation_ratio(self) -> Fraction:
        """The participation cap in force; 1 where there is none."""
        given = _PARTICIPATION if self.participation is None else self.participation
        return Fraction(1) if self.compat else Fraction(given)

    @property
    def latency_ns(self) -> int:
        """The latency in nanoseconds."""
        return duration_ns(self.latency)
