"""``bot4 backtest``: what is refused before the run, and how its run is found again."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot4_core.cli import main
from bot4_core.example import write_example


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    return write_example(tmp_path / "my bot", 7)[0]


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def following(output: str) -> list[list[str]]:
    """The commands that a report ends with, as a shell reads them."""
    text = output[output.index(" next ") :]
    return [shlex.split(f"bot4 {command}") for command in re.split(r"\s+bot4 ", text.replace("\n", " "))[1:]]


def test_the_commands_after_a_run_find_it_in_a_journal_of_its_own(tmp_path: Path) -> None:
    bot = write_example(tmp_path / f"{'my ' * 30}bot", 7)[0]  # a command is one line, however long
    bot.write_text(bot.read_text(encoding="utf-8") + '\n[journal]\nurl = "sqlite:///own.db"\n', encoding="utf-8")
    result = run("backtest", bot, "--to", "2025-01-20")
    assert result.exit_code == 0, result.output
    commands = following(result.output)
    assert len(commands) == 3
    for command in commands:
        answer = run(*command[1:], *(["--json"] if "csv" not in command[-1] and "html" not in command[-1] else []))
        assert answer.exit_code == 0, answer.output
    assert (bot.parent / "own.db").is_file()


def test_the_commands_after_a_run_in_the_default_journal_are_short(bot: Path) -> None:
    result = run("backtest", bot, "--to", "2025-01-20")
    assert result.exit_code == 0, result.output
    assert "--db" not in result.output


@pytest.mark.parametrize("verb", ["backtest", "demo"])
@pytest.mark.parametrize(("page", "reason"), [("no/report.html", "does not exist"), (".", "directory")])
def test_a_page_that_cannot_be_written_is_refused_before_the_run(
    bot: Path, tmp_path: Path, state: Path, verb: str, page: str, reason: str
) -> None:
    result = run(verb, *([bot] if verb == "backtest" else []), "--report", tmp_path / page)
    assert result.exit_code == 2
    assert reason in result.output
    assert not state.exists()  # no journal was made, so nothing ran
    assert not list(tmp_path.glob(".*"))
