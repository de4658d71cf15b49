"""Coinbase keeps the promises of an exchange that reads instruments."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from bot4_exchange_coinbase.spec import SPEC

from bot4_core.sdk import ExchangeSpec, Instrument
from bot4_core.testing import ExchangeContract

ANSWER = """[
{"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "status": "online",
  "quote_increment": "0.01", "base_increment": "0.00000001", "min_market_funds": "1"},
{"id": "ETH-BTC", "base_currency": "ETH", "quote_currency": "BTC", "status": "online",
  "quote_increment": "0.00001", "base_increment": "0.00000001", "min_market_funds": "0.000016"}
]"""


class TestCoinbase(ExchangeContract):
    def spec(self) -> ExchangeSpec:
        return SPEC

    def instrument_list(self) -> bytes:
        return ANSWER.encode()

    def instruments(self) -> Sequence[Instrument]:
        return [
            Instrument(
                symbol="BTC/USD",
                tick=Decimal("0.01"),
                lot=Decimal("0.00000001"),
                min_notional=Decimal(1),
            ),
            Instrument(
                symbol="ETH/BTC",
                tick=Decimal("0.00001"),
                lot=Decimal("0.00000001"),
                min_notional=Decimal("0.000016"),
            )
        ]
