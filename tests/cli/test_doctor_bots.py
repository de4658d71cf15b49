"""What bot4 doctor finds in the folders of bots."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from bot4_core.cli import doctor_machine as machine
from bot4_core.cli import doctor_parts as parts
from bot4_core.cli.doctor_machine import Finding
from bot4_core.native.latch import Mode
from bot4_core.state.board import Board, RunState
from bot4_core.state.folder import BotFolder, state_dir
from tests.state.broken import BREAKAGES
from tests.state.trader import manifest

from .doctor_rig import NAME, Change, bot_folder, one, quick, state, told

__all__ = ["quick", "state"]  # fixtures


def bot(folder: BotFolder) -> dict[str, Finding]:
    return {each.name.removeprefix(f"bot {NAME}").strip(): each for each in parts.bot(folder)}


def test_a_bot_that_never_ran_and_one_that_ended_are_ok() -> None:
    folder = bot_folder()
    assert {each.status for each in bot(folder).values()} == {"ok"}
    Board(folder.segment_path, manifest(NAME, os.getpid())).segment.close()
    assert bot(folder)[""].message == "stopped (run 20260101-000000-abc123)"


def test_a_bot_that_died_is_a_warning_and_one_that_hangs_is_bad() -> None:
    folder = bot_folder()
    board = Board(folder.segment_path, manifest(NAME, os.getpid()))
    found = bot(folder)[""]
    assert (found.status, "died: its process" in found.message) == ("warn", True)
    board.beat(time.monotonic_ns() - 99 * 10**9, 0)
    with folder.lock():
        assert bot(folder)[""].status == "bad"


def test_a_run_that_failed_is_a_warning() -> None:
    folder = bot_folder()
    board = Board(folder.segment_path, manifest(NAME, os.getpid()))
    board.say(RunState.FAILED)
    board.segment.close()
    found = bot(folder)[""]
    assert (found.status, found.message.startswith("failed: its last run ended with an error;")) == ("warn", True)


def test_a_damaged_segment_is_a_warning() -> None:
    folder = bot_folder()
    folder.segment_path.write_bytes(b"x" * 5000)
    assert bot(folder)[""].status == "warn"


def test_a_latch_that_is_set_is_a_warning_with_its_story() -> None:
    folder = bot_folder()
    folder.open_latch().set(Mode.KILLED, "odd", "ops", time.time_ns())
    found = bot(folder)["latch"]
    assert found.status == "warn"
    assert "by ops at " in found.message
    assert f"odd; `bot4 resume {NAME}` releases it" in found.message


@pytest.mark.parametrize("how", [how for how in BREAKAGES if how != "unreadable"])
def test_a_broken_latch_is_bad(how: str) -> None:
    folder = bot_folder()
    BREAKAGES[how](folder.latch_path)
    found = bot(folder)["latch"]
    assert (found.status, "reads as KILLED: latch file" in found.message) == ("bad", True)


def nobody() -> int:
    """A process id that nobody has."""
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as file:
        return int(file.read()) + 1


@pytest.mark.parametrize("name", [".segment.{}", ".latch.{}"])
def test_drafts_of_a_process_that_died_are_named_and_of_one_that_lives_are_not(name: str) -> None:
    folder = bot_folder()
    (folder.path / name.format(os.getpid())).touch()
    assert bot(folder)["files"].status == "ok"
    left = folder.path / name.format(nobody())
    left.touch()
    found = bot(folder)["files"]
    assert found == Finding(f"bot {NAME} files", "warn", f"{left} was left by a process that died: delete it")


def test_a_first_start_that_died_is_named() -> None:
    bot_folder()
    left = state_dir() / "bots" / f".other.{nobody()}"
    left.mkdir()
    (left.parent / f".lives.{os.getpid()}").mkdir()
    found = one(parts.bots())
    assert found.message == f"{left} was left by a first start of bot other that died: delete it"


def test_a_folder_that_others_may_look_into_or_change_is_named() -> None:
    folder = bot_folder()
    folder.path.chmod(0o750)
    assert bot(folder)["files"].status == "warn"
    folder.path.chmod(0o770)
    assert bot(folder)["files"].status == "bad"


def test_large_logs_are_named(monkeypatch: Change) -> None:
    folder = bot_folder()
    folder.log_path.parent.mkdir()
    folder.log_path.write_bytes(b"x" * 1000)
    folder.log_path.with_name("bot4.jsonl.1").write_bytes(b"x" * 1000)
    monkeypatch.setattr(parts, "_LARGE_LOG", 1999)
    assert bot(folder)["files"].status == "warn"
    monkeypatch.setattr(parts, "_LARGE_LOG", 2000)
    assert bot(folder)["files"].status == "ok"


def test_every_bot_is_looked_at_and_one_that_cannot_be_stops_no_other(quick: None) -> None:
    for name in ("a", "b"):
        BotFolder.of(name).prepare()
    BotFolder.of("a").lock_path.symlink_to("lock")
    found = told()
    assert found["bot a"][0][0] == "bad"
    assert "cannot be opened" in found["bot a"][0][1]
    assert found["bot b"] == [("ok", "never ran")]


def test_each_check_stands_on_its_own(quick: None) -> None:
    checks: list[Callable[[], Any]] = [machine.python, machine.native, machine.clock, machine.open_files, machine.state]
    for check in checks:
        assert all(each.status in ("ok", "warn") for each in check()), check
