"""bot4 doctor: each check finds what it is there for, and none of them can stop the others."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot4_core.cli import doctor_machine as machine
from bot4_core.cli import doctor_parts as parts
from bot4_core.cli import main
from bot4_core.cli.doctor_machine import Finding
from bot4_core.errors import PluginError
from bot4_core.example import write_example
from bot4_core.journal.store import Store, default_url
from bot4_core.native.latch import Mode
from bot4_core.plugin_check import PluginStatus
from bot4_core.plugins import listing
from bot4_core.state.board import Board
from bot4_core.state.folder import BotFolder, state_dir
from tests.state.broken import BREAKAGES
from tests.state.trader import manifest

NAME = "trend-demo"
Change = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: Change) -> Path:
    """A state directory that exists and is fit, and no history catalogue."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("BOT4_STATE", str(folder))
    monkeypatch.setenv("BOT4_HISTORY", str(tmp_path / "histories"))
    monkeypatch.delenv("BOT4_DISABLE_PLUGINS", raising=False)
    return folder


@pytest.fixture
def quick(monkeypatch: Change) -> None:
    """Plugins are not tried out: it takes a process each."""
    monkeypatch.setattr("bot4_core.plugin_check.check_all", lambda: tuple(PluginStatus(info=one) for one in listing()))


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *args])


def told(*args: str) -> dict[str, list[tuple[str, str]]]:
    """Status and message of every check, by name."""
    done = run(*args, "--json")
    answer = json.loads(done.stdout)
    assert done.exit_code == (0 if answer["ok"] else 1)
    assert answer["ok"] == all(one["status"] != "bad" for one in answer["checks"])
    found: dict[str, list[tuple[str, str]]] = {}
    for one in answer["checks"]:
        found.setdefault(one["name"], []).append((one["status"], one["message"]))
    return found


def one(findings: Any) -> Finding:
    (found,) = list(findings)
    assert isinstance(found, Finding)
    return found


def bot_folder() -> BotFolder:
    folder = BotFolder.of(NAME)
    folder.prepare()
    return folder


# ---- the whole ----


def test_a_healthy_installation_is_ok_line_by_line() -> None:
    done = run()
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    for name in ("python", "native library", "open files", "state directory", "writing", "journal mode", "journal"):
        assert any(line.split(maxsplit=1)[0] == "ok" and line[5:].startswith(f"{name} ") for line in lines), name
    assert "ok   plugin risk-default       bot4-risk-default" in done.stdout
    assert lines[-1].endswith("to look at") or lines[-1].endswith("checks are ok")


def test_anything_bad_ends_with_1(quick: None, state: Path) -> None:
    state.chmod(0o777)
    done = run()
    assert done.exit_code == 1
    assert "bad  state directory" in done.stdout
    assert ": 1 bad, " in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (ZeroDivisionError("x\ny"), "could not be checked: ZeroDivisionError: x y"),
        (SystemExit(3), "could not be checked: SystemExit: 3"),
        (PluginError("risk-x", "broke"), "plugin risk-x: broke"),
        (OSError(13, "Permission denied", "a/file"), "a/file: Permission denied"),
        (OSError("odd"), "odd"),
    ],
)
def test_a_check_that_raises_is_a_bad_check_and_the_others_go_on(
    quick: None, monkeypatch: Change, raised: BaseException, message: str
) -> None:
    def broken() -> Any:
        yield Finding("clock", "ok", "first")
        raise raised

    monkeypatch.setattr(machine, "clock", broken)
    found = told()
    assert found["clock"] == [("ok", "first"), ("bad", message)]
    assert found["python"]
    assert found["journal"]


def test_looking_leaves_no_file_behind(quick: None, state: Path) -> None:
    bot_folder()
    Store.open(default_url(), mode="paper").close()
    before = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    assert run().exit_code == 0
    assert {path: path.read_bytes() for path in state.rglob("*") if path.is_file()} == before


# ---- the machine ----


@pytest.mark.parametrize(
    ("version", "platform", "status"),
    [((3, 10), "linux", "bad"), ((3, 12), "linux", "ok"), ((3, 99), "linux", "warn"), ((3, 12), "darwin", "warn")],
)
def test_python(monkeypatch: Change, version: tuple[int, int], platform: str, status: str) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    assert one(machine.python()).status == status


def test_an_unknown_processor_is_a_warning(monkeypatch: Change) -> None:
    monkeypatch.setattr(machine.platform, "machine", lambda: "riscv64")
    assert one(machine.python()).status == "warn"


def test_the_native_library_counts(monkeypatch: Change) -> None:
    assert one(machine.native()).status == "ok"
    monkeypatch.setattr("bot4_core.native.counters.Counters.get", lambda self, index: 1)
    assert one(machine.native()).status == "bad"


@pytest.mark.parametrize(
    ("year_s", "kept", "status", "text"),
    [
        (0, True, "bad", "1970-01-01"),
        (machine._YEAR_2024_S - 1, True, "bad", "2023-12-31"),
        (machine._YEAR_2024_S, True, "ok", "kept by NTP"),
        (machine._YEAR_2024_S, False, "warn", "NTP does not keep it"),
        (machine._YEAR_2024_S, None, "ok", "cannot be read"),
    ],
)
def test_the_clock(monkeypatch: Change, year_s: int, kept: bool | None, status: str, text: str) -> None:
    monkeypatch.setattr(machine.time, "time", lambda: float(year_s))
    monkeypatch.setattr(machine, "_synchronised", lambda: kept)
    found = one(machine.clock())
    assert found.status == status
    assert text in found.message


def test_a_monotonic_clock_that_runs_backwards_is_bad(monkeypatch: Change) -> None:
    ticks = iter([10, 9])
    monkeypatch.setattr(machine.time, "monotonic_ns", lambda: next(ticks))
    assert one(machine.clock()).status == "bad"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what the kernel says is read on Linux only")
def test_what_the_kernel_says_about_ntp_can_be_read() -> None:
    assert machine._synchronised() in (True, False)


@pytest.mark.parametrize(("soft", "status"), [(64, "bad"), (256, "warn"), (1024, "ok"), (resource.RLIM_INFINITY, "ok")])
def test_open_files(monkeypatch: Change, soft: int, status: str) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (soft, 4096))
    assert one(machine.open_files()).status == status


@pytest.mark.parametrize(
    ("mode", "status"), [(0o700, "ok"), (0o750, "warn"), (0o705, "warn"), (0o770, "bad"), (0o702, "bad")]
)
def test_the_mode_of_the_state_directory(state: Path, mode: int, status: str) -> None:
    state.chmod(mode)
    found = {each.name: each for each in machine.state()}
    assert found["state directory"].status == status
    assert f"{mode:04o}" in found["state directory"].message


def test_a_state_directory_of_somebody_else_is_bad(monkeypatch: Change) -> None:
    monkeypatch.setattr(machine.os, "geteuid", lambda: 12_345)
    found = {each.name: each for each in machine.state()}
    assert (found["state directory"].status, "12345" in found["state directory"].message) == ("bad", True)


def test_a_state_directory_that_does_not_exist_is_made_by_the_first_run(state: Path) -> None:
    state.rmdir()
    found = {each.name: each for each in machine.state()}
    assert (found["state directory"].status, "writing" in found) == ("ok", False)
    assert not state.exists()


def test_a_state_directory_that_cannot_be_made_is_bad(state: Path, monkeypatch: Change) -> None:
    state.rmdir()
    monkeypatch.setattr(machine.os, "access", lambda path, mode: False)
    assert next(iter(machine.state())).status == "bad"


def test_a_file_in_the_place_of_the_state_directory_is_bad(quick: None, state: Path) -> None:
    state.rmdir()
    state.write_bytes(b"")
    found = told()
    assert found["state directory"] == [("bad", f"{state} is no directory: move it away, or set BOT4_STATE")]
    assert found["bots"][0][0] == "bad"


def test_a_directory_that_takes_no_file_is_bad(monkeypatch: Change) -> None:
    def full(**changes: object) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", full)
    found = {each.name: each for each in machine.state()}
    assert found["writing"].status == "bad"
    assert "No space left" in found["writing"].message


@pytest.mark.parametrize(("free", "status"), [(100 << 20, "bad"), (1 << 30, "warn"), (3 << 30, "ok")])
def test_free_disk(monkeypatch: Change, free: int, status: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1 << 40, 0, free))
    assert {each.name: each for each in machine.state()}["disk"].status == status


@pytest.mark.parametrize(
    ("kind", "status"), [("nfs4", "bad"), ("cifs", "bad"), ("tmpfs", "warn"), ("ext4", "ok"), ("", "ok")]
)
def test_the_kind_of_file_system(monkeypatch: Change, kind: str, status: str) -> None:
    monkeypatch.setattr(machine, "file_system", lambda folder: kind)
    assert {each.name: each for each in machine.state()}["file system"].status == status


def test_the_file_system_is_the_one_of_the_deepest_and_last_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    deep = tmp_path / "a b"
    deep.mkdir()
    rows = [
        "1 0 8:1 / / rw - ext4 /dev/sda rw",
        f"2 1 0:9 / {str(deep).replace(' ', chr(92) + '040')} rw - xfs /dev/sdb rw",
        f"3 1 0:9 / {str(deep).replace(' ', chr(92) + '040')} rw shared:1 - nfs4 server:/x rw",
        f"4 1 0:9 / {deep}/deeper rw - tmpfs none rw",
        "rubbish",
    ]
    mounts.write_text("\n".join(rows), encoding="utf-8")
    assert machine.file_system(deep, mounts) == "nfs4"
    assert machine.file_system(tmp_path, mounts) == "ext4"
    assert machine.file_system(tmp_path, tmp_path / "none") == ""


def test_histories(tmp_path: Path, monkeypatch: Change) -> None:
    assert one(machine.histories()).status == "warn"  # named by the environment and not there
    catalogue = tmp_path / "histories"
    write_example(tmp_path / "bot", 7)
    catalogue.mkdir()
    for path in (tmp_path / "bot").glob("*.b4h"):
        path.rename(catalogue / path.name)
    assert one(machine.histories()) == Finding("histories", "ok", f"3 in {catalogue}")
    (catalogue / "bad.b4h").write_bytes(b"x")
    found = one(machine.histories())
    assert (found.status, "bad.b4h" in found.message) == ("bad", True)


def test_no_catalogue_is_fine_when_nobody_named_one(tmp_path: Path, monkeypatch: Change) -> None:
    monkeypatch.delenv("BOT4_HISTORY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert one(machine.histories()).status == "ok"


# ---- the journal ----


def journal(url: str | None = None) -> dict[str, Finding]:
    return {each.name: each for each in parts.journal(url)}


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 6, 23), "ok"), ((3, 7, 0), "warn"), ((3, 40, 1), "warn"), ((3, 51, 2), "warn"), ((3, 51, 3), "ok")],
)
def test_the_versions_of_sqlite_with_the_wal_bug(
    monkeypatch: Change, version: tuple[int, int, int], status: str
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    assert parts._sqlite_version().status == status


def test_a_journal_of_this_schema_is_ok(state: Path) -> None:
    Store.open(default_url(), mode="paper").close()
    found = journal()
    assert found["journal"].message.startswith("schema current, 0 runs, ")
    assert found["journal pages"].message == "quick_check ok, journal mode WAL"
    assert {each.status for each in found.values()} <= {"ok", "warn"}


def test_a_journal_that_is_not_there_is_not_made(state: Path) -> None:
    found = journal()
    assert "not there yet" in found["journal"].message
    assert found["journal mode"].status == "ok"
    assert list(state.iterdir()) == []


def test_a_disk_that_is_not_waited_for_is_found(state: Path, monkeypatch: Change, quick: None) -> None:
    monkeypatch.setitem(parts_database()._SQLITE_SYNCHRONOUS, "paper", 7)
    ((status, message),) = told()["journal"]
    assert status == "bad"
    assert "synchronous" in message


def parts_database() -> Any:
    from bot4_core.journal import database

    return database


def test_another_schema_is_bad(quick: None, state: Path) -> None:
    Store.open(default_url(), mode="paper").close()
    with sqlite3.connect(state / "journal.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    ((status, message),) = told()["journal"]
    assert status == "bad"
    assert "9999" in message


def test_damaged_pages_are_found(state: Path) -> None:
    file = state / "journal.db"
    Store.open(default_url(), mode="paper").close()
    size = file.stat().st_size
    with open(file, "r+b") as raw:
        raw.seek(size - 2 * 4096)
        raw.write(b"\xff" * 4096)
    found = parts._quick_check(file)
    assert found.status == "bad"
    assert "restore a backup" in found.message


def test_a_file_that_is_no_database_is_bad(quick: None, state: Path) -> None:
    (state / "journal.db").write_bytes(b"not a database" * 1000)
    assert told()["journal"][0][0] == "bad"


def test_a_check_that_takes_too_long_is_left(state: Path, monkeypatch: Change) -> None:
    Store.open(default_url(), mode="paper").close()
    monkeypatch.setattr(parts, "_QUICK_CHECK_S", -1.0)
    monkeypatch.setattr(parts, "_PROGRESS", 1)
    found = parts._quick_check(state / "journal.db")
    assert (found.status, "was not done after" in found.message) == ("warn", True)


def test_a_journal_that_others_may_write_is_bad(state: Path) -> None:
    Store.open(default_url(), mode="paper").close()
    (state / "journal.db").chmod(0o666)
    statuses = [each.status for each in parts.journal(None) if each.name == "journal"]
    assert statuses == ["bad", "ok"]


def test_a_journal_that_is_not_in_wal_is_a_warning(state: Path) -> None:
    Store.open(default_url(), mode="paper").close()
    connection = sqlite3.connect(state / "journal.db")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    assert parts._quick_check(state / "journal.db").status == "warn"


def test_a_database_in_memory_is_a_warning() -> None:
    assert journal("sqlite://")["journal"].status == "warn"


@pytest.mark.parametrize("url", ["foo://x", "nonsense", "postgresql://me:s3cr3t@127.0.0.1:1/none"])
def test_a_journal_that_cannot_be_reached_is_bad_without_its_password(quick: None, url: str) -> None:
    ((status, message),) = told("--db", url)["journal"]
    assert status == "bad"
    assert "s3cr3t" not in message


def test_the_configs_journal_is_looked_at_and_db_overrides_it(quick: None, tmp_path: Path) -> None:
    config = write_example(tmp_path / "bot", 7)[0]
    with open(config, "a", encoding="utf-8") as file:
        file.write('\n[journal]\nurl = "sqlite:///own.db"\n')
    assert "own.db: not there yet" in told(str(config))["journal"][0][1]
    assert "other.db: not there yet" in told(str(config), "--db", f"sqlite:///{tmp_path}/other.db")["journal"][0][1]


# ---- plugins and config ----


def with_plugin(monkeypatch: Change, **changes: Any) -> None:
    info = next(each for each in listing() if each.name == "risk-default")
    monkeypatch.setattr("bot4_core.plugin_check.check_all", lambda: (PluginStatus(info=info, **changes),))


@pytest.mark.parametrize(
    ("changes", "unwanted", "wanted"),
    [
        ({"offers": ("risk:default",)}, "ok", "ok"),
        ({"status": "broken", "reason": "no"}, "warn", "bad"),
        ({"status": "conflict", "reason": "no"}, "warn", "bad"),
        ({"status": "disabled", "reason": "off"}, "ok", "bad"),
        ({"warnings": ("old hook",)}, "warn", "warn"),
    ],
)
def test_a_plugin_that_does_not_work_is_bad_for_a_config_that_wants_it(
    monkeypatch: Change, changes: dict[str, Any], unwanted: str, wanted: str
) -> None:
    with_plugin(monkeypatch, **changes)
    assert one(parts.plugins(frozenset())).status == unwanted
    assert one(parts.plugins(frozenset({"risk-default"}))).status == wanted


def test_no_plugin_at_all_is_a_warning(monkeypatch: Change) -> None:
    monkeypatch.setattr("bot4_core.plugin_check.check_all", lambda: ())
    assert one(parts.plugins(frozenset())).status == "warn"


def test_a_config_that_assembles_is_ok(quick: None, tmp_path: Path) -> None:
    config = write_example(tmp_path / "bot", 7)[0]
    config.chmod(0o600)
    found = told(str(config))
    assert found["config"] == [("ok", f"{config}: bot {NAME} (paper) assembles")]
    assert found["config file"] == [("ok", "mode 0600")]
    assert "live trading" not in found
    config.chmod(0o666)
    assert told(str(config))["config file"][0][0] == "warn"


def test_every_mistake_of_a_config_is_a_bad_line(quick: None, tmp_path: Path) -> None:
    config = write_example(tmp_path / "bot", 7)[0]
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("seed = 7", "sead = 7").replace('mode = "paper"', 'mode = "papr"'), encoding="utf-8")
    found = told(str(config))["config"]
    assert [status for status, _ in found] == ["bad", "bad"]
    assert "did you mean 'seed'?" in " ".join(message for _, message in found)


def test_what_live_trading_refuses_is_a_warning(quick: None, tmp_path: Path) -> None:
    config = write_example(tmp_path / "bot", 7)[0]
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace('mode = "paper"', 'mode = "live"'), encoding="utf-8")
    config.chmod(0o644)
    found = told(str(config))["live trading"]
    assert {status for status, _ in found} == {"warn"}
    assert any("nothing there is live" in message for _, message in found)
    assert any("chmod 600" in message for _, message in found)


def test_a_config_that_does_not_exist_is_bad(quick: None) -> None:
    ((status, message),) = told("nowhere.toml")["config"]
    assert status == "bad"
    assert "does not exist" in message


# ---- what bots left behind ----


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
