"""Observer hooks in a real run: told when it starts and when it ends, however it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot4_core.cli import main

from .conftest import MakePlugin, good

OBSERVER = """
import os

def note(text):
    with open(os.environ["OBSERVED"], "a") as stream:
        stream.write(text + "\\n")

@hookimpl
def bot4_starting(run):
    note(f"{run.bot} starts as {run.mode}, seed {run.seed}")

@hookimpl
def bot4_stopping(run, reason):
    note(f"{run.bot} stops: {reason}")
"""


FAILING = """
from bot4_core.sdk import Strategy

class Trend(Strategy):
    fast: int = 1
    slow: int = 2

    def on_bar(self, ctx, bar):
        raise ValueError("a bad day")
"""


@pytest.fixture
def bot(tmp_path: Path, make_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OBSERVED", str(tmp_path / "observed"))
    make_plugin("exchange-watch", good("watch") + OBSERVER)
    assert CliRunner().invoke(main, ["init", str(tmp_path / "bot")]).exit_code == 0
    path = tmp_path / "bot" / "bot.toml"
    text = path.read_text()
    assert "plugins = [" in text
    path.write_text(text.replace("plugins = [", 'plugins = ["exchange-watch", ', 1))
    return path


def backtest(path: Path) -> tuple[Result, list[str]]:
    db = f"sqlite:///{path.parent}/journal.db"
    result = CliRunner().invoke(main, ["backtest", str(path), "--db", db, "--json"])
    return result, (path.parents[1] / "observed").read_text().splitlines()


def test_an_observer_hears_of_the_start_and_the_end(bot: Path) -> None:
    result, heard = backtest(bot)
    assert result.exit_code == 0, result.stderr
    assert len(heard) == 2
    assert heard[0].endswith("starts as backtest, seed 7")
    assert "stops: " in heard[1]


def test_an_observer_hears_of_an_end_by_error(bot: Path) -> None:
    (bot.parent / "trend.py").write_text(FAILING)
    result, heard = backtest(bot)
    assert result.exit_code == 1
    assert len(heard) == 2
    assert "a bad day" in heard[1]
