"""Import: exact where it must be, refused with the row where it cannot be, repaired only when asked."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve

from bot4_core.domain.event import Flag, Kind
from bot4_core.domain.instrument import Instrument
from bot4_core.errors import ConfigError, HistoryError
from bot4_core.history import table as table_module
from bot4_core.history.file import History
from bot4_core.history.importing import Imported, import_file
from bot4_core.history.loading import Selection, load, markets_in

START_MS = 1_659_312_000_000
MINUTE_NS = 60_000_000_000
Rows = list[list[str]]
Write = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, selection: Selection) -> Callable[..., Imported]:
    """Imports a file as ``out.b4h``."""

    def run_import(path: Path, repair: bool = False, **changes: object) -> Imported:
        return import_file(path, tmp_path / "out.b4h", evolve(selection, **changes), repair=repair)

    return run_import


def test_candles_become_bars_that_carry_their_close(run: Callable, write_csv: Write, candles: Rows) -> None:
    done = run(write_csv(candles))
    bar = done.history.events[0]
    assert (bar["ts"], bar["kind"]) == (START_MS * 1_000_000 + MINUTE_NS, Kind.BAR)
    assert bar["v"].tolist() == [10_000, 10_150, 9_900, 10_025, 150_000_000, 0]
    assert (done.history.interval_ns, done.report.inferred, done.history.rows) == (MINUTE_NS, True, 10)
    assert (done.report.from_ns, done.report.to_ns) == (START_MS * 10**6, START_MS * 10**6 + 10 * MINUTE_NS)
    assert (done.report.ok, str(done.report.completeness)) == (True, "100.00")
    assert (done.dropped, done.moved) == ({}, 0)
    History.open(done.history.path)


def test_any_column_order_and_spelling_gives_the_same_records(run: Callable, write_csv: Write, candles: Rows) -> None:
    expected = run(write_csv(candles)).history.sha256
    turned = [[r[5], r[4], r[0], r[3], r[2], r[1], "x"] for r in candles]
    assert (
        run(write_csv(turned, "turned.csv.gz", "Volume,Close,Timestamp,Low,High, Open ,note")).history.sha256
        == expected
    )
    iso = [[f"2022-08-01T00:{i:02d}:00Z", *row[1:]] for i, row in enumerate(candles)]
    assert run(write_csv(iso, "iso.csv", "date,o,h,l,c,v")).history.sha256 == expected
    crlf = write_csv(candles, "crlf.csv")
    crlf.write_bytes(b"\xef\xbb\xbf" + crlf.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    assert run(crlf).history.sha256 == expected


def test_a_time_of_the_close_is_taken_as_it_is(run: Callable, write_csv: Write, candles: Rows) -> None:
    closes = [[str(int(row[0]) + 60_000), *row[1:]] for row in candles]
    expected = run(write_csv(candles)).history.sha256
    assert run(write_csv(closes, "a.csv"), bar_time="close").history.sha256 == expected
    header = "close_time,open,high,low,close,volume"
    assert run(write_csv(closes, "b.csv", header)).history.sha256 == expected


def test_volumes_are_rounded_half_even_and_counted(run: Callable, write_csv: Write, candles: Rows) -> None:
    noisy = ["2.5833652000000003", "0.000000005", "0.000000015", "1e-05", "3"]
    for row, volume in zip(candles, noisy, strict=False):
        row[5] = volume
    history = run(write_csv(candles)).history
    assert history.events["v"][:5, 4].tolist() == [258336520, 0, 2, 1000, 300000000]
    assert history.roundings == 3


def test_a_price_off_the_tick_is_refused_with_its_row_even_under_repair(
    run: Callable, write_csv: Write, candles: Rows, tmp_path: Path
) -> None:
    candles[6][2] = "101.505"
    for repair in (False, True):
        with pytest.raises(
            HistoryError, match=r"row 7 \(line 8\): high 101.505 is no multiple of the tick 0.01 of BTC"
        ):
            run(write_csv(candles), repair=repair)
    assert not (tmp_path / "out.b4h").exists()


PLANTS = {
    "duplicate": (lambda rows: rows.insert(4, list(rows[3])), 5, "bar of 2022-08-01T00:03:00Z came before", 10),
    "reversed": (lambda rows: rows.insert(3, rows.pop(4)), 5, "2022-08-01T00:03:00Z is before the row above", 10),
    "high<low": (lambda rows: rows[5].__setitem__(2, "98"), 6, "high below low: .* high 98, low 99", 9),
    "close outside": (lambda rows: rows[5].__setitem__(4, "102"), 6, "open or close outside low..high", 9),
    "zero": (lambda rows: rows[5].__setitem__(3, "0"), 6, "price not above 0", 9),
    "negative": (lambda rows: rows[5].__setitem__(3, "-1"), 6, "price not above 0", 9),
    "negative volume": (lambda rows: rows[5].__setitem__(5, "-1"), 6, "negative volume", 9),
    "off grid": (lambda rows: rows[5].__setitem__(0, str(START_MS + 300_500)), 6, "off the grid", 9),
    "1970": (lambda rows: rows[5].__setitem__(0, "300000"), 6, "outside 2009..tomorrow", 9),
    "us": (lambda rows: rows[5].__setitem__(0, rows[5][0] + "000"), 6, "mixed units", 9),
    "nan": (lambda rows: rows[5].__setitem__(1, "NaN"), 6, "open 'NaN' is no plain number", 9),
    "huge": (lambda rows: rows[5].__setitem__(5, "9" * 30), 6, "volume '9+' does not fit 64 bits", 9),
    "short row": (lambda rows: rows[5].pop(), 6, "5 fields instead of 6", 9),
    "long row": (lambda rows: rows[5].append("1"), 6, "7 fields instead of 6", 9),
    "blank row": (lambda rows: rows[5].clear(), 6, "0 fields instead of 6", 9),
}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_refused_with_its_row_and_repaired_on_request(
    name: str, run: Callable, write_csv: Write, candles: Rows, tmp_path: Path
) -> None:
    plant, row, words, left = PLANTS[name]
    plant(candles)
    path = write_csv(candles)
    before = path.read_bytes()
    with pytest.raises(HistoryError, match=rf"btcusdt\.csv: row {row} \(line {row + 1}\): .*{words}") as caught:
        run(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.b4h").exists()
    done = run(path, repair=True)
    assert done.history.rows == left
    assert sum(done.dropped.values()) == len(candles) - left
    assert done.moved == (1 if name == "reversed" else 0)
    assert path.read_bytes() == before
    assert not done.report.counts
    assert done.report.gaps == (1 if left == 9 else 0)
    History.open(done.history.path)


def test_repair_sorts_and_drops_until_the_good_rows_are_left(run: Callable, write_csv: Write, candles: Rows) -> None:
    expected = run(write_csv(candles)).history.sha256
    wild = [*candles[5:], ["?", "1", "2", "3", "4", "5"], *candles[:6], list(candles[2])]
    done = run(write_csv(wild, "wild.csv"), repair=True)
    assert done.history.sha256 == expected
    assert done.dropped == {"duplicate": 2, "unreadable": 1}
    assert done.moved == 2


def test_an_impossible_twin_does_not_push_out_the_good_bar(run: Callable, write_csv: Write, candles: Rows) -> None:
    expected = run(write_csv(candles)).history.sha256
    candles.insert(3, [candles[3][0], "100", "90", "99", "95", "1"])
    done = run(write_csv(candles, "twin.csv"), repair=True)
    assert (done.history.sha256, done.dropped) == (expected, {"impossible": 1})


def test_gaps_are_reported_and_not_refused(run: Callable, write_csv: Write, candles: Rows) -> None:
    del candles[7], candles[3:5]
    report = run(write_csv(candles)).report
    assert (report.gaps, report.missing, str(report.completeness)) == (2, 3, "70.00")
    assert [(gap.row, gap.missing) for gap in report.first_gaps] == [(4, 2), (6, 1)]
    minute = START_MS * 1_000_000 + 3 * MINUTE_NS
    assert (report.first_gaps[0].after_ts, report.first_gaps[0].until_ts) == (minute, minute + 2 * MINUTE_NS)


def test_a_stated_interval_is_held_against_the_data(run: Callable, write_csv: Write, candles: Rows) -> None:
    assert run(write_csv(candles), interval_ns=MINUTE_NS).report.inferred is False
    with pytest.raises(HistoryError, match="off the grid of the interval"):
        run(write_csv(candles), interval_ns=5 * MINUTE_NS)
    assert run(write_csv(candles), interval_ns=MINUTE_NS // 2).report.missing == 9


def test_one_bar_alone_needs_an_interval(run: Callable, write_csv: Write, candles: Rows) -> None:
    with pytest.raises(HistoryError, match="one bar alone tells no interval; say --interval"):
        run(write_csv(candles[:1]))
    assert run(write_csv(candles[:1]), interval_ns=MINUTE_NS).history.rows == 1


def test_candles_without_volume_are_taken_and_said(run: Callable, write_csv: Write, candles: Rows) -> None:
    done = run(write_csv([row[:5] for row in candles], header="time,open,high,low,close"))
    assert done.report.notes == ("no volume column: volume 0",)
    assert done.report.zero_volume == 10


TRADES = [
    ["1700179206662", "1", "buy", "36160.9", "0.00039906"],
    ["1700179206662", "2", "sell", "36153.2", "0.0002766"],
    ["1700179240748", "3", "BUY", "36160.7", "0.00051751"],
]
TRADE_HEADER = "timestamp_ms,trade_id,side,price,amount"


def test_trades_keep_id_side_and_time(run: Callable, write_csv: Write) -> None:
    done = run(write_csv(TRADES, header=TRADE_HEADER))
    events = done.history.events
    assert events["kind"].tolist() == [Kind.TRADE] * 3
    assert events["flags"].tolist() == [0, Flag.SELL, 0]
    assert events["v"][1].tolist() == [3615320, 27660, 2, 0, 0, 0]
    assert (done.history.interval_ns, done.report.completeness) == (0, None)
    assert done.report.longest_silence_ns == 34_086_000_000


def test_a_repeated_trade_id_is_a_duplicate_and_a_strange_side_unreadable(run: Callable, write_csv: Write) -> None:
    with pytest.raises(HistoryError, match=r"row 4 \(line 5\): trade 3 came before"):
        run(write_csv([*TRADES, TRADES[2]], header=TRADE_HEADER))
    with pytest.raises(HistoryError, match="side maybe is neither sell nor buy"):
        run(write_csv([*TRADES, ["1700179240748", "4", "maybe", "1", "1"]], header=TRADE_HEADER))
    with pytest.raises(HistoryError, match=r"trade id 4\.5 is no whole number"):
        run(write_csv([*TRADES, ["1700179240748", "4.5", "buy", "1", "1"]], header=TRADE_HEADER))


def test_ids_that_are_no_numbers_are_left_out_and_said(run: Callable, write_csv: Write) -> None:
    done = run(write_csv([[r[0], "a-" + r[1], *r[2:]] for r in TRADES], header=TRADE_HEADER))
    assert done.report.notes == ("trade ids are no numbers: left out",)
    assert not done.history.events["v"][:, 2].any()


def test_rows_of_other_symbols_are_skipped_and_counted(run: Callable, write_csv: Write) -> None:
    header = "symbol,agg_trade_id,price,qty,trade_time_ms,is_buyer_maker"
    rows = [
        ["BTCUSDT", "1", "13748.62", "0.1", "1604221200090", "false"],
        ["ETHUSDT", "9", "390.123", "0.1", "1604221200091", "true"],
        ["BTCUSDT", "2", "13748.74", "0.1", "1604221200092", "true"],
    ]
    done = run(write_csv(rows, header=header))
    assert (done.history.rows, done.report.skipped) == (2, 1)
    assert done.history.events["flags"].tolist() == [0, Flag.SELL]
    doge = Instrument(symbol="DOGE/USDT", tick="0.00001", lot="1")
    with pytest.raises(HistoryError, match="no row is of DOGE/USDT; the file holds BTCUSDT, ETHUSDT"):
        run(write_csv(rows, header=header), instrument=doge)


def test_a_row_of_another_length_is_wrong_even_where_its_symbol_cannot_be_read(run: Callable, write_csv: Write) -> None:
    rows = [["BTCUSDT", "1", "1604221200090", "0.1"], ["BTCUSDT", "1"], ["BTCUSDT", "2", "1604221200092", "0.1"]]
    path = write_csv(rows, header="symbol,price,time,qty")
    with pytest.raises(HistoryError, match=r"row 2 \(line 3\): 2 fields instead of 4"):
        run(path)
    assert run(path, repair=True).dropped == {"unreadable": 1}


TICK_HEADER = "local_ns,market,symbol,kind,trade_time_ms,id,price,qty,is_buyer_maker,x,bid,bid_qty,ask,ask_qty"
TICKS = [
    "1723161254087891268,spot,BTCUSDT,quote,,50093239212,,,,,61837.63,3.78826,61837.64,1.54698",
    "1723161254087896568,spot,BTCUSDT,trade,1723161255342,3735683259,61837.63,0.02,true,,,,,",
    "1723161255088169167,um,BTCUSDT,quote,1723161256313,5123107839020,,,,,61800.20,2.507,61800.30,2.510",
    "1723161255088176367,um,BTCUSDT,trade,1723161256322,5266583935,61800.30,0.006,false,MARKET,,,,",
]


def test_recorded_ticks_become_one_history_per_market(run: Callable, write_csv: Write) -> None:
    path = write_csv([line.split(",") for line in TICKS], header=TICK_HEADER)
    assert markets_in(path) == ("spot", "um")
    events = run(path, market_type="spot").history.events
    assert events["ts"].tolist() == [1723161254087891268, 1723161254087896568]
    assert events["kind"].tolist() == [Kind.QUOTE, Kind.TRADE]
    quote, trade = events["v"].tolist()
    assert quote == [6183763, 378826000, 6183764, 154698000, 1723161254087891268, 50093239212]
    assert trade == [6183763, 2000000, 3735683259, 1723161254087896568, 1723161255342000000, 0]
    assert events["flags"].tolist() == [0, Flag.SELL]
    assert run(path, market_type="um").history.events["v"][1, 4] == 1723161256322000000
    with pytest.raises(HistoryError, match="no row is of coin BTC/USDT"):
        run(path, market_type="coin")


def test_a_trade_time_far_from_the_recorders_clock_is_refused(run: Callable, write_csv: Write) -> None:
    far = TICKS[1].replace("1723161255342", "1723161255342000")
    with pytest.raises(HistoryError, match="trade time 1723161255342000 ms is more than a day"):
        run(write_csv([line.split(",") for line in (TICKS[0], far)], header=TICK_HEADER))
    with pytest.raises(HistoryError, match="kind book is neither quote nor trade"):
        run(write_csv([TICKS[0].split(","), TICKS[1].replace("trade,", "book,").split(",")], header=TICK_HEADER))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n", "columns none are neither candles"),
        (b"time,open\n1,2\n", "columns time, open are neither candles"),
        (b"time,open,high,low,close\n", "has a header but no rows"),
        (b"time,open,high,low,close,close\n1,1,1,1,1,1\n", "header names close twice"),
        (b"time,open,high,low,close\n1659312000000,1,\xff,1,1\n", "is no UTF-8 CSV near line"),
        (b'time,open,high,low,close\n1659312000000,"1"x,1,1,1\n', "is no UTF-8 CSV near line 2"),
        (b"time,open,high,low,close\n1659312000000,1\0,1,1,1\n", "line 2 holds a NUL byte"),
        (b"time,open,high,low,close\n1659312000000,a,1,1,1\n", r"no row can be read; row 1 \(line 2\): open 'a'"),
        (b"time,open,high,low,close\n" + b"1" * 70_000, "line 2 is longer than 65536"),
        (b"\x1f\x8b\x08garbage", "is cut or damaged after line 0"),
        (b"B4HIST\0\1" + b"\0" * 5000, "holds a NUL byte"),
        (b"," * 300, "301 columns are more than 256"),
    ],
)
def test_files_that_are_no_tables_are_refused_in_one_line(
    content: bytes, words: str, run: Callable, tmp_path: Path
) -> None:
    path = tmp_path / "btc.csv"
    path.write_bytes(content)
    with pytest.raises(HistoryError, match=words) as caught:
        run(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cut_or_damaged_gzip_is_refused_with_the_line(run: Callable, write_csv: Write, candles: Rows) -> None:
    path = write_csv(candles, "x.csv.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-12])
    with pytest.raises(HistoryError, match="is cut or damaged after line"):
        run(path)
    path.write_bytes(whole[:-8] + b"\0\0\0\0" + whole[-4:])
    with pytest.raises(HistoryError, match="is cut or damaged after line"):
        run(path)


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch, run: Callable, write_csv: Write, candles: Rows) -> None:
    monkeypatch.setattr(table_module, "CHUNK_ROWS", 4)
    path = write_csv(candles, "x.csv.gz")
    run(path)
    monkeypatch.setattr(table_module, "MAX_ROWS", 8)
    with pytest.raises(HistoryError, match="has more than 8 rows; split it"):
        run(path)
    monkeypatch.setattr(table_module, "MAX_RAW_BYTES", 100)
    with pytest.raises(HistoryError, match="is larger than 100 bytes unpacked"):
        run(path)


def test_chunks_make_no_difference(
    monkeypatch: pytest.MonkeyPatch, run: Callable, write_csv: Write, candles: Rows
) -> None:
    expected = run(write_csv(candles)).history.sha256
    for rows in (1, 3, 10):
        monkeypatch.setattr(table_module, "CHUNK_ROWS", rows)
        assert run(write_csv(candles)).history.sha256 == expected
    candles[7][2] = "1"
    with pytest.raises(HistoryError, match="row 8 "):
        run(write_csv(candles))


def test_problems_are_listed_to_twenty_and_counted_to_the_end(write_csv: Write, selection: Selection) -> None:
    rows = [[str(START_MS), "x", "1", "1", "1", "1"]] * 500 + [[str(START_MS), "1", "1", "1", "1", "1"]]
    loaded = load(write_csv(rows), evolve(selection, interval_ns=MINUTE_NS))
    assert loaded.findings.counts == {"unreadable": 500}
    assert [problem.row for problem in loaded.findings.problems] == list(range(1, 21))


def test_progress_counts_rows(write_csv: Write, selection: Selection, candles: Rows) -> None:
    seen: list[int] = []
    load(write_csv(candles), selection, seen.append)
    assert seen == [10]


def test_parquet_gives_the_same_records(run: Callable, write_csv: Write, candles: Rows, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="the extra `data` is not installed")
    candles[0][5] = "0.00001"
    csv_path = write_csv(candles)
    expected = run(csv_path).history.sha256
    path = tmp_path / "x.parquet"
    query = "SELECT {} AS time, open, high, low, close, volume FROM read_csv('{}')"
    for time in ("open_time_ms", "make_timestamp(open_time_ms * 1000)", "make_timestamp_ns(open_time_ms * 1000000)"):
        duckdb.sql(query.format(time, csv_path)).write_parquet(str(path))
        assert run(path).history.sha256 == expected
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(HistoryError, match="is no readable Parquet file"):
        run(path)


def test_parquet_without_its_extra_says_what_to_install(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match=r"needs the extra `data`: install bot4-core\[data\]"):
        run(path)


def test_an_import_replaces_the_target_as_a_whole(run: Callable, write_csv: Write, candles: Rows) -> None:
    run(write_csv(candles))
    done = run(write_csv(candles[:5]))
    assert History.open(done.history.path).rows == 5
    assert np.array_equal(History.open(done.history.path).events, done.history.events)


def test_a_gzip_of_any_name_is_noticed(run: Callable, write_csv: Write, candles: Rows) -> None:
    path = write_csv(candles)
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert run(path).history.rows == 10
