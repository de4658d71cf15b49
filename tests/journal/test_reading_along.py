"""What a process beside the recorder asks of a journal that is being written."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bot4_core.domain.event import Kind
from bot4_core.errors import StoreError
from bot4_core.journal import migrate, reading
from bot4_core.journal import tables as t
from bot4_core.journal.records import Record
from bot4_core.journal.store import Store
from bot4_core.journal.writer import JournalWriter

from .build import info, write


def test_reading_along_gives_each_record_once_and_nothing_of_other_runs(store: Store) -> None:
    write(store, "another", seed=2, orders=20)
    assert store.records_after("run-1", -1, 10) == []
    assert store.last_seq("run-1") is None
    write(store, "run-1", seed=1, orders=50)
    everything = list(store.records("run-1"))
    assert store.last_seq("run-1") == everything[-1].seq
    seen: list[Record] = []
    while batch := store.records_after("run-1", seen[-1].seq if seen else -1, 37):
        assert len(batch) <= 37
        seen += batch
    assert seen == everything
    assert store.records_after("run-1", everything[4].seq, 1) == [everything[5]]
    assert store.records_after("run", -1, 10) == []  # the whole id only


def test_reading_along_goes_by_the_index(sqlite_store: Store) -> None:
    write(sqlite_store, "run-1", orders=50)
    with sqlite_store._engine.connect() as connection:
        statements: list[str] = []
        sa.event.listen(connection, "before_cursor_execute", lambda *call: statements.append(call[2]))
        reading.read_after(connection, "run-1", 3, 5)
        plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statements[-1], ("run-1", 3, 5, 0))
        assert "SEARCH events USING PRIMARY KEY (run=? AND seq>?)" in [row[3] for row in plan]


def test_the_open_runs_of_a_bot_are_found_by_the_whole_name(store: Store) -> None:
    for run_id, changes in {
        "b": {"created_ns": 2, "mode": "live"},
        "a": {"created_ns": 1, "mode": "paper"},
        "c": {"mode": "backtest"},
        "d": {"mode": "paper", "bot": "trend2"},
    }.items():
        JournalWriter(store, info(run_id, **changes))
    assert [row.run_id for row in store.unfinished("trend")] == ["a", "b"]
    assert store.unfinished("tren") == []
    found = store.find("a")
    assert (found.info, found.finished) == (info("a", created_ns=1, mode="paper"), False)
    with pytest.raises(StoreError, match="no run 'nobody'"):
        store.find("nobody")


def test_who_must_not_wait_gets_an_answer_in_its_time(url: str) -> None:
    migrate.upgrade(url)
    holder, impatient = (Store.open(url, mode="paper", busy_ms=busy) for busy in (None, 1))
    writer = JournalWriter(holder, info(mode="paper"))
    rival = JournalWriter.reopen(impatient, "run-1")
    with holder._writer.begin() as connection:
        connection.execute(t.runs.update().values(seed=8))
        if "postgres" in url:
            connection.exec_driver_sql("LOCK TABLE events IN EXCLUSIVE MODE")
        with pytest.raises(StoreError, match="lock"):
            rival.write([Record(1, 1, 0, Kind.EQUITY, 0, (1, 2, 3, 4, 0, 0), None)])
    assert rival.settle(impatient)
    assert writer.next_seq == 1
    holder.close()
    impatient.close()
