"""The limits the gate enforces. The core's own are immutable ceilings: policies may tighten, never loosen (R-41)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
from attrs import frozen

from ..errors import ConfigError, DomainError, Mistake
from .money import parse_decimal


@frozen(kw_only=True)
class Limits:
    """Every limit of the gate; None switches the rule off (only the core does that, for ``unguarded`` runs).

    Args:
        position: notional in one base asset over equity, working orders at their worst price (K-1), ratio.
        drawdown: loss from the equity peak that stops the bot (K-3), ratio.
        stop_distance: farthest protective stop from the worst acceptable fill (P-1), ratio.
        collar: how much worse than the mark a market order is assumed to fill, ratio.
        open_orders: working entry orders at once.
        open_orders_per_symbol: the same for one instrument.
        max_notional: largest order in the reporting asset.
        orders_per_second: entry orders accepted within any second.
        duplicate_window_s: an equal entry order within so many seconds is a duplicate.
    """

    position: Decimal | None = Decimal("0.02")
    drawdown: Decimal | None = Decimal("0.15")
    stop_distance: Decimal | None = Decimal("0.04")
    collar: Decimal = Decimal("0.005")
    open_orders: int = 100
    open_orders_per_symbol: int = 10
    max_notional: Decimal | None = None
    orders_per_second: int | None = None
    duplicate_window_s: Decimal | None = None

    def without_guard(self) -> Limits:
        """The same limits with the immutable rules of R-41 off (``[bot] unguarded``, D-12)."""
        return attrs.evolve(self, position=None, drawdown=None, stop_distance=None)

    def tightened(self, wanted: Mapping[str, object], path: str = "$") -> Limits:
        """These limits with a policy's stricter ones.

        Args:
            wanted: limit name to value; None means the policy states nothing.
            path: config path of the policy, for the mistake.

        Raises:
            ConfigError: naming every limit that is unknown, no number, or looser than what stands.
        """
        mistakes: list[Mistake] = []
        changes: dict[str, Any] = {}
        for name, value in wanted.items():
            if value is None:
                continue
            try:
                changes[name] = self._tighter(name, value)
            except DomainError as error:
                mistakes.append(Mistake(f"{path}.{name}", str(error)))
        if mistakes:
            raise ConfigError(mistakes)
        return attrs.evolve(self, **changes)

    def _tighter(self, name: str, value: object) -> Decimal | int:
        if name not in _NAMES:
            raise DomainError(f"is no limit of the gate; known: {', '.join(sorted(_NAMES))}")
        number = parse_decimal(value)
        current = getattr(self, name)
        if name in _MORE_IS_TIGHTER:
            if current is not None and number < current:
                raise DomainError(f"{number} is below the limit {current}")
        elif current is not None and number > current:
            raise DomainError(f"{number} is above the limit {current}")
        if number < 0 or (number == 0 and name not in _MORE_IS_TIGHTER):
            raise DomainError(f"{number} must be greater than 0")
        if name in _COUNTS and number != int(number):
            raise DomainError(f"{number} must be a whole number")
        if name == "drawdown" and number < _FINEST_DRAWDOWN:
            raise DomainError(f"{number} is finer than drawdown is measured, {_FINEST_DRAWDOWN:f}")
        if name == "collar" and number >= 1:
            raise DomainError(f"{number} must be below 1")
        return int(number) if name in _COUNTS else number

    def json_schema(self, name: str) -> dict[str, object]:
        """What a policy may state for one limit without loosening this one, as JSON Schema keywords of a number."""
        current = getattr(self, name)
        if name in _MORE_IS_TIGHTER:
            least = {"minimum": Decimal(0) if current is None else current}
            return least | ({"exclusiveMaximum": 1} if name == "collar" else {})
        return {"exclusiveMinimum": 0} | ({} if current is None else {"maximum": current})

    def to_mapping(self) -> dict[str, str]:
        """Name to text of every rule in force, for the journal and the report."""
        values = {name: getattr(self, name) for name in _NAMES}
        return {name: "off" if value is None else str(value) for name, value in sorted(values.items())}


#: the immutable limits of R-41, which ``[bot] unguarded`` switches off outside live trading (D-12)
GUARD = frozenset({"position", "drawdown", "stop_distance"})
_NAMES = frozenset(a.name for a in attrs.fields(Limits))
_COUNTS = frozenset({"open_orders", "open_orders_per_symbol", "orders_per_second"})
#: the valuation measures in billionths of the peak, and 0 of them would switch its halt off
_FINEST_DRAWDOWN = Decimal("1e-9")
_MORE_IS_TIGHTER = frozenset({"duplicate_window_s", "collar"})
