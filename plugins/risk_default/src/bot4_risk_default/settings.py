"""Settings of the policy: one field per limit of the gate, each no looser than the core allows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
from attrs import field, frozen

from bot4_core.sdk import ConfigError, DomainError, Limits

_CORE = Limits()


def _no_looser(_settings: object, attribute: attrs.Attribute[Any], value: object) -> None:
    try:
        _CORE.tightened({attribute.name: value})
    except ConfigError as error:
        raise DomainError(error.mistakes[0].message) from None


def _limit(default: Any) -> Any:
    return field(default=default, validator=_no_looser)


@frozen(kw_only=True)
class RiskDefaultSettings:
    """What ``[[risk]]`` with ``use = "default"`` takes; the rules they feed are described at ``bot4_core.sdk.Limits``.

    Args:
        position: notional in one base asset over equity, ratio.
        drawdown: loss from the equity peak that stops the bot, ratio.
        stop_distance: farthest protective stop from the worst acceptable fill, ratio.
        collar: how much worse than the mark a market order is assumed to fill, ratio.
        open_orders: working entry orders at once.
        open_orders_per_symbol: the same for one instrument.
        max_notional: largest order in the reporting asset.
        orders_per_second: entry orders accepted within any second.
        duplicate_window_s: an equal entry order within so many seconds is a duplicate.
    """

    position: Decimal = _limit(Decimal("0.02"))
    drawdown: Decimal = _limit(Decimal("0.15"))
    stop_distance: Decimal = _limit(Decimal("0.04"))
    collar: Decimal = _limit(Decimal("0.005"))
    open_orders: int = _limit(100)
    open_orders_per_symbol: int = _limit(10)
    max_notional: Decimal = _limit(Decimal(100_000))
    orders_per_second: int = _limit(10)
    duplicate_window_s: Decimal = _limit(Decimal(1))
