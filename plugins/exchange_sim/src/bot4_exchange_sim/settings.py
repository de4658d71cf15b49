"""The settings of ``[exchange.NAME]`` with ``use = "sim"``."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import attrs
from attrs import field, frozen

_DURATION = re.compile(r"([0-9]{1,13})(ns|us|ms|s|m|h)", re.ASCII)
_UNIT_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}

_INTERVAL = re.compile(r"([1-9][0-9]{0,4})(s|m|h|d)", re.ASCII)
_DAY_NS = 24 * _UNIT_NS["h"]
_PAIR = re.compile(r"(?P<base>[^\s/]{1,20})/(?P<quote>[^\s/]{1,20})")
#: prices that a made-up market may start from; its ticks and lots are powers of ten beside them
PRICES = (Decimal("0.000001"), Decimal(10_000_000))
#: bars of all made-up markets together: they are kept in memory, 64 bytes each
MAX_BARS = 2_000_000
#: a made-up market begins on 2024-01-01; this is well before 2100, the end of what histories may hold
_MAX_SPAN_NS = 75 * 365 * _DAY_NS
_MAX_SPEED = Decimal(1_000_000)

_INTERVAL_DEFAULT = "1m"
_BARS_DEFAULT = 100_000
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


def bar_ns(text: str) -> int:
    """Length of a bar such as ``5m``, nanoseconds.

    Raises:
        ValueError: the text is no whole number with s, m, h or d, or is more than a day.
    """
    match = _INTERVAL.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no bar length: write a whole number and s, m, h or d, such as 5m")
    value = int(match[1]) * (_DAY_NS if match[2] == "d" else _UNIT_NS[match[2]])
    if value > _DAY_NS:
        raise ValueError(f"bars of {text} are longer than a day")
    return value


def _told(**keywords: object) -> Callable[[Any], Any]:
    """Gives a validator what an editor may know about its values, JSON Schema keywords (``bot4 config schema``)."""

    def tell(validator: Any) -> Any:
        validator.json_schema = keywords
        return validator

    return tell


def _between(low: str, high: str, *, low_included: bool = True) -> Any:
    """A validator for a ratio; None passes."""

    @_told(**{"minimum" if low_included else "exclusiveMinimum": Decimal(low), "maximum": Decimal(high)})
    def valid(_: object, attribute: attrs.Attribute[Any], value: Decimal | None) -> None:
        if value is None:
            return
        if not value.is_finite() or not Decimal(low) <= value <= Decimal(high):
            raise ValueError(f"{attribute.name} {value} must be from {low} to {high}")
        if value == Decimal(low) and not low_included:
            raise ValueError(f"{attribute.name} {value} must be above {low}")

    return valid


@_told(minItems=1, uniqueItems=True)
def _valid_history(_: object, _attribute: object, value: list[str] | None) -> None:
    if value is None:
        return
    if not value:
        raise ValueError('history is empty: name at least one file, such as history = ["btcusdt-5m.b4h"]')
    twice = sorted({name for name in value if value.count(name) > 1})
    if twice:
        raise ValueError(f"history names {twice[0]!r} twice")


@_told(
    minProperties=1,
    propertyNames={"pattern": r"^[^\s/]{1,20}/[^\s/]{1,20}$"},
    additionalProperties={"minimum": PRICES[0], "maximum": PRICES[1]},
)
def _valid_market(_: object, _attribute: object, value: dict[str, Decimal] | None) -> None:
    if value is None:
        return
    if not value:
        raise ValueError('market is empty: name a pair and its first price, such as market = { "BTC/USDT" = "30000" }')
    low, high = PRICES
    for symbol, price in value.items():
        pair = _PAIR.fullmatch(symbol)
        if not pair or pair["base"] == pair["quote"] or not symbol.isprintable():
            raise ValueError(f"market {symbol!r:.60} must read BASE/QUOTE, two different assets")
        if not price.is_finite() or not low <= price <= high:
            raise ValueError(f"{symbol} starts at {price}; a made-up market starts from {low:f} to {high:f}")


@_told(pattern=f"^(?:{_INTERVAL.pattern})$")
def _valid_interval(_: object, _attribute: object, value: str | None) -> None:
    if value is not None:
        bar_ns(value)


@_told(minimum=1, maximum=MAX_BARS)
def _valid_bars(_: object, _attribute: object, value: int | None) -> None:
    if value is not None and not 1 <= value <= MAX_BARS:
        raise ValueError(f"bars {value} must be from 1 to {MAX_BARS}")


@_told(exclusiveMinimum=0, maximum=_MAX_SPEED)
def _valid_speed(_: object, _attribute: object, value: Decimal | str) -> None:
    if isinstance(value, str):
        if value != "max":
            raise ValueError(f"speed {value!r} must be a number or 'max'")
    elif not value.is_finite() or not 0 < value <= _MAX_SPEED:
        raise ValueError(f"speed {value} must be above 0, at most {_MAX_SPEED}; 'max' waits for nothing")


@_told(minProperties=1, additionalProperties={"minimum": 0})
def _valid_balances(_: object, _attribute: object, value: dict[str, Decimal]) -> None:
    if not value:
        raise ValueError('balances is empty: give the account money, such as balances = { USDT = "100000" }')
    for asset, amount in value.items():
        if not amount.is_finite() or amount < 0:
            raise ValueError(f"balance of {asset} is {amount}, it must not be negative")


@_told(pattern=f"^(?:{_DURATION.pattern})$")
def _valid_duration(_: object, _attribute: object, value: str) -> None:
    duration_ns(value)


def _valid_fees(_: object, _attribute: object, value: Fees) -> None:
    if value.maker < 0 and -value.maker > value.taker:
        raise ValueError(f"a maker rebate of {-value.maker} above the taker fee of {value.taker} pays for nothing")


@frozen(kw_only=True)
class Fees:
    """Fees of the simulated exchange.

    Args:
        maker: share of a fill's cost that a resting order pays; negative is a rebate.
        taker: share of a fill's cost that any other order pays.
    """

    maker: Decimal = field(default=Decimal("0.001"), validator=_between("-0.01", "0.1"))
    taker: Decimal = field(default=Decimal("0.001"), validator=_between("0", "0.1"))


@frozen(kw_only=True)
class SimSettings:
    """Settings of the simulated exchange; ``history`` or ``market`` says what it plays.

    Args:
        history: history files by catalogue name or path relative to the TOML.
        market: instead of them markets made up from the bot's seed, symbol to first price.
        interval: bar length of those, such as ``5m``; 1m.
        bars: number of bars of each of those; 100000.
        balances: what the account holds at the start, asset to amount.
        fees: maker and taker fee.
        account: ``spot``, or ``margin``, which can go short.
        leverage: gross exposure over equity that a margin account allows.
        fill_profile: ``conservative``, or ``compat-backtesting`` for parity tests against backtesting.py.
        spread: distance of bid and ask as a share of the price, for data without quotes; 0.0002.
        slippage: what a taker pays beyond that, as a share of the price; 0.0001.
        participation: share of a bar's volume that all own fills together may take; 0.05.
        latency: from sending an order or cancel to its arrival, such as ``50ms``, in time of the market.
        speed: market seconds in a second of a running bot, or ``max``: as fast as the bot takes it.
        jitter: how much later than due the pieces of a step arrive at a running bot, at most, such as ``50ms``.
    """

    history: list[str] | None = field(default=None, validator=_valid_history)
    market: dict[str, Decimal] | None = field(default=None, validator=_valid_market)
    interval: str | None = field(default=None, validator=_valid_interval)
    bars: int | None = field(default=None, validator=_valid_bars)
    balances: dict[str, Decimal] = field(validator=_valid_balances)
    fees: Fees = field(factory=Fees, validator=_valid_fees)
    account: Literal["spot", "margin"] = "spot"
    leverage: Decimal = field(default=Decimal(3), validator=_between("1", "125"))
    fill_profile: Literal["conservative", "compat-backtesting"] = "conservative"
    spread: Decimal | None = field(default=None, validator=_between("0", "0.1"))
    slippage: Decimal | None = field(default=None, validator=_between("0", "0.1"))
    participation: Decimal | None = field(default=None, validator=_between("0", "1", low_included=False))
    latency: str = field(default="0ms", validator=_valid_duration)
    speed: Decimal | Literal["max"] = field(default=Decimal(1), validator=_valid_speed)
    jitter: str = field(default="0ms", validator=_valid_duration)

    def __attrs_post_init__(self) -> None:
        self._check_source()
        given = [n for n in ("spread", "slippage", "participation") if getattr(self, n) is not None]
        if self.compat and given:
            raise ValueError(f"fill_profile compat-backtesting has no {' or '.join(given)}: leave it out")

    def _check_source(self) -> None:
        if self.history is None and self.market is None:
            raise ValueError(
                'nothing to play: write history = ["btcusdt-5m.b4h"] for recorded data, or '
                'market = { "BTC/USDT" = "30000" } for a made-up market'
            )
        if self.history is not None and self.market is not None:
            raise ValueError("history and market are both given: keep one, recorded data or a made-up market")
        given = [name for name in ("interval", "bars") if getattr(self, name) is not None]
        if self.market is None and given:
            raise ValueError(f"{' and '.join(given)} belong to a made-up market; a history has its own: leave it out")
        if self.market is not None and self.bars_each * len(self.market) > MAX_BARS:
            raise ValueError(f"{len(self.market)} markets of {self.bars_each} bars are too many: {MAX_BARS} in all")
        if self.market is not None and self.bars_each * self.interval_ns > _MAX_SPAN_NS:
            raise ValueError(f"{self.bars_each} bars of {self.interval} are more than 75 years: ask for fewer")

    @property
    def interval_ns(self) -> int:
        """Bar length of a made-up market, nanoseconds."""
        return bar_ns(_INTERVAL_DEFAULT if self.interval is None else self.interval)

    @property
    def bars_each(self) -> int:
        """Number of bars of each made-up market."""
        return _BARS_DEFAULT if self.bars is None else self.bars

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

    @property
    def speed_ratio(self) -> Fraction | None:
        """Market seconds per second; None as fast as the bot takes it."""
        return None if isinstance(self.speed, str) else Fraction(self.speed)

    @property
    def jitter_ns(self) -> int:
        """The jitter in nanoseconds."""
        return duration_ns(self.jitter)
