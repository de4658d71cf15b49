"""The policy keeps the promises of a risk policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot4_risk_night import bot4_risk_checks

from bot4_core.sdk import RiskSpec
from bot4_core.testing import RiskCase, RiskContract

#: 2024-01-01 00:00 UTC
_MIDNIGHT_NS = 1_704_067_200 * 10**9
_HOUR_NS = 3600 * 10**9


def at(hour: int) -> Sequence[RiskCase]:
    """One wish at that hour, UTC."""
    return [RiskCase(ts=_MIDNIGHT_NS + hour * _HOUR_NS)]


class TestNight(RiskContract):
    def spec(self) -> RiskSpec:
        (spec,) = bot4_risk_checks()
        return spec

    def settings(self) -> Mapping[str, object]:
        return {"from_hour": 22, "to_hour": 6, "open_orders": 5}

    def refused(self) -> Sequence[Sequence[RiskCase]]:
        return [at(22), at(0), at(5)]

    def allowed(self) -> Sequence[Sequence[RiskCase]]:
        return [at(6), at(12), at(21)]
