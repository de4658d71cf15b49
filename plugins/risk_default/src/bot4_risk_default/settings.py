"""Settings of the policy: one field per limit of the gate, each no looser than the core allows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
from attrs import field, frozen

from bot4_core.sdk import ConfigError, DomainError, Limits

_CORE = Limits()


def _limit(name: str, default: Any) -> Any:
    def no_looser(_settings: object, attribute: attrs.Attribute[Any], value: object) -> None:
        try:
            _CORE.tightened({attribute.name: value})
        except ConfigError as error:
            raise DomainError(error.mistakes[0].message) from None

    no_looser.json_schema = _CORE.json_schema(name)  # type: ignore[attr-defined]  # what an editor may know of it
    return field(default=default, validator=no_looser)


@frozen(kw_only=True)
class RiskDefaultSettings:
    """Limits of the gate, none looser than the core's own.

    Args:
        position: notional in one base asset over equity, working orders at their worst price.
        drawdown: fall from the equity peak that stops the bot.
        stop_distance: farthest protective stop from the worst fill.
        collar: how far beyond the mark a market order is assumed to fill.
        open_orders: working entry orders of the bot.
        open_orders_per_symbol: working entry orders of one instrument.
        max_notional: largest order, in the reporting asset.
        orders_per_second: entry orders accepted within any second.
        duplicate_window_s: an equal entry order within so many seconds is a duplicate.
    """

    position: Decimal = _limit("position", Decimal("0.02"))
    drawdown: Decimal = _limit("drawdown", Decimal("0.15"))
    stop_distance: Decimal = _limit("stop_distance", Decimal("0.04"))
    collar: Decimal = _limit("collar", Decimal("0.005"))
    open_orders: int = _limit("open_orders", 100)
    open_orders_per_symbol: int = _limit("open_orders_per_symbol", 10)
    max_notional: Decimal = _limit("max_notional", Decimal(100_000))
    orders_per_second: int = _limit("orders_per_second", 10)
    duplicate_window_s: Decimal = _limit("duplicate_window_s", Decimal(1))
