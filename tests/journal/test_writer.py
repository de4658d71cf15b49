"""The writer: batching, ending, failing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot4_core.domain.event import Kind
from bot4_core.errors import StoreError
from bot4_core.journal import migrate
from bot4_core.journal.records import JOURNAL_FORMAT, JournalDamaged, Record
from bot4_core.journal.rows import Rows
from bot4_core.journal.store import Store
from bot4_core.journal.verify import verify
from bot4_core.journal.writer import JournalWriter

from .build import MINUTE, RandomRun, fill, info, intent


def stored(store: Store) -> list[int]:
    return [record.seq for record in store.records("latest")]


def test_seq_counts_from_the_start_record(sqlite_store: Store) -> None:
    writer = JournalWriter(sqlite_store, info(), batch=10)
    assert stored(sqlite_store) == [0]
    assert writer.append(*intent(1, 1)) == 1
    assert writer.append_many([intent(2, 1), intent(3, 1)]) == 3
    assert writer.append_many([]) == 3
    assert stored(sqlite_store) == [0]


def test_a_full_batch_is_written_without_being_asked(sqlite_store: Store) -> None:
    writer = JournalWriter(sqlite_store, info(), batch=3)
    for order_id in range(1, 6):
        writer.append(*intent(order_id, 1))
    assert stored(sqlite_store) == [0, 1, 2, 3]
    writer.flush()
    writer.flush()
    assert stored(sqlite_store) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("batch", [1, 2, 5, 10_000])
def test_the_batch_size_changes_nothing_that_is_stored(sqlite_store: Store, batch: int) -> None:
    for run_id, size in (("one", batch), ("two", 64)):
        with JournalWriter(sqlite_store, info(run_id), batch=size) as writer:
            writer.append_many(RandomRun(5, 120).records())
            writer.finish({"events": 1})
    one, two = sqlite_store.load("one"), sqlite_store.load("two")
    assert one.row.result_hash == two.row.result_hash
    assert sqlite_store.rows("one") == sqlite_store.rows("two")
    first, second = list(sqlite_store.records("one")), list(sqlite_store.records("two"))
    assert first[1:] == second[1:]  # the first record holds the run id


def test_start_and_end_records_carry_the_run_and_its_summary(sqlite_store: Store) -> None:
    with JournalWriter(sqlite_store, info()) as writer:
        writer.append(*intent(1, 1, ts=MINUTE))
        writer.finish({"events": 61056, "wakes": 17, "x": "y"})
    start, _, end = sqlite_store.records("latest")
    assert (start.kind, start.v[0]) == (Kind.RUN_START, JOURNAL_FORMAT)
    assert (end.kind, end.ts, end.v[:2], end.blob) == (
        Kind.RUN_END,
        MINUTE,
        (61056, 17),
        '{"events":61056,"wakes":17,"x":"y"}',
    )


def test_a_run_without_records_can_be_finished(sqlite_store: Store) -> None:
    digest = JournalWriter(sqlite_store, info()).finish({})
    assert sqlite_store.load("latest").row.result_hash == digest
    assert verify(sqlite_store, "latest").same


def test_leaving_by_an_error_writes_what_happened_and_leaves_the_run_unfinished(sqlite_store: Store) -> None:
    with pytest.raises(ValueError, match="strategy broke"), JournalWriter(sqlite_store, info()) as writer:
        writer.append(*intent(1, 1))
        raise ValueError("strategy broke")
    record = sqlite_store.load("latest")
    assert [order.order_id for order in record.orders] == [1]
    assert not record.row.finished


def test_a_second_failure_while_leaving_does_not_hide_the_first(sqlite_store: Store) -> None:
    with pytest.raises(ValueError, match="strategy broke") as caught, JournalWriter(sqlite_store, info()) as writer:
        writer.append(0, 0, Kind.INTENT, 0, (1, 1, 0, 0, 0, 0))
        raise ValueError("strategy broke")
    assert "could not be written: seq 1 has no blob" in caught.value.__notes__[0]


def test_an_ended_run_takes_no_more(sqlite_store: Store) -> None:
    with JournalWriter(sqlite_store, info()) as writer:
        writer.finish({})
        writer.append(*intent(1, 1))
        with pytest.raises(StoreError, match="takes no more records"):
            writer.flush()
        with pytest.raises(StoreError, match="takes no more records"):
            writer.finish({})
    assert stored(sqlite_store) == [0, 1]


def test_a_full_disk_is_one_line_and_ends_the_run(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'j.db'}", mode="backtest") as store:
        writer = JournalWriter(store, info())
        with store._engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").all()
        writer.append_many(intent(n, 1, tag="x" * 500) for n in range(1, 400))
        with pytest.raises(StoreError, match=r"writing: .*full") as caught:
            writer.flush()
        assert "\n" not in str(caught.value)
        with pytest.raises(StoreError, match="takes no more records"):
            writer.flush()
        assert verify(store, "latest").same


@pytest.mark.parametrize("blob", [{"x": object()}, {"x": "\ud800"}, {"x": float("nan")}])
def test_a_blob_that_is_not_json_is_refused(sqlite_store: Store, blob: dict[str, object]) -> None:
    writer = JournalWriter(sqlite_store, info())
    writer.append(0, 0, Kind.CANCEL, 0, (1, 0, 0, 0, 0, 0), blob)
    if blob["x"] != blob["x"]:
        writer.flush()  # NaN becomes null: a blob holds no number that is not one
        assert list(sqlite_store.records("latest"))[1].blob == '{"x":null}'
        return
    with pytest.raises(StoreError, match="blob of seq 1 is not JSON"):
        writer.flush()


def test_a_batch_of_none_is_refused(sqlite_store: Store) -> None:
    with pytest.raises(StoreError, match="batch of 0"):
        JournalWriter(sqlite_store, info(), batch=0)


def test_measure_writing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the rate; fails only on an order of magnitude, because machines differ."""
    words = (1, 2, 3, 4, 5, 6)
    with Store.open(f"sqlite:///{tmp_path / 'j.db'}", mode="backtest") as store:
        writer = JournalWriter(store, info("append"), batch=10**9)
        start = time.perf_counter()
        for ts in range(50_000):
            writer.append(ts, 0, 1, 0, words)
        append_us = (time.perf_counter() - start) / 50_000 * 1e6

        records = []
        for n in range(1, 10_001):
            records += [
                intent(n, 100, ts=n, side="sell" if n % 2 else "buy", stop_ticks=390, equity=10**13),
                (n, 0, Kind.ACK, 0, (n, 0, 0, 0, 0, 0), None),
                fill(n, 100, 4_000_000 + n, trade_id=n, ts=n, fee=4),
                (n, 0, Kind.EQUITY, 0, (10**13, 1, 2, 3, 0, 0), None),
                (n, 0, Kind.EQUITY, 0, (10**13, 1, 2, 3, 0, 0), None),
            ]
        start = time.perf_counter()
        with JournalWriter(store, info("whole")) as writer:
            writer.append_many(records)
            writer.finish({})
        whole_s = time.perf_counter() - start
    with capsys.disabled():
        print(f"\n  journal: append {append_us:.2f} us; 50,000 records appended, folded, written in {whole_s:.2f} s")
    assert append_us < 20
    assert whole_s < 10


# ---- going on with a run ----


@pytest.mark.parametrize("cut", [0, 1, 64, 300])
def test_a_reopened_run_goes_on_as_if_it_had_never_stopped(store: Store, cut: int) -> None:
    records = list(RandomRun(13, 150).records())
    whole = JournalWriter(store, info("whole", created_ns=1))
    whole.append_many(records)
    digest = whole.finish({"events": 4})
    first = JournalWriter(store, info("cut", created_ns=1))
    first.append_many(records[:cut])
    first.flush()

    beats: list[int] = []
    second = JournalWriter.reopen(store, "cut", beat=lambda: beats.append(1))

    assert (second.next_seq, second.info, second.finished) == (cut + 1, info("cut", created_ns=1), False)
    assert second.last_ts == (records[cut - 1][0] if cut else 1)
    assert second.result_hash() == first.result_hash()
    assert beats
    second.append_many(records[cut:])
    assert second.finish({"events": 4}) == digest
    assert second.finished
    assert store.rows("cut") == store.rows("whole")
    assert list(store.records("cut"))[1:] == list(store.records("whole"))[1:]
    with pytest.raises(StoreError, match="run cut has ended"):
        JournalWriter.reopen(store, "cut")
    with pytest.raises(StoreError, match="no run 'cu'"):
        JournalWriter.reopen(store, "cu")


def test_numbered_records_are_written_as_they_are_and_a_run_end_finishes_the_run(store: Store) -> None:
    with JournalWriter(store, info("model", created_ns=1)) as model:
        model.append_many(RandomRun(13, 40).records())
        digest = model.finish({"events": 4})
    records = list(store.records("model"))
    writer = JournalWriter(store, info("copy", created_ns=1))
    writer.write([])
    writer.write(records[1:30])
    assert writer.next_seq == 30
    writer.write(records[30:])
    assert writer.finished
    row = store.load("copy").row
    assert (row.finished, row.result_hash, row.summary) == (True, digest, {"events": 4})
    assert list(store.records("copy"))[1:] == records[1:]
    with pytest.raises(StoreError, match="takes no more records"):
        writer.write(records[-1:])


def test_numbered_records_with_a_gap_or_behind_an_end_are_damage(sqlite_store: Store) -> None:
    with JournalWriter(sqlite_store, info("model")) as model:
        model.append_many([intent(1, 1), intent(2, 1)])
        model.finish({})
    records = list(sqlite_store.records("model"))
    writer = JournalWriter(sqlite_store, info("a"))
    with pytest.raises(JournalDamaged, match="records after its RUN_END"):
        writer.write([*records[1:], records[2]])
    with pytest.raises(JournalDamaged, match="jumps from seq 0 to 2"):
        writer.write(records[2:])
    with pytest.raises(StoreError, match="takes no more records"):
        writer.write(records[1:])


class Failing(Store):
    """A journal whose writes fail before or after they happened."""

    fate = "well"

    def write(
        self, run: int, records: Sequence[Record], rows: Rows, *, finish: tuple[str, str] | None = None
    ) -> None:
        if self.fate == "before":
            raise StoreError("lost")
        super().write(run, records, rows, finish=finish)
        if self.fate == "after":
            raise StoreError("lost while committing")


@pytest.mark.parametrize("fate", ["before", "after"])
def test_settling_asks_the_database_and_goes_on(url: str, fate: str) -> None:
    migrate.upgrade(url)
    with Failing.open(url, mode="paper") as failing, Store.open(url, mode="paper") as good:
        writer = JournalWriter(failing, info(mode="paper"))
        assert writer.settle(failing)  # nothing is in doubt
        failing.fate = fate  # type: ignore[attr-defined]  # of Failing
        writer.append_many([intent(1, 1), intent(2, 1)])
        with pytest.raises(StoreError, match="lost"):
            writer.flush()
        with pytest.raises(StoreError, match="takes no more"):
            writer.write([])
        if fate == "before":
            with pytest.raises(StoreError, match="lost"):
                writer.settle(failing)
        assert writer.settle(good)
        assert stored(good) == [0, 1, 2]
        writer.write([Record(3, 5, 0, Kind.RUN_END, 0, (0, 0, 0, 0, 0, 0), "{}")])
        assert good.load("latest").row.finished
        assert verify(good, "latest").same


def test_settling_over_something_else_is_refused(sqlite_store: Store) -> None:
    records = [Record(n, n, 0, Kind.EQUITY, 0, (1, 2, 3, 4, 0, 0), None) for n in range(1, 5)]
    with Failing.open(str(sqlite_store.url), mode="paper") as failing:
        writer = JournalWriter(failing, info(mode="paper"))
        failing.fate = "before"  # type: ignore[attr-defined]  # of Failing
        with pytest.raises(StoreError, match="lost"):
            writer.write(records)
        JournalWriter.reopen(sqlite_store, "run-1").write(records[:2])
        assert not writer.settle(sqlite_store)
        assert stored(sqlite_store) == [0, 1, 2]
