"""The connection to the journal's database: SQLite by default, PostgreSQL by URL.

SQLite runs in WAL mode with one writer per transaction (``BEGIN IMMEDIATE``) and any number of readers. Every
pragma is read back: an ``execute`` whose row nobody fetches can hide that it failed (RELIABILITY.md, trap a).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from ..domain.redaction import is_secret, without_password
from ..errors import StoreError
from ..state.folder import state_dir

#: "read" writes nothing; a backtest commits without waiting for the disk, paper and live wait (DECISIONS.md D-7).
Access = Literal["read", "backtest", "paper", "live"]

_SQLITE_MIN = (3, 37)
_BUSY_MS = 30_000
#: Pragmas to set, with the value that must be read back.
_PRAGMAS = (("foreign_keys", 1), ("recursive_triggers", 1))
#: NORMAL in WAL mode does not fsync a commit, and unlike OFF cannot corrupt a file that also holds paper runs.
_SQLITE_SYNCHRONOUS = {"read": 1, "backtest": 1, "paper": 2, "live": 2}
#: 64 MiB of journal before a backtest's WAL is folded into its file
_BACKTEST_WAL_PAGES = 16_384
_PG_SAFE = ("fsync", "full_page_writes", "synchronous_commit")
#: Seconds for a new connection of somebody who must not wait, and milliseconds until a peer that is silent counts as
#: gone; what the URL says stands over them.
_PG_IMPATIENT = {"connect_timeout": 2, "tcp_user_timeout": 10_000}


def parse_url(url: str) -> sa.URL:
    """The URL with its driver written out.

    Raises:
        StoreError: it cannot be read, or names another database than SQLite and PostgreSQL.
    """
    try:
        parsed = sa.make_url(url)
    except ArgumentError as error:
        raise StoreError("a journal url reads sqlite:///FILE or postgresql://USER@HOST/NAME") from error
    backend = parsed.get_backend_name()
    if backend in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        return parsed.set(drivername="sqlite")
    raise StoreError(f"journal url {show(parsed)}: {backend} is not supported, only sqlite and postgresql")


def show(url: sa.URL) -> str:
    """The URL for messages, its passwords hidden, in the query too."""
    return without_password(url.render_as_string(hide_password=True))


def bare(url: sa.URL) -> str:
    """The URL for a command line: complete but for its passwords."""
    secrets = [name for name in url.query if is_secret(name)]
    kept = url.difference_update_query(secrets)
    made = sa.URL.create(kept.drivername, kept.username, None, kept.host, kept.port, kept.database, kept.query)
    return made.render_as_string(hide_password=False)


def sqlite_file(url: sa.URL) -> Path | None:
    """The file behind the URL; None for PostgreSQL and for a database in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def default_file() -> Path:
    """The journal of the state directory: ``journal.db`` in it."""
    return state_dir() / "journal.db"


def make_room(file: Path) -> None:
    """Makes the state directory for its own journal; any other folder is the user's to make, and may be a mistake.

    Raises:
        StoreError: the folder is missing, cannot be made, or cannot be written.
    """
    if file.parent.is_dir():
        if not os.access(file.parent, os.W_OK | os.X_OK):
            raise StoreError(f"journal {file}: its directory cannot be written: chmod 700 it, or name another")
        return
    if file.absolute() != default_file():
        raise StoreError(f"cannot make journal {file}: its directory does not exist; choose another path")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"journal {file}: cannot make its directory: {error.strerror}") from error


@contextmanager
def one_line(url: sa.URL, doing: str) -> Iterator[None]:
    """Turns the database's errors into a StoreError of one line: no SQL, no parameters, no password."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason = without_password(" ".join(str(cause).split()))
        raise StoreError(f"journal {show(url)}: {doing}: {reason[:300]}") from error


def connect(url: sa.URL, access: Access, *, busy_ms: int | None = None) -> sa.Engine:
    """An engine whose connections are set up, and proved to be, for this access.

    Args:
        url: of the journal.
        access: what for.
        busy_ms: longest wait for another writer's lock; None is 30 s in SQLite and no bound in PostgreSQL.

    Raises:
        StoreError: SQLite is too old, a driver is missing, or the file's directory is, or cannot be made.
    """
    if url.get_backend_name() == "sqlite" and sqlite3.sqlite_version_info < _SQLITE_MIN:
        raise StoreError(
            f"this Python has SQLite {sqlite3.sqlite_version}; a journal needs 3.37 or newer (STRICT tables):"
            " use another Python, or PostgreSQL"
        )
    file = sqlite_file(url)
    if file is not None and access != "read":
        make_room(file)
    impatient: dict[str, Any] = {}
    if busy_ms is not None and url.get_backend_name() != "sqlite":
        impatient = {name: value for name, value in _PG_IMPATIENT.items() if name not in url.query}
    try:
        engine = sa.create_engine(url, connect_args=impatient)
    except (ImportError, NoSuchModuleError) as error:
        raise StoreError(
            f"journal {show(url)}: the driver is missing: install bot4-core with its extra 'postgres'"
        ) from error
    if url.get_backend_name() == "sqlite":
        _prepare_sqlite(engine, access, _BUSY_MS if busy_ms is None else busy_ms, in_memory=file is None)
    else:
        _prepare_postgres(engine, access, busy_ms)
    return engine


def writing(engine: sa.Engine) -> sa.Engine:
    """The same engine; its transactions take SQLite's write lock at once, so that none fails half way."""
    return engine.execution_options(bot4_write=True)


def _prepare_sqlite(engine: sa.Engine, access: Access, busy_ms: int, *, in_memory: bool) -> None:
    def on_connect(raw: Any, record: ConnectionPoolEntry) -> None:
        raw.isolation_level = None  # we say BEGIN ourselves
        for name, value in (("busy_timeout", busy_ms), *_PRAGMAS):
            raw.execute(f"PRAGMA {name} = {value}").fetchall()
            _expect(name, raw.execute(f"PRAGMA {name}").fetchone()[0], value)
        mode = raw.execute("PRAGMA journal_mode" if access == "read" else "PRAGMA journal_mode = WAL").fetchone()[0]
        if access != "read":
            _expect("journal_mode", mode, "memory" if in_memory else "wal")
        if access == "backtest":  # a checkpoint waits for the disk, which a backtest must not (D-7)
            raw.execute(f"PRAGMA wal_autocheckpoint = {_BACKTEST_WAL_PAGES}").fetchall()
        raw.execute(f"PRAGMA synchronous = {_SQLITE_SYNCHRONOUS[access]}").fetchall()
        _expect("synchronous", raw.execute("PRAGMA synchronous").fetchone()[0], _SQLITE_SYNCHRONOUS[access])

    def on_begin(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get("bot4_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)


def _prepare_postgres(engine: sa.Engine, access: Access, busy_ms: int | None) -> None:
    def on_connect(raw: Any, record: ConnectionPoolEntry) -> None:
        with raw.cursor() as cursor:
            if busy_ms is not None:
                cursor.execute(f"SET lock_timeout = {busy_ms:d}")
            if access == "backtest":
                cursor.execute("SET synchronous_commit = off")
            if access in ("paper", "live"):
                for name in _PG_SAFE:
                    _expect(name, cursor.execute(f"SHOW {name}").fetchone()[0], "on")
        raw.commit()

    event.listen(engine, "connect", on_connect)


def _expect(name: str, value: object, expected: object) -> None:
    if value != expected:
        raise StoreError(f"the database has {name} = {value}, a journal needs {expected}: it could lose orders")
