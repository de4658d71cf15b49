"""``bot4 plugins show`` and ``check``: what a plugin offers, whether it works, and the line that pins it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot4_core import plugins
from bot4_core.cli import main
from bot4_core.plugins import Pin


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["plugins", *args])


@pytest.mark.parametrize("name", ["risk-default", "default"])
def test_show_explains_a_plugin_by_entry_point_or_spec_name(name: str) -> None:
    result = run("show", name, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["kind"], found["name"], found["distribution"]) == ("risk", "risk-default", "bot4-risk-default")
    assert (found["status"], found["reason"], found["own"]) == ("ok", "", False)
    (offer,) = found["offers"]
    assert (offer["kind"], offer["name"]) == ("risk", "default")
    rows = {row["name"]: row for row in offer["settings"]}
    row = rows["position"]
    assert row["doc"].startswith("notional in one base asset over equity")
    assert (row["type"], row["required"], row["default"]) == ("Decimal", False, "0.02")


def test_the_line_that_show_prints_pins_what_is_installed() -> None:
    pin = json.loads(run("show", "exchange-kraken", "--json").stdout)["pin"]
    (entry,) = tomllib.loads(f"plugins = [{pin}]")["plugins"]
    assert plugins.load([Pin(**entry)]).names("exchange")[0] == "kraken"


def test_show_for_people_has_every_setting_and_the_line() -> None:
    result = run("show", "sim")
    assert "exchange sim: " in result.stdout
    assert "capabilities: attached-orders, reduce-only, replay" in result.stdout
    assert '{ name = "exchange-sim", version = "' in result.stdout
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert "required" in lines["balances"]
    assert '"spot" | "margin"' in lines["account"]


@pytest.mark.parametrize("verb", ["show", "check"])
@pytest.mark.parametrize(
    ("name", "message"),
    [("exchange-krakn", "did you mean 'exchange-kraken'?"), ("krakn", "did you mean 'kraken'?")],
)
def test_a_wrong_name_is_one_line_with_the_nearest(verb: str, name: str, message: str) -> None:
    result = run(verb, name)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert f"no plugin {name!r} is installed" in line
    assert line.endswith(message)


def test_check_takes_the_names_it_is_given_in_their_order() -> None:
    result = run("check", "risk-default", "kraken", "--json")
    assert result.exit_code == 0
    rows = json.loads(result.stdout)["plugins"]
    assert [(row["name"], row["status"], row["offers"], row["warnings"]) for row in rows] == [
        ("risk-default", "ok", ["risk:default"], []),
        ("exchange-kraken", "ok", ["exchange:kraken"], []),
    ]


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed plugin whose module cannot be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "broken_sink.py").write_text("1/0\n")
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bot4]\nsink-broken = broken_sink\n")


@pytest.mark.usefixtures("broken")
def test_a_broken_plugin_is_shown_as_far_as_it_is_known_and_ends_with_5() -> None:
    result = run("show", "sink-broken", "--json")
    assert result.exit_code == 5
    found = json.loads(result.stdout)
    assert (found["status"], found["version"], found["offers"]) == ("broken", "1.0", [])
    assert "ZeroDivisionError" in found["reason"]
    assert len(found["sha256"]) == 64
    assert "broken: importing broken_sink failed: ZeroDivisionError" in run("show", "sink-broken").stdout


@pytest.mark.usefixtures("broken")
def test_check_ends_with_5_and_says_why_below_the_table() -> None:
    result = run("check", "broken")
    assert result.exit_code == 5
    assert result.stdout.splitlines()[-1].startswith("sink-broken: importing broken_sink failed: ZeroDivisionError")


@pytest.mark.usefixtures("broken")
def test_the_timeout_of_a_check_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "broken_sink.py").write_text("while True: pass\n")
    result = run("check", "broken", "--timeout", "1.5", "--json")
    assert result.exit_code == 5
    assert json.loads(result.stdout)["plugins"][0]["reason"] == "its import took longer than 1.5 s"


@pytest.mark.parametrize("value", ["0", "-1", "4000", "soon"])
def test_a_timeout_that_cannot_be_is_a_mistake(value: str) -> None:
    result = run("check", "exchange-sim", "--timeout", value)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_a_plugin_that_is_switched_off_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.DISABLE_VARIABLE, "exchange-sim")
    result = run("check", "exchange-sim", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["plugins"][0]["status"] == "disabled"
