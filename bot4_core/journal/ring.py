"""Journal records through the segment's ring: from the trading process to its recorder.

A record is a frame of 64-byte slots, pushed whole or not at all:

====  ==================================================================================================
slot  holds
====  ==================================================================================================
0     seq, length of the blob in bytes (:data:`NO_BLOB` for none), CRC-32 of record and blob, 48 bytes of blob
1     the event record (domain/event.py)
2...  the rest of the blob, padded with zeros
====  ==================================================================================================
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

import numpy as np

from ..domain.event import EVENT, EVENT_DTYPE, EVENT_SIZE, Kind
from ..errors import NativeError, StoreError
from ..native.spsc import Spsc
from .records import JournalDamaged, Record, RunInfo, Words, encode_blob, end_words, start_words

#: Blob length of a record without one; a blob may be empty.
NO_BLOB: Final = 0xFFFF_FFFF

_HEADER: Final = struct.Struct("<qII48s")
_IN_HEADER: Final = 48


def frame(seq: int, record: bytes, blob: bytes | None) -> bytes:
    """The slots of one record.

    Args:
        seq: its place in the journal.
        record: the 64 bytes of the event record.
        blob: its JSON; None for none.
    """
    if blob is None:
        return _HEADER.pack(seq, NO_BLOB, crc32(record), b"") + record
    head = _HEADER.pack(seq, len(blob), crc32(blob, crc32(record)), blob[:_IN_HEADER]) + record
    rest = len(blob) - _IN_HEADER
    return head if rest <= 0 else head + blob[_IN_HEADER:] + bytes(-rest % EVENT_SIZE)


class RingWriter:
    """The trading process's end: takes the run's records in place of a JournalWriter.

    Args:
        ring: of the segment; this process is its only producer.

    Attributes:
        next_seq: what the next record gets. A record counts as safe when the recorder's ``durable_seq`` has reached
            its seq.
    """

    __slots__ = ("_last_ts", "_push", "_ring", "next_seq")

    def __init__(self, ring: Spsc) -> None:
        self.next_seq = 0
        self._ring = ring
        self._push = ring.push_all
        self._last_ts = 0

    def start(self, run: RunInfo) -> int:
        """Appends RUN_START, which must come first; returns its seq, 0.

        Raises:
            StoreError: as :meth:`append`, or a run has begun already.
        """
        if self.next_seq:
            raise StoreError(f"run {run.run_id} cannot begin at seq {self.next_seq}: one run per segment")
        return self.append(run.created_ns, 0, Kind.RUN_START.value, 0, start_words(), run.to_blob())

    def append(
        self, ts: int, instrument: int, kind: int, flags: int, v: Words, blob: Mapping[str, Any] | None = None
    ) -> int:
        """Pushes one record and returns its seq; arguments as :meth:`JournalWriter.append`.

        Raises:
            StoreError: it does not fit, because the recorder is behind or gone: the journal is full, and nothing may
                be sent any more. Or a number is too large, or the blob is not JSON. The seq is not used up then.
        """
        seq = self.next_seq
        try:
            record = EVENT.pack(ts, instrument, kind, flags, *v)
            pushed = self._push(frame(seq, record, None if blob is None else encode_blob(blob, seq).encode()))
        except struct.error as error:
            raise StoreError(f"seq {seq} cannot be journaled: a number does not fit its field ({error})") from error
        except NativeError as error:
            raise StoreError(f"seq {seq} is larger than the journal's whole ring: {error}") from error
        if not pushed:
            waiting = f"{len(self._ring)} of {self._ring.capacity} slots wait for the recorder"
            raise StoreError(f"the journal is full at seq {seq}: {waiting}; nothing may be sent until it catches up")
        self.next_seq = seq + 1
        self._last_ts = ts
        return seq

    def finish(self, summary: Mapping[str, Any]) -> int:
        """Appends RUN_END, by which the recorder finishes the run; returns its seq.

        Args:
            summary: as :meth:`JournalWriter.finish`.

        Raises:
            StoreError: as :meth:`append`.
        """
        return self.append(self._last_ts, 0, Kind.RUN_END.value, 0, end_words(summary), summary)


class RingReader:
    """The recorder's end: looks at frames, and takes them once they are stored.

    Args:
        ring: of the segment; this process is its only consumer.
    """

    def __init__(self, ring: Spsc) -> None:
        self._ring = ring
        # as large as the ring, so that no frame is ever cut; pages that stay unused cost nothing
        self._slots = np.empty(ring.capacity, EVENT_DTYPE)
        self._bytes = self._slots.view(np.uint8).data
        self._shown = 0
        self._next_seq: int | None = None
        self._seq_after_shown: int | None = None

    def frames(self, limit: int) -> list[Record]:
        """The oldest records, without taking them; those of the last call again when it was not followed by release.

        Args:
            limit: most records.

        Raises:
            JournalDamaged: the oldest frame is broken. One behind good frames is left for the next call.
        """
        slots = self._ring.peek_batch(self._slots)
        records: list[Record] = []
        at, expected = 0, self._next_seq
        while at < slots and len(records) < limit:
            try:
                record, after = self._frame(at, slots, expected)
            except JournalDamaged:
                if records:
                    break
                raise
            records.append(record)
            at, expected = after, record.seq + 1
        self._shown, self._seq_after_shown = at, expected
        return records

    def release(self) -> None:
        """Takes the records that the last :meth:`frames` showed: their slots may be written again."""
        self._ring.release(self._shown)
        self._shown, self._next_seq = 0, self._seq_after_shown

    def _frame(self, at: int, slots: int, expected: int | None) -> tuple[Record, int]:
        start = at * EVENT_SIZE
        seq, length, crc, head = _HEADER.unpack_from(self._bytes, start)
        if expected is not None and seq != expected:
            raise _broken(expected, f"seq {seq} stands there")
        rest = 0 if length == NO_BLOB else max(0, length - _IN_HEADER)
        after = at + 2 + -(-rest // EVENT_SIZE)
        if after > slots:
            raise _broken(seq, "it is cut off")
        body = start + EVENT_SIZE
        found = crc32(self._bytes[body : body + EVENT_SIZE])
        blob = None
        if length != NO_BLOB:
            tail = body + EVENT_SIZE
            blob = head[:length] + bytes(self._bytes[tail : tail + rest])
            found = crc32(blob, found)
        if found != crc:
            raise _broken(seq, "its checksum is wrong")
        ts, instrument, kind, flags, *v = EVENT.unpack_from(self._bytes, body)
        try:
            text = None if blob is None else blob.decode()
        except UnicodeDecodeError:
            raise _broken(seq, "its blob is no text") from None
        return Record(seq, ts, instrument, kind, flags, tuple(v), text), after


def _broken(seq: int, why: str) -> JournalDamaged:
    return JournalDamaged(
        f"the frame of seq {seq} in the journal's ring is broken: {why}; what was acknowledged is safe:"
        " stop the bot and start it again"
    )
