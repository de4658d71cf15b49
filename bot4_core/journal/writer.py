"""Writing one run: records are collected, folded and stored in batches, each one transaction.

A backtest appends to a JournalWriter in its own process. In paper and live the recorder hands it groups of records
that another process has numbered (:meth:`JournalWriter.write`), and goes on after a failed commit, about which nobody
knows whether it happened, by asking the database (:meth:`JournalWriter.settle`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from attrs import frozen

from ..domain.event import Kind
from ..errors import StoreError
from .fold import Fold
from .records import JournalDamaged, Record, RunInfo, Words, encode_blob, end_words, start_words
from .result_hash import ResultHash
from .rows import Rows
from .store import Store

#: Records between two calls of reopen's ``beat``.
_BEAT_EVERY = 5_000
_RUN_END = Kind.RUN_END.value

#: What :meth:`JournalWriter.append` takes, as one tuple.
Pending = tuple[int, int, int, int, Words, Mapping[str, Any] | None]


@frozen
class _Group:
    """What one transaction writes, kept until it is known to be stored."""

    records: Sequence[Record]
    rows: Rows
    finish: tuple[str, str] | None


class JournalWriter:
    """Appends a run's records to the journal. A context manager: leaving it writes what is still buffered.

    Seq 0 is RUN_START with the RunInfo, written at once; the caller's records follow from 1; :meth:`finish` adds
    RUN_END. A run that is left without it stays readable, as an unfinished run.

    Args:
        store: open journal, in the run's mode.
        run: who runs; its run_id must be new in this journal.
        batch: most records to hold before they are written.

    Raises:
        StoreError: the run cannot be started.
    """

    def __init__(self, store: Store, run: RunInfo, batch: int = 4096) -> None:
        self._setup(store, run, batch)
        start = Record(0, run.created_ns, 0, Kind.RUN_START.value, 0, start_words(), encode_blob(run.to_blob(), 0))
        self._fold.apply(*start)
        self._next_seq = 1
        self._run = store.begin_run(run, start)

    def _setup(self, store: Store, run: RunInfo, batch: int) -> None:
        if batch < 1:
            raise StoreError(f"a batch of {batch} records cannot be: give 1 or more")
        self.info = run
        self._store = store
        self._batch = batch
        self._fold = Fold(run)
        self._hash = ResultHash(run.instruments)
        self._pending: list[Pending] = []
        self._next_seq = 0
        self._last_ts = run.created_ns
        self._doubtful: _Group | None = None
        self._finished = False
        self._open = True

    @classmethod
    def reopen(
        cls, store: Store, run_id: str, *, batch: int = 4096, beat: Callable[[], None] = lambda: None
    ) -> JournalWriter:
        """The writer of a run that has begun but not ended: goes on at the next seq.

        Fold and result hash are rebuilt from the stored events, about 100,000 a second.

        Args:
            store: open journal, in the run's mode.
            run_id: the whole id.
            batch: as for the class.
            beat: called every few thousand records, for a heartbeat.

        Raises:
            StoreError: no such run, or it has ended.
            JournalDamaged: its events cannot be folded.
        """
        found = store.find(run_id)
        if found.finished:
            raise StoreError(f"run {run_id} has ended: it takes no more records")
        writer = cls.__new__(cls)
        writer._setup(store, found.info, batch)
        writer._run = found.key
        for record in store.records(run_id):
            writer._apply(record)
            writer._last_ts = record.ts
            if record.seq % _BEAT_EVERY == 0:
                beat()
        writer._next_seq = writer._fold.next_seq
        writer._hash.add(writer._fold.take())
        return writer

    @property
    def next_seq(self) -> int:
        """What the next record gets."""
        return self._next_seq

    @property
    def last_ts(self) -> int:
        """Time of the last record that is stored, UTC ns."""
        return self._last_ts

    @property
    def finished(self) -> bool:
        """Whether the run's end is stored."""
        return self._finished

    def append(
        self, ts: int, instrument: int, kind: int, flags: int, v: Words, blob: Mapping[str, Any] | None = None
    ) -> int:
        """Adds one record and returns its seq.

        Args:
            ts: UTC ns.
            instrument: index in the run's instrument table.
            kind: a Kind.
            flags: bits of Flag.
            v: the six words, see domain/event.py.
            blob: JSON-ready; handed over, so do not change it afterwards. See records.py for the conventions.

        Raises:
            StoreError: the batch is full and cannot be written; the run must stop.
        """
        pending = self._pending
        pending.append((ts, instrument, kind, flags, v, blob))
        seq = self._next_seq
        self._next_seq = seq + 1
        if len(pending) >= self._batch:
            self.flush()
        return seq

    def append_many(self, records: Iterable[Pending]) -> int:
        """Adds records, each a tuple of :meth:`append`'s arguments, and returns the seq of the last one."""
        for record in records:
            self.append(*record)
        return self._next_seq - 1

    def flush(self) -> None:
        """Writes everything that was appended, in one transaction.

        Raises:
            StoreError: it cannot be written, or a record breaks the conventions. The writer takes nothing more:
                its fold is ahead of the database.
        """
        self._require_open()
        if not self._pending:
            return
        self._open = False  # until the batch is safe
        first = self._next_seq - len(self._pending)
        records = [
            Record(seq, ts, instrument, kind, flags, v, None if blob is None else encode_blob(blob, seq))
            for seq, (ts, instrument, kind, flags, v, blob) in enumerate(self._pending, first)
        ]
        self._commit(records)

    def finish(self, summary: Mapping[str, Any]) -> str:
        """Adds RUN_END, writes what is left, marks the run finished and returns its result hash.

        Args:
            summary: JSON-ready figures of the run; ``events`` and ``wakes`` also become words of RUN_END.

        Raises:
            StoreError: as :meth:`flush`.
        """
        ts = self._pending[-1][0] if self._pending else self._last_ts
        self._pending.append((ts, 0, _RUN_END, 0, end_words(summary), summary))
        self._next_seq += 1
        self.flush()
        return self.result_hash()

    def write(self, records: Sequence[Record]) -> None:
        """Writes records that have their seq already, in one transaction, after what was appended.

        A RUN_END, which can only be the last, finishes the run as :meth:`finish` does.

        Args:
            records: in seq order, the first with :attr:`next_seq`.

        Raises:
            StoreError: they may or may not be stored; :meth:`settle` finds out. Nothing is taken until then.
            JournalDamaged: a gap, or a record that cannot be folded; the writer takes nothing more.
        """
        self.flush()
        if any(record.kind == _RUN_END for record in records[:-1]):
            raise JournalDamaged(f"run {self.info.run_id} has records after its RUN_END: its writer is wrong")
        if records:
            self._commit(records)

    def settle(self, store: Store) -> bool:
        """After a failure: makes sure that everything handed over is stored, once.

        Args:
            store: the same journal, newly opened.

        Returns:
            True when all of it is there now and the writer goes on; False when the database holds something else
            than before or after the failed transaction: :meth:`reopen` the run.

        Raises:
            StoreError: it failed again.
        """
        self._store = store
        group = self._doubtful
        if group is None:
            return self._open and store.last_seq(self.info.run_id) == self._fold.next_seq - 1
        last = store.last_seq(self.info.run_id)
        if last == group.records[0].seq - 1:
            store.write(self._run, group.records, group.rows, finish=group.finish)
        elif last != group.records[-1].seq:
            return False
        self._stored(group)
        return True

    def result_hash(self) -> str:
        """The result hash of everything flushed so far (DECISIONS.md D-6)."""
        return self._hash.hexdigest(self._fold.orders.values())

    def _require_open(self) -> None:
        if not self._open:
            raise StoreError(f"run {self.info.run_id} takes no more records: it has ended or its journal failed")

    def _apply(self, record: Record) -> None:
        try:
            self._fold.apply(*record)
        except StoreError as error:
            raise JournalDamaged(str(error)) from error

    def _commit(self, records: Sequence[Record]) -> None:
        self._open = False  # until the group is safe
        for record in records:
            self._apply(record)
        rows = self._fold.take()
        self._hash.add(rows)
        last = records[-1]
        finish = (last.blob or "{}", self.result_hash()) if last.kind == _RUN_END else None
        group = self._doubtful = _Group(records, rows, finish)
        self._store.write(self._run, records, rows, finish=finish)
        self._stored(group)

    def _stored(self, group: _Group) -> None:
        self._doubtful = None
        self._pending.clear()  # a group is what was appended, or it was written when nothing was
        self._last_ts = group.records[-1].ts
        self._next_seq = max(self._next_seq, self._fold.next_seq)
        self._finished = group.finish is not None
        self._open = not self._finished

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not self._open:
            return
        try:
            self.flush()
        except StoreError as failure:
            if error is None:
                raise
            error.add_note(f"and the journal's last batch could not be written: {failure}")
