"""A latch whose file is broken, and latches that several processes move at once: the stricter side always wins."""

from __future__ import annotations

import fcntl
import mmap
import os
from pathlib import Path

import pytest

from bot4_core.errors import NativeError, RefusedForSafety
from bot4_core.native import latch_file, lib
from bot4_core.native.latch import Latch, Mode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "latch"
    Latch.create(made, "trend").close()
    return made


def damage_header(path: Path) -> None:
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as page:
        page[20] ^= 0xFF


def test_a_kill_reaches_a_process_whose_file_was_damaged_under_it(path: Path) -> None:
    running = Latch.open(path, "trend")
    damage_header(path)
    assert running.mode is Mode.ACTIVE  # nothing has looked at the header since
    info = Latch.open(path, "trend").set(Mode.CANCEL_ONLY, "odd", "ops", 5)
    assert running.mode is Mode.KILLED
    assert (info.mode, info.reason, info.who, info.ts, info.durable) == (Mode.KILLED, "odd", "ops", 5, True)
    assert Latch.open(path, "trend").info() == info
    assert [one.name for one in path.parent.iterdir()] == ["latch"]


def test_verify_latches_when_the_file_is_damaged_in_use(path: Path) -> None:
    running = Latch.open(path, "trend")
    damage_header(path)
    assert running.verify() is Mode.KILLED
    assert "damaged while in use" in running.info().reason


def test_a_kill_in_the_place_of_a_missing_file_keeps_its_reason(path: Path) -> None:
    path.unlink()
    info = Latch.open(path, "trend").set(Mode.REDUCE_ONLY, "gone", "ops", 7)
    assert (info.mode, info.reason, info.seq) == (Mode.KILLED, "gone", 2)
    assert Latch.open(path, "trend").info() == info


def test_a_kill_in_the_place_of_a_directory_leaves_it_and_reads_as_killed(path: Path) -> None:
    path.unlink()
    path.mkdir()
    info = Latch.open(path, "trend").set(Mode.KILLED, "x", "ops", 7)
    assert (info.mode, info.durable) == (Mode.KILLED, False)
    assert path.is_dir()


def test_a_kill_that_cannot_be_kept_says_that_a_running_process_may_not_see_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.unlink()

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NativeError, match=r"reads as KILLED .*No space left"):
        Latch.open(path, "trend").set(Mode.KILLED, "x", "ops", 7)
    assert list(path.parent.iterdir()) == []


def test_a_release_of_a_broken_latch_loses_against_a_kill_since(path: Path) -> None:
    path.unlink()
    releasing = Latch.open(path, "trend")
    Latch.open(path, "trend").set(Mode.KILLED, "second thoughts", "ops", 7)
    with pytest.raises(RefusedForSafety, match="set again"):
        releasing.release("trend", "me", 8)
    assert Latch.open(path, "trend").info().reason == "second thoughts"


def test_of_two_releases_of_a_broken_latch_the_second_is_refused(path: Path) -> None:
    path.unlink()
    first, second = Latch.open(path, "trend"), Latch.open(path, "trend")
    assert first.release("trend", "a", 1).mode is Mode.ACTIVE
    with pytest.raises(RefusedForSafety, match="released by somebody else"):
        second.release("trend", "b", 2)
    assert Latch.open(path, "trend").info().who == "a"


def test_a_release_of_what_was_shown_loses_against_a_kill_since_even_one_that_changed_nothing(path: Path) -> None:
    latch, other = Latch.open(path, "trend"), Latch.open(path, "trend")
    latch.set(Mode.KILLED, "first", "risk", 1)
    seen = latch.word
    other.set(Mode.KILLED, "second", "ops", 2)
    with pytest.raises(RefusedForSafety, match="set again"):
        latch.release("trend", "me", 3, seen=seen)
    assert latch.info().reason == "first"
    assert latch.release("trend", "me", 3, seen=latch.word).mode is Mode.ACTIVE


def test_a_release_that_lost_leaves_the_killers_note(path: Path) -> None:
    a, b = Latch.open(path, "trend"), Latch.open(path, "trend")
    a.set(Mode.KILLED, "first", "risk", 1)
    seen = b.word
    assert a.release("trend", "me", 2).mode is Mode.ACTIVE
    a.set(Mode.KILLED, "again", "ops", 3)
    with pytest.raises(RefusedForSafety):
        b.release("trend", "you", 4, seen=seen)
    assert (b.info().reason, b.info().who) == ("again", "ops")
    assert Latch.open(path, "trend").info().reason == "again"


def test_a_release_of_a_file_that_was_replaced_since_it_was_opened_is_refused(path: Path) -> None:
    releasing = Latch.open(path, "trend")
    releasing.set(Mode.KILLED, "first", "risk", 1)
    path.unlink()
    Latch.open(path, "trend").set(Mode.KILLED, "in the new file", "ops", 2)
    with pytest.raises(RefusedForSafety, match="replaced while in use"):
        releasing.release("trend", "me", 3)
    assert Latch.open(path, "trend").info().reason == "in the new file"


@pytest.fixture
def held(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock of the file is held by somebody who was stopped; waiting costs no time."""
    monkeypatch.setattr(latch_file.time, "sleep", lambda seconds: None)
    holder = os.open(path, os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    return path


def test_a_kill_does_not_wait_for_a_process_that_was_stopped_with_the_lock(held: Path) -> None:
    running = Latch.open(held, "trend")
    info = Latch.open(held, "trend").set(Mode.KILLED, "x", "ops", 7)
    assert info.mode is running.mode is Mode.KILLED
    assert "without a note" in info.reason


def test_a_release_out_of_turn_is_refused(held: Path) -> None:
    latch = Latch.open(held, "trend")
    latch.set(Mode.KILLED, "x", "ops", 7)
    with pytest.raises(RefusedForSafety, match="is it stopped"):
        latch.release("trend", "me", 8)
    assert latch.mode is Mode.KILLED


def test_a_reader_out_of_turn_believes_the_word_and_latches_only_without_any_note(held: Path) -> None:
    assert Latch.open(held, "trend").mode is Mode.ACTIVE
    with open(held, "r+b") as file, mmap.mmap(file.fileno(), 0) as page:
        page[512 + 100] ^= 1
    assert Latch.open(held, "trend").mode is Mode.KILLED


def test_a_new_file_in_a_folder_that_somebody_keeps_locked_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latch_file.time, "sleep", lambda seconds: None)
    path.unlink()
    keeper = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(keeper, fcntl.LOCK_EX)
    with pytest.raises(NativeError, match="is it stopped"):
        Latch.open(path, "trend").release("trend", "me", 1)
    os.close(keeper)
    assert Latch.open(path, "trend").release("trend", "me", 1).mode is Mode.ACTIVE


def test_the_word_moves_with_every_set_and_release(path: Path) -> None:
    latch = Latch.open(path, "trend")
    words = [latch.word]
    latch.set(Mode.KILLED, "x", "ops", 1)
    words.append(latch.word)
    latch.set(Mode.KILLED, "x", "ops", 1)
    words.append(latch.word)
    latch.release("trend", "me", 2)
    words.append(latch.word)
    assert len(set(words)) == 4
    assert latch.word == lib.b4_latch_word(latch.cdata)
    path.unlink()
    latch.verify()
    assert latch.word == 0
