"""What it costs to make an intent durable through the real recorder process, for ``bot4 bench``.

SQLite, WAL and ``synchronous=FULL`` on the disk of the state directory, where journals lie. The baselines are plain
``sqlite3`` on the same disk in the same run: a commit of the same bytes, and rows in groups of the same size.
"""

from __future__ import annotations

import json
import os
import select
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..domain.event import Kind
from ..domain.instrument import Instrument
from ..errors import StoreError
from ..state.board import Board, Manifest
from ..state.folder import state_dir
from .records import RunInfo, Words, encode_blob
from .ring import RingWriter
from .store import Store

_ANSWER_S: Final = 30.0
_GROUP: Final = 4096
_INSTRUMENT: Final = Instrument(symbol="BTC/USDT", tick=Decimal("0.01"), lot=Decimal("0.00001"))
_INTENT: Final[dict[str, Any]] = {
    "strategy": "bench", "exchange": "main", "side": "buy", "type": "limit", "tif": "gtc", "role": "entry",
    "worst_ticks": 3_001_000, "stop_ticks": 2_940_000, "equity": 10**13, "size_fraction": "0.0199",
}  # fmt: skip
_SINGLE: Final = "sqlite3 commit of the same bytes"
_GROUPED: Final = f"sqlite3 rows of the same bytes, {_GROUP} a commit"


class _Trader:
    """The trading process's end of one run."""

    def __init__(self, folder: Path, url: str) -> None:
        run = RunInfo(
            run_id="bench", bot="bench", mode="paper", created_ns=1, seed=0, config="", instruments=(_INSTRUMENT,),
            start_equity=10**13, reporting_asset="USDT", accounts={"main": "bench"},
        )  # fmt: skip
        manifest = Manifest(
            run_id=run.run_id, bot=run.bot, mode=run.mode, pid=os.getpid(), source="", journal=url, started_ns=1,
            instruments=run.instruments, reporting_asset=run.reporting_asset, reporting_scale=8,
            start_equity=run.start_equity, rules=(),
        )  # fmt: skip
        self._board = Board(folder / "segment", manifest)
        self._ring = self._board.segment.rings["journal"]
        self._writer = RingWriter(self._ring)
        self.wake_read, self._wake = os.pipe()
        self._notified, self.notify_write = os.pipe()
        self._orders = 0
        self._writer.start(run)

    def settings(self, url: str) -> bytes:
        """The recorder's line."""
        line = {
            "segment": str(self._board.segment.path), "url": url, "mode": "paper",
            "wake_fd": self.wake_read, "notify_fd": self.notify_write,
        }  # fmt: skip
        return json.dumps(line).encode() + b"\n"

    def intent(self) -> int:
        """Pushes the intent of the next order; its seq."""
        self._orders += 1
        words: Words = (self._orders, 100, 3_000_000, 0, 0, 0)
        return self._writer.append(self._orders, 0, Kind.INTENT, 0, words, _INTENT)

    def order(self) -> int:
        """Pushes an order's life: intent, acknowledgement, fill, equity; the last seq."""
        self.intent()
        number, append = self._orders, self._writer.append
        append(number, 0, Kind.ACK, 0, (number, 0, 0, 0, 0, 0))
        append(number, 0, Kind.FILL, 0, (number, 3_000_000, 100, 30, number, 300_000_000))
        return append(number, 0, Kind.EQUITY, 0, (10**13, 1, 2, 10**13, 0, 0))

    def wake(self) -> None:
        """Tells the recorder."""
        os.write(self._wake, b"\1")

    def wait(self, seq: int) -> None:
        """Returns when the record is durable; StoreError when that takes too long."""
        deadline = time.monotonic() + _ANSWER_S
        while self._board.durable_seq < seq:
            if not select.select([self._notified], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise StoreError(f"bench: the recorder stored nothing for {_ANSWER_S:g} s; is the disk full?")
            os.read(self._notified, 4096)

    @property
    def half_full(self) -> bool:
        """Whether to let the recorder catch up."""
        return self._ring.pressure > 0.5

    def close(self) -> None:
        """Closes the pipes."""
        for fd in (self.wake_read, self._wake, self._notified, self.notify_write):
            os.close(fd)


@contextmanager
def _recording(folder: Path) -> Iterator[_Trader]:
    """A trader with its recorder, once the run has begun."""
    url = f"sqlite:///{folder / 'journal.db'}"
    Store.open(url, mode="paper").close()
    trader = _Trader(folder, url)
    try:
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "bot4_core.journal.recorder"],
            stdin=subprocess.PIPE, pass_fds=(trader.wake_read, trader.notify_write),
        ) as recorder:  # fmt: skip
            assert recorder.stdin is not None  # a pipe
            recorder.stdin.write(trader.settings(url))
            recorder.stdin.flush()
            trader.wait(0)
            yield trader
    finally:
        trader.close()


def _plain(folder: Path) -> sqlite3.Connection:
    """The baselines' database: one table of records."""
    connection = sqlite3.connect(folder / "plain.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL").fetchall()
    connection.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, record BLOB, blob TEXT)")
    return connection


def _commit(connection: sqlite3.Connection, rows: Sequence[tuple[bytes, str | None]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO events (record, blob) VALUES (?, ?)", rows)
    connection.execute("COMMIT")


def _singles(trader: _Trader, plain: sqlite3.Connection, count: int) -> tuple[list[float], list[float]]:
    """Nanoseconds of each intent until it is durable, and of each plain commit; in turns."""
    row = [(bytes(64), encode_blob(_INTENT, 0))]
    ours, theirs = [], []
    for _ in range(count):
        start = time.perf_counter_ns()
        seq = trader.intent()
        trader.wake()
        trader.wait(seq)
        ours.append(float(time.perf_counter_ns() - start))
        start = time.perf_counter_ns()
        _commit(plain, row)
        theirs.append(float(time.perf_counter_ns() - start))
    return ours, theirs


def _groups(trader: _Trader, plain: sqlite3.Connection, rounds: int, orders: int) -> tuple[list[float], list[float]]:
    """Nanoseconds per record of a stream of orders, through the recorder and by plain sqlite3; in turns."""
    blob = encode_blob(_INTENT, 0)
    rows = [(bytes(64), blob), *[(bytes(64), None)] * 3] * (_GROUP // 4)
    ours, theirs = [], []
    for _ in range(rounds):
        start, last = time.perf_counter_ns(), 0
        for number in range(orders):
            last = trader.order()
            if number % 64 == 63:
                trader.wake()
                if trader.half_full:
                    trader.wait(last - 4 * 64)
        trader.wake()
        trader.wait(last)
        ours.append((time.perf_counter_ns() - start) / (4 * orders))
        groups = max(1, 4 * orders // _GROUP)
        start = time.perf_counter_ns()
        for _ in range(groups):
            _commit(plain, rows)
        theirs.append((time.perf_counter_ns() - start) / (groups * _GROUP))
    return ours, theirs


def run(*, singles: int = 400, rounds: int = 5, orders: int = 2_500) -> list[dict[str, Any]]:
    """Measures once; some seconds, in a folder of its own that is removed.

    Args:
        singles: intents that are waited for one by one.
        rounds: samples of the stream.
        orders: orders of one sample, four records each.

    Returns:
        Rows as ``bot4 bench --json`` prints them.

    Raises:
        StoreError: the state directory cannot be written, or the recorder does not answer.
    """
    base = state_dir()
    try:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=base, prefix="bench") as name:
            folder = Path(name)
            with _recording(folder) as trader:
                plain = _plain(folder)
                one, one_plain = _singles(trader, plain, singles)
                many, many_plain = _groups(trader, plain, rounds, orders)
                plain.close()
    except OSError as error:
        raise StoreError(f"bench: {base}: {error.strerror or error}") from error
    return [
        _row(_SINGLE, one_plain, len(one_plain), _SINGLE, one_plain),
        _row("intent to durable, one by one", one, len(one), _SINGLE, one_plain),
        _row(_GROUPED, many_plain, rounds * 4 * orders, _GROUPED, many_plain),
        _row("record to durable, a stream of orders", many, rounds * 4 * orders, _GROUPED, many_plain),
    ]


def _row(name: str, ns: Sequence[float], n: int, baseline: str, base: Sequence[float]) -> dict[str, Any]:
    p50, p99, p999 = (float(np.percentile(ns, p)) for p in (50, 99, 99.9))
    return {
        "row": "R-36", "name": name, "where": "process", "unit": "ns", "median": p50, "p50": p50, "p99": p99,
        "p999": p999, "n": n, "baseline": baseline, "ratio": p50 / float(np.percentile(base, 50)),
    }  # fmt: skip
