"""``bot4 config`` from a user's side: the schema, the reference, and the values in force with where they come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from bot4_core.cli import main

SECRET = "show-test-secret-41"


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOW_KEY", SECRET)
    (tmp_path / "trend.py").write_text(
        "from bot4_core.sdk import Secret, Strategy\n\n\n"
        "class Trend(Strategy):\n    fast: int = 3\n    slow: int = 9\n    key: Secret | None = None\n"
    )
    (tmp_path / "bot.toml").write_text(
        """\
[bot]
name = "demo"
plugins = ["exchange-sim", { name = "risk-default", version = "0.1.0" }]
[journal]
url = "postgresql+psycopg://me:pa55word@host/db"
[exchange.main]
use = "sim"
history = ["not-looked-at.b4h"]
balances = { USDT = "100000", BTC = "0" }
fees = { maker = "0.0005" }
[[risk]]
use = "default"
position = 0.01
[strategy.trend]
use = "./trend.py:Trend"
trade = ["main:BTC/USDT"]
fast = 8
key = { env = "SHOW_KEY" }
"""
    )
    return tmp_path / "bot.toml"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["config", *arguments])


def shown(bot: Path, *arguments: str) -> dict[str, tuple[object, str, str, int | None]]:
    answer = call("show", "--origin", "--json", str(bot), *arguments)
    assert answer.exit_code == 0, answer.output
    values = json.loads(answer.stdout)["values"]
    return {one["path"]: (one["value"], one["source"], one["origin"], one["line"]) for one in values}


def test_each_value_stands_with_where_it_comes_from(bot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT4__BOT__SEED", "11")
    monkeypatch.setenv("BOT4__EXCHANGE__MAIN__BALANCES__BTC", "0.5")
    found = shown(bot, "--set", "risk[0].drawdown=0.1", "--set", "log.keep=9")
    assert found["$.bot.name"] == ("demo", "file", "line 2", 2)
    assert found["$.bot.mode"] == ("paper", "default", "default", None)
    assert found["$.bot.seed"] == (11, "environment", "BOT4__BOT__SEED=11", None)
    assert found["$.bot.plugins"][0] == [
        {"name": "exchange-sim"}, {"name": "risk-default", "version": "0.1.0"},
    ]  # fmt: skip
    assert found["$.log.keep"] == (9, "set", "--set log.keep=9", None)
    assert found["$.exchange.main.use"] == ("sim", "file", "line 7", 7)
    assert found["$.exchange.main.balances.USDT"] == ("100000", "file", "line 9", 9)
    assert found["$.exchange.main.balances.BTC"][:2] == ("0.5", "environment")
    assert found["$.exchange.main.fees.maker"] == ("0.0005", "file", "line 10", 10)
    assert found["$.exchange.main.fees.taker"] == ("0.001", "default", "default", None)
    assert found["$.risk[0].position"] == ("0.01", "file", "line 13", 13)
    assert found["$.risk[0].drawdown"] == ("0.1", "set", "--set risk[0].drawdown=0.1", None)
    assert found["$.strategy.trend.trade"] == (["main:BTC/USDT"], "file", "line 16", 16)
    assert found["$.strategy.trend.slow"] == (9, "default", "default", None)


def test_a_secret_is_shown_by_its_origin_alone(bot: Path) -> None:
    assert shown(bot)["$.strategy.trend.key"] == ("***", "file", "line 18, environment variable SHOW_KEY", 18)
    assert shown(bot)["$.journal.url"][0] == "postgresql+psycopg://me:***@host/db"
    for arguments in (("show",), ("show", "--origin"), ("show", "--json")):
        answer = call(*arguments, str(bot))
        assert answer.exit_code == 0
        assert SECRET not in answer.output
        assert "pa55word" not in answer.output


def test_people_get_a_table_and_the_origin_when_asked(bot: Path) -> None:
    plain, full = (call(*arguments, str(bot)).stdout.splitlines() for arguments in (("show",), ("show", "--origin")))
    assert plain[0].split() == ["path", "value"]
    assert full[0].split() == ["path", "value", "origin"]
    assert ["$.strategy.trend.fast", "8", "line", "17"] in [line.split() for line in full]
    assert ["$.strategy.trend.fast", "8"] in [line.split() for line in plain]


def test_every_mistake_is_told_in_place_of_the_values(bot: Path) -> None:
    bot.write_text(bot.read_text().replace("fast", "fats").replace("position", "positon"))
    answer = call("show", str(bot))
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert [line.partition(" $")[0] for line in answer.stderr.splitlines()] == [f"{bot}:13", f"{bot}:17"]


def test_the_schema_knows_the_plugins_that_the_bot_allows(bot: Path) -> None:
    answer = call("schema", str(bot))
    assert answer.exit_code == 0, answer.output
    own, whole = json.loads(answer.stdout), json.loads(call("schema").stdout)
    Draft202012Validator.check_schema(own)
    assert {"exchange-sim", "risk-default", "strategy-file"} <= set(own["$defs"])
    assert "exchange-kraken" not in own["$defs"]
    assert "exchange-kraken" in whole["$defs"]


def test_a_plugin_that_cannot_be_had_is_named_and_left_out(bot: Path) -> None:
    bot.write_text(bot.read_text().replace('"exchange-sim"', '"exchange-mars"'))
    answer = call("schema", str(bot))
    assert answer.exit_code == 0
    assert "left out: plugin 'exchange-mars' is not installed" in answer.stderr
    assert "risk-default" in json.loads(answer.stdout)["$defs"]


def test_a_broken_file_still_has_a_schema_while_its_allowlist_can_be_read(bot: Path) -> None:
    bot.write_text(bot.read_text().replace("[strategy.trend]", "[strateggy.trend]"))
    assert call("schema", str(bot)).exit_code == 0
    bot.write_text(bot.read_text().replace('plugins = ["exchange-sim"', "plugins = [3"))
    answer = call("schema", str(bot))
    assert answer.exit_code == 2
    assert f"{bot}:3 $.bot.plugins[0]: 3 must be a plugin's name" in answer.stderr


def test_the_reference_is_of_the_plugins_that_the_bot_allows(bot: Path) -> None:
    answer = call("reference", str(bot))
    assert answer.exit_code == 0
    assert '### [[risk]] with use = "default"' in answer.stdout
    assert "kraken" not in answer.stdout
    assert "kraken" in call("reference").stdout
