"""The strategy keeps the promises of a strategy."""

from __future__ import annotations

from collections.abc import Mapping

from bands import Bands

from bot4_core.sdk import StrategySpec
from bot4_core.testing import StrategyContract


class TestBands(StrategyContract):
    def spec(self) -> StrategySpec:
        return StrategySpec(name="bands", strategy=Bands)

    def settings(self) -> Mapping[str, object]:
        return {"length": 12, "width": "1.5"}

    def exchange(self) -> Mapping[str, object]:
        return {"account": "margin"}
