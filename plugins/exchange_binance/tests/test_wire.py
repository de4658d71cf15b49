"""Reading the venue's instrument list, on made answers and on recorded ones."""

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from bot4_exchange_binance import wire

from bot4_core.sdk import ExchangeError


def _recorded(name: str) -> bytes:
    folder = os.environ.get("BOT4_TEST_DATA")
    path = Path(folder or "../shared/data", name)
    if not path.is_file():
        pytest.skip(f"the recording {name} is not here; set BOT4_TEST_DATA to the folder of the shared test data")
    return path.read_bytes()


SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    ],
}


def _answer(*symbols: dict) -> bytes:
    return json.dumps({"symbols": symbols}).encode()


def _without(symbol: dict, filter_type: str) -> dict:
    return symbol | {"filters": [one for one in symbol["filters"] if one["filterType"] != filter_type]}


def _with_tick(tick: str) -> dict:
    return SYMBOL | {"filters": [{"filterType": "PRICE_FILTER", "tickSize": tick}, SYMBOL["filters"][1]]}


def test_filters_become_exact_steps_without_false_digits():
    (listed,) = wire.parse_listing(_answer(SYMBOL), "spot")
    instrument = listed.instrument
    assert (instrument.symbol, str(instrument.tick), str(instrument.lot)) == ("BTC/USDT", "0.01", "0.00001")
    assert (instrument.min_quantity, instrument.max_quantity) == (Decimal("0.00001"), Decimal(9000))
    assert instrument.min_notional == 5


def test_the_older_name_of_the_notional_filter_counts_too():
    old = _without(SYMBOL, "NOTIONAL")
    old["filters"].append({"filterType": "MIN_NOTIONAL", "minNotional": "10.0"})
    assert wire.parse_listing(_answer(old), "spot")[0].instrument.min_notional == 10


def test_dated_contracts_are_left_out_and_perpetuals_kept():
    dated = SYMBOL | {"symbol": "BTCUSDT_210924", "contractType": "CURRENT_QUARTER"}
    perpetual = SYMBOL | {"contractType": "PERPETUAL"}
    assert [one.venue_symbol for one in wire.parse_listing(_answer(dated, perpetual), "usdm")] == ["BTCUSDT"]


@pytest.mark.parametrize("symbol, market", [(SYMBOL, "usdm"), (SYMBOL | {"contractType": "PERPETUAL"}, "spot")])
def test_the_answer_of_the_other_market_is_refused(symbol, market):
    with pytest.raises(ExchangeError, match="does not belong to market"):
        wire.parse_listing(_answer(symbol), market)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"[]", "Expected `object`"),
        (b"\xff", "malformed"),
        (b'{"symbols": [{}]}', "symbols"),
        (b'{"symbols": ' + b"[" * 100_000, "Expected"),
        (_answer(SYMBOL, SYMBOL), "both BTC/USDT"),
        (_answer(_without(SYMBOL, "LOT_SIZE")), "no LOT_SIZE"),
        (
            _answer(SYMBOL | {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "NaN"}, SYMBOL["filters"][1]]}),
            "NaN",
        ),
        (_answer(SYMBOL | {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "0"}, SYMBOL["filters"][1]]}), "0"),
        (b" " * (wire.MAX_BYTES + 1), "at most"),
    ],
)
def test_a_malformed_answer_is_refused_with_the_reason(data, message):
    with pytest.raises(ExchangeError, match=message):
        wire.parse_listing(data, "spot")


def test_the_recorded_spot_list_is_read_whole():
    data = _recorded("binance/rest/exchangeInfo_spot_2021-10-12.json")
    listed = {one.venue_symbol: one for one in wire.parse_listing(data, "spot")}
    assert len(listed) == 1695
    assert sum(one.open for one in listed.values()) == 1262
    doge = listed["DOGEUSDT"].instrument
    assert (doge.symbol, doge.tick, doge.lot, doge.min_notional) == ("DOGE/USDT", Decimal("0.0001"), 1, 10)


def test_the_recorded_futures_list_gives_its_perpetuals():
    data = _recorded("binance/rest/exchangeInfo_um_futures_2021-07-22.json")
    listed = {one.venue_symbol: one for one in wire.parse_listing(data, "usdm")}
    assert len(listed) == 119
    btc = listed["BTCUSDT"].instrument
    assert (btc.tick, btc.lot, btc.min_notional) == (Decimal("0.01"), Decimal("0.001"), 5)
