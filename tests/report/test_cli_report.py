"""The verbs report and runs over a journal that the real writer wrote."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from bot4_core.cli import main
from bot4_core.domain.event import Kind
from bot4_core.journal.store import Store
from bot4_core.journal.writer import JournalWriter

from .builder import MINUTE_NS, ONE, START_NS, Script


@pytest.fixture
def journal(tmp_path: Path) -> str:
    """Three runs: a-1 finished with one trade and a denial, a-2 finished flat, b-1 never ended."""
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    with Store.open(url, mode="backtest") as store:
        for place, (run_id, finished) in enumerate((("a-1", True), ("a-2", True), ("b-1", False))):
            info = Script(run_id=run_id, created_ns=START_NS + place * 10**9).info
            with JournalWriter(store, info) as writer:
                if run_id == "a-1":
                    trade(writer)
                for n in range(100):
                    equity = (100_000 + n) * ONE
                    writer.append(START_NS + n * MINUTE_NS, 0, Kind.EQUITY, 0, (equity, 0, equity, equity, 0, 0))
                if finished:
                    writer.finish({"reason": "finished", "end_equity": "100099", "max_drawdown": "0.01"})
    return url


def trade(writer: JournalWriter) -> None:
    def order(number: int, side: str, role: str) -> None:
        blob = {"strategy": "trend", "exchange": "main", "side": side, "type": "market", "role": role}
        writer.append(START_NS, 0, Kind.INTENT, 0, (number, 1000, 0, 0, 0, 0), blob)

    order(1, "buy", "entry")
    writer.append(START_NS, 0, Kind.FILL, 0, (1, 2_000_000, 1000, 20, 1, 200 * ONE))
    order(2, "sell", "close")
    writer.append(START_NS + MINUTE_NS, 0, Kind.FILL, 1, (2, 2_100_000, 1000, 21, 2, 210 * ONE))
    failure = {"rule": "position", "measured": "0.03", "limit": "0.02", "unit": ""}
    blob = {"strategy": "trend", "exchange": "main", "side": "buy", "type": "market", "failures": [failure]}
    writer.append(START_NS + MINUTE_NS, 0, Kind.DENIED, 0, (3, 1000, 0, 0, 0, 1), blob)


class Ran:
    """Exit code and both streams of one command line."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *args: str) -> None:
        with pytest.raises(SystemExit) as ended:
            main(list(args))
        self.code = ended.value.code
        self.out, self.err = capsys.readouterr()


def test_report_prints_the_run(journal: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "report", "a-1", "--db", journal)
    assert ran.code == 0
    assert "trend-demo" in ran.out
    assert "position" in ran.out
    assert "\x1b" not in ran.out
    assert ran.err == ""


def test_report_as_json_has_the_keys_of_a_backtest(journal: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(Ran(capsys, "report", "a-1", "--db", journal, "--json").out)
    assert (found["run_id"], found["trades"], found["fills"], found["denied"]) == ("a-1", 1, 2, {"position": 1})
    assert found["end_equity"] == "100099.00000000" or found["end_equity"] == "100099"
    assert found["fees"] == "0.00000041"


def test_latest_is_the_newest_and_a_prefix_must_be_one_run(journal: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(Ran(capsys, "report", "latest", "--db", journal, "--json").out)["run_id"] == "b-1"
    assert json.loads(Ran(capsys, "report", "b", "--db", journal, "--json").out)["run_id"] == "b-1"
    ran = Ran(capsys, "report", "a", "--db", journal)
    assert ran.code == 2
    assert "several runs" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_files_are_written_and_named(journal: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, table = tmp_path / "r.html", tmp_path / "t.csv"
    ran = Ran(capsys, "report", "a-1", "--db", journal, "--html", str(page), "--csv", str(table))
    assert ran.code == 0
    assert ran.out.splitlines() == [f"wrote {page}", f"wrote {table}"]
    assert "<!DOCTYPE html>" in page.read_text(encoding="utf-8")
    (row,) = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    assert (row["entry_cost"], row["exit_cost"], row["pnl"]) == ("200", "210", "9.99999959")


@pytest.mark.parametrize("option", ["--html", "--csv"])
def test_an_unwritable_path_is_one_line(
    journal: str, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capsys, "report", "a-1", "--db", journal, option, str(tmp_path / "no" / "file"))
    assert ran.code == 2
    assert ran.err.startswith("cannot write ")
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "code", "part"),
    [
        (("report", "zzz"), 2, "no run 'zzz': see bot4 runs"),
        (("report", "a-1", "--tz", "Mars/Olympus"), 2, "unknown time zone"),
        (("report", "a-1", "--tz", "../../etc/passwd"), 2, "unknown time zone"),
        (("report",), 2, "RUN"),
        (("runs", "--limit", "0"), 2, "--limit"),
    ],
)
def test_wrong_input_is_one_line(
    journal: str, args: tuple[str, ...], code: int, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capsys, *args, "--db", journal)
    assert ran.code == code
    assert part in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_missing_journal_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (("runs",), ("report", "latest")):
        ran = Ran(capsys, *verb, "--db", f"sqlite:///{tmp_path / 'no.db'}")
        assert ran.code == 4
        assert len(ran.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_latest_run_of_an_empty_journal_is_the_journals_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'j.db'}"
    Store.open(url, mode="backtest").close()
    ran = Ran(capsys, "report", "latest", "--db", url)
    assert (ran.code, ran.err) == (4, "the journal holds no run yet\n")


def test_runs_lists_the_newest_first(journal: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Ran(capsys, "runs", "--db", journal).out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["b-1", "a-2", "a-1"]
    assert "interrupted" in lines[1]
    assert "▁" in lines[2]
    assert "+0.10 %" in lines[2]


def test_runs_as_json_and_limited(journal: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(Ran(capsys, "runs", "--db", journal, "--json", "--limit", "2").out)["runs"]
    assert [run["run_id"] for run in found] == ["b-1", "a-2"]
    unfinished, done = found
    assert unfinished["finished"] is False
    assert unfinished["result_hash"] is None
    assert unfinished["end_equity"] == "100099.00000000"  # its last sample
    assert (done["net_pnl"], done["max_drawdown"], len(done["result_hash"])) == ("99.00000000", "0.01", 64)


def test_the_small_curve_is_bounded_and_ends_at_the_last_sample(journal: str) -> None:
    from bot4_core.report.recent import SPARK_POINTS, recent_runs

    with Store.open(journal, mode="read") as store:
        for run in recent_runs(store, 10):
            assert SPARK_POINTS <= len(run.spark) <= 2 * SPARK_POINTS
            assert run.spark[-1] == 100_099 * ONE
            assert list(run.spark) == sorted(run.spark)
