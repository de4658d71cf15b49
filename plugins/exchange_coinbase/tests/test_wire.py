"""Reading the venue's instrument list, on made answers and on recorded ones."""

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from bot4_exchange_coinbase import wire

from bot4_core.sdk import ExchangeError


def _recorded(name: str) -> bytes:
    folder = os.environ.get("BOT4_TEST_DATA")
    path = Path(folder or "../shared/data", name)
    if not path.is_file():
        pytest.skip(f"the recording {name} is not here; set BOT4_TEST_DATA to the folder of the shared test data")
    return path.read_bytes()


PRODUCT = {
    "id": "BTC-USD",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "quote_increment": "0.01",
    "base_increment": "0.00000001",
    "min_market_funds": "1",
}
ADVANCED = {
    "product_id": "BTC-USD",
    "product_type": "SPOT",
    "base_currency_id": "BTC",
    "quote_currency_id": "USD",
    "base_increment": "0.00000001",
    "price_increment": "0.05",
    "quote_increment": "0.01",
    "base_min_size": "0.0001",
    "base_max_size": "3400",
    "quote_min_size": "1",
}


def _answer(*products: dict) -> bytes:
    return json.dumps(products).encode()


def _advanced(*products: dict) -> bytes:
    return json.dumps({"products": products}).encode()


def test_increments_become_exact_steps():
    (listed,) = wire.parse_listing(_answer(PRODUCT))
    instrument = listed.instrument
    assert (instrument.symbol, instrument.tick, instrument.lot) == ("BTC/USD", Decimal("0.01"), Decimal("1E-8"))
    assert instrument.min_notional == 1
    assert listed.open


def test_the_advanced_dialect_takes_its_tick_from_the_price_increment():
    (listed,) = wire.parse_listing(_advanced(ADVANCED))
    instrument = listed.instrument
    assert (instrument.tick, instrument.min_quantity) == (Decimal("0.05"), Decimal("0.0001"))
    assert (instrument.max_quantity, instrument.min_notional) == (3400, 1)


@pytest.mark.parametrize("change", [{"is_disabled": True}, {"trading_disabled": True}, {"status": "offline"}])
def test_a_product_that_takes_no_orders_is_closed(change):
    assert not wire.parse_listing(_advanced(ADVANCED | change))[0].open


def test_futures_are_left_out():
    assert wire.parse_listing(_advanced(ADVANCED | {"product_type": "FUTURE", "base_currency_id": ""})) == []


def test_a_lot_finer_than_the_usual_scale_widens_the_scale():
    (listed,) = wire.parse_listing(_answer(PRODUCT | {"base_increment": "0.0000000001"}))
    assert listed.instrument.base_scale == 10


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "truncated"),
        (b"1", "Expected"),
        (b"[" * 100_000, "coinbase products"),
        (_answer({}), "missing required field"),
        (_answer(PRODUCT, PRODUCT | {"id": "XBT-USD"}), "both BTC/USD"),
        (_answer(PRODUCT | {"quote_increment": "1e999"}), "1e999"),
        (_answer(PRODUCT | {"base_increment": "-1"}), "greater than 0"),
        (_advanced(ADVANCED | {"base_min_size": "one"}), "one"),
        (b" " * (wire.MAX_BYTES + 1), "at most"),
    ],
)
def test_a_malformed_answer_is_refused_with_the_reason(data, message):
    with pytest.raises(ExchangeError, match=message):
        wire.parse_listing(data)


def test_the_recorded_list_is_read_whole():
    listed = {
        one.venue_symbol: one
        for one in wire.parse_listing(_recorded("coinbase/rest/products_exchange_2025-08-27.json"))
    }
    assert len(listed) == 720
    assert sum(one.open for one in listed.values()) == 458
    bitcoin = listed["BTC-USD"].instrument
    assert (bitcoin.symbol, bitcoin.tick, bitcoin.lot) == ("BTC/USD", Decimal("0.01"), Decimal("1E-8"))


def test_the_advanced_answer_in_the_shared_data_is_read():
    lines = _recorded("coinbase/rest/responses_nautilus.jsonl").splitlines()
    (body,) = [one["payload"] for one in map(json.loads, lines) if one["name"] == "http_products"]
    listed = wire.parse_listing(json.dumps(body).encode())
    assert [one.instrument.symbol for one in listed] == ["BTC/USD", "BTC/USDC"]
