"""``bot4 check`` and ``bot4 plugins`` from a user's side, with the real plugins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot4_core.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trend.py").write_text(
        "from bot4_core.sdk import Strategy\n\n\nclass Trend(Strategy):\n    fast: int = 3\n"
    )
    (tmp_path / "bot.toml").write_text(
        """\
[bot]
name = "demo"
plugins = ["exchange-sim", "risk-default"]
[exchange.main]
use = "sim"
history = ["btc.b4h"]
balances = { USDT = "100000" }
[[risk]]
use = "default"
position = 0.01
[strategy.trend]
use = "./trend.py:Trend"
trade = ["main:BTC/USDT"]
"""
    )
    return tmp_path


def check(folder: Path, *args: str) -> Result:
    return CliRunner().invoke(main, ["check", str(folder / "bot.toml"), *args])


def test_a_right_config_is_printed_as_what_it_assembles(folder: Path) -> None:
    result = check(folder, "--set", "strategy.trend.fast=5")
    assert result.exit_code == 0, result.output
    lines = [line.strip("│├└─ ") for line in result.stdout.splitlines()]
    assert lines[0] == "demo (paper, seed 1)"
    assert "strategy trend = ./trend.py:Trend on main:BTC/USDT" in lines
    assert "fast = 5" in lines
    assert "position = 0.01" in lines
    assert "warmup = 0 (default)" in lines


def test_the_password_of_the_journal_is_not_shown(folder: Path) -> None:
    for url in ("postgresql+psycopg://me:s3c:r3t@host/db", "postgres me:s3cr3t ://me:s3cr3t@host"):
        result = check(folder, "--set", f"journal.url='{url}'")
        assert "me:***@host" in result.output
    assert "s3c:r3t" not in check(folder, "--set", "journal.url='postgresql://me:s3c:r3t@host/db'").output


def test_json_says_ok_in_one_object(folder: Path) -> None:
    assert json.loads(check(folder, "--json").stdout) == {"ok": True, "errors": []}


def test_a_loosened_limit_is_refused_on_its_line(folder: Path) -> None:
    path = folder / "bot.toml"
    path.write_text(path.read_text().replace("position = 0.01", "position = 0.05"))
    result = check(folder)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"{path}:10 $.risk[0].position: 0.05 is above the limit 0.02")


def test_json_lists_every_mistake_with_line_path_and_message(folder: Path) -> None:
    path = folder / "bot.toml"
    path.write_text(path.read_text().replace("balances", "balanzes").replace("position = 0.01", "position = true"))
    result = check(folder, "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert found["ok"] is False
    assert [(one["line"], one["path"]) for one in found["errors"]] == [
        (4, "$.exchange.main.balances"),
        (7, "$.exchange.main.balanzes"),
        (10, "$.risk[0].position"),
    ]
    assert "did you mean 'balances'?" in found["errors"][1]["message"]


def test_a_venue_that_takes_no_orders_yet_is_refused_in_one_line(folder: Path) -> None:
    path = folder / "bot.toml"
    text = path.read_text().replace('"exchange-sim"', '"exchange-kraken"').replace('"sim"', '"kraken"')
    path.write_text(text.replace('history = ["btc.b4h"]\nbalances = { USDT = "100000" }\n', ""))
    result = check(folder)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "main (kraken) takes no orders yet: it lacks replay" in line


def test_a_plugin_that_is_installed_but_not_allowed_is_pointed_out(folder: Path) -> None:
    path = folder / "bot.toml"
    path.write_text(path.read_text().replace('"exchange-sim", ', ""))
    result = check(folder)
    assert result.exit_code == 2
    assert "add 'exchange-sim' to [bot] plugins" in result.stderr


def test_checking_writes_nothing(folder: Path) -> None:
    before = sorted(path.name for path in folder.rglob("*") if "__pycache__" not in path.parts)
    check(folder)
    after = sorted(path.name for path in folder.rglob("*") if "__pycache__" not in path.parts)
    assert before == after


NAMES = ["exchange-binance", "exchange-coinbase", "exchange-kraken", "exchange-sim", "risk-default"]


def test_plugins_are_listed_from_metadata() -> None:
    result = CliRunner().invoke(main, ["plugins", "list"])
    assert result.exit_code == 0
    heading, *rows = [line.split() for line in result.stdout.splitlines()]
    assert heading == ["kind", "name", "distribution", "version"]
    assert set(NAMES) <= {row[1] for row in rows}
    assert ["exchange", "exchange-kraken", "bot4-exchange-kraken", "0.1.0"] in rows


def test_the_json_of_the_list_has_the_keys_of_the_contract() -> None:
    rows = json.loads(CliRunner().invoke(main, ["plugins", "list", "--json"]).stdout)["plugins"]
    assert {"name", "distribution", "version", "offers", "status", "reason"} <= set(rows[0])


def test_every_plugin_of_the_repository_works() -> None:
    result = CliRunner().invoke(main, ["plugins", "list", "--check", "--json"])
    assert result.exit_code == 0, result.stdout
    rows = {row["name"]: row for row in json.loads(result.stdout)["plugins"]}
    assert {name: rows[name]["status"] for name in NAMES} == dict.fromkeys(NAMES, "ok")
    assert rows["exchange-sim"]["offers"] == ["exchange:sim"]
