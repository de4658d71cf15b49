"""A bot's folder: made once with its latch, one trader at a time, readable by everybody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot4_core.errors import AlreadyRunning, Bot4Error, ConfigError
from bot4_core.journal.store import default_url
from bot4_core.native.latch import Mode
from bot4_core.state.folder import BotFolder, bot_folder, bot_folders, state_dir

from .trader import trader


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BotFolder:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    return BotFolder.of("trend")


def test_the_environment_names_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "here"))
    assert state_dir() == tmp_path / "here"
    monkeypatch.delenv("BOT4_STATE")
    assert state_dir().name == "bot4"


@pytest.mark.parametrize("named", ["state", "./state", "~/state"])
def test_a_relative_state_directory_is_refused(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOT4_STATE", named)
    for use in (state_dir, bot_folders, default_url, lambda: BotFolder.of("trend"), lambda: bot_folder("trend")):
        with pytest.raises(ConfigError, match=r"BOT4_STATE names '[~a-z/]+', another .* make it absolute"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_a_state_directory_below_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "file" / "state"))
    with pytest.raises(ConfigError, match="state is no directory: move it away, or set BOT4_STATE"):
        state_dir()


def test_a_first_start_makes_a_private_folder_with_an_active_latch(folder: BotFolder) -> None:
    assert not folder.exists()
    before = os.umask(0)
    try:
        folder.prepare()
    finally:
        os.umask(before)
    assert folder.open_latch().mode is Mode.ACTIVE
    for made in (folder.path, folder.path.parent, folder.path.parent.parent):
        assert made.stat().st_mode & 0o777 == 0o700, made
    assert [one.name for one in folder.path.parent.iterdir()] == ["trend"]


def test_a_later_start_makes_nothing_so_a_latch_that_was_taken_away_latches(folder: BotFolder) -> None:
    folder.prepare()
    folder.latch_path.unlink()
    folder.prepare()
    assert not folder.latch_path.exists()
    assert folder.open_latch().mode is Mode.KILLED


def test_a_first_start_that_died_before_with_our_process_id_is_no_obstacle(folder: BotFolder) -> None:
    draft = folder.path.with_name(f".trend.{os.getpid()}")
    draft.mkdir(parents=True)
    (draft / "latch").write_bytes(b"half")
    folder.prepare()
    assert folder.open_latch().mode is Mode.ACTIVE
    assert not draft.exists()


def test_a_folder_that_cannot_be_made_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="is no directory: move it away, or set BOT4_STATE"):
        BotFolder.of("trend")
    with pytest.raises(Bot4Error, match=r"cannot be made: File exists: .* or set BOT4_STATE"):
        BotFolder("trend", tmp_path / "file" / "bots" / "trend").prepare()
    assert (tmp_path / "file").read_bytes() == b""


def test_two_first_starts_at_once_make_one_folder(folder: BotFolder) -> None:
    code = "import sys; from bot4_core.state.folder import BotFolder; sys.stdin.read(); BotFolder.of('trend').prepare()"
    command = [sys.executable, "-P", "-c", code]
    starts = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(6)]
    for one in starts:
        assert one.stdin is not None
        one.stdin.close()
    assert [one.wait(60) for one in starts] == [0] * 6
    assert folder.open_latch().mode is Mode.ACTIVE
    assert [one.name for one in folder.path.parent.iterdir()] == ["trend"]


def test_one_trader_at_a_time_and_the_other_is_named(folder: BotFolder) -> None:
    with trader("trend") as first:
        assert folder.is_running()
        assert folder.holder() == first.process.pid
        with pytest.raises(AlreadyRunning, match=f"process {first.process.pid}") as refused, folder.lock():
            pytest.fail("two traders")
        assert refused.value.exit_code == 3
        first.process.kill()
        first.process.wait(30)
        assert not folder.is_running()
        with folder.lock():
            assert folder.holder() == os.getpid()
            assert folder.is_running()
    assert not folder.is_running()


def test_who_holds_a_lock_that_was_taken_away_can_tell(folder: BotFolder) -> None:
    folder.prepare()
    with folder.lock() as still_mine:
        assert still_mine()
        folder.lock_path.unlink()
        assert not still_mine()
        with folder.lock() as second:
            assert second()
            assert not still_mine()  # a file of that name is there, but it is another one


def test_a_folder_that_was_taken_away_takes_its_lock_along(folder: BotFolder) -> None:
    folder.prepare()
    with folder.lock() as still_mine:
        folder.path.rename(folder.path.with_name("elsewhere"))
        assert not still_mine()
        folder.path.write_bytes(b"")
        assert not still_mine()


def test_a_lock_that_is_taken_away_while_it_is_taken_is_none(
    folder: BotFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot4_core.state import folder as module

    folder.prepare()
    take = module.take_turn

    def take_and_lose(fd: int, wait_s: float) -> bool:
        taken = take(fd, wait_s)
        folder.lock_path.unlink()
        return taken

    monkeypatch.setattr(module, "take_turn", take_and_lose)
    with pytest.raises(Bot4Error, match="taken away while it was being locked: start again"), folder.lock():
        pytest.fail("locked what is gone")


def test_a_start_waits_for_somebody_who_only_asks(folder: BotFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    folder.prepare()
    folder.lock_path.touch()
    asking = os.open(folder.lock_path, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    waits = []

    def close_at_the_third(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            os.close(asking)

    monkeypatch.setattr("bot4_core.state.folder.time.sleep", close_at_the_third)
    with folder.lock():
        assert folder.is_running()
    assert len(waits) == 3


def test_asking_whether_it_runs_makes_nothing(folder: BotFolder) -> None:
    assert not folder.is_running()
    assert folder.holder() is None
    assert not folder.path.exists()


def test_a_lock_that_cannot_be_opened_is_an_error_and_not_a_no(folder: BotFolder) -> None:
    folder.prepare()
    folder.lock_path.symlink_to(folder.lock_path)
    with pytest.raises(Bot4Error, match="cannot be opened"):
        folder.is_running()
    with pytest.raises(Bot4Error, match="cannot be opened"), folder.lock():
        pytest.fail("locked what it cannot open")


@pytest.mark.parametrize("text", [b"", b"x", b"12 34", b"-1"])
def test_a_lock_file_with_something_else_in_it_names_nobody(folder: BotFolder, text: bytes) -> None:
    folder.prepare()
    folder.lock_path.write_bytes(text)
    assert folder.holder() is None


def test_a_recorders_lock_that_cannot_be_opened_is_said(folder: BotFolder) -> None:
    folder.prepare()
    (folder.path / "recorder.lock").mkdir()
    with pytest.raises(Bot4Error, match=r"recorder\.lock: cannot be opened"), folder.recorder_lock(0.1):
        pass


def test_bots_are_listed_by_name_without_drafts(folder: BotFolder) -> None:
    assert bot_folders() == []
    for name in ("trend", "carry", "a.b"):
        BotFolder.of(name).prepare()
    (folder.path.parent / ".half.123").mkdir()
    (folder.path.parent / "a file").touch()
    assert [one.name for one in bot_folders()] == ["a.b", "carry", "trend"]
    assert bot_folder("carry") == BotFolder.of("carry")


@pytest.mark.parametrize("name", ["TREND", "Trend", "trand"])
def test_a_name_in_another_case_is_suggested(folder: BotFolder, name: str) -> None:
    folder.prepare()
    with pytest.raises(ConfigError, match="known: trend; did you mean 'trend'"):
        bot_folder(name)


@pytest.mark.parametrize("name", ["", ".", "..", "../bots/trend", "trend/", "trnd", "\0", "x" * 5000, "\udcff"])
def test_a_name_of_no_bot_is_refused_with_those_there_are(folder: BotFolder, name: str) -> None:
    folder.prepare()
    with pytest.raises(ConfigError, match="known: trend"):
        bot_folder(name)


def test_a_state_directory_that_cannot_be_read_is_no_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bots").write_bytes(b"")
    monkeypatch.setenv("BOT4_STATE", str(tmp_path))
    with pytest.raises(Bot4Error, match="cannot be listed"):
        bot_folders()
