"""Instrument sources: which number of which file means what."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from bot4_core.errors import ConfigError
from bot4_core.history.listing import choose_listing, read_listings, symbol_in_name

LEAN = """market,symbol,type,description,quote_currency,contract_multiplier,minimum_price_variation,lot_size,\
market_ticker,minimum_order_size,price_magnifier,strike_multiplier
binance,BTCUSDT,crypto,BTCUSDT,USDT,1,0.01,0.00001,BTCUSDT,5,,
binance,BTCUSDT,cryptofuture,BTCUSDT,USDT,1,0.1,0.001,BTCUSDT,,,
kraken,BTCUSDT,crypto,XBT/USDT,USDT,1,0.1,0.00000001,XBTUSDT,0.00005,,
oanda,EURUSD,forex,EUR/USD,USD,1,0.00001,1,EUR_USD,,,
"""


@pytest.fixture
def lean(tmp_path: Path) -> Path:
    path = tmp_path / "lean.csv"
    path.write_text(LEAN)
    return path


def test_lean_rows_become_instruments(lean: Path) -> None:
    spot = choose_listing(read_listings(lean), symbol="BTC/USDT", venue="binance").instrument()
    assert (spot.symbol, spot.tick, spot.lot) == ("BTC/USDT", Decimal("0.01"), Decimal("0.00001"))
    future = choose_listing(read_listings(lean), symbol="BTCUSDT", venue="binance", market_type="um").instrument()
    assert (future.tick, future.lot) == (Decimal("0.1"), Decimal("0.001"))


def test_leans_minimum_is_a_cost_at_binance_and_a_quantity_elsewhere(lean: Path) -> None:
    listings = read_listings(lean)
    binance = choose_listing(listings, symbol="BTC/USDT", venue="binance").instrument()
    kraken = choose_listing(listings, symbol="XBTUSDT", venue="kraken").instrument()
    assert (binance.min_notional, binance.min_quantity) == (5, 0)
    assert (kraken.min_notional, kraken.min_quantity) == (0, Decimal("0.00005"))


def test_what_is_no_crypto_pair_is_left_out(lean: Path) -> None:
    assert {item.symbol for item in read_listings(lean)} == {"BTC/USDT"}


def test_the_version_changes_with_the_filters(lean: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "lean.csv"
    other.parent.mkdir()
    other.write_text(LEAN.replace("crypto,BTCUSDT,USDT,1,0.01", "crypto,BTCUSDT,USDT,1,0.001"))
    versions = [
        choose_listing(read_listings(path), symbol="BTC/USDT", venue="binance").instrument().version
        for path in (lean, lean, other)
    ]
    assert versions[0] == versions[1] != versions[2]
    assert versions[0].startswith("lean-")


def test_several_or_none_are_named(lean: Path) -> None:
    with pytest.raises(ConfigError, match="more than once: binance spot BTC/USDT, kraken spot BTC/USDT; say"):
        choose_listing(read_listings(lean), symbol="BTC/USDT")
    with pytest.raises(ConfigError, match="lists no kraken ETH/USDT; it has binance spot BTC/USDT"):
        choose_listing(read_listings(lean), symbol="ETH/USDT", venue="kraken")


def test_an_exchange_info_answer(tmp_path: Path) -> None:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "stepSize": "0.00001000", "minQty": "0.00002000", "maxQty": "9000.0"},
    ]
    entry = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT"}
    spot = entry | {"filters": [*filters, {"filterType": "MIN_NOTIONAL", "minNotional": "10.0"}]}
    future = entry | {
        "contractType": "PERPETUAL",
        "filters": [*filters, {"filterType": "MIN_NOTIONAL", "notional": "5"}],
    }
    dated = entry | {"symbol": "BTCUSDT_210924", "contractType": "CURRENT_QUARTER", "filters": filters}
    path = tmp_path / "info.json"
    path.write_text(json.dumps({"symbols": [spot, future, dated]}))
    listings = read_listings(path)
    chosen = choose_listing(listings, symbol="BTC/USDT").instrument()
    assert (chosen.tick, chosen.lot) == (Decimal("0.01"), Decimal("0.00001"))
    assert (chosen.min_quantity, chosen.max_quantity, chosen.min_notional) == (Decimal("0.00002"), 9000, 10)
    assert choose_listing(listings, symbol="BTCUSDT", market_type="um").instrument().min_notional == 5
    assert choose_listing(listings, symbol="BTCUSDT_210924").market_type == "dated"


def test_toml_mappings_alone_and_in_a_list(tmp_path: Path) -> None:
    one = tmp_path / "one.toml"
    one.write_text('symbol = "BTC/USDT"\ntick = 0.1\nlot = "0.001"\nversion = "mine"\n')
    instrument = choose_listing(read_listings(one)).instrument()
    assert (instrument.tick, instrument.version) == (Decimal("0.1"), "mine")
    many = tmp_path / "many.toml"
    many.write_text(
        '[[instrument]]\nsymbol = "BTC/USDT"\ntick = "1"\nlot = "1"\ntype = "spot"\nticker = "XBTUSDT"\n'
        '[[instrument]]\nsymbol = "BTC/USDT"\ntick = "2"\nlot = "1"\ntype = "um"\n'
    )
    assert choose_listing(read_listings(many), symbol="xbt-usdt").instrument().tick == 1
    assert choose_listing(read_listings(many), symbol="BTC/USDT", market_type="um").instrument().tick == 2
    assert choose_listing(read_listings(many), symbol="BTC/USDT").instrument(volume_scale=3).volume_scale == 3


def test_a_file_name_of_any_kind_gives_a_version(tmp_path: Path) -> None:
    path = tmp_path / f"my list {'x' * 100}.toml"
    path.write_text('symbol = "BTC/USDT"\ntick = "1"\nlot = "1"\n')
    assert choose_listing(read_listings(path)).instrument().version.startswith("my_list_xxx")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.toml", "symbol = ", "is no instrument file"),
        ("x.toml", 'symbol = "BTC/USDT"', "missing keys"),
        ("x.toml", 'symbol = "BTC/USDT"\ntick = "0"\nlot = "1"', "must be greater than 0"),
        ("x.toml", 'symbol = "BTC/USDT"\ntick = nan\nlot = "1"', "not a plain decimal number|not a finite"),
        ("x.toml", 'symbol = "BTC/USDT"\ntick = "1"\nlot = "1"\nlots = 5', "unknown keys"),
        ("x.toml", "symbol = 5", "needs a symbol"),
        ("x.toml", "instrument = 5", "is no instrument file"),
        ("x.json", "[]", "must be a table"),
        ("x.json", "{}", "needs a symbol"),
        ("x.json", '{"symbols": []}', "lists no instrument"),
        ("x.json", '{"symbols": [{"symbol": "A", "filters": 5}]}', "filters must be a list"),
        ("x.json", '{"symbols": [5]}', "is no instrument file"),
        ("x.json", "[" * 100_000, "is no instrument file"),
        ("x.csv", "a,b\n1,2\n", "columns .* are missing"),
        ("x.csv", "", "columns .* are missing"),
        ("x.yaml", "", "ends in .toml, .json or .csv"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        choose_listing(read_listings(path)).instrument()
    assert "\n" not in str(caught.value)


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_listings(tmp_path / "no.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_listings(tmp_path / "b.toml")


def test_a_file_name_tells_the_symbol(lean: Path) -> None:
    listings = read_listings(lean)
    assert symbol_in_name(listings, "binance_spot_btcusdt_5m_2022-08_2023-02.csv.gz") == "BTC/USDT"
    assert symbol_in_name(listings, "BTC-USDT_1m.csv") == "BTC/USDT"
    assert symbol_in_name(listings, "candles-btcusdt-1m.csv") == "BTC/USDT"
    assert symbol_in_name(listings, "wbtcusdt_1m.csv") == ""


def test_the_shared_files_are_read_whole(shared_data: Path) -> None:
    lean = read_listings(shared_data / "reference" / "symbol_properties_lean.csv")
    spot = read_listings(shared_data / "binance" / "rest" / "exchangeInfo_spot_2021-10-12.json")
    futures = read_listings(shared_data / "binance" / "rest" / "exchangeInfo_um_futures_2021-07-22.json")
    assert (len(lean), len(spot), len(futures)) == (7316, 1695, 122)
    for listing in (*lean, *spot, *futures):
        assert listing.instrument().tick > 0
    # pairs priced in BTC: 0.0001 can only be a cost in BTC, no venue wants 0.0001 ETH of ETH/BTC
    assert choose_listing(lean, symbol="ETH/BTC", venue="binance").instrument().min_notional == Decimal("0.0001")
