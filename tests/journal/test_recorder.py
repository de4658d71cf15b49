"""The recorder's work, round by round: doubtful commits, predecessors, a database that stays away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot4_core.domain.event import Kind
from bot4_core.errors import NativeError, StoreError
from bot4_core.journal import recorder as recorder_module
from bot4_core.journal.recorder import FIRST_DELAY_S, GIVE_UP_S, GROUP, MAX_DELAY_S, Recorder, drain
from bot4_core.journal.records import JournalDamaged, Record
from bot4_core.journal.ring import RingWriter
from bot4_core.journal.rows import Rows
from bot4_core.journal.store import Store
from bot4_core.journal.verify import verify
from bot4_core.journal.writer import JournalWriter
from bot4_core.native.segment import Segment, TextSection
from bot4_core.state.board import Board

from .build import RandomRun, info, intent
from .recording import board

SECOND = 1_000_000_000


class Clock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.ns = 1_000 * SECOND

    def __call__(self) -> int:
        return self.ns


class Doubtful(Store):
    """A journal whose next writes fail as the test says: before the commit, or after it happened."""

    plan: list[str] = []  # noqa: RUF012  # shared on purpose: a reopened store goes on with the same plan

    def write(
        self, run: int, records: Sequence[Record], rows: Rows, *, finish: tuple[str, str] | None = None
    ) -> None:
        fate = self.plan.pop(0) if self.plan else "well"
        if fate == "before":
            raise StoreError("connection lost")
        super().write(run, records, rows, finish=finish)
        if fate == "after":
            raise StoreError("connection lost while committing")


class Bench:
    """A segment, a writer and everything a recorder needs, in one process."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'journal.db'}"
        self.board: Board = board(folder / "segment")
        self.segment = self.board.segment
        self.writer = RingWriter(self.segment.rings["journal"])
        self.clock = Clock()
        self.told = 0
        self.opened: list[Recorder] = []
        Doubtful.plan = []

    def recorder(self, open_store: Callable[[], Store] | None = None) -> Recorder:
        def notify() -> None:
            self.told += 1

        made = Recorder(
            self.segment,
            open_store or (lambda: Doubtful.open(self.url, mode="paper")),
            notify=notify,
            clock_ns=self.clock,
        )
        self.opened.append(made)
        return made

    def counter(self, name: str) -> int:
        return self.segment.counters["recorder"].read()[name]

    def push(self, count: int, *, seed: int = 3) -> None:
        """RUN_START and so many records."""
        self.writer.start(info(mode="paper"))
        records = RandomRun(seed, count).records()
        for _ in range(count):
            self.writer.append(*next(records))

    def stored(self) -> list[int]:
        with Store.open(self.url, mode="paper") as store:
            assert verify(store, "latest").differences == ()
            return [record.seq for record in store.records("latest")]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for recorder in made.opened:
        recorder.close()


def test_a_round_makes_everything_durable_says_so_and_gives_the_slots_back(bench: Bench) -> None:
    bench.push(30)
    recorder = bench.recorder()
    assert recorder.idle_s == 0
    assert recorder.step() == 31
    assert bench.board.durable_seq == recorder.durable_seq == 30
    assert bench.stored() == list(range(31))
    assert (bench.counter("records"), bench.counter("store_ok"), bench.counter("failures")) == (31, 1, 0)
    assert (bench.counter("batches"), bench.told) == (2, 2)  # RUN_START by itself
    assert len(bench.segment.rings["journal"]) == 0
    assert recorder.step() == 0
    assert recorder.idle_s == 0.1


def test_nothing_is_published_before_it_is_committed_and_no_slot_returned_before_it_is_published(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.push(5)
    recorder = bench.recorder()
    order: list[str] = []
    ring = bench.segment.rings["journal"]
    real_write, real_release = JournalWriter.write, recorder._reader.release

    def write(self: JournalWriter, records: Sequence[Record]) -> None:
        assert bench.board.durable_seq < records[0].seq
        real_write(self, records)
        order.append("commit")
        assert bench.board.durable_seq < records[0].seq

    def release() -> None:
        order.append(f"release at {bench.board.durable_seq}")
        assert ring.popped == 0
        real_release()

    monkeypatch.setattr(JournalWriter, "write", write)
    monkeypatch.setattr(recorder._reader, "release", release)
    recorder.step()
    assert order == ["commit", "release at 5"]


def test_a_group_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert GROUP == 4096
    monkeypatch.setattr(recorder_module, "GROUP", 10)
    bench.push(25)
    recorder = bench.recorder()
    assert [recorder.step() for _ in range(4)] == [10, 10, 6, 0]


@pytest.mark.parametrize("fate", ["before", "after"])
@pytest.mark.parametrize("end", [False, True])
def test_a_commit_that_failed_is_looked_up_and_neither_lost_nor_doubled(bench: Bench, fate: str, *, end: bool) -> None:
    bench.push(20)
    if end:
        bench.writer.finish({"reason": "finished"})
    last = 21 if end else 20
    Doubtful.plan = [fate]
    recorder = bench.recorder()
    assert recorder.step() == 1  # RUN_START was a transaction of its own
    assert (recorder.durable_seq, bench.counter("store_ok"), bench.counter("failures")) == (0, 0, 1)
    assert recorder.retrying
    assert recorder.step() == 0  # the delay is not over
    bench.clock.ns += round(FIRST_DELAY_S * SECOND)
    if not end:  # what arrives meanwhile belongs to the next group
        bench.writer.append(*intent(1_000_000, 1))
    assert recorder.step() == last + (not end)
    assert bench.stored() == list(range(last + (not end) + 1))
    assert recorder.finished is end
    assert (bench.counter("store_ok"), recorder.retrying) == (1, False)
    assert len(bench.segment.rings["journal"]) == 0


def test_a_predecessor_that_died_after_its_commit_is_continued(bench: Bench) -> None:
    bench.push(40)
    first = bench.recorder()

    def dies() -> None:
        raise KeyboardInterrupt

    first._reader.release = dies  # type: ignore[method-assign]  # the moment of its death
    with pytest.raises(KeyboardInterrupt):
        first.step()
    first.close()
    assert first.durable_seq == 40
    assert bench.segment.rings["journal"].popped == 0

    second = bench.recorder()
    assert second.step() == 0
    assert bench.segment.rings["journal"].pushed == bench.segment.rings["journal"].popped
    bench.writer.append(*intent(1_000_000, 1))
    assert second.step() == 1
    assert bench.stored() == list(range(42))


def test_a_predecessor_that_died_before_it_published_is_caught_up_with(bench: Bench) -> None:
    bench.push(12)
    Doubtful.plan = ["after"]  # committed, but nobody was told
    first = bench.recorder()
    first.step()
    first.close()
    assert bench.board.durable_seq == 0
    second = bench.recorder()
    assert second.step() == 12
    assert bench.stored() == list(range(13))


def test_a_group_of_which_another_connection_committed_a_part_is_completed(bench: Bench) -> None:
    """A PostgreSQL server may still commit what a killed recorder had sent, after its successor has looked."""
    bench.push(30)
    frames = bench.recorder()._reader.frames(40)
    Doubtful.plan = ["before"]
    recorder = bench.recorder()
    recorder.step()
    with Store.open(bench.url, mode="paper") as store:
        JournalWriter.reopen(store, "run-1").write(frames[1:11])
    bench.clock.ns += SECOND
    assert recorder.step() == 30
    assert bench.stored() == list(range(31))


def test_delays_double_up_to_a_bound_and_end_after_half_a_minute(bench: Bench) -> None:
    attempts: list[float] = []
    started = bench.clock.ns

    def fails() -> Store:
        attempts.append((bench.clock.ns - started) / SECOND)
        raise StoreError("no route to the database")

    bench.push(1)
    recorder = bench.recorder(fails)
    with pytest.raises(StoreError, match=f"no route to the database; given up after {GIVE_UP_S:g} s"):
        while bench.clock.ns - started < 2 * GIVE_UP_S * SECOND:
            recorder.step()
            assert bench.counter("heartbeat_ns") == bench.clock.ns
            bench.clock.ns += SECOND // 100
    gaps = [later - earlier for earlier, later in pairwise(attempts)]
    assert gaps[:5] == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8], abs=0.011)
    assert max(gaps) <= MAX_DELAY_S + 0.01
    assert GIVE_UP_S <= attempts[-1] <= GIVE_UP_S + MAX_DELAY_S
    assert bench.counter("failures") == len(attempts)


def test_a_success_starts_the_patience_anew(bench: Bench) -> None:
    bench.push(3)
    recorder = bench.recorder()
    recorder.step()
    for number in range(3):
        bench.writer.append(*intent(1_000_000 + number, 1))
        Doubtful.plan = ["before"]
        assert recorder.step() == 0
        bench.clock.ns += round(0.8 * GIVE_UP_S * SECOND)
        assert recorder.step() == 1


def test_a_database_that_lost_what_was_durable_is_told_at_once(bench: Bench, tmp_path: Path) -> None:
    bench.push(10)
    first = bench.recorder()
    first.step()
    first.close()
    for file in tmp_path.glob("journal.db*"):
        file.unlink()
    bench.writer.append(*intent(1_000_000, 1))
    with pytest.raises(JournalDamaged, match="has lost records of run run-1: it ends at seq None, and 10 was durable"):
        bench.recorder().step()
    assert bench.counter("store_ok") == 0


def push_foreign_start(bench: Bench) -> None:
    bench.writer.start(info("run-2", mode="paper"))


def push_no_start(bench: Bench) -> None:
    bench.writer.append(*intent(1, 1))


def push_behind_the_end(bench: Bench) -> None:
    bench.push(2)
    bench.writer.finish({})
    bench.writer.append(*intent(1_000_000, 1))


def push_unfoldable(bench: Bench) -> None:
    bench.push(2)
    bench.writer.append(1, 0, Kind.INTENT, 0, (1, 1, 0, 0, 0, 0))  # an intent without its blob


@pytest.mark.parametrize(
    ("push", "says"),
    [
        (push_foreign_start, "of run run-1, its RUN_START of run-2"),
        (push_no_start, "does not begin with RUN_START, yet seq 0 waits"),
        (push_behind_the_end, "records after its RUN_END"),
        (push_unfoldable, "seq 3 has no blob"),
    ],
)
def test_what_no_retry_can_mend_is_told_at_once(bench: Bench, push: Callable[[Bench], None], says: str) -> None:
    push(bench)
    with pytest.raises(JournalDamaged, match=says):
        bench.recorder().step()


def test_a_record_after_a_stored_end_is_told_at_once(bench: Bench) -> None:
    bench.push(2)
    bench.writer.finish({})
    recorder = bench.recorder()
    recorder.step()
    assert recorder.finished
    bench.writer.append(*intent(1_000_000, 1))
    for each in (recorder, bench.recorder()):
        with pytest.raises(JournalDamaged, match="run run-1 has ended, yet seq 4 waits"):
            each.step()


def test_a_segment_of_nobody_is_refused(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path / "x", {"manifest": TextSection("{}")})
    with pytest.raises(NativeError, match="manifest"):
        Recorder(segment, pytest.fail)


# ---- what a dead trader left ----


def test_what_a_dead_trader_and_recorder_left_is_stored_at_the_next_start(bench: Bench) -> None:
    bench.push(GROUP + 50)
    path = bench.segment.path
    assert drain(path, bench.url) == GROUP + 51
    assert bench.stored() == list(range(GROUP + 51))
    assert drain(path, bench.url) == 0


def test_a_segment_that_is_missing_damaged_or_empty_leaves_nothing_and_needs_no_journal(tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path / 'none.db'}"
    assert drain(tmp_path / "segment", nowhere) == 0
    made = board(tmp_path / "segment").segment
    assert drain(made.path, nowhere) == 0
    made.path.write_bytes(bytes(4096))
    assert drain(made.path, nowhere) == 0
    Segment.create(made.path, {"manifest": TextSection(board(tmp_path / "other").manifest.to_json())})
    assert drain(made.path, nowhere) == 0
    assert not (tmp_path / "none.db").exists()


def test_what_a_power_cut_broke_in_the_ring_is_told_and_the_rest_stored(bench: Bench) -> None:
    bench.push(4)
    bench.segment.rings["journal"].push_all(bytes(128))
    said: list[str] = []
    assert drain(bench.segment.path, bench.url, say=said.append) == 5
    assert len(said) == 1
    assert "the frame of seq 5 in the journal's ring is broken" in said[0]
    assert bench.stored() == list(range(5))


def test_a_lock_that_stays_ends_a_drain_with_an_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "GIVE_UP_S", 0.1)
    monkeypatch.setattr(recorder_module, "BUSY_MS", 1)
    Store.open(bench.url, mode="paper").close()
    bench.push(4)
    engine = sa.create_engine(bench.url)
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.isolation_level = None
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked; given up"):
            drain(bench.segment.path, bench.url)
        raw.execute("ROLLBACK")
    engine.dispose()
    assert drain(bench.segment.path, bench.url) == 5
