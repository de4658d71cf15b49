"""What bot4 doctor finds in the journal."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bot4_core.cli import doctor_parts as parts
from bot4_core.cli.doctor_machine import Finding
from bot4_core.example import write_example
from bot4_core.journal.store import Store, default_url

from .doctor_rig import Change, quick, state, told

__all__ = ["quick", "state"]  # fixtures


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


def test_a_journal_in_a_directory_that_does_not_exist_is_bad(tmp_path: Path) -> None:
    found = journal(f"sqlite:///{tmp_path}/nope/runs.db")
    assert found["journal"].status == "bad"
    assert "its directory does not exist" in found["journal"].message
    assert not (tmp_path / "nope").exists()


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
