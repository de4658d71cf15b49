"""kill -9 in the middle of a paper run: what was flushed is there and folds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot4_core.journal import migrate
from bot4_core.journal.store import Store
from bot4_core.journal.verify import verify

from .build import RandomRun

_BOT = """
import sys
from bot4_core.journal.store import Store
from bot4_core.journal.writer import JournalWriter
from tests.journal.build import RandomRun, info

writer = JournalWriter(Store.open(sys.argv[1], mode="paper"), info(mode="paper"), batch=10**9)
records = iter(RandomRun(21, 100_000).records())
while True:
    for record in (next(records) for _ in range(20)):
        seq = writer.append(*record)
    writer.flush()
    print(seq, flush=True)   # from here on, this batch must survive
"""


@pytest.mark.parametrize("batches", [1, 7, 40])
def test_every_flushed_batch_survives_a_kill(url: str, batches: int) -> None:
    migrate.upgrade(url)
    bot = subprocess.Popen(
        [sys.executable, "-c", _BOT, url], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert bot.stdout is not None
    said = [int(bot.stdout.readline()) for _ in range(batches)]
    os.kill(bot.pid, signal.SIGKILL)
    said += [int(line) for line in bot.stdout.read().split("\n") if line.strip()]
    assert bot.wait(timeout=30) == -signal.SIGKILL
    bot.stdout.close()

    with Store.open(url, mode="paper") as store:
        record = store.load("latest")
        assert not record.row.finished
        verdict = verify(store, "latest")
        assert verdict.same
        assert verdict.seq >= said[-1]
        assert verdict.seq % 20 == 0  # no batch is there by half
        written = [(r.ts, r.kind, r.v) for r in store.records("latest")][1:]
    expected = RandomRun(21, 100_000).records()
    assert written == [(r[0], int(r[2]), tuple(map(int, r[4]))) for r, _ in zip(expected, written, strict=False)]


def test_a_killed_migration_of_a_new_file_can_be_opened_again(tmp_path: Path) -> None:
    """SQLite makes the file before the first table: an empty file is a new journal."""
    (tmp_path / "j.db").touch()
    with Store.open(f"sqlite:///{tmp_path / 'j.db'}", mode="paper") as store:
        assert store.runs() == []

