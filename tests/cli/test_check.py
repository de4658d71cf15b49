"""``bot4 check`` and ``bot4 plugins`` from a user's side, with the real plugins."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot4_core.cli import main
from bot4_core.cli.check import shown
from bot4_core.history.file import write_history
from bot4_core.testing import bars_from_closes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trend.py").write_text(
        "from bot4_core.sdk import Strategy\n\n\nclass Trend(Strategy):\n    fast: int = 3\n"
    )
    instrument, events = bars_from_closes([100, 101, 102])
    write_history(tmp_path / "btc.b4h", instrument, events, interval_ns=60 * 10**9, source="test", roundings=0)
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
    assert "history = ['btc.b4h']" in lines
    assert "balances = { USDT = 100000 }" in lines
    assert "fees = { maker = 0.001, taker = 0.001 } (default)" in lines
    assert "spread = unset (default)" in lines
    assert any(line.startswith("market: open ± half spread 0.01 %") for line in lines)
    assert "position: 0.01" in lines
    assert "drawdown: 0.15" in lines


def test_values_are_shown_compactly_and_secrets_not_at_all() -> None:
    assert shown([f"h{n}" for n in range(10)]) == "['h0', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'h7', … and 2 more]"
    assert shown({}) == "{}"
    assert shown(Decimal("1E+3")) == "1000"
    assert shown({"api_key": "s3cr3t", "on": True}, "login") == "{ api_key = ***, on = true }"
    assert shown("postgresql://me:s3cr3t@host/db") == "'postgresql://me:***@host/db'"


def test_a_missing_and_a_damaged_history_are_mistakes_on_their_line(folder: Path) -> None:
    path = folder / "bot.toml"
    text = path.read_text()
    path.write_text(text.replace('["btc.b4h"]', '[\n    "btc.b4h",\n    "nowhere.b4h",\n]'))
    result = check(folder)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.match(rf"{path}:[6-8] \$\.exchange\.main\.history\[1\]: history 'nowhere\.b4h' is neither", result.stderr)
    path.write_text(text)
    (folder / "btc.b4h").write_bytes((folder / "btc.b4h").read_bytes()[:-1])
    (found,) = json.loads(check(folder, "--json").stdout)["errors"]
    assert (found["line"], found["path"]) == (6, "$.exchange.main.history[0]")
    assert "btc.b4h" in found["message"]


def test_what_only_assembly_can_see_is_found_beside_other_mistakes(folder: Path) -> None:
    path = folder / "bot.toml"
    path.write_text(path.read_text().replace("BTC/USDT", "BTC/EUR"))
    result = check(folder)
    assert result.exit_code == 2
    assert f"{path}:13 $.strategy.trend.trade[0]: BTC/EUR has no history on this exchange" in result.stderr


def test_the_strategy_is_built_but_not_called(folder: Path) -> None:
    (folder / "trend.py").write_text(
        "from bot4_core.sdk import Strategy\n\n\nclass Trend(Strategy):\n    fast: int = 3\n\n"
        "    def on_start(self, ctx):\n        raise RuntimeError\n"
    )
    assert check(folder).exit_code == 0


def test_the_log_names_the_plugins_when_asked(folder: Path) -> None:
    command = [sys.executable, "-P", "-c", "from bot4_core.cli import main; main()", "check", str(folder / "bot.toml")]
    told = subprocess.run([*command, "-v"], capture_output=True, text=True, check=True).stderr
    assert "plugin exchange-sim (bot4-exchange-sim" in told
    assert subprocess.run(command, capture_output=True, text=True, check=True).stderr == ""


def test_the_password_of_the_journal_is_not_shown(folder: Path) -> None:
    for url in ("postgresql+psycopg://me:s3c:r3t@host/db", "postgres me:s3cr3t ://me:s3cr3t@host"):
        result = check(folder, "--set", f"journal.url='{url}'")
        assert "me:***@host" in result.output
    assert "s3c:r3t" not in check(folder, "--set", "journal.url='postgresql://me:s3c:r3t@host/db'").output


def test_json_says_ok_in_one_object(folder: Path) -> None:
    assert json.loads(check(folder, "--json").stdout) == {"ok": True, "errors": [], "warnings": []}


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


def test_what_live_trading_would_refuse_is_a_warning(folder: Path) -> None:
    path = folder / "bot.toml"
    path.write_text(path.read_text().replace('name = "demo"', 'name = "demo"\nmode = "live"'))
    path.chmod(0o644)
    result = check(folder)
    assert result.exit_code == 0
    mode, simulation = result.stderr.splitlines()
    assert mode == f"warning: {path} has mode 0644: others can read or change it; chmod 600"
    assert simulation.endswith("$.exchange.main.use: 'sim' replays a market: nothing there is live; set mode = 'paper'")
    told = json.loads(check(folder, "--json").stdout)
    assert told["ok"] is True
    assert [one["path"] for one in told["warnings"]] == ["", "$.exchange.main.use"]
    path.chmod(0o600)
    assert len(check(folder).stderr.splitlines()) == 1
    assert check(folder, "--set", 'bot.mode="paper"').stderr == ""
