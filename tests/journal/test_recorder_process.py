"""The recorder as a process: killed, locked out, out of space, told to end; nothing acknowledged is ever lost."""

from __future__ import annotations

import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from bot4_core.domain.event import Kind
from bot4_core.journal import migrate
from bot4_core.journal.records import encode_blob
from bot4_core.journal.store import Store
from bot4_core.journal.verify import verify
from bot4_core.journal.writer import JournalWriter, Pending

from .build import RandomRun, info, intent
from .recording import Recording

REASON = {"reason": "finished", "events": 7, "wakes": 3}


def fresh(folder: Path) -> str:
    """URL of a new SQLite journal with its tables."""
    url = f"sqlite:///{folder / 'journal.db'}"
    Store.open(url, mode="paper").close()
    return url


def records(count: int, seed: int = 11) -> list[Pending]:
    """The first records of a random run, about half of them with blobs."""
    return list(islice(RandomRun(seed, count).records(), count))


def reference_hash(folder: Path, pending: list[Pending]) -> str:
    """The result hash of the same records written by one process."""
    with Store.open(f"sqlite:///{folder / 'reference.db'}", mode="backtest") as store:
        writer = JournalWriter(store, info(mode="paper"))
        writer.append_many(pending)
        return writer.finish(REASON)


def check_whole(url: str, pending: list[Pending], digest: str) -> None:
    """Every record once, in order, as it was pushed; the tables are their fold."""
    with Store.open(url, mode="paper") as store:
        stored = list(store.records("run-1"))
        verdict = verify(store, "run-1")
        row = store.load("run-1").row
    assert [record.seq for record in stored] == list(range(len(pending) + 2))
    assert [(r.ts, r.instrument, r.kind, r.flags, r.v, r.blob) for r in stored[1:-1]] == [
        (ts, instrument, int(kind), int(flags), tuple(map(int, v)), None if blob is None else encode_blob(blob, 0))
        for ts, instrument, kind, flags, v, blob in pending
    ]
    assert verdict.differences == ()
    assert (row.finished, row.summary, row.result_hash) == (True, REASON, digest)


def kill_again_and_again(folder: Path, url: str, *, kills: int, count: int, seed: int) -> None:
    """A producer pushes all the time; the recorder is killed at random moments and started again."""
    rng, pending = random.Random(seed), records(count)
    with Recording(folder, url) as run:
        run.start_run()
        failures: list[BaseException] = []

        def produce() -> None:
            try:
                run.push(pending)
            except BaseException as error:
                failures.append(error)
                raise

        producer = threading.Thread(target=produce)
        producer.start()
        for kill in range(kills):
            run.spawn()
            if rng.random() < 0.7:  # in the middle of its work, else anywhere from its first import on
                target = min(count - 1, (kill + 1) * count // (kills + 1) + rng.randrange(500))
                run.until(lambda target=target: run.durable_seq >= target)  # type: ignore[misc]  # bound at once
                run.news(rng.uniform(0, 0.03))
            else:
                run.news(rng.uniform(0, 1.2))
            run.kill()
            said = run.durable_seq
            assert said <= run.stored()
        run.spawn()
        producer.join(60)
        assert not producer.is_alive()
        assert failures == []
        last = run.writer.finish(REASON)
        run.wake()
        run.until(lambda: run.durable_seq == last)
        assert run.finish() == 0
        assert run.stderr() == ""
        assert len(run.segment.rings["journal"]) == 0
        assert (run.counter("records"), run.counter("store_ok")) == (last + 1, 1)
    check_whole(url, pending, reference_hash(folder, pending))


def test_killed_ten_times_while_a_producer_pushes_it_loses_nothing_and_writes_nothing_twice(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, fresh(tmp_path), kills=10, count=20_000, seed=77)


def test_killed_over_postgresql_it_loses_nothing_either(postgres: Callable[[], str], tmp_path: Path) -> None:
    url = postgres()
    migrate.upgrade(url)
    kill_again_and_again(tmp_path, url, kills=3, count=3_000, seed=5)


def test_a_locked_database_shows_and_passes(tmp_path: Path) -> None:
    url, pending = fresh(tmp_path), records(50)
    with Recording(tmp_path, url) as run:
        run.start_run()
        run.spawn()
        run.until(lambda: run.durable_seq == 0 and run.counter("store_ok") == 1)
        other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        run.push(pending)
        run.until(lambda: run.counter("store_ok") == 0 and run.counter("failures") >= 2)
        beat = run.counter("heartbeat_ns")
        run.until(lambda: run.counter("heartbeat_ns") > beat)
        assert run.durable_seq == 0
        other.execute("ROLLBACK")
        other.close()
        run.until(lambda: run.durable_seq == 50 and run.counter("store_ok") == 1)
        run.writer.finish(REASON)
        assert run.finish() == 0
    check_whole(url, pending, reference_hash(tmp_path, pending))


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit to bound another process's files")
def test_a_full_disk_shows_and_passes_when_there_is_room_again(tmp_path: Path) -> None:
    url, pending = fresh(tmp_path), records(2_000)
    with Recording(tmp_path, url) as run:
        run.start_run()
        process = run.spawn()
        run.until(lambda: run.durable_seq == 0)
        _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (200_000, most))
        run.push(pending)
        run.until(lambda: run.counter("store_ok") == 0 and run.counter("failures") >= 2)
        assert run.durable_seq <= run.stored()
        assert run.durable_seq < 2_000
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
        run.until(lambda: run.durable_seq == 2_000 and run.counter("store_ok") == 1)
        run.writer.finish(REASON)
        assert run.finish() == 0
    check_whole(url, pending, reference_hash(tmp_path, pending))


def test_the_end_of_stdin_drains_the_ring_and_leaves_the_run_open(tmp_path: Path) -> None:
    url = fresh(tmp_path)
    with Recording(tmp_path, url) as run:
        run.start_run()
        run.spawn()
        run.push(records(9_000))  # several groups, most of them not yet written when stdin ends
        assert run.finish() == 0
        assert run.durable_seq == run.stored() == 9_000
    with Store.open(url, mode="paper") as store:
        assert not store.load("run-1").row.finished
        assert verify(store, "run-1").same


def test_sigterm_drains_as_well_and_sigint_is_the_traders(tmp_path: Path) -> None:
    with Recording(tmp_path, fresh(tmp_path)) as run:
        run.start_run()
        process = run.spawn()
        run.until(lambda: run.durable_seq == 0)
        process.send_signal(signal.SIGINT)
        run.push([intent(1, 1)])
        run.until(lambda: run.durable_seq == 1)
        run.writer.append(*intent(2, 1))  # without a wake: only the end finds it
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert run.durable_seq == run.stored() == 2


def test_it_stays_until_its_trader_lets_go_and_beats_meanwhile(tmp_path: Path) -> None:
    with Recording(tmp_path, fresh(tmp_path)) as run:
        run.start_run()
        process = run.spawn()
        run.writer.finish(REASON)
        run.until(lambda: run.durable_seq == 1)
        assert run.counter("pid") == process.pid
        beat = run.counter("heartbeat_ns")
        run.until(lambda: run.counter("heartbeat_ns") > beat)
        assert process.poll() is None
        assert run.finish() == 0


IMPATIENT = """
import sys
import bot4_core.journal.recorder as recorder
recorder.GIVE_UP_S = 0.3
sys.exit(recorder.main())
"""


def test_a_journal_that_stays_away_is_exit_4_with_one_line_and_no_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:s3cr3t-word@127.0.0.1:1/db"
    with Recording(tmp_path, url, command=("-c", IMPATIENT)) as run:
        run.start_run()
        process = run.spawn()
        assert process.wait(60) == 4
        said = run.stderr()
        assert said.startswith("recorder: journal postgresql")
        assert "given up after 0.3 s" in said
        assert said.count("\n") == 1
        assert "s3cr3t-word" not in said
        assert (run.durable_seq, run.counter("store_ok")) == (-1, 0)
        assert run.counter("failures") >= 2


def test_a_broken_frame_is_exit_4_and_names_its_seq(tmp_path: Path) -> None:
    with Recording(tmp_path, fresh(tmp_path)) as run:
        run.start_run()
        run.writer.append(1, 0, Kind.EQUITY, 0, (1, 2, 3, 4, 0, 0))
        run.segment.rings["journal"].push_all(bytes(64 * 2))
        process = run.spawn()
        assert process.wait(60) == 4
        assert "the frame of seq 2" in run.stderr()
        assert run.durable_seq == run.stored() == 1


@pytest.mark.parametrize("line", [b"", b"{}\n", b"x" * 70_000, b'{"segment": 1}\n'])
def test_settings_that_are_none_are_exit_2(line: bytes, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bot4_core.journal.recorder"], input=line, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"recorder: the recorder's settings")
    assert done.stderr.count(b"\n") == 1
