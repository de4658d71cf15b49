"""Broken latches, and kills that race with releases: the stricter side wins."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from bot4_core.native.latch import Latch, Mode
from bot4_core.state.folder import BotFolder
from tests.state.broken import BREAKAGES
from tests.state.trader import trader

from .commands import NAME, as_process, asked, bot4, caller, mode, told, typed


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def folder(state: Path) -> BotFolder:
    """A bot that started here once."""
    made = BotFolder.of(NAME)
    made.prepare()
    return made


@pytest.mark.parametrize("how", BREAKAGES)
def test_a_broken_latch_reads_as_latched_everywhere_and_the_name_alone_mends_it(folder: BotFolder, how: str) -> None:
    BREAKAGES[how](folder.latch_path)
    bot4 = caller(how)
    shown = told(bot4("status", NAME, "--json"))["kill"]
    assert (shown["mode"], shown["latched"], shown["ts"]) == ("KILLED", True, None)
    assert "KILLED" in bot4("status").stdout
    assert bot4("resume", NAME, answer="trend\n").returncode == 6
    assert told(bot4("status", NAME, "--json"))["kill"]["latched"] is True
    done = bot4("resume", NAME, answer=f"{NAME}\n")
    if how == "a directory":
        assert done.returncode == 1
        assert "the latch stays set: it is a directory; put it right by hand" in done.stderr
        assert told(bot4("status", NAME, "--json"))["kill"]["latched"] is True
    else:
        assert done.returncode == 0, done.stderr
        assert told(bot4("status", NAME, "--json"))["kill"]["mode"] == "ACTIVE"


@pytest.mark.parametrize("how", BREAKAGES)
def test_a_kill_of_a_broken_latch_says_that_it_read_as_killed_already(folder: BotFolder, how: str) -> None:
    BREAKAGES[how](folder.latch_path)
    bot4 = caller(how)
    done = bot4("kill", NAME, "--mode", "reduce-only", "--reason", "to be sure")
    assert done.returncode == 0, done.stderr
    assert "as KILLED already: latch file " in done.stdout
    shown = told(bot4("status", NAME, "--json"))["kill"]
    assert shown["mode"] == "KILLED"
    if how != "a directory":
        assert shown["reason"] == "to be sure"


@pytest.mark.parametrize("how", [how for how in BREAKAGES if how != "unreadable"])
def test_a_running_bot_notices_that_its_latch_is_broken(how: str) -> None:
    with trader(NAME) as rig:
        BREAKAGES[how](rig.folder.latch_path)
        rig.wait_for("latched KILLED")


@pytest.mark.parametrize("how", ["random bytes", "deleted", "a directory", "unreadable"])
def test_a_stopped_bot_whose_latch_is_broken_is_killed_all_the_same(how: str) -> None:
    with trader(NAME) as rig:
        os.kill(rig.process.pid, signal.SIGSTOP)
        BREAKAGES[how](rig.folder.latch_path)
        assert told(as_process("kill", NAME, "--json"))["latched"] is True
        os.kill(rig.process.pid, signal.SIGCONT)
        rig.wait_for("latched KILLED")


def test_a_bot_released_with_a_new_file_is_told_to_start_again() -> None:
    with trader(NAME) as rig:
        rig.folder.latch_path.unlink()
        rig.wait_for("latched KILLED")
        done = bot4("resume", NAME, answer=f"{NAME}\n")
    assert f"its process {rig.process.pid} opened the broken latch and stays KILLED: stop and start it" in done.stdout


def test_a_folder_that_is_gone_is_no_bot(folder: BotFolder) -> None:
    shutil.rmtree(folder.path)
    assert bot4("kill", NAME).returncode == 2


@pytest.mark.parametrize("latch", ["killed", "deleted", "random bytes"])
def test_a_kill_while_two_people_are_about_to_release_wins(folder: BotFolder, latch: str) -> None:
    Latch.open(folder.latch_path, NAME).set(Mode.KILLED, "first", "risk", 1)
    if latch != "killed":
        BREAKAGES[latch](folder.latch_path)
    with asked() as first, asked() as second:
        assert bot4("kill", NAME, "--reason", "wait").returncode == 0
        assert [typed(first), typed(second)] == [6, 6]
    assert mode(folder) is Mode.KILLED


@pytest.mark.parametrize("latch", ["killed", "deleted", "random bytes"])
def test_a_kill_between_two_releases_wins_and_keeps_its_reason(folder: BotFolder, latch: str) -> None:
    Latch.open(folder.latch_path, NAME).set(Mode.KILLED, "first", "risk", 1)
    if latch != "killed":
        BREAKAGES[latch](folder.latch_path)
    with asked() as first, asked() as second:
        assert typed(first) == 0
        assert mode(folder) is Mode.ACTIVE
        assert bot4("kill", NAME, "--reason", "wait").returncode == 0
        assert typed(second) == 6
    info = folder.open_latch().info()
    assert (info.mode, info.reason) == (Mode.KILLED, "wait")


def test_of_two_releases_at_once_one_is_told_that_it_was_the_second(folder: BotFolder) -> None:
    bot4("kill", NAME)
    with asked() as first, asked() as second:
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.write(f"{NAME}\n".encode())
            process.stdin.flush()
        assert sorted([first.wait(60), second.wait(60)]) == [0, 6]
    assert mode(folder) is Mode.ACTIVE
