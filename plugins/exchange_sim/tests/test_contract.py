"""The simulator keeps the promises of an exchange, on a spot and on a margin account, on bars and on ticks."""

from __future__ import annotations

from collections.abc import Mapping

from bot4_exchange_sim.spec import SPEC

from bot4_core.sdk import ExchangeSpec
from bot4_core.testing import ExchangeContract


class TestSpot(ExchangeContract):
    def spec(self) -> ExchangeSpec:
        return SPEC

    def settings(self) -> Mapping[str, object]:
        return {"history": ["market.b4h"], "balances": {"USDT": "100000"}}


class TestMargin(TestSpot):
    def settings(self) -> Mapping[str, object]:
        return {**super().settings(), "account": "margin", "latency": "250ms"}
