"""The examples run: a bot from its folder, a plugin from nothing but its files and metadata."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from pathlib import Path

import pytest

from bot4_core.example import write_example

from .blocks import ROOT, blocks, on_terminal, run_session

EXAMPLES = ROOT / "examples"


def test_the_bands_trade_both_ways_and_rest_at_weekends(desk: Path) -> None:
    folder = desk / "bands"
    shutil.copytree(EXAMPLES / "bands", folder)
    (block,) = blocks(folder / "README.md")
    run_session(block, folder)
    answer = on_terminal("bot4 report latest --csv trades.csv", folder)
    assert answer.code == 0, answer.errors
    lines = [line.split(",") for line in (folder / "trades.csv").read_text(encoding="utf-8").splitlines()]
    sides, tags = (lines[0].index(name) for name in ("side", "exit_tag"))
    assert {line[sides] for line in lines[1:]} == {"long", "short"}
    assert {"back at the average", "weekend"} <= {line[tags] for line in lines[1:]}


def _installed(name: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example's plugin as an installer would leave it, on a path of its own; its page's bot in ``desk``."""
    site = desk / "site"
    source = EXAMPLES / name
    package = f"bot4_{name}"
    shutil.copytree(source / "src" / package, site / package)
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = site / f"{package}-0.1.0.dist-info"
    metadata.mkdir()
    needs = "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n{needs}"
    (metadata / "METADATA").write_text(head, encoding="utf-8")
    points = "\n".join(f"{key} = {value}" for key, value in project["entry-points"]["bot4"].items())
    (metadata / "entry_points.txt").write_text(f"[bot4]\n{points}\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))
    write_example(desk, 7)
    (toml,) = blocks(source / "README.md")
    (desk / str(toml.file)).write_text(toml.text, encoding="utf-8")
    return desk


@pytest.fixture
def night(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the night's bot, its plugin installed."""
    return _installed("risk_night", desk, monkeypatch)


@pytest.fixture
def recorded(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the bot whose records become CSV, its plugin installed."""
    return _installed("sink_csv", desk, monkeypatch)


def _denied(folder: Path, *changes: str) -> dict[str, int]:
    sets = " ".join(f"--set '{change}'" for change in changes)
    answer = on_terminal(f"bot4 backtest night.toml --json {sets} > answer.json", folder)
    assert answer.code == 0, answer.errors
    denied: dict[str, int] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))["denied"]
    return denied


def test_the_night_plugin_is_found_and_works(night: Path) -> None:
    answer = on_terminal("bot4 plugins list --check --json > plugins.json", night)
    assert answer.code == 0, answer.errors
    rows = json.loads((night / "plugins.json").read_text(encoding="utf-8"))["plugins"]
    (row,) = [row for row in rows if row["name"] == "risk-night"]
    assert (row["status"], row["offers"]) == ("ok", ["risk:night"])


def test_the_night_refuses_and_the_day_does_not(night: Path) -> None:
    assert _denied(night)["policy.night.hours"] > 0
    assert "policy.night.hours" not in _denied(night, "risk[1].from_hour=6", "risk[1].to_hour=6")


def test_the_policys_limit_tightens_and_cannot_loosen(night: Path) -> None:
    answer = on_terminal("bot4 backtest night.toml --set risk[1].open_orders=101", night)
    assert answer.code == 2
    assert "101 is above the limit 100" in answer.errors


def test_the_sink_writes_the_records_that_were_asked_for(recorded: Path) -> None:
    answer = on_terminal("bot4 backtest records.toml --json > answer.json", recorded)
    assert (answer.code, answer.errors) == (0, "")
    fills = json.loads((recorded / "answer.json").read_text(encoding="utf-8"))["fills"]
    heading, *rows = [line.split(",") for line in (recorded / "fills.csv").read_text(encoding="utf-8").splitlines()]
    assert heading[:4] == ["seq", "ts", "instrument", "kind"]
    assert {row[3] for row in rows} == {"FILL"}
    assert len(rows) == fills > 0


def test_every_record_of_the_journal_reaches_a_sink(recorded: Path) -> None:
    answer = on_terminal("bot4 backtest records.toml --json --set 'sink[0].kinds=[]' > answer.json", recorded)
    assert answer.code == 0, answer.errors
    rows = [line.split(",") for line in (recorded / "fills.csv").read_text(encoding="utf-8").splitlines()[1:]]
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    assert (rows[0][3], rows[-1][3]) == ("RUN_START", "RUN_END")


def test_a_sink_is_checked_and_not_made_by_check(recorded: Path) -> None:
    answer = on_terminal("bot4 check records.toml", recorded)
    assert answer.code == 0, answer.errors
    assert "kinds = ['FILL']" in answer.screen
    assert not (recorded / "fills.csv").exists()
    wrong = on_terminal("bot4 check records.toml --set 'sink[0].kinds=[\"FILLS\"]'", recorded)
    assert wrong.code == 2
    assert "'FILLS' is no kind of record" in wrong.errors


def test_a_sink_that_fails_is_one_warning_and_the_run_goes_on(recorded: Path) -> None:
    plugin = recorded / "site" / "bot4_sink_csv" / "__init__.py"
    plugin.write_text(plugin.read_text(encoding="utf-8").replace("if kind in self._kinds:", "if 1 / 0:"))
    answer = on_terminal("bot4 backtest records.toml --json > answer.json", recorded)
    assert answer.code == 0, answer.errors
    (line,) = answer.errors.splitlines()
    assert "sink csv: on_batch failed: ZeroDivisionError" in line


def test_a_sink_whose_file_cannot_be_made_ends_the_run_before_it_starts(recorded: Path) -> None:
    answer = on_terminal("bot4 backtest records.toml --set 'sink[0].file=\"no/f.csv\"'", recorded)
    assert answer.code == 2
    assert "cannot write" in answer.errors
    assert not (recorded.parent / "state").exists()
