"""Reading the venue's instrument list, on made answers and on recorded ones."""

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from bot4_exchange_kraken import wire

from bot4_core.sdk import ExchangeError


def _recorded(name: str) -> bytes:
    folder = os.environ.get("BOT4_TEST_DATA")
    path = Path(folder or "../shared/data", name)
    if not path.is_file():
        pytest.skip(f"the recording {name} is not here; set BOT4_TEST_DATA to the folder of the shared test data")
    return path.read_bytes()


PAIR = {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8, "lot_multiplier": 1, "ordermin": "0.0002"}


def _answer(*errors: str, **pairs: dict) -> bytes:
    return json.dumps({"error": errors, "result": pairs}).encode()


def test_decimals_become_exact_steps_and_asset_codes_the_usual_ones():
    (listed,) = wire.parse_listing(_answer(XXBTZUSD=PAIR))
    assert listed.venue_symbol == "XXBTZUSD"
    assert listed.open
    assert listed.instrument.symbol == "BTC/USD"
    assert (listed.instrument.tick, listed.instrument.lot) == (Decimal("0.1"), Decimal("0.00000001"))
    assert listed.instrument.min_quantity == Decimal("0.0002")


def test_a_stated_tick_stands_above_the_decimals():
    (listed,) = wire.parse_listing(_answer(X=PAIR | {"tick_size": "0.5", "costmin": "0.5"}))
    assert (listed.instrument.tick, listed.instrument.min_notional) == (Decimal("0.5"), Decimal("0.5"))


def test_doge_has_its_usual_name():
    (listed,) = wire.parse_listing(_answer(XDGUSD=PAIR | {"wsname": "XDG/USD"}))
    assert listed.instrument.symbol == "DOGE/USD"


def test_a_dark_pool_twin_does_not_shadow_the_pair():
    twin = {key: value for key, value in PAIR.items() if key != "wsname"} | {"pair_decimals": 3}
    (listed,) = wire.parse_listing(_answer(**{"XXBTZUSD": PAIR, "XXBTZUSD.d": twin}))
    assert (listed.venue_symbol, listed.instrument.tick) == ("XXBTZUSD", Decimal("0.1"))


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"error": [], "result": [1]}', "Expected `object`"),
        (b'{"error": [], "result": ' + b'{"a":' * 100_000, "kraken AssetPairs"),
        (_answer("EService:Unavailable"), "EService:Unavailable"),
        (_answer(A=PAIR, B=PAIR), "both BTC/USD"),
        (_answer(A=PAIR | {"ordermin": "Infinity"}), "Infinity"),
        (_answer(A=PAIR | {"pair_decimals": -400}), "-400 decimals"),
        (_answer(A=PAIR | {"pair_decimals": True}), "Expected `int`"),
        (_answer(A=PAIR | {"lot_multiplier": 0}), "greater than 0"),
        (_answer(A=PAIR | {"wsname": "XBT"}), "BASE/QUOTE"),
        (b" " * (wire.MAX_BYTES + 1), "at most"),
    ],
)
def test_a_malformed_answer_is_refused_with_the_reason(data, message):
    with pytest.raises(ExchangeError, match=message):
        wire.parse_listing(data)


def test_the_recorded_list_is_read_without_its_dark_pool():
    listed = {one.venue_symbol: one for one in wire.parse_listing(_recorded("kraken/rest/AssetPairs_2021-04-17.json"))}
    assert len(listed) == 293
    assert not [name for name in listed if name.endswith(".d")]
    bitcoin = listed["XXBTZUSD"].instrument
    assert (bitcoin.symbol, bitcoin.tick, bitcoin.min_quantity) == ("BTC/USD", Decimal("0.1"), Decimal("0.0002"))


def test_todays_form_of_the_answer_is_read_too():
    lines = _recorded("kraken/rest/responses_nautilus.jsonl").splitlines()
    (body,) = [one["payload"] for one in map(json.loads, lines) if one["name"] == "http_asset_pairs"]
    (listed,) = wire.parse_listing(json.dumps(body).encode())
    assert (listed.instrument.symbol, listed.instrument.min_notional) == ("BTC/USDT", Decimal("0.5"))
