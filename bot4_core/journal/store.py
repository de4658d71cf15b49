"""The journal's database: opening it, writing runs, reading them back."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..errors import StoreError
from . import reading
from . import tables as t
from .database import Access, bare, connect, default_file, one_line, parse_url, show, sqlite_file, writing
from .inserts import BulkInsert, Row
from .reading import EquityCurve, RunRecord, RunRow, StoredRun
from .records import Record, RunInfo
from .rows import Rows

__all__ = ["EquityCurve", "RunRecord", "RunRow", "Store", "db_option", "default_url"]


def default_url() -> str:
    """The journal that is used when no config names one: ``journal.db`` in the state directory.

    Raises:
        ConfigError: as :func:`~bot4_core.state.folder.state_dir`.
    """
    return sa.URL.create("sqlite", database=str(default_file())).render_as_string()


def db_option(url: str | None) -> str:
    """What a command needs to read this journal, as `` --db URL`` for a shell; empty for the default journal.

    Passwords are left out: the reader gives them by a password file or PGPASSWORD.

    Args:
        url: the journal's URL; None is the default one.

    Raises:
        StoreError: the URL is none of a journal.
    """
    if url is None or parse_url(url) == parse_url(default_url()):
        return ""
    return f" --db {shlex.quote(bare(parse_url(url)))}"


class Store:
    """An open journal database. Use :meth:`open`; close it, or use it as a context manager."""

    def __init__(self, url: sa.URL, engine: sa.Engine) -> None:
        self.url = url
        self._engine = engine
        self._writer = writing(engine)
        self._follower: Callable[[Sequence[Record]], None] | None = None
        self._events = BulkInsert(t.events, engine.dialect, replace=False)
        # orders, positions and trades change after they first appear; facts do not
        changing = (t.orders, t.positions, t.round_trips)
        self._inserts = {
            table.name: BulkInsert(table, engine.dialect, replace=table in changing) for table in t.PROJECTIONS
        }

    @classmethod
    def open(cls, url: str, *, mode: Access, create: bool = True, busy_ms: int | None = None) -> Store:
        """Opens the journal; a new SQLite file gets its tables here, but no folder, unless it is the default journal.

        Args:
            url: ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST/NAME``.
            mode: what for; paper and live wait for the disk on every write and prove that the database does.
            create: whether a missing SQLite file may be made. Reading (mode "read") never makes one.
            busy_ms: longest wait for another writer, and for PostgreSQL's network in about that time; None waits
                30 s in SQLite, and as long as it takes in PostgreSQL.

        Raises:
            StoreError: no journal or no folder there, its schema is older or newer, or the database cannot be used.
        """
        parsed = parse_url(url)
        file = sqlite_file(parsed)
        create = create and mode != "read"
        if file is not None and not create and not file.is_file():
            raise StoreError(f"there is no journal at {file}: run a bot first, or name another database")
        engine = connect(parsed, mode, busy_ms=busy_ms)
        try:
            with one_line(parsed, "opening it"):
                _require_schema(engine, parsed, create=create)
        except BaseException:
            engine.dispose()
            raise
        return cls(parsed, engine)

    def close(self) -> None:
        """Closes every connection."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # ---- writing: JournalWriter ----

    def follow(self, follower: Callable[[Sequence[Record]], None]) -> None:
        """Names who is called with every batch from now on, after its transaction; it must not raise (SinkFeed)."""
        self._follower = follower

    def begin_run(self, info: RunInfo, start: Record) -> int:
        """Inserts a run with its first record, in one transaction; returns its key for :meth:`write`.

        Raises:
            StoreError: the run id is taken, or the database refuses.
        """
        row = {column.name: getattr(info, column.name) for column in t.runs.c if hasattr(info, column.name)}
        row["fill_rules"] = msgspec.json.encode(info.fill_rules).decode()
        row["versions"] = msgspec.json.encode(info.versions).decode()
        with one_line(self.url, f"starting run {info.run_id}"), self._writer.begin() as connection:
            known = sa.select(t.runs.c.id).where(t.runs.c.run_id == info.run_id)
            if connection.execute(known).first() is not None:
                raise StoreError(f"journal {show(self.url)} already has a run {info.run_id}: give this one another id")
            insert = t.runs.insert().values(finished=False, **row).returning(t.runs.c.id)
            key = int(connection.execute(insert).scalar_one())
            self._insert_run_tables(connection, key, info)
            self._events.run(connection, [_event_row(key, start)])
        if self._follower is not None:
            self._follower([start])
        return key

    def _insert_run_tables(self, connection: sa.Connection, run: int, info: RunInfo) -> None:
        venues = [{"name": venue} for venue in sorted(set(info.accounts.values()))]
        if venues:
            insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
            connection.execute(insert(t.exchanges).on_conflict_do_nothing(), venues)
        rows: tuple[tuple[sa.Table, list[dict[str, Any]]], ...] = (
            (t.trading_accounts, [{"run": run, "name": n, "exchange": v} for n, v in info.accounts.items()]),
            (t.strategies, [{"run": run, "name": n, "use": u} for n, u in info.strategies.items()]),
            (t.risk_limits, [{"run": run, "name": n, "value": v} for n, v in info.limits.items()]),
            (t.instruments, [{"run": run, "idx": i, **row.to_mapping()} for i, row in enumerate(info.instruments)]),
        )
        for table, values in rows:
            if values:
                connection.execute(table.insert(), values)

    def write(
        self, run: int, records: Sequence[Record], rows: Rows, *, finish: tuple[str, str] | None = None
    ) -> None:
        """Writes records and what they folded to, all or nothing.

        Args:
            run: key from :meth:`begin_run`.
            records: in seq order.
            rows: from Fold.take.
            finish: summary (JSON) and result hash, with the last batch of a run.

        Raises:
            StoreError: nothing of this batch may be taken as written; after a failed COMMIT nobody knows.
        """
        astuple = msgspec.structs.astuple
        with one_line(self.url, "writing"), self._writer.begin() as connection:
            self._events.run(connection, [_event_row(run, record) for record in records])
            for name, insert in self._inserts.items():
                insert.run(connection, [(run, *astuple(row)) for row in getattr(rows, name)])
            if finish is not None:
                done = t.runs.update().where(t.runs.c.id == run)
                connection.execute(done.values(finished=True, summary=finish[0], result_hash=finish[1]))
        if self._follower is not None:
            self._follower(records)

    # ---- reading ----

    @contextmanager
    def _reading(self, what: str) -> Iterator[sa.Connection]:
        with one_line(self.url, f"reading {what}"), self._engine.connect() as connection:
            yield connection

    def runs(self) -> list[RunRow]:
        """Every run, newest first."""
        with self._reading("the runs") as connection:
            return reading.list_runs(connection)

    def load(self, run: str) -> RunRecord:
        """One run with everything that was folded from it.

        Args:
            run: a run id, the beginning of one that no other run shares, or ``latest``.

        Raises:
            StoreError: no such run, or several.
        """
        with self._reading(f"run {run}") as connection:
            return reading.read_run(connection, run)

    def denials_by_rule(self, run: str) -> dict[str, int]:
        """How often each rule failed, most often first; ``run`` and errors as in :meth:`load`."""
        with self._reading(f"run {run}") as connection:
            return reading.count_denials(connection, reading.find_run(connection, run)[0])

    def records(self, run: str) -> Iterator[Record]:
        """A run's records in seq order, not all in memory at once; ``run`` and errors as in :meth:`load`."""
        with self._reading(f"run {run}") as connection:
            yield from reading.read_records(connection, reading.find_run(connection, run)[0])

    def records_after(self, run_id: str, seq: int, limit: int) -> list[Record]:
        """The next records of a run, for whoever reads along while another process writes: cheap, by the index.

        Args:
            run_id: the whole id; a run that has not begun has no records.
            seq: of the last record already seen, -1 for none.
            limit: most records.
        """
        with self._reading(f"run {run_id}") as connection:
            return reading.read_after(connection, run_id, seq, limit)

    def last_seq(self, run_id: str) -> int | None:
        """Seq of a run's newest record; None when there is no run of that whole id."""
        with self._reading(f"run {run_id}") as connection:
            return reading.last_seq(connection, run_id)

    def find(self, run_id: str) -> StoredRun:
        """What a writer needs to go on with a run.

        Raises:
            StoreError: no run has this id.
        """
        with self._reading(f"run {run_id}") as connection:
            return reading.stored_run(connection, run_id)

    def unfinished(self, bot: str) -> list[RunRow]:
        """The paper and live runs of a bot that have not ended, oldest first."""
        with self._reading(f"the runs of {bot}") as connection:
            return reading.unfinished_runs(connection, bot)

    def rows(self, run: str) -> Rows:
        """The projections of a run as a fold yields them; ``run`` and errors as in :meth:`load`."""
        with self._reading(f"run {run}") as connection:
            return reading.read_rows(connection, reading.find_run(connection, run)[0])


def _event_row(run: int, record: Record) -> Row:
    return (run, record.seq, record.ts, record.instrument, record.kind, record.flags, *record.v, record.blob)


def _require_schema(engine: sa.Engine, url: sa.URL, *, create: bool) -> None:
    """The schema this code knows, or a StoreError that says what to do."""
    with engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        version = sa.text("SELECT version_num FROM alembic_version")
        found = connection.scalar(version) if "alembic_version" in names else None
    if found == t.HEAD:
        return
    # loaded only when there is something to migrate: it would double the start of every other command
    from . import migrate

    if found is None and not names and create and url.get_backend_name() == "sqlite":
        with writing(engine).begin() as connection:
            migrate.upgrade_connection(connection)
        return
    with engine.connect() as connection:
        migrate.refuse_unknown(connection, url)
    what = f"has schema {found}, older than {t.HEAD}" if found else "holds no journal yet"
    raise StoreError(f"journal {show(url)} {what}: run bot4 db upgrade --url {show(url)}")
