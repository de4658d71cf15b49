"""The recorder: the process that makes a running bot's records durable and says how far it has come (DECISIONS.md D-7).

    python -P -m bot4_core.journal.recorder

It reads one line of JSON from stdin (:class:`Settings`) and then until stdin ends, which means that the trader is
gone or done. Per round it takes every whole record that waits in the segment's ring, writes them in one transaction,
publishes ``durable_seq`` in the segment's counters, wakes the trader, and only then gives the ring's slots back. So
whatever moment it is killed at, the next recorder finds in the database and in the ring together every record once.
It never sees orders, keys or the network of a venue.

Exit codes: 0 everything that was pushed is durable; 4 the journal cannot be written, with one line on stderr; 2 the
settings cannot be read.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

import msgspec

from ..domain.event import Kind
from ..domain.redaction import hide, remember, without_password
from ..errors import Bot4Error, ConfigError, DomainError, NativeError, StoreError, one_line
from ..native.segment import Segment
from ..state.board import RECORDER_COUNTERS, Manifest
from .database import parse_url
from .records import JournalDamaged, Record, RunInfo
from .ring import RingReader
from .store import Store
from .writer import JournalWriter

#: Most records of one transaction.
GROUP = 4096
#: A database that fails is opened again after this, then after twice as long, at most so long, and given up when
#: nothing could be written for so long in all.
FIRST_DELAY_S = 0.05
MAX_DELAY_S = 2.0
GIVE_UP_S = 30.0
#: Longest wait for another writer's lock: short, because the heartbeat stands still meanwhile.
BUSY_MS = 500
#: Longest wait for something to do; the heartbeat is never older in a recorder that is idle.
_IDLE_S = 0.1
_MAX_SETTINGS = 65_536
_S = 1_000_000_000

Mode = Literal["paper", "live"]


class Recorder:
    """The recorder's work without its process: call :meth:`step` again and again.

    Only one may live per segment: the next one starts after the end of the last.

    Args:
        segment: of the run, made by :class:`bot4_core.state.board.Board`.
        open_store: opens the journal; called anew after each failure.
        notify: called when ``durable_seq`` has moved; must not block or raise.
        clock_ns: monotonic.

    Attributes:
        durable_seq: newest record that is durable, -1 for none.
        finished: whether the run's end is durable.

    Raises:
        NativeError: the segment is none of a bot.
    """

    def __init__(
        self,
        segment: Segment,
        open_store: Callable[[], Store],
        *,
        notify: Callable[[], None] = lambda: None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.run_id = Manifest.from_json(segment.texts.get("manifest", b"")).run_id
        self._ring = segment.rings["journal"]
        self._reader = RingReader(self._ring)
        self._open_store = open_store
        self._notify = notify
        self._clock_ns = clock_ns
        self._counters = segment.counters["recorder"]
        self._at = {name: self._counters.index(name) for name in RECORDER_COUNTERS}
        self.durable_seq = self._counters.get(self._at["durable_seq"])
        self.finished = False
        self._store: Store | None = None
        self._writer: JournalWriter | None = None
        self._failing_since_ns: int | None = None
        self._retry_ns = 0
        self._delay_s = FIRST_DELAY_S
        self._set("pid", os.getpid())
        self._set("store_ok", 0)
        self.beat()

    def beat(self) -> None:
        """Says that the recorder lives."""
        self._set("heartbeat_ns", self._clock_ns())

    def step(self) -> int:
        """One round: makes up to :data:`GROUP` waiting records durable.

        After a failure the rounds do nothing until the delay is over; then the database is opened again, and asked
        what it has.

        Returns:
            How many records became durable.

        Raises:
            StoreError: nothing could be written for :data:`GIVE_UP_S`.
            JournalDamaged: a record or the database is not what it must be; trying again is useless.
        """
        self.beat()
        if self._clock_ns() < self._retry_ns:
            return 0
        before = self.durable_seq
        try:
            if self._store is None:
                self._connect()
            self._record(self._reader.frames(GROUP))
        except JournalDamaged:
            self._set("store_ok", 0)
            raise
        except StoreError as error:
            self._failed(error)
        else:
            self._failing_since_ns = None
            self._delay_s = FIRST_DELAY_S
            self._set("store_ok", 1)
        return self.durable_seq - before

    def drain(self) -> int:
        """Makes durable what waits in the ring now; returns how many records. Takes :data:`GIVE_UP_S` at most.

        Raises:
            StoreError: as :meth:`step`.
        """
        before, until = self.durable_seq, self._ring.pushed
        while self._ring.popped < until:
            self.step()
            if self.retrying:
                time.sleep(self.idle_s)
        return self.durable_seq - before

    @property
    def idle_s(self) -> float:
        """How long to wait before the next round unless something is pushed: 0 while records wait."""
        if self._failing_since_ns is not None:
            return min(max(0.0, (self._retry_ns - self._clock_ns()) / _S), _IDLE_S)
        return 0.0 if len(self._ring) else _IDLE_S

    @property
    def retrying(self) -> bool:
        """Whether the database failed and a delay is running."""
        return self._failing_since_ns is not None

    def close(self) -> None:
        """Closes the database."""
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _set(self, name: str, value: int) -> None:
        self._counters.set(self._at[name], value)

    def _connect(self) -> None:
        """Opens the journal and finds out how far it is: anew, after a predecessor, or after a failed write."""
        store = self._open_store()
        try:
            self._catch_up(store)
        except BaseException:
            store.close()
            raise
        self._store = store

    def _catch_up(self, store: Store) -> None:
        if self._writer is not None and self._writer.settle(store):
            self._publish(self._writer.next_seq - 1)
            return
        last = store.last_seq(self.run_id)
        if (-1 if last is None else last) < self.durable_seq:
            raise JournalDamaged(
                f"the journal has lost records of run {self.run_id}: it ends at seq {last}, and {self.durable_seq} was"
                " durable; was its file replaced? Restore it"
            )
        self._writer = None
        if last is None:
            return
        if not store.find(self.run_id).finished:
            self._writer = JournalWriter.reopen(store, self.run_id, beat=self.beat)
        else:
            self.finished = True
        self._publish(last)

    def _record(self, frames: Sequence[Record]) -> None:
        fresh = [record for record in frames if record.seq > self.durable_seq]
        if fresh and (self._writer is None or self.finished):
            self._begin(fresh[0])
            fresh = fresh[1:]
        if fresh and self._writer is not None:
            self._writer.write(fresh)
            self._publish(fresh[-1].seq)
        if frames:
            self._reader.release()

    def _begin(self, first: Record) -> None:
        if self.finished or first.kind != Kind.RUN_START or first.blob is None:
            what = "has ended" if self.finished else "does not begin with RUN_START"
            raise JournalDamaged(f"run {self.run_id} {what}, yet seq {first.seq} waits: its trader is wrong")
        try:
            info = RunInfo.from_blob(msgspec.json.decode(first.blob))
        except (msgspec.MsgspecError, StoreError) as error:
            raise JournalDamaged(f"run {self.run_id}: {error}") from error
        if info.run_id != self.run_id:
            raise JournalDamaged(f"the segment is of run {self.run_id}, its RUN_START of {info.run_id}")
        assert self._store is not None  # step has connected
        self._writer = JournalWriter(self._store, info)
        self._publish(first.seq)

    def _publish(self, seq: int) -> None:
        """Says how far the database has come; call it only after the commit."""
        self.finished = self.finished or (self._writer is not None and self._writer.finished)
        if seq <= self.durable_seq:
            return
        self.durable_seq = seq
        self._set("durable_seq", seq)
        self._notify()
        self._set("records", seq + 1)
        self._counters.add(self._at["batches"])

    def _failed(self, error: StoreError) -> None:
        self._set("store_ok", 0)
        self._counters.add(self._at["failures"])
        self.close()
        now_ns = self._clock_ns()
        if self._failing_since_ns is None:
            self._failing_since_ns = now_ns
        elif now_ns - self._failing_since_ns >= GIVE_UP_S * _S:
            raise StoreError(f"{error}; given up after {GIVE_UP_S:g} s") from error
        self._retry_ns = now_ns + round(self._delay_s * _S)
        self._delay_s = min(2 * self._delay_s, MAX_DELAY_S)


def drain(
    segment: str | os.PathLike[str], url: str, *, mode: Mode = "paper", say: Callable[[str], object] = lambda _: None
) -> int:
    """Makes durable what a trader and its recorder, both dead, have left in their segment: facts, such as fills.

    None of it was acknowledged, so an intent among it was never sent; it reads as one without an answer.

    Args:
        segment: path of the last run's segment; none, or one that a power cut has damaged, holds nothing.
        url: of the journal.
        mode: of the run.
        say: takes a line about what could not be stored.

    Returns:
        How many records became durable.

    Raises:
        StoreError: the journal cannot be written for :data:`GIVE_UP_S`.
    """
    try:
        recorder = Recorder(Segment.attach(segment), lambda: Store.open(url, mode=mode, busy_ms=BUSY_MS))
    except (NativeError, KeyError):
        return 0
    first = recorder.durable_seq
    try:
        return recorder.drain()
    except JournalDamaged as error:
        say(f"what the last run left in its segment cannot all be stored: {error}")
        return recorder.durable_seq - first
    finally:
        recorder.close()


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the process is told, as one line of JSON.

    Attributes:
        segment: path of the run's segment.
        url: of the journal, with its password.
        mode: of the run.
        wake_fd: read end of a pipe; the trader writes a byte when it has pushed.
        notify_fd: write end of a pipe; gets a byte when ``durable_seq`` has moved.
    """

    segment: str
    url: str
    mode: Mode
    wake_fd: int
    notify_fd: int


def read_settings(fd: int) -> Settings:
    """The settings from the first line of a file descriptor.

    Raises:
        ConfigError: it ends before the line does, or the line is something else.
    """
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(fd, 1)  # nothing behind the line may be taken: whoever waits for the end reads the same fd
        if not more or len(line) >= _MAX_SETTINGS:
            raise ConfigError("the recorder's settings must be one line of JSON on stdin")
        line += more
    try:
        return msgspec.json.decode(line, type=Settings)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"the recorder's settings cannot be used: {error}") from error


def record(settings: Settings, control_fd: int, stopped: Callable[[], bool]) -> None:
    """Records until ``control_fd`` ends or ``stopped`` says so, and then what is left.

    Raises:
        NativeError: there is no such segment.
        StoreError: as :meth:`Recorder.step`.
    """
    for fd in (settings.wake_fd, settings.notify_fd):
        os.set_blocking(fd, False)
    if password := parse_url(settings.url).password:
        with suppress(DomainError):  # too short to be hidden wherever it stands; in URLs it is
            remember(password)

    def notify() -> None:
        with suppress(BlockingIOError, BrokenPipeError):  # full: the trader has news waiting; broken: it is gone
            os.write(settings.notify_fd, b"\1")

    recorder = Recorder(
        Segment.attach(settings.segment),
        lambda: Store.open(settings.url, mode=settings.mode, busy_ms=BUSY_MS),
        notify=notify,
    )
    try:
        while not stopped():
            recorder.step()
            waiting = [control_fd] if recorder.retrying else [control_fd, settings.wake_fd]
            ready, _, _ = select.select(waiting, [], [], recorder.idle_s)
            if settings.wake_fd in ready:
                with suppress(BlockingIOError):
                    os.read(settings.wake_fd, 65_536)
            if control_fd in ready and not os.read(control_fd, 4096):
                break
        recorder.drain()
    finally:
        recorder.close()


def main() -> int:
    """The process; returns its exit code."""
    stop = False

    def on_term(*_: Any) -> None:
        nonlocal stop
        stop = True

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trader's to answer; its records must still get down
    signal.signal(signal.SIGTERM, on_term)
    try:
        record(read_settings(0), 0, lambda: stop)
    except Bot4Error as error:
        return _say(str(error), 4 if isinstance(error, StoreError) else 2 if isinstance(error, ConfigError) else 1)
    except Exception as error:  # noqa: BLE001  # no traceback: it could show the URL, and the trader's log takes lines
        return _say(f"{type(error).__name__}: {error}", 1)
    return 0


def _say(reason: str, code: int) -> int:
    print(f"recorder: {one_line(hide(without_password(reason)))}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
