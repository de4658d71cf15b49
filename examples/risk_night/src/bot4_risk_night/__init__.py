"""A risk policy that refuses entries at night (UTC)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from attrs import field, frozen

from bot4_core.sdk import Account, DomainError, Failure, RiskSpec, Services, Wish, hookimpl

_HOUR_NS = 3600 * 10**9


def _valid_hour(_settings: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if not 0 <= value <= 23:
        raise DomainError(f"{value} must be an hour from 0 to 23")


@frozen(kw_only=True)
class NightSettings:
    """``[[risk]]`` with ``use = "night"``.

    Args:
        from_hour, to_hour: the night begins and ends at these full hours, UTC; it may pass midnight.
        open_orders: most working entry orders of the bot, at any hour.
    """

    from_hour: int = field(default=22, validator=_valid_hour)
    to_hour: int = field(default=6, validator=_valid_hour)
    open_orders: int = 100


class Night:
    """The policy (``bot4_core.sdk.RiskCheck``)."""

    def __init__(self, settings: NightSettings, _services: Services) -> None:
        self._begins, self._ends = settings.from_hour, settings.to_hour
        self.limits: Mapping[str, object] = {"open_orders": settings.open_orders}

    def check(self, wish: Wish, account: Account) -> Failure | None:
        """Refuses an order wished at night."""
        hour = wish.ts // _HOUR_NS % 24
        since = (hour - self._begins) % 24
        if since >= (self._ends - self._begins) % 24:
            return None
        return Failure("hours", f"{hour:02d}:00", f"{self._ends:02d}:00 to {self._begins:02d}:00", "UTC")


@hookimpl
def bot4_risk_checks() -> list[RiskSpec]:
    """The one policy this plugin offers."""
    return [RiskSpec(name="night", settings=NightSettings, create=Night, summary="No entries at night.")]
