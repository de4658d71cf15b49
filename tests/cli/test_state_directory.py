"""A state directory that cannot be used: every verb says so in one line that tells what to do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.state.broken import obey_modes

from .commands import BOT4, as_process

VERBS = ("run bot/bot.toml --for 1s", "backtest bot/bot.toml", "demo", "kill x", "resume x", "status", "runs")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    assert as_process("init", "bot").returncode == 0
    return tmp_path


@pytest.fixture
def closed(folder: Path) -> Iterator[Path]:
    state = folder / "state"
    state.mkdir()
    yield state
    state.chmod(0o700)


def told(verb: str) -> tuple[int, str]:
    done = subprocess.run(
        [*BOT4, *verb.split()], capture_output=True, text=True, check=False, timeout=60, preexec_fn=obey_modes
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_in_its_place(folder: Path, verb: str) -> None:
    state = folder / "state"
    state.touch()
    assert told(verb) == (2, f"{state} is no directory: move it away, or set BOT4_STATE\n")
    assert state.read_bytes() == b""


@pytest.mark.parametrize("verb", VERBS)
def test_one_that_is_not_absolute(folder: Path, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT4_STATE", "state")
    message = "BOT4_STATE names 'state', another directory in each folder: make it absolute\n"
    assert told(verb) == (2, message)
    assert not (folder / "state").exists()


@pytest.mark.parametrize("verb", VERBS)
def test_one_that_may_not_be_looked_into(closed: Path, verb: str) -> None:
    closed.chmod(0)
    hint = "chown and chmod 700 it, or set BOT4_STATE"
    assert told(verb) == (1, f"{closed}: cannot be looked into: Permission denied: {hint}\n")


def test_one_that_may_not_be_written(closed: Path) -> None:
    closed.chmod(0o500)
    code, line = told("run bot/bot.toml --for 1s")
    assert (code, len(line.splitlines())) == (1, 1)
    assert "the bot's folder cannot be made: Permission denied: chown and chmod 700 it, or set BOT4_STATE" in line
    assert os.listdir(closed) == []


@pytest.mark.parametrize("verb", ["backtest bot/bot.toml", "demo"])
def test_a_journal_that_may_not_be_written(closed: Path, verb: str) -> None:
    closed.chmod(0o500)
    message = "its directory cannot be written: chmod 700 it, or name another"
    assert told(verb) == (4, f"journal {closed}/journal.db: {message}\n")
