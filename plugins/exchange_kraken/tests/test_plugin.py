"""The installed plugin: what it offers, and how its settings refuse."""

import pytest
from bot4_exchange_kraken import bot4_exchanges
from bot4_exchange_kraken.settings import KrakenSettings

from bot4_core.sdk import Capability, DomainError, Services


def _pair(wsname: str, status: str) -> str:
    return (
        f'{{"wsname": "{wsname}", "pair_decimals": 1, "lot_decimals": 8, "lot_multiplier": 1, "ordermin": "0.0002", '
        f'"status": "{status}"}}'
    )


ANSWER = (
    '{"error": [], "result": {'
    f'"XXBTZUSD": {_pair("XBT/USD", "online")}, "XETHXXBT": {_pair("ETH/XBT", "online")}, '
    f'"OLDEUR": {_pair("OLD/EUR", "cancel_only")}'
    "}}"
).encode()


def test_it_offers_one_exchange_that_only_knows_instruments():
    (spec,) = bot4_exchanges()
    assert spec.name == "kraken"
    assert spec.capabilities == {Capability.INSTRUMENTS}
    assert spec.settings is KrakenSettings


@pytest.mark.parametrize("quotes", [("usdt",), ("US DT",), ("",)])
def test_a_quote_that_is_no_asset_code_is_refused(quotes):
    with pytest.raises(DomainError, match="asset code"):
        KrakenSettings(quotes=quotes)


@pytest.fixture
def make(tmp_path):
    (spec,) = bot4_exchanges()
    services = Services(base_dir=tmp_path, resolve_history=lambda name: tmp_path / name, seed=1, bot="test")
    return lambda **settings: spec.create(KrakenSettings(**settings), services)


def test_only_the_wanted_quotes_are_given(make):
    assert [one.symbol for one in make(quotes=("USD",)).parse_instruments(ANSWER)] == ["BTC/USD"]


def test_closed_instruments_are_given_only_when_asked_for(make):
    few = {one.symbol for one in make().parse_instruments(ANSWER)}
    many = {one.symbol for one in make(include_closed=True).parse_instruments(ANSWER)}
    assert many - few == {"OLD/EUR"}
