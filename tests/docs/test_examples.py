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


@pytest.fixture
def night(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plugin as an installer would leave it, on a path of its own."""
    site = desk / "site"
    source = EXAMPLES / "risk_night"
    shutil.copytree(source / "src" / "bot4_risk_night", site / "bot4_risk_night")
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = site / "bot4_risk_night-0.1.0.dist-info"
    metadata.mkdir()
    needs = "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n{needs}"
    (metadata / "METADATA").write_text(head, encoding="utf-8")
    points = "\n".join(f"{name} = {value}" for name, value in project["entry-points"]["bot4"].items())
    (metadata / "entry_points.txt").write_text(f"[bot4]\n{points}\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))
    write_example(desk, 7)
    (toml,) = blocks(source / "README.md")
    (desk / str(toml.file)).write_text(toml.text, encoding="utf-8")
    return desk


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
