"""Binance keeps the promises of an exchange that reads instruments."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from bot4_exchange_binance.spec import SPEC

from bot4_core.sdk import ExchangeSpec, Instrument
from bot4_core.testing import ExchangeContract

ANSWER = """{"timezone": "UTC", "symbols": [
{"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": [
  {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
  {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
  {"filterType": "NOTIONAL", "minNotional": "5.00000000"}]},
{"symbol": "SHIBUSDT", "status": "TRADING", "baseAsset": "SHIB", "quoteAsset": "USDT", "filters": [
  {"filterType": "PRICE_FILTER", "tickSize": "0.00000001"},
  {"filterType": "LOT_SIZE", "minQty": "1.00", "maxQty": "46116860414.00", "stepSize": "1.00"},
  {"filterType": "NOTIONAL", "minNotional": "1.00000000"}]}
]}"""


class TestBinance(ExchangeContract):
    def spec(self) -> ExchangeSpec:
        return SPEC

    def instrument_list(self) -> bytes:
        return ANSWER.encode()

    def instruments(self) -> Sequence[Instrument]:
        return [
            Instrument(
                symbol="BTC/USDT",
                tick=Decimal("0.01"),
                lot=Decimal("0.00001"),
                min_quantity=Decimal("0.00001"),
                max_quantity=Decimal(9000),
                min_notional=Decimal(5),
            ),
            Instrument(
                symbol="SHIB/USDT",
                tick=Decimal("0.00000001"),
                lot=Decimal(1),
                min_quantity=Decimal(1),
                max_quantity=Decimal(46116860414),
                min_notional=Decimal(1),
            )
        ]
