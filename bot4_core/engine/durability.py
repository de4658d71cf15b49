"""What the trader knows of the disk: which of its records the recorder has made durable, and how long others wait."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from ..domain.event import Kind
from ..journal.records import RunInfo, Words
from ..journal.ring import RingWriter
from ..state.board import Board

#: records that wait longer than this stop all risk (K-9)
STALLED_S = 1.0
#: fuller than this, the ring has no room for the records of one more step
_FULL = 0.5


class Durability:
    """The trader's end of the journal, with two pipes to the recorder: one wakes it, by the other it answers.

    Args:
        board: whose ring carries the records, and where ``durable_seq`` is published.

    Attributes:
        denied: denials by rule so far.
        wake_fd, notify_fd: the recorder's ends of the pipes; they stay open for a recorder that is started again.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._ring = board.segment.rings["journal"]
        self._writer = RingWriter(self._ring)
        self.wake_fd, self._wake = _pipe()
        self._notified, self.notify_fd = _pipe()
        self._news = asyncio.Event()
        self._woken_seq = -1
        self._pending_since: float | None = None
        self._pending_seq = -1
        self._end_seq: int | None = None
        self.denied: dict[str, int] = {}
        asyncio.get_running_loop().add_reader(self._notified, self._told)

    def close(self) -> None:
        """Closes the pipes."""
        asyncio.get_running_loop().remove_reader(self._notified)
        for fd in (self.wake_fd, self._wake, self._notified, self.notify_fd):
            os.close(fd)

    @property
    def next_seq(self) -> int:
        """What the next record gets."""
        return self._writer.next_seq

    def start(self, run: RunInfo) -> int:
        """Appends RUN_START; returns its seq."""
        return self._writer.start(run)

    def finish(self, summary: Mapping[str, Any]) -> int:
        """Appends RUN_END; returns its seq."""
        self._end_seq = self._writer.finish(summary)
        return self._end_seq

    @property
    def ended(self) -> bool:
        """Whether the run's end is durable, so that nothing is left for the next start."""
        return self._end_seq is not None and self._board.durable_seq >= self._end_seq

    def append(
        self, ts: int, instrument: int, kind: int, flags: int, v: Sequence[int], blob: Mapping[str, Any] | None
    ) -> int:
        """Appends a record: the engine's recorder. Arguments as :meth:`bot4_core.journal.ring.RingWriter.append`.

        Raises:
            StoreError: the journal is full; the run must end.
        """
        if kind == Kind.DENIED and blob is not None:
            for failure in blob["failures"]:
                self.denied[failure["rule"]] = self.denied.get(failure["rule"], 0) + 1
        return self._writer.append(ts, instrument, kind, flags, cast(Words, v), blob)

    def wake(self) -> None:
        """Tells the recorder that records wait; costs nothing when there is none."""
        newest = self._writer.next_seq - 1
        if newest == self._woken_seq:
            return
        self._woken_seq = newest
        with suppress(BlockingIOError):  # the pipe is full of wakes it has not taken yet
            os.write(self._wake, b"\1")

    def _told(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._notified, 4096)
        self._news.set()

    def interrupt(self) -> None:
        """Makes whoever waits look again: the latch changed, or the recorder is lost."""
        self._news.set()

    async def wait(self, seq: int, timeout_s: float, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Waits until a record is durable.

        Args:
            seq: of the record.
            timeout_s: at most so long.
            give_up: asked at each piece of news; True ends the wait.

        Returns:
            Whether the record is durable now.
        """
        self.wake()
        deadline = time.monotonic() + timeout_s
        while self._board.durable_seq < seq:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or give_up():
                return False
            self._news.clear()
            if self._board.durable_seq >= seq:
                break
            try:
                await asyncio.wait_for(self._news.wait(), left_s)
            except TimeoutError:
                return self._board.durable_seq >= seq
        return True

    def waits_s(self) -> float | None:
        """How long the oldest record has waited, when that is longer than :data:`STALLED_S`; else None.

        To be asked regularly: it measures from call to call.
        """
        now, durable = time.monotonic(), self._board.durable_seq
        if durable >= self._pending_seq:
            newest = self._writer.next_seq - 1
            self._pending_seq = newest
            self._pending_since = now if durable < newest else None
        if self._pending_since is None or now - self._pending_since < STALLED_S:
            return None
        return now - self._pending_since

    @property
    def full(self) -> bool:
        """Whether the ring may have no room for the records of one more step."""
        return self._ring.pressure > _FULL


def _pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write
