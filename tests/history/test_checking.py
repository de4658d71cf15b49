"""The check: it finds what was planted, names the row, and is content with good data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bot4_core.domain.instrument import Instrument
from bot4_core.errors import HistoryError
from bot4_core.history.checking import Report, check_file
from bot4_core.history.file import HEADER_BYTES, MAGIC, write_history

NOW_NS = 1_800_000_000_000_000_000
MINUTE_NS = 60_000_000_000
Rows = list[list[str]]
Write = Callable[..., Path]


def check(path: Path, **options: object) -> Report:
    return check_file(path, now_ns=NOW_NS, **options)


def plant_four(rows: Rows) -> None:
    """A gap before row 4, a repetition in row 6, high below low in row 7, and a reversed row 10."""
    del rows[3]
    rows.insert(5, list(rows[4]))
    rows[6][2] = "1"
    rows[8], rows[9] = rows[9], rows[8]


def test_planted_gap_duplicate_reversed_row_and_high_below_low_are_all_found(write_csv: Write, candles: Rows) -> None:
    plant_four(candles)
    report = check(write_csv(candles))
    # the bar of row 7 is there but cannot be, so its minute is missing too; row 8 follows the hole
    assert [(gap.row, gap.missing) for gap in report.first_gaps] == [(4, 1), (8, 1)]
    found = [(problem.row, problem.kind) for problem in report.problems]
    assert found == [(6, "duplicate"), (7, "impossible"), (10, "reversed")]
    assert report.high_below_low == 1
    assert not report.ok


@pytest.mark.parametrize("instrument", [None, Instrument(symbol="BTC/USDT", tick="0.01", lot="1")])
def test_good_candles_are_ok(instrument: Instrument | None, write_csv: Write, candles: Rows) -> None:
    report = check(write_csv(candles), instrument=instrument)
    assert report.ok
    assert (report.rows, report.gaps, report.missing, report.zero_volume) == (10, 0, 0, 0)
    assert (report.interval_ns, report.inferred, str(report.completeness)) == (MINUTE_NS, True, "100.00")


def test_without_an_instrument_ticks_are_not_judged_and_with_one_they_are_listed(
    write_csv: Write, candles: Rows, btc: Instrument
) -> None:
    candles[2][2] = candles[6][2] = "101.505"
    path = write_csv(candles)
    assert check(path).ok
    report = check(path, instrument=btc)
    assert (report.counts, [problem.row for problem in report.problems]) == ({"off tick": 2}, [3, 7])
    assert report.to_mapping()["off_tick"] == 2


def test_quiet_bars_and_noise_are_counted_and_no_fault(write_csv: Write, candles: Rows, btc: Instrument) -> None:
    candles[1][5], candles[2][5], candles[3][5] = "0", "0.0", "1.123456789"
    report = check(write_csv(candles), instrument=btc)
    assert (report.ok, report.zero_volume, report.roundings) == (True, 2, 1)


def test_completeness_is_never_rounded_up(tmp_path: Path, btc: Instrument, bars: np.ndarray) -> None:
    many = np.repeat(bars[:1], 20_000)
    many["ts"] += np.arange(20_000) * MINUTE_NS
    kept = np.delete(many, 7)
    path = write_history(tmp_path / "x.b4h", btc, kept, interval_ns=MINUTE_NS, source="x", roundings=0).path
    assert str(check(path).completeness) == "99.99"


def test_more_gaps_than_twenty_are_counted(tmp_path: Path, btc: Instrument, bars: np.ndarray) -> None:
    sparse = np.repeat(bars[:1], 100)
    sparse["ts"] += np.arange(100) * MINUTE_NS * 3
    sparse["ts"][50:] -= 2 * MINUTE_NS
    path = write_history(tmp_path / "x.b4h", btc, sparse, interval_ns=MINUTE_NS, source="x", roundings=0).path
    report = check(path)
    assert (report.gaps, report.missing, len(report.first_gaps)) == (98, 196, 20)


def test_a_history_made_by_a_foreign_hand_is_listed_record_by_record(
    tmp_path: Path, btc: Instrument, bars: np.ndarray
) -> None:
    path = write_history(tmp_path / "x.b4h", btc, bars, interval_ns=MINUTE_NS, source="x", roundings=0).path
    bars["v"][1, 1] = 5
    bars["ts"][3] = bars["ts"][2]
    raw = path.read_bytes()
    length = int.from_bytes(raw[8:16], "little")
    header = json.loads(raw[16 : 16 + length]) | {"sha256": hashlib.sha256(bars.tobytes()).hexdigest()}
    text = json.dumps(header).encode()
    head = (MAGIC + len(text).to_bytes(8, "little") + text).ljust(HEADER_BYTES, b"\0")
    path.write_bytes(head + bars.tobytes())
    report = check(path)
    assert {(problem.row, problem.kind) for problem in report.problems} == {(2, "impossible"), (4, "duplicate")}
    path.write_bytes(head + bars.tobytes()[:-1] + b"\1")
    with pytest.raises(HistoryError, match="do not match their sha256"):
        check(path)


def test_a_damaged_history_is_refused_as_a_history(tmp_path: Path) -> None:
    path = tmp_path / "x.b4h"
    path.write_bytes(MAGIC)
    with pytest.raises(HistoryError, match="is cut"):
        check(path)
    with pytest.raises(HistoryError, match="cannot be read"):
        check(tmp_path / "no.b4h")


def test_a_table_of_several_symbols_wants_one_named(write_csv: Write) -> None:
    header = "symbol,price,qty,time"
    rows = [["BTCUSDT", "1", "1", "1604221200090"], ["ETHUSDT", "1", "1", "1604221200090"]]
    path = write_csv(rows, header=header)
    with pytest.raises(HistoryError, match="holds BTCUSDT, ETHUSDT: say --symbol"):
        check(path)
    assert check(path, ticker="ETHUSDT").rows == 1
    assert check(write_csv(rows[:1], header=header)).rows == 1


def test_the_mapping_is_json_with_the_contracts_keys(write_csv: Write, candles: Rows) -> None:
    plant_four(candles)
    mapping = json.loads(json.dumps(check(write_csv(candles)).to_mapping()))
    assert {"rows", "gaps", "from", "to", "duplicates", "reversed", "high_below_low", "problems"} <= set(mapping)
    assert mapping["rows"] == 10
    assert mapping["ok"] is False
