"""A trader's side without a trader: a board, the ring's writer, and the real recorder process beside it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from bot4_core.errors import StoreError
from bot4_core.journal.ring import RingWriter
from bot4_core.journal.store import Store
from bot4_core.state.board import Board, Manifest

from .build import BTC, SHIB, START_EQUITY, info

#: no wait in these tests is longer
PATIENCE_S = 60.0
_POLL_S = 0.02

RECORDER = ("-P", "-m", "bot4_core.journal.recorder")


def board(path: Path, run_id: str = "run-1") -> Board:
    """A segment as the trader makes it."""
    manifest = Manifest(
        run_id=run_id,
        bot="trend",
        mode="paper",
        pid=os.getpid(),
        source="trend.toml",
        journal="***",
        started_ns=1,
        instruments=(BTC, SHIB),
        reporting_asset="USDT",
        reporting_scale=8,
        start_equity=START_EQUITY,
        rules=(),
    )
    return Board(path, manifest)


class Recording:
    """One run's segment and its recorder, which :meth:`spawn` starts and a test may kill.

    Args:
        folder: for the segment.
        url: of the journal.
        command: arguments of Python that run the recorder.
    """

    def __init__(self, folder: Path, url: str, command: Sequence[str] = RECORDER) -> None:
        self.url = url
        self.board = board(folder / "segment")
        self.segment = self.board.segment
        self.writer = RingWriter(self.segment.rings["journal"])
        self.process: subprocess.Popen[bytes] | None = None
        self._command = command
        self._wake_read, self._wake = os.pipe()
        self._notified, self._notify_write = os.pipe()
        for fd in (self._wake, self._notified):
            os.set_blocking(fd, False)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Starts a recorder."""
        settings = {
            "segment": str(self.segment.path),
            "url": self.url,
            "mode": "paper",
            "wake_fd": self._wake_read,
            "notify_fd": self._notify_write,
        }
        self.process = subprocess.Popen(
            [sys.executable, *self._command],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(self._wake_read, self._notify_write),
            start_new_session=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(settings).encode() + b"\n")
        self.process.stdin.flush()
        return self.process

    def start_run(self) -> None:
        """Pushes RUN_START of the manifest's run."""
        self.writer.start(info(self.board.manifest.run_id, mode="paper"))

    def wake(self) -> None:
        """Tells the recorder that something was pushed."""
        with suppress(BlockingIOError):  # it has wakes waiting
            os.write(self._wake, b"\1")

    def counter(self, name: str) -> int:
        """One of the recorder's counters."""
        counters = self.segment.counters["recorder"]
        return counters.get(counters.index(name))

    @property
    def durable_seq(self) -> int:
        """As the recorder last published it."""
        return self.counter("durable_seq")

    def news(self, timeout_s: float = _POLL_S) -> None:
        """Waits for the recorder's next byte, or so long."""
        if select.select([self._notified], [], [], timeout_s)[0]:
            os.read(self._notified, 65_536)

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits until the condition holds; fails when the recorder ends before, or patience does."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, self.segment.counters["recorder"].read()
            if self.process is not None and self.process.poll() is not None and not condition():
                raise AssertionError(f"the recorder ended: {self.process.returncode} {self.stderr()}")
            self.news()

    def push(self, records: Sequence[tuple[object, ...]]) -> None:
        """Appends all, waiting for the recorder while the ring is full."""
        for record in records:
            deadline = time.monotonic() + PATIENCE_S
            while True:
                try:
                    self.writer.append(*record)  # type: ignore[arg-type]  # a tuple of its arguments
                    break
                except StoreError as error:
                    assert "full" in str(error)
                    assert time.monotonic() < deadline
                    self.wake()
                    select.select([], [], [], _POLL_S)
        self.wake()

    def kill(self) -> None:
        """SIGKILL, and the end of the process."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(PATIENCE_S) == -signal.SIGKILL
        self._close_pipes()

    def finish(self) -> int:
        """Closes stdin and waits for the recorder's end; its exit code."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE_S)

    def stderr(self) -> str:
        """What the ended recorder said."""
        assert self.process is not None
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def stored(self) -> int:
        """The newest seq that the database has, -1 for none."""
        with Store.open(self.url, mode="paper") as store:
            last = store.last_seq(self.board.manifest.run_id)
        return -1 if last is None else last

    def _close_pipes(self) -> None:
        if self.process is not None:
            for pipe in (self.process.stdin, self.process.stderr):
                if pipe is not None:
                    pipe.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self._close_pipes()
        for fd in (self._wake_read, self._wake, self._notified, self._notify_write):
            os.close(fd)
