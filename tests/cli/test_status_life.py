"""bot4 status: whether a bot lives, hangs, ended or died."""

from __future__ import annotations

import os
import signal
import time

import pytest

from bot4_core.cli import sight
from bot4_core.state.board import Board, RunState
from bot4_core.state.folder import BotFolder
from tests.state.trader import manifest, trader

from .status_rig import NAME, board_of, bot4, folder_of, state, told

__all__ = ["state"]  # a fixture


def test_a_bot_that_died_says_so_and_what_to_do() -> None:
    with trader(NAME) as rig:
        rig.order("show")
        rig.process.kill()
        rig.process.wait(30)
        found = told(NAME)
    assert (found["state"], found["running"], found["pid"]) == ("died", False, rig.process.pid)
    assert found["message"].startswith(f"died: its process {rig.process.pid} is gone; last heartbeat ")
    assert found["message"].endswith("`bot4 run` will say what the journal holds")
    shown = bot4("status", NAME).stdout
    assert "what follows is what its last run showed last" in shown
    assert "98,765.43 USDT" in shown


def test_a_bot_that_ended_in_order_is_stopped() -> None:
    with trader(NAME) as rig:
        rig.order("end")
        rig.process.wait(30)
        found = told(NAME)
    assert (found["state"], found["running"], found["message"]) == ("stopped", False, "")


def test_a_run_that_failed_is_told_from_one_that_died() -> None:
    with board_of(held=False) as board:
        board.say(RunState.FAILED)
        waiting = told(NAME)
        board.count("next_seq", 499)
        board.segment.close()
        found, shown = told(NAME), bot4("status").stdout
    assert (found["state"], found["running"]) == ("failed", False)
    assert found["message"] == "failed: its last run ended with an error; `bot4 runs` and its log tell which"
    assert waiting["message"].endswith("; 2 records not stored yet: `bot4 run` does that first")
    assert f"{NAME}: failed: its last run ended with an error" in " ".join(shown.split())


def test_a_run_that_said_its_end_did_not_die_though_its_segment_is_open() -> None:
    with board_of(held=False) as board:
        board.say(RunState.ENDED)
        assert told(NAME)["state"] == "stopped"
        board.say(RunState.STOPPING)
        assert told(NAME)["state"] == "died"


def test_the_recorder_of_a_run_that_is_over_is_not_shown_as_alive() -> None:
    with board_of(held=False) as board:
        board.say(RunState.ENDED)
        shown = bot4("status", NAME).stdout
    assert "ended with the run; 2 records not stored yet, 499 records in 40 batches\n" in shown
    assert "store ok" not in shown


def test_a_bot_that_never_left_a_segment_never_ran() -> None:
    folder_of()
    found = told(NAME)
    assert (found["state"], found["running"], found["heartbeat_age_s"]) == ("never ran", False, None)


@pytest.mark.parametrize(
    ("said", "age_s", "state"),
    [
        (RunState.STARTING, 29, "starting"),
        (RunState.STARTING, 31, "not responding"),
        (RunState.RUNNING, 1, "running"),
        (RunState.RUNNING, 3, "not responding"),
        (RunState.STOPPING, 1, "stopping"),
        (RunState.STOPPING, 3, "not responding"),
        (RunState.ENDED, 1, "stopping"),
    ],
)
def test_a_process_that_holds_the_lock_is_judged_by_its_heartbeat(said: RunState, age_s: int, state: str) -> None:
    with board_of() as board:
        board.say(said)
        board.beat(time.monotonic_ns() - age_s * 10**9, 0)
        assert told(NAME)["state"] == state


def test_a_hanging_bot_is_named_with_its_process_and_how_long() -> None:
    with board_of() as board:
        board.beat(time.monotonic_ns() - 125 * 10**9, 0)
        message = told(NAME)["message"]
        shown = bot4("status").stdout
    assert message == (
        f"not responding: process {os.getpid()} holds the lock; last heartbeat 2 m 05 s ago;"
        f" `bot4 kill {NAME}` works all the same"
    )
    assert f"{NAME}: not responding" in shown


def test_a_stopped_process_is_read_like_any_other() -> None:
    with trader(NAME) as rig:
        rig.order("show")
        os.kill(rig.process.pid, signal.SIGSTOP)
        assert told(NAME)["orders"]["sent"] == 42
        os.kill(rig.process.pid, signal.SIGCONT)


def test_a_start_that_has_no_segment_yet_is_starting_and_later_does_not_respond() -> None:
    folder = folder_of()
    with folder.lock():
        assert told(NAME)["state"] == "starting"
        long_ago = time.time() - 60
        os.utime(folder.lock_path, (long_ago, long_ago))
        found = told(NAME)
    assert found["state"] == "not responding"
    assert "no segment to attach to" in found["message"]


def test_the_segment_of_the_run_before_is_not_taken_for_this_one() -> None:
    with board_of(held=False):
        folder = BotFolder.of(NAME)
        with folder.lock():
            folder.lock_path.write_text("1\n", encoding="ascii")
            found = told(NAME)
    assert (found["state"], found["pid"]) == ("starting", 1)
    assert "is the run before (20260101-000000-abc123)" in found["message"]


def test_a_run_that_begins_while_a_dead_one_is_looked_at_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    with board_of(held=False):
        answers = iter([False, True, True])
        monkeypatch.setattr(BotFolder, "is_running", lambda self: next(answers))
        monkeypatch.setattr(BotFolder, "holder", lambda self: os.getpid())
        assert sight.look(BotFolder.of(NAME)).life is sight.Life.RUNNING


def test_a_heartbeat_from_before_the_machine_was_restarted_has_no_age() -> None:
    with board_of(held=False, started_ns=10**9):
        found = told(NAME)
    assert found["heartbeat_age_s"] is None
    assert "last heartbeat before the machine was restarted" in found["message"]


@pytest.mark.parametrize("rubbish", [b"", b"x" * 100_000])
def test_a_damaged_segment_is_said_and_does_not_fail(rubbish: bytes) -> None:
    folder = folder_of()
    folder.segment_path.write_bytes(rubbish)
    found = told(NAME)
    assert (found["state"], found["running"], found["orders"]) == ("stopped", False, None)
    assert "segment" in found["message"]
    assert "segment" in bot4("status", NAME).stdout


def test_figures_that_may_be_of_two_moments_are_marked() -> None:
    with board_of() as board:
        run = board.segment.counters["run"]
        run.set(run.index("version"), 5)
        assert told(NAME)["consistent"] is False
        assert "they may not belong together" in bot4("status", NAME).stdout


def test_before_the_first_figures_none_are_shown() -> None:
    folder = folder_of()
    Board(folder.segment_path, manifest(NAME, os.getpid())).say(RunState.RUNNING)
    with folder.lock():
        found, shown = told(NAME), bot4("status", NAME).stdout
    assert found["equity"] is None
    assert "equity" not in shown
