"""The history file (``*.b4h``): one instrument's market data, self-describing and memory-mapped.

::

    byte 0     magic  b"B4HIST\\0\\1"  (the last byte is the format's version)
    byte 8     uint64 little-endian: length of the JSON
    byte 16    JSON, UTF-8; zero bytes up to 4096
    byte 4096  records of EVENT_DTYPE, instrument index 0, sorted by ts, first come first among equals

A reader trusts nothing: sizes, hash, order and every value are checked before the first record is handed out.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from bisect import bisect_left
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from attrs import field, frozen

from ..domain.event import EVENT_DTYPE, EVENT_SIZE, Kind
from ..domain.instrument import Instrument
from ..errors import DomainError, HistoryError
from ..replacing import not_replaceable
from .records import Events, impossible, kinds_of, utc_text

MAGIC = b"B4HIST\0\1"
HEADER_BYTES = 4096
SUFFIX = ".b4h"
_JSON_AT = 16
#: Records checked and hashed at a time (16 MiB), so that memory stays bounded for files of any size.
CHUNK_ROWS = 262_144


class _Header(msgspec.Struct, frozen=True):
    instrument: dict[str, str | int]
    interval_ns: int
    kinds: list[str]
    rows: int
    first_ts: int
    last_ts: int
    sha256: str
    source: str
    roundings: int
    imported_by: str


@frozen(kw_only=True, eq=False)
class History:
    """An opened history file.

    Attributes:
        path: where the file lies.
        instrument: whose data these are; prices in its ticks, volumes in its volume units.
        interval_ns: length of a bar; 0 for ticks.
        kinds: the kinds of record present.
        rows: number of records.
        first_ts, last_ts: times of the first and last record, UTC nanoseconds.
        sha256: hex digest of the record bytes.
        source: name of the file these data came from.
        roundings: volumes that did not fit the instrument's volume scale and were rounded half-even (D-2).
        imported_by: name and version of the program that wrote the file.
        events: the records, read-only, mapped from the file (pages are loaded as they are touched).
    """

    path: Path
    instrument: Instrument
    interval_ns: int
    kinds: tuple[Kind, ...]
    rows: int
    first_ts: int
    last_ts: int
    sha256: str
    source: str
    roundings: int
    imported_by: str
    events: Events = field(repr=False)

    @classmethod
    def open(cls, path: str | os.PathLike[str], verify: bool = True) -> History:
        """Opens a history file.

        Args:
            path: the file.
            verify: also read every record: hash, order and values. Without it only header and size are checked.

        Raises:
            HistoryError: the file is missing, cut, damaged or impossible; one line with file and reason.
        """
        name = Path(path)
        try:
            with name.open("rb") as stream:
                head = stream.read(HEADER_BYTES)
                size = stream.seek(0, os.SEEK_END)
                header = _parse_header(name, head, size)
                events = np.memmap(stream, dtype=EVENT_DTYPE, mode="r", offset=HEADER_BYTES, shape=(header.rows,))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise HistoryError(f"{name}: cannot be read: {reason}") from error
        history = cls(
            path=name,
            instrument=_instrument(name, header.instrument),
            interval_ns=header.interval_ns,
            kinds=_kinds(name, header.kinds),
            rows=header.rows,
            first_ts=header.first_ts,
            last_ts=header.last_ts,
            sha256=header.sha256,
            source=header.source,
            roundings=header.roundings,
            imported_by=header.imported_by,
            events=events,
        )
        if verify:
            history.verify()
        return history

    def verify(self) -> None:
        """Reads every record: hash, kinds, order and values.

        Raises:
            HistoryError: naming the file, the first record that is wrong (counted from 1) and what is wrong.
        """
        if record_hash(self.events) != self.sha256:
            raise _bad(self.path, "records do not match their sha256: the file is damaged; import it again")
        present = _check_records(self.path, self.events, self.interval_ns)
        if present != self.kinds:
            raise _bad(self.path, f"header names kinds {_names(self.kinds)}, the records hold {_names(present)}")
        ends = int(self.events["ts"][0]), int(self.events["ts"][-1])
        if ends != (self.first_ts, self.last_ts):
            raise _bad(self.path, "header's first_ts or last_ts is not that of the records")

    def between(self, start_ns: int | None = None, end_ns: int | None = None) -> Events:
        """The records with ``start_ns <= ts < end_ns`` as a view of the file; None leaves that side open."""
        low = 0 if start_ns is None else bisect_left(self.events, start_ns, key=_ts)
        high = self.rows if end_ns is None else bisect_left(self.events, end_ns, key=_ts)
        return self.events[low : max(low, high)]


def write_history(
    path: str | os.PathLike[str],
    instrument: Instrument,
    events: Events,
    *,
    interval_ns: int,
    source: str,
    roundings: int,
) -> History:
    """Writes a history file: a temporary file beside it, fsync, then rename; an old file is replaced as a whole.

    Args:
        path: the file to write; its directory is made when absent.
        instrument: whose data these are.
        events: at least one record of ``EVENT_DTYPE``, instrument index 0, sorted by ts.
        interval_ns: length of a bar; 0 when the records hold no bars.
        source: where the data came from; only the file name is kept.
        roundings: how many volumes were rounded to the volume scale.

    Returns:
        The new file, opened.

    Raises:
        HistoryError: for records that a history must not hold, or when the file cannot be written.
    """
    name = Path(path)
    if events.dtype != EVENT_DTYPE or events.ndim != 1 or len(events) == 0:
        raise _bad(name, "nothing to write: give a one-dimensional array of at least one event record")
    kinds = _check_records(name, events, interval_ns)
    header = _Header(
        instrument={key: value for key, value in instrument.to_mapping().items() if isinstance(value, (str, int))},
        interval_ns=interval_ns,
        kinds=_names(kinds),
        rows=len(events),
        first_ts=int(events["ts"][0]),
        last_ts=int(events["ts"][-1]),
        sha256=record_hash(events),
        source=Path(source).name,
        roundings=roundings,
        imported_by=f"bot4-core {version('bot4-core')}",
    )
    text = msgspec.json.encode(header, order="deterministic")
    if len(text) > HEADER_BYTES - _JSON_AT:
        raise _bad(name, f"header of {len(text)} bytes is longer than {HEADER_BYTES - _JSON_AT}: shorten the names")
    if reason := not_replaceable(name):
        raise _bad(name, f"cannot be written: {reason}; choose another path")
    head = (MAGIC + len(text).to_bytes(8, "little") + text).ljust(HEADER_BYTES, b"\0")
    try:
        _replace(name, head, events)
    except OSError as error:
        raise _bad(name, f"cannot be written: {error.strerror or error}") from error
    return History.open(name, verify=False)


def record_hash(events: Events) -> str:
    """SHA-256 over the bytes of the records, as hex."""
    digest = hashlib.sha256()
    for chunk in _chunks(events):
        digest.update(chunk.tobytes())
    return digest.hexdigest()


def _ts(record: np.void) -> int:
    return int(record["ts"])


def _bad(path: Path, reason: str) -> HistoryError:
    return HistoryError(f"{path}: {reason}")


def _names(kinds: tuple[Kind, ...]) -> list[str]:
    return sorted(kind.name for kind in kinds)


def _chunks(events: Events) -> Iterator[Events]:
    for start in range(0, len(events), CHUNK_ROWS):
        yield events[start : start + CHUNK_ROWS]


def _parse_header(path: Path, head: bytes, size: int) -> _Header:
    if len(head) < len(MAGIC) or head[:7] != MAGIC[:7]:
        raise _bad(path, "is no history file (wrong first bytes); make one with: bot4 data import")
    if head[7] != MAGIC[7]:
        raise _bad(path, f"has format version {head[7]}, this program reads {MAGIC[7]}; import the data again")
    if len(head) < HEADER_BYTES:
        raise _bad(path, f"is cut: {size} bytes, the header alone has {HEADER_BYTES}; import the data again")
    length = int.from_bytes(head[8:_JSON_AT], "little")
    if not 0 < length <= HEADER_BYTES - _JSON_AT or any(head[_JSON_AT + length :]):
        raise _bad(path, "header length is impossible: the file is damaged; import the data again")
    try:
        header = msgspec.json.decode(head[_JSON_AT : _JSON_AT + length], type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _bad(path, f"header is damaged: {error}; import the data again") from error
    if header.rows < 1 or header.interval_ns < 0 or header.roundings < 0:
        raise _bad(path, "header holds an impossible number of rows, interval or roundings")
    expected = HEADER_BYTES + header.rows * EVENT_SIZE
    if size != expected:
        verb = "is cut" if size < expected else "is too long"
        raise _bad(path, f"{verb}: {size} bytes instead of {expected} for {header.rows} rows; import the data again")
    return header


def _instrument(path: Path, mapping: dict[str, str | int]) -> Instrument:
    try:
        return Instrument.from_mapping(mapping)
    except DomainError as error:
        raise _bad(path, f"header's instrument is impossible: {error}") from error


def _kinds(path: Path, names: list[str]) -> tuple[Kind, ...]:
    known = Kind.__members__
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise _bad(path, f"header names unknown kinds {unknown}")
    return tuple(sorted(known[name] for name in names))


def _check_records(path: Path, events: Events, interval_ns: int) -> tuple[Kind, ...]:
    """Refuses records that a history must not hold; returns the kinds present."""
    kinds: set[Kind] = set()
    last_ts = last_bar = np.iinfo(np.int64).min
    row = 0
    for chunk in _chunks(events):
        for what, broken in impossible(chunk):
            if broken.any():
                raise _bad(path, f"record {row + int(broken.argmax()) + 1}: {what}")
        ts = np.ascontiguousarray(chunk["ts"])
        back = np.flatnonzero(np.diff(ts, prepend=ts[:1]) < 0)
        if ts[0] < last_ts or len(back):
            at = 0 if ts[0] < last_ts else int(back[0])
            raise _bad(path, f"record {row + at + 1}: {utc_text(int(ts[at]))} is before the record above it")
        bars = np.flatnonzero(chunk["kind"] == Kind.BAR)
        if len(bars):
            times = ts[bars]
            close = np.flatnonzero(np.diff(times) < max(interval_ns, 1))
            too_close = int(times[0]) - last_bar < max(interval_ns, 1)
            if too_close or len(close):
                at = int(bars[0] if too_close else bars[close[0] + 1])
                raise _bad(path, f"record {row + at + 1}: bar less than one interval after the bar above it")
            last_bar = int(times[-1])
        kinds.update(kinds_of(chunk))
        last_ts, row = int(ts[-1]), row + len(chunk)
    if (Kind.BAR in kinds) != (interval_ns > 0):
        raise _bad(
            path, f"interval of {interval_ns} ns does not go with {_names(tuple(kinds))}: bars need one, ticks 0"
        )
    return tuple(sorted(kinds))


def _replace(path: Path, head: bytes, events: Events) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            _write_all(stream, head, events)
        os.replace(temporary, path)
    except BaseException:  # also on Ctrl-C: no half file may stay behind
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # the rename itself must survive a power cut
    finally:
        os.close(directory)


def _write_all(stream: BinaryIO, head: bytes, events: Events) -> None:
    stream.write(head)
    stream.writelines(chunk.tobytes() for chunk in _chunks(events))
    stream.flush()
    os.fsync(stream.fileno())
