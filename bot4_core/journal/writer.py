"""Writing one run: records are collected, folded and stored in batches, each one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import msgspec

from ..domain.event import Kind
from ..errors import StoreError
from .fold import Fold
from .records import JOURNAL_FORMAT, Record, RunInfo, Words
from .result_hash import ResultHash
from .store import Store

_encode = msgspec.json.Encoder().encode

#: What :meth:`JournalWriter.append` takes, as one tuple.
Pending = tuple[int, int, int, int, Words, Mapping[str, Any] | None]


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
        if batch < 1:
            raise StoreError(f"a batch of {batch} records cannot be: give 1 or more")
        self.info = run
        self._store = store
        self._batch = batch
        self._fold = Fold(run)
        self._hash = ResultHash(run.instruments)
        self._pending: list[Pending] = []
        self._next_seq = 1
        self._last_ts = run.created_ns
        self._open = True
        words = (JOURNAL_FORMAT, 0, 0, 0, 0, 0)
        start = Record(0, run.created_ns, 0, Kind.RUN_START.value, 0, words, _json(run.to_blob(), 0))
        self._fold.apply(*start)
        self._run = store.begin_run(run, start)

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
        self._write(None)

    def finish(self, summary: Mapping[str, Any]) -> str:
        """Adds RUN_END, writes what is left, marks the run finished and returns its result hash.

        Args:
            summary: JSON-ready figures of the run; ``events`` and ``wakes`` also become words of RUN_END.

        Raises:
            StoreError: as :meth:`flush`.
        """
        ts = self._pending[-1][0] if self._pending else self._last_ts
        words = (int(summary.get("events", 0)), int(summary.get("wakes", 0)), 0, 0, 0, 0)
        self._pending.append((ts, 0, Kind.RUN_END.value, 0, words, summary))
        self._next_seq += 1
        self._write(_json(summary, self._next_seq - 1))
        self._open = False
        return self.result_hash()

    def result_hash(self) -> str:
        """The result hash of everything flushed so far (DECISIONS.md D-6)."""
        return self._hash.hexdigest(self._fold.orders.values())

    def _write(self, summary: str | None) -> None:
        if not self._open:
            raise StoreError(f"run {self.info.run_id} takes no more records: it has ended or its journal failed")
        first = self._next_seq - len(self._pending)
        self._open = False  # until the batch is safe
        records = []
        for seq, (ts, instrument, kind, flags, v, blob) in enumerate(self._pending, first):
            record = Record(seq, ts, instrument, kind, flags, v, None if blob is None else _json(blob, seq))
            self._fold.apply(*record)
            records.append(record)
        rows = self._fold.take()
        self._hash.add(rows)
        finish = None if summary is None else (summary, self.result_hash())
        if records:
            self._store.write(self._run, records, rows, finish=finish)
            self._last_ts = records[-1].ts
        self._pending.clear()
        self._open = True

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


def _json(blob: Mapping[str, Any], seq: int) -> str:
    try:
        return _encode(blob).decode()
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise StoreError(f"the blob of seq {seq} is not JSON: {error}") from error
