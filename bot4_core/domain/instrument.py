"""Instruments: what can be traded, and the exact conversion between Decimal and ticks, lots, units."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from attrs import Attribute, field, frozen

from ..errors import DomainError
from .money import EXACT, Rounding, check_int64, divide, from_units, parse_decimal, to_units


def _positive(value: object) -> Decimal:
    number = parse_decimal(value)
    if number <= 0:
        raise DomainError(f"{number} must be greater than 0")
    return number


def _not_negative(value: object) -> Decimal:
    number = parse_decimal(value)
    if number < 0:
        raise DomainError(f"{number} must not be negative")
    return number


def _scale(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 18:
        raise DomainError(f"scale {value!r} must be a whole number from 0 to 18")
    return value


def _text(_instrument: object, attribute: Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value.isprintable() or " " in value or not 0 < len(value) <= 64:
        raise DomainError(f"{attribute.name} {value!r:.80} must be 1-64 printable characters without spaces")


def _pair(instrument: object, attribute: Attribute[str], value: str) -> None:
    _text(instrument, attribute, value)
    base, _, quote = value.partition("/")
    if not base or not quote or "/" in quote or base == quote:
        raise DomainError(f"symbol {value!r} must read BASE/QUOTE, two different assets")


@frozen(kw_only=True)
class Instrument:
    """One tradable pair and the venue's filters for it (linear: notional = price × quantity × multiplier).

    Args:
        symbol: ``BASE/QUOTE``.
        tick: smallest price step, in quote.
        lot: smallest quantity step, in base.
        min_quantity: smallest order, in base (0 = one lot).
        max_quantity: largest order, in base (0 = no limit stated).
        min_notional: smallest price × quantity, in quote (0 = none stated).
        multiplier: base units per contract unit; 1 on spot.
        volume_scale: decimals of market-data volume (DECISIONS.md D-2).
        base_scale, quote_scale: decimals of asset amounts (D-3).
        version: which tick, lot and filters these are; stored with each record (O-8).

    Raises:
        DomainError: for numbers that cannot be.
    """

    symbol: str = field(validator=_pair)
    tick: Decimal = field(converter=_positive)
    lot: Decimal = field(converter=_positive)
    min_quantity: Decimal = field(converter=_not_negative, default=Decimal(0))
    max_quantity: Decimal = field(converter=_not_negative, default=Decimal(0))
    min_notional: Decimal = field(converter=_not_negative, default=Decimal(0))
    multiplier: Decimal = field(converter=_positive, default=Decimal(1))
    volume_scale: int = field(converter=_scale, default=8)
    base_scale: int = field(converter=_scale, default=8)
    quote_scale: int = field(converter=_scale, default=8)
    version: str = field(default="1", validator=_text)

    #: derived, computed once because every order asks for them
    base: str = field(init=False, repr=False, eq=False)
    """The asset that is bought and sold."""
    quote: str = field(init=False, repr=False, eq=False)
    """The asset that prices are stated in."""
    lot_units: int = field(init=False, repr=False, eq=False)
    """Base-asset units of one lot."""
    tick_lot_ratio: tuple[int, int] = field(init=False, repr=False, eq=False)
    """Quote units of one tick × one lot, as numerator and denominator."""

    def __attrs_post_init__(self) -> None:
        per_lot = Fraction(self.lot) * Fraction(self.multiplier)
        lot_units = per_lot * 10**self.base_scale
        if lot_units.denominator != 1:
            raise DomainError(f"{self.symbol}: a lot of {self.lot} is no multiple of 10^-{self.base_scale}")
        base, _, quote = self.symbol.partition("/")
        ratio = (Fraction(self.tick) * per_lot * 10**self.quote_scale).as_integer_ratio()
        derived = {"base": base, "quote": quote, "lot_units": lot_units.numerator, "tick_lot_ratio": ratio}
        for name, value in derived.items():
            object.__setattr__(self, name, value)  # frozen, and this is still its making

    def __hash__(self) -> int:
        return hash((self.symbol, self.version))

    def price(self, ticks: int) -> Decimal:
        """The price of so many ticks."""
        return EXACT.multiply(self.tick, ticks)

    def ticks(self, price: Decimal, rounding: Rounding = Rounding.EXACT) -> int:
        """The ticks of a price, by ``rounding`` between two; DomainError when it is off the tick under EXACT."""
        return to_units(price, self.tick, rounding, f"{self.symbol} price")

    def quantity(self, lots: int) -> Decimal:
        """The quantity of so many lots."""
        return EXACT.multiply(self.lot, lots)

    def lots(self, quantity: Decimal, rounding: Rounding = Rounding.EXACT) -> int:
        """The lots of a quantity, by ``rounding`` between two; DomainError when it is off the lot under EXACT."""
        return to_units(quantity, self.lot, rounding, f"{self.symbol} quantity")

    def volume(self, units: int) -> Decimal:
        """Market-data volume from its own units."""
        return from_units(units, self.volume_scale)

    def base_units(self, lots: int) -> int:
        """Base-asset units of so many lots, exactly."""
        return check_int64(lots * self.lot_units, f"{self.symbol} amount")

    def cost_units(self, ticks: int, lots: int, rounding: Rounding = Rounding.HALF_EVEN) -> int:
        """Quote-asset units of ticks × lots: the exact product first, then one rounding (D-3)."""
        num, den = self.tick_lot_ratio
        return check_int64(divide(ticks * lots * num, den, rounding), f"{self.symbol} cost")

    def to_mapping(self) -> dict[str, object]:
        """A JSON-ready mapping that :meth:`from_mapping` reads back."""
        return {
            "symbol": self.symbol,
            "tick": str(self.tick),
            "lot": str(self.lot),
            "min_quantity": str(self.min_quantity),
            "max_quantity": str(self.max_quantity),
            "min_notional": str(self.min_notional),
            "multiplier": str(self.multiplier),
            "volume_scale": self.volume_scale,
            "base_scale": self.base_scale,
            "quote_scale": self.quote_scale,
            "version": self.version,
        }

    @classmethod
    def from_mapping(cls, data: Mapping[str, object]) -> Instrument:
        """An instrument from the mapping of :meth:`to_mapping`; DomainError names what does not fit."""
        known = {a.name for a in cls.__attrs_attrs__ if a.init}
        unknown = sorted(set(data) - known)
        missing = sorted({"symbol", "tick", "lot"} - set(data))
        if unknown or missing:
            raise DomainError(f"instrument with unknown keys {unknown} or missing keys {missing}")
        return cls(**data)  # type: ignore[arg-type]  # the converters check each value
