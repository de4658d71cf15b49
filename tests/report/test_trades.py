"""Trades as rows and as CSV: exact, in the order of their exits, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import os
import stat
from decimal import Decimal
from pathlib import Path

import pytest

from bot4_core.errors import ConfigError
from bot4_core.report.model import build
from bot4_core.report.trades import COLUMNS, csv_lines, safe_cell, write_csv

from .builder import MINUTE_NS, ONE, START_NS, Script, simulated


def rows_of(script: Script) -> list[dict[str, str]]:
    text = "".join(csv_lines(build(script.record()).trades))
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_trade_is_written_with_exact_decimals() -> None:
    script = Script()
    # 0.003 BTC at 20000.01, out at 20100.02, fees 0.06000003 and 0.06030006
    opened = script.intent(START_NS, "buy", 300, tag="cross")
    script.fill(START_NS, opened, "buy", 2_000_001, 300, 6_000_003)
    closed = script.intent(START_NS + 10 * MINUTE_NS, "sell", 300, role="close", tag="cross back")
    script.fill(START_NS + 10 * MINUTE_NS, closed, "sell", 2_010_002, 300, 6_030_006)
    (row,) = rows_of(script)
    assert list(row) == list(COLUMNS)
    assert row["trade"] == "1"
    assert (row["symbol"], row["side"], row["reason"], row["asset"]) == ("BTC/USDT", "long", "close", "USDT")
    assert (row["entry_time"], row["exit_time"]) == ("2022-08-01T00:00:00Z", "2022-08-01T00:10:00Z")
    assert (row["entry_ts"], row["exit_ts"]) == (str(START_NS), str(START_NS + 10 * MINUTE_NS))
    assert (row["quantity"], row["entry_cost"], row["exit_cost"]) == ("0.003", "60.00003", "60.30006")
    assert (row["entry_price"], row["exit_price"]) == ("20000.01", "20100.02")
    assert (row["entry_fees"], row["exit_fees"], row["fees"]) == ("0.06000003", "0.06030006", "0.12030009")
    assert Decimal(row["pnl"]) == Decimal("60.30006") - Decimal("60.00003") - Decimal("0.12030009")
    assert row["return"] == "0.002995497002"  # 0.17972991 / 60.00003, twelve decimals
    assert (row["bars_held"], row["holding_s"]) == ("2", "600")
    assert (row["tag"], row["exit_tag"]) == ("cross", "cross back")


def test_a_price_that_does_not_end_has_its_exact_cost_beside_it() -> None:
    script = Script()
    opened = script.intent(START_NS, "buy", 3)
    script.fill(START_NS, opened, "buy", 100, 1, 0)
    script.fill(START_NS, opened, "buy", 200, 2, 0)
    closed = script.intent(START_NS + 1, "sell", 3, role="close")
    script.fill(START_NS + 1, closed, "sell", 300, 3, 0)
    (row,) = rows_of(script)
    assert row["entry_cost"] == "0.00005"
    assert row["entry_price"].startswith("1.66666666666666666666")
    assert row["exit_time"] == "2022-08-01T00:00:00.000000001Z"
    assert row["holding_s"] == "0.000000001"


def test_sums_of_the_csv_are_the_realised_profit() -> None:
    record = simulated(symbols=3, days=60)
    rows = list(csv.DictReader(io.StringIO("".join(csv_lines(build(record).trades)), newline="")))
    assert len(rows) == len(record.round_trips) > 50
    assert sum(Decimal(row["pnl"]) for row in rows) == Decimal(sum(p.realised_units for p in record.positions)).scaleb(
        -8
    )
    assert [row["exit_ts"] for row in rows] == sorted(row["exit_ts"] for row in rows)


@pytest.mark.parametrize("tag", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", '=cmd|"/c calc"!A0'])
def test_a_tag_cannot_become_a_formula(tag: str) -> None:
    script = Script()
    script.round_trip(START_NS, START_NS + 1, 100, 110, 1000, 0, tag=tag)
    (row,) = rows_of(script)
    assert row["tag"] == f"'{tag}"


def test_commas_quotes_and_line_ends_in_tags_survive() -> None:
    script = Script()
    script.round_trip(START_NS, START_NS + 1, 100, 110, 1000, 0, tag='a,"b"\nc — ☃')
    (row,) = rows_of(script)
    assert row["tag"] == 'a,"b"\nc — ☃'
    assert safe_cell("plain") == "plain"


def test_no_trades_still_have_a_header(tmp_path: Path) -> None:
    target = tmp_path / "trades.csv"
    write_csv(build(Script().record()).trades, target)
    assert target.read_bytes() == (",".join(COLUMNS) + "\r\n").encode()


@pytest.mark.parametrize("name", ["missing/trades.csv", "."])
def test_an_unwritable_path_is_one_line_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        write_csv(build(Script().record()).trades, tmp_path / name)
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_failure_half_way_keeps_the_old_file(tmp_path: Path) -> None:
    from bot4_core.report.files import write_text

    target = tmp_path / "report.html"
    target.write_text("old")

    def parts():  # type: ignore[no-untyped-def]  # a generator that breaks
        yield "new"
        raise RuntimeError("broken off")

    with pytest.raises(RuntimeError):
        write_text(target, parts())
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_shorts_gain_when_the_price_falls() -> None:
    script = Script()
    opened = script.intent(START_NS, "sell", 1000)
    script.fill(START_NS, opened, "sell", 20_000, 1000, ONE // 100)
    closed = script.intent(START_NS + 5, "buy", 1000, role="stop")
    script.fill(START_NS + 5, closed, "buy", 19_000, 1000, ONE // 100)
    (row,) = rows_of(script)
    assert (row["side"], row["reason"]) == ("short", "stop")
    assert row["pnl"] == "0.08"  # 0.01 × (200 − 190) − 0.02


def test_a_pipe_or_device_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    before = pipe.stat()
    with pytest.raises(ConfigError, match="no regular file"):
        write_csv([], pipe)
    after = pipe.stat()
    assert stat.S_ISFIFO(after.st_mode)
    assert after.st_ino == before.st_ino
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]


def test_a_symbolic_link_stays_one_and_its_target_is_written(tmp_path: Path) -> None:
    target, link = tmp_path / "real.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    write_csv([], link)
    assert link.is_symlink()
    assert target.read_text().startswith("trade,")
