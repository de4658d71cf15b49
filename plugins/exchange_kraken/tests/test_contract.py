"""Kraken keeps the promises of an exchange that reads instruments."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from bot4_exchange_kraken.spec import SPEC

from bot4_core.sdk import ExchangeSpec, Instrument
from bot4_core.testing import ExchangeContract

ANSWER = """{"error": [], "result": {
"XXBTZUSD": {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8, "lot_multiplier": 1, "ordermin": "0.0002",
  "costmin": "0.5", "tick_size": "0.1", "status": "online"},
"XDGUSD": {"wsname": "XDG/USD", "pair_decimals": 7, "lot_decimals": 8, "lot_multiplier": 1, "ordermin": "50",
  "costmin": "0.5", "tick_size": "0.0000001", "status": "online"}
}}"""


class TestKraken(ExchangeContract):
    def spec(self) -> ExchangeSpec:
        return SPEC

    def instrument_list(self) -> bytes:
        return ANSWER.encode()

    def instruments(self) -> Sequence[Instrument]:
        return [
            Instrument(
                symbol="BTC/USD",
                tick=Decimal("0.1"),
                lot=Decimal("0.00000001"),
                min_quantity=Decimal("0.0002"),
                min_notional=Decimal("0.5"),
            ),
            Instrument(
                symbol="DOGE/USD",
                tick=Decimal("0.0000001"),
                lot=Decimal("0.00000001"),
                min_quantity=Decimal(50),
                min_notional=Decimal("0.5"),
            )
        ]
