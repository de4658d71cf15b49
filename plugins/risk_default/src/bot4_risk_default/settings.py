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
    """What ``[[risk]] use = "default"`` takes; ``bot4_core.sdk.Limits`` says what each limit means."""

    position: Decimal = _limit(Decimal("0.02"))
    drawdown: Decimal = _limit(Decimal("0.15"))
    stop_distance: Decimal = _limit(Decimal("0.04"))
    collar: Decimal = _limit(Decimal("0.005"))
    open_orders: int = _limit(100)
    open_orders_per_symbol: int = _limit(10)
    max_notional: Decimal = _limit(Decimal(100_000))
    orders_per_second: int = _limit(10)
    duplicate_window_s: Decimal = _limit(Decimal(1))
