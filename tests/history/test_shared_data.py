"""Import of the shared recordings, against golden numbers and a second reading by csv and Decimal alone."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from bot4_core.domain.event import Flag, Kind
from bot4_core.errors import HistoryError
from bot4_core.history.checking import check_file
from bot4_core.history.file import History
from bot4_core.history.importing import Imported, import_file
from bot4_core.history.listing import Listing, choose_listing, read_listings
from bot4_core.history.loading import Selection

NOW_NS = 1_800_000_000_000_000_000
FIVE_MINUTES_NS = 300_000_000_000
SEVEN = ("ada", "btc", "doge", "eth", "ltc", "sol", "xrp")
UNIT = Decimal("1e-8")

#: file, venue, symbol: rows, gaps, missing bars, roundings
CROSS = {
    ("kraken_btcusd", "kraken", "BTC/USD"): (12_912, 46, 48, 2_457),
    ("kraken_btcusdt", "kraken", "BTC/USDT"): (7_428, 2_675, 5_529, 911),
    ("kraken_btcusdc", "kraken", "BTC/USDC"): (4_930, 2_683, 8_028, 404),
    ("kraken_usdcusd", "kraken", "USDC/USD"): (7_084, 2_594, 5_876, 702),
    ("kraken_usdtusd", "kraken", "USDT/USD"): (12_718, 228, 242, 2_367),
    ("kraken_btceur", "kraken", "BTC/EUR"): (12_909, 49, 51, 6_338),
    ("coinbase_btcusd", "coinbase", "BTC/USD"): (12_674, 10, 286, 0),
    ("coinbase_btcusdt", "coinbase", "BTC/USDT"): (9_561, 2_086, 3_399, 0),
    ("coinbase_usdtusd", "coinbase", "USDT/USD"): (12_650, 10, 310, 0),
    ("binanceus_btcusdt", "binanceus", "BTC/USDT"): (12_960, 0, 0, 0),
    ("binanceus_btcusdc", "binanceus", "BTC/USDC"): (12_960, 0, 0, 0),
    ("binanceus_usdcusdt", "binanceus", "USDC/USDT"): (12_960, 0, 0, 0),
    ("binanceus_btcusd", "binanceus", "BTC/USD"): (12_960, 0, 0, 0),
}


@pytest.fixture(scope="session")
def lean(shared_data: Path) -> tuple[Listing, ...]:
    return read_listings(shared_data / "reference" / "symbol_properties_lean.csv")


def rows_of(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as stream:
        return list(csv.DictReader(stream))


def bring(path: Path, listing: Listing, target: Path, market_type: str = "") -> Imported:
    selection = Selection(
        instrument=listing.instrument(), now_ns=NOW_NS, ticker=listing.ticker, market_type=market_type
    )
    return import_file(path, target / "out.b4h", selection)


def ticks(text: str, tick: Decimal) -> int:
    quotient, rest = divmod(Decimal(text), tick)
    assert rest == 0
    return int(quotient)


def units(text: str) -> int:
    return int(Decimal(text).quantize(UNIT, ROUND_HALF_EVEN).scaleb(8))


def rounded(text: str) -> bool:
    return Decimal(text) != Decimal(text).quantize(UNIT, ROUND_HALF_EVEN)


@pytest.mark.parametrize("coin", SEVEN)
def test_seven_months_of_five_minutes(coin: str, shared_data: Path, lean: tuple[Listing, ...], tmp_path: Path) -> None:
    path = shared_data / "candles" / f"binance_spot_{coin}usdt_5m_2022-08_2023-02.csv.gz"
    listing = choose_listing(lean, symbol=f"{coin.upper()}/USDT", venue="binance")
    done = bring(path, listing, tmp_path)
    assert (done.report.rows, done.report.gaps, done.report.ok) == (61_056, 0, True)
    history = History.open(done.history.path)
    assert (history.interval_ns, history.rows, history.kinds) == (FIVE_MINUTES_NS, 61_056, (Kind.BAR,))
    assert history.first_ts == 1_659_312_000_000_000_000 + FIVE_MINUTES_NS
    assert history.last_ts == 1_677_628_800_000_000_000
    assert history.roundings == done.report.roundings == 0
    tick = history.instrument.tick
    expected = [
        [*(ticks(row[name], tick) for name in ("open", "high", "low", "close")), units(row["volume"]), 0]
        for row in rows_of(path)
    ]
    assert history.events["v"].tolist() == expected


@pytest.mark.parametrize("key", CROSS, ids=lambda key: key[0])
def test_one_minute_candles_of_three_venues(
    key: tuple[str, str, str], shared_data: Path, lean: tuple[Listing, ...], tmp_path: Path
) -> None:
    name, venue, symbol = key
    path = shared_data / "candles" / "cross_1m" / f"{name}_1m_2023-03-01_09.csv.gz"
    done = bring(path, choose_listing(lean, symbol=symbol, venue=venue), tmp_path)
    report = done.report
    assert (report.rows, report.gaps, report.missing, report.roundings) == CROSS[key]
    rows = rows_of(path)
    opens = [int(row["open_time_ms"]) for row in rows]
    steps = Counter(b - a for a, b in pairwise(opens))
    assert report.gaps == sum(number for step, number in steps.items() if step > 60_000)
    assert report.missing == sum((step // 60_000 - 1) * number for step, number in steps.items())
    assert report.roundings == sum(rounded(row["volume"]) for row in rows)
    assert done.history.events["ts"].tolist() == [(at + 60_000) * 1_000_000 for at in opens]
    assert done.history.events["v"][:, 4].tolist() == [units(row["volume"]) for row in rows]


@pytest.mark.parametrize(("market", "quotes", "trades"), [("spot", 28_040, 9_757), ("um", 66_089, 21_313)])
def test_the_recorded_ticks(
    market: str, quotes: int, trades: int, shared_data: Path, lean: tuple[Listing, ...], tmp_path: Path
) -> None:
    path = shared_data / "trades" / "binance_btcusdt_spot_um_ticks_2024-08-08.csv.gz"
    listing = choose_listing(lean, symbol="BTC/USDT", venue="binance", market_type=market)
    events = bring(path, listing, tmp_path, market).history.events
    kinds = Counter(events["kind"].tolist())
    assert kinds == {Kind.QUOTE: quotes, Kind.TRADE: trades}
    tick = listing.instrument().tick
    expected = []
    for row in rows_of(path):
        if row["market"] != market:
            continue
        local = int(row["local_ns"])
        if row["kind"] == "trade":
            values = [ticks(row["price"], tick), units(row["qty"]), int(row["id"]), local]
            values += [int(row["trade_time_ms"]) * 1_000_000, 0]
            expected.append((local, Kind.TRADE, Flag.SELL if row["is_buyer_maker"] == "true" else 0, values))
        else:
            values = [ticks(row["bid"], tick), units(row["bid_qty"]), ticks(row["ask"], tick), units(row["ask_qty"])]
            expected.append((local, Kind.QUOTE, 0, [*values, local, int(row["id"])]))
    found = zip(*(events[name].tolist() for name in ("ts", "kind", "flags", "v")), strict=True)
    assert list(found) == expected


def test_kraken_trades(shared_data: Path, lean: tuple[Listing, ...], tmp_path: Path) -> None:
    path = shared_data / "trades" / "kraken_btcusdt_2023-11-17_22.csv.gz"
    listing = choose_listing(lean, symbol="BTC/USDT", venue="kraken")
    events = bring(path, listing, tmp_path).history.events
    tick = listing.instrument().tick
    expected = [
        (
            int(row["timestamp_ms"]) * 1_000_000,
            Flag.SELL if row["side"] == "sell" else 0,
            [ticks(row["price"], tick), units(row["amount"]), int(row["trade_id"]), 0, 0, 0],
        )
        for row in rows_of(path)
    ]
    assert len(expected) == 26_921
    assert list(zip(*(events[name].tolist() for name in ("ts", "flags", "v")), strict=True)) == expected


@pytest.mark.parametrize(("symbol", "rows"), [("BTC/USDT", 33_835), ("ETH/USDT", 8_905)])
def test_aggregate_trades_of_two_symbols_in_one_file(
    symbol: str, rows: int, shared_data: Path, lean: tuple[Listing, ...], tmp_path: Path
) -> None:
    path = shared_data / "trades" / "binance_spot_aggtrades_btcusdt_ethusdt_2020-11-01.csv.gz"
    listing = choose_listing(lean, symbol=symbol, venue="binance")
    done = bring(path, listing, tmp_path)
    assert (done.history.rows, done.report.skipped) == (rows, 42_740 - rows)
    mine = [row for row in rows_of(path) if row["symbol"] == listing.ticker]
    assert done.history.events["v"][:, 2].tolist() == [int(row["agg_trade_id"]) for row in mine]
    sold = (done.history.events["flags"] & Flag.SELL) != 0
    assert sold.tolist() == [row["is_buyer_maker"] == "true" for row in mine]


def test_the_2021_ticks_do_not_fit_later_candles(shared_data: Path, tmp_path: Path) -> None:
    old = read_listings(shared_data / "binance" / "rest" / "exchangeInfo_spot_2021-10-12.json")
    for coin in ("ada", "doge", "ltc"):
        path = shared_data / "candles" / f"binance_spot_{coin}usdt_5m_2022-08_2023-02.csv.gz"
        listing = choose_listing(old, symbol=f"{coin.upper()}/USDT")
        with pytest.raises(HistoryError, match=r"row \d+ \(line \d+\): \w+ \S+ is no multiple of the tick"):
            bring(path, listing, tmp_path)


def test_futures_candles_and_lean_minutes(shared_data: Path, lean: tuple[Listing, ...]) -> None:
    futures = shared_data / "candles" / "binance_um_xrpusdt"
    assert check_file(futures / "1h_futures_2021-11.csv", now_ns=NOW_NS).rows == 100
    mark = check_file(futures / "1h_mark_2021-11.csv", now_ns=NOW_NS)
    assert (mark.rows, mark.zero_volume) == (100, 100)
    btc = choose_listing(lean, symbol="BTC/USD", venue="coinbase").instrument()
    minutes = shared_data / "candles" / "coinbase_lean" / "btcusd_minute_trade_20180404_20180405.csv.gz"
    report = check_file(minutes, now_ns=NOW_NS, instrument=btc)
    assert (report.rows, report.gaps, report.missing, report.counts) == (2_447, 2, 433, {})
