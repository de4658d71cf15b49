"""Connections prove their settings."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot4_core.errors import StoreError
from bot4_core.journal import database, migrate
from bot4_core.journal.database import connect, parse_url, show, writing


@pytest.mark.parametrize(("mode", "synchronous"), [("backtest", 1), ("paper", 2), ("live", 2)])
def test_sqlite_waits_for_the_disk_in_paper_and_live_only(
    tmp_path: Path, mode: database.Access, synchronous: int
) -> None:
    engine = connect(parse_url(f"sqlite:///{tmp_path / 'j.db'}"), mode)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == synchronous
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_a_pragma_that_does_not_take_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(database._SQLITE_SYNCHRONOUS, "live", 9)  # SQLite takes the value and keeps another
    engine = connect(parse_url(f"sqlite:///{tmp_path / 'j.db'}"), "live")
    with pytest.raises(StoreError, match=r"the database has synchronous = \d, a journal needs 9"):
        engine.connect()
    engine.dispose()


def test_a_file_that_cannot_use_wal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "sqlite_file", lambda url: Path("/somewhere/j.db"))
    monkeypatch.setattr(database, "make_room", lambda file: None)
    engine = connect(parse_url("sqlite://"), "backtest")  # a database in memory answers "memory"
    with pytest.raises(StoreError, match="journal_mode = memory, a journal needs wal"):
        engine.connect()
    engine.dispose()


def test_two_writers_take_turns_and_the_second_waits(tmp_path: Path) -> None:
    url = parse_url(f"sqlite:///{tmp_path / 'j.db'}")
    engine = connect(url, "backtest")
    with writing(engine).begin() as first:
        first.exec_driver_sql("CREATE TABLE x (y)")
        with engine.connect() as reader:
            assert reader.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0
        second = writing(engine).connect()
        raw = second.connection.driver_connection
        raw.execute("PRAGMA busy_timeout = 0").fetchall()  # type: ignore[union-attr]  # sqlite3's connection
        with pytest.raises(sa.exc.OperationalError, match="locked"):
            second.begin()
        second.close()
    engine.dispose()


def test_postgresql_commits_without_waiting_in_a_backtest_only(postgres: Callable[[], str]) -> None:
    url = parse_url(postgres())
    for mode, expected in (("backtest", "off"), ("paper", "on"), ("read", "on")):
        engine = connect(url, mode)  # type: ignore[arg-type]  # text on purpose
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == expected
        engine.dispose()


def test_a_postgresql_that_would_lose_orders_is_refused(postgres: Callable[[], str]) -> None:
    url = parse_url(postgres()).update_query_dict({"options": "-csynchronous_commit=off"})
    with pytest.raises(StoreError, match="synchronous_commit = off, a journal needs on"):
        migrate.upgrade(url.render_as_string(hide_password=False))


def test_an_sqlite_without_strict_tables_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(StoreError, match=r"a journal needs 3\.37"):
        connect(parse_url(f"sqlite:///{tmp_path / 'j.db'}"), "backtest")


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match="install bot4-core with its extra 'postgres'"):
        connect(parse_url("postgresql://u@h/d"), "backtest")


def test_urls_have_their_driver_written_out() -> None:
    assert parse_url("postgresql://u@h/d").drivername == "postgresql+psycopg"
    assert parse_url("postgresql+psycopg2://u@h/d").drivername == "postgresql+psycopg"
    assert parse_url("sqlite:///x.db").drivername == "sqlite"
    assert "secret" not in show(parse_url("postgresql://u:secret@h/d"))


@pytest.mark.parametrize("url", ["postgresql://me:s3cr3t@host/db", "postgresql://host/db?user=me&password=s3cr3t"])
def test_no_message_shows_a_password(url: str) -> None:
    parsed = parse_url(url)
    assert "s3cr3t" not in show(parsed)
    assert "host" in show(parsed)
    told = sa.exc.OperationalError("SELECT 1", {}, RuntimeError(f"no route for {url}"))
    with pytest.raises(StoreError) as caught, database.one_line(parsed, "opening it"):
        raise told
    assert "s3cr3t" not in str(caught.value)
