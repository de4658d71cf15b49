"""The default policy keeps the promises of a risk policy: limits alone, none looser than the core's."""

from __future__ import annotations

from collections.abc import Mapping

from bot4_risk_default import SPEC

from bot4_core.sdk import RiskSpec
from bot4_core.testing import RiskContract


class TestDefaults(RiskContract):
    def spec(self) -> RiskSpec:
        return SPEC


class TestTight(TestDefaults):
    def settings(self) -> Mapping[str, object]:
        return {"position": "0.001", "drawdown": "0.01", "open_orders": 1, "duplicate_window_s": 3600}
