"""The installed plugin: what it offers, and how its settings refuse."""

import pytest
from bot4_exchange_binance import bot4_exchanges
from bot4_exchange_binance.settings import BinanceSettings

from bot4_core.sdk import Capability, DomainError, Services


def _symbol(base: str, quote: str, status: str) -> str:
    return (
        f'{{"symbol": "{base}{quote}", "status": "{status}", "baseAsset": "{base}", "quoteAsset": "{quote}", '
        '"filters": ['
        '{"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},'
        '{"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.0", "stepSize": "0.00001000"}]}'
    )


ANSWER = (
    '{"symbols": ['
    + ",".join([_symbol("BTC", "USDT", "TRADING"), _symbol("ETH", "BTC", "TRADING"), _symbol("OLD", "BTC", "BREAK")])
    + "]}"
).encode()


def test_it_offers_one_exchange_that_only_knows_instruments():
    (spec,) = bot4_exchanges()
    assert spec.name == "binance"
    assert spec.capabilities == {Capability.INSTRUMENTS}
    assert spec.settings is BinanceSettings


@pytest.mark.parametrize("quotes", [("usdt",), ("US DT",), ("",)])
def test_a_quote_that_is_no_asset_code_is_refused(quotes):
    with pytest.raises(DomainError, match="asset code"):
        BinanceSettings(quotes=quotes)


@pytest.fixture
def make(tmp_path):
    (spec,) = bot4_exchanges()
    services = Services(base_dir=tmp_path, resolve_history=lambda name: tmp_path / name, seed=1, bot="test")
    return lambda **settings: spec.create(BinanceSettings(**settings), services)


def test_only_the_wanted_quotes_are_given(make):
    assert [one.symbol for one in make(quotes=("USDT",)).parse_instruments(ANSWER)] == ["BTC/USDT"]


def test_closed_instruments_are_given_only_when_asked_for(make):
    few = {one.symbol for one in make().parse_instruments(ANSWER)}
    many = {one.symbol for one in make(include_closed=True).parse_instruments(ANSWER)}
    assert many - few == {"OLD/BTC"}
