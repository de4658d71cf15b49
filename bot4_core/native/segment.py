"""One memory-mapped file per running bot, which other processes attach to (src/segment.h says how)."""

from __future__ import annotations

import mmap
import os
import sys
import time
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

from attrs import frozen

from ..errors import NativeError
from ..replacing import not_replaceable
from ._native import ffi, lib
from .counters import Counters, label
from .histogram import Histogram
from .spsc import Spsc
from .status import check


@frozen
class CountersSection:
    """A group of counters with these names."""

    names: Sequence[str]


@frozen
class HistogramSection:
    """A latency histogram."""


@frozen
class RingSection:
    """A ring of 64-byte records; arguments as :class:`bot4_core.native.spsc.Spsc`."""

    capacity: int
    drop_oldest: bool = False


@frozen
class TextSection:
    """A constant text, 1 byte to 16 MiB; ``str`` becomes UTF-8. What others must know of the maker, as JSON."""

    text: str | bytes

    @property
    def raw(self) -> bytes:
        """The bytes that lie in the segment."""
        return self.text.encode("utf-8") if isinstance(self.text, str) else self.text


Section = CountersSection | HistogramSection | RingSection | TextSection


class State(IntEnum):
    """What the maker of a segment last said."""

    READY = lib.B4_SEGMENT_READY
    """Laid out and in use, or its maker died."""
    CLOSED = lib.B4_SEGMENT_CLOSED
    """Its maker left in order."""


def _table(layout: Mapping[str, Section]) -> Any:
    table = ffi.new("b4_section[]", max(len(layout), 1))
    for entry, (name, section) in zip(table, layout.items(), strict=False):
        raw = name.encode("utf-8")
        if not 1 <= len(raw) < lib.B4_SECTION_NAME or 0 in raw:
            raise NativeError(f"segment: the section name {name!r} must have 1 to {lib.B4_SECTION_NAME - 1} bytes")
        ffi.memmove(entry.name, raw, len(raw))
        match section:
            case CountersSection(names):
                entry.kind, entry.count = lib.B4_SECTION_COUNTERS, len(names)
            case HistogramSection():
                entry.kind, entry.count = lib.B4_SECTION_HISTOGRAM, 1
            case RingSection(capacity, drop_oldest):
                entry.kind, entry.count = lib.B4_SECTION_SPSC, capacity
                entry.mode = lib.B4_SPSC_DROP_OLDEST if drop_oldest else lib.B4_SPSC_REJECT
            case TextSection():
                size, most = len(section.raw), lib.B4_SEGMENT_MAX_TEXT
                if not 1 <= size <= most:
                    raise NativeError(f"segment: the text {name!r} has {size} bytes, it must have 1 to {most}")
                entry.kind, entry.count = lib.B4_SECTION_TEXT, size
    return table


class Segment:
    """A mapped segment. Make it with :meth:`create`, or :meth:`attach` to one from another process.

    :attr:`counters`, :attr:`histograms`, :attr:`rings` and :attr:`texts` hold its sections by name. The first three
    keep the mapping alive, so a segment is unmapped when the last of them is forgotten; texts are copies.
    """

    __slots__ = ("_buffer", "_mine", "cdata", "counters", "histograms", "path", "rings", "texts")

    def __init__(self, path: Path, mapping: mmap.mmap, *, mine: bool) -> None:
        self.path = path
        self._mine = mine
        self._buffer: Any = ffi.from_buffer(mapping, require_writable=True)  # keeps the mapping open
        self.cdata: Any = ffi.cast("b4_segment *", self._buffer)
        self.counters: dict[str, Counters] = {}
        self.histograms: dict[str, Histogram] = {}
        self.rings: dict[str, Spsc] = {}
        self.texts: dict[str, bytes] = {}

    @classmethod
    def create(cls, path: str | os.PathLike[str], layout: Mapping[str, Section]) -> Segment:
        """Makes a segment, in place of an older one of that name.

        The file gets its name only when it is complete, so nobody attaches to half of one; processes that map an
        older file keep it, and see that it is not replaced only by its owner and time.

        Args:
            path: the file; its directory exists.
            layout: sections by name, 1 to 256 of them.

        Raises:
            NativeError: a section is not possible, or the file cannot be made.
        """
        target = Path(path)
        if reason := not_replaceable(target):
            raise NativeError(f"{target}: the segment cannot be made: {reason}; choose another path")
        table = _table(layout)
        size = lib.b4_segment_size(table, len(layout))
        if size == 0:
            raise NativeError("segment: a section has an impossible size; see the bounds of its kind")
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            segment = cls(target, _new_file(draft, size), mine=True)
            try:
                memory = ffi.cast("void *", segment.cdata)
                check(
                    lib.b4_segment_init(memory, size, table, len(layout), os.getpid(), time.time_ns()),
                    "segment",
                )
                segment._find()
                segment._fill(layout)
                segment._find()
                os.replace(draft, target)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise NativeError(f"{target}: the segment cannot be made: {error.strerror}") from error
        return segment

    @classmethod
    def attach(cls, path: str | os.PathLike[str]) -> Segment:
        """Maps the segment of another process, after checking all of it.

        Raises:
            NativeError: the file is missing, damaged, of another size than it says, or of another version.
        """
        target = Path(path)
        try:
            fd = os.open(target, os.O_RDWR | os.O_CLOEXEC)
            try:
                mapping = mmap.mmap(fd, 0)
            finally:
                os.close(fd)
        except (OSError, ValueError) as error:  # ValueError: mmap refuses an empty file
            raise NativeError(f"{target}: no segment to attach to ({error}); is the bot running?") from error
        segment = cls(target, mapping, mine=False)
        check(lib.b4_segment_check(segment.cdata, len(mapping)), f"{target}: segment")
        segment._find()
        return segment

    def _fill(self, layout: Mapping[str, Section]) -> None:
        """Writes what never changes afterwards: names of counters, and texts."""
        for i, (name, section) in enumerate(layout.items()):
            if isinstance(section, CountersSection):
                label(self.counters[name].cdata, section.names)
            elif isinstance(section, TextSection):
                raw = section.raw
                ffi.memmove(lib.b4_segment_at(self.cdata, i, lib.B4_SECTION_TEXT), raw, len(raw))

    def _find(self) -> None:
        """Fills the four dictionaries from the table."""
        entry = ffi.new("b4_section *")
        for i in range(check(lib.b4_segment_sections(self.cdata), "segment")):
            check(lib.b4_segment_section(self.cdata, i, entry), "segment")
            name = ffi.string(entry.name, lib.B4_SECTION_NAME).decode("utf-8", "replace")
            at = lib.b4_segment_at(self.cdata, i, entry.kind)
            if entry.kind == lib.B4_SECTION_COUNTERS:
                self.counters[name] = Counters.at(ffi.cast("b4_counters *", at), self._buffer)
            elif entry.kind == lib.B4_SECTION_HISTOGRAM:
                self.histograms[name] = Histogram.at(ffi.cast("b4_histogram *", at), self._buffer)
            elif entry.kind == lib.B4_SECTION_TEXT:
                self.texts[name] = bytes(ffi.buffer(at, entry.count))
            else:
                self.rings[name] = Spsc.at(ffi.cast("b4_spsc *", at), self._buffer)

    @property
    def state(self) -> State:
        """What the maker last said; whether it still lives is for a heartbeat counter to show."""
        return State(lib.b4_segment_state(self.cdata))

    @property
    def owner(self) -> int:
        """Process id of the maker."""
        return int(lib.b4_segment_owner(self.cdata))

    @property
    def made_ns(self) -> int:
        """When it was made, UTC nanoseconds of the maker's clock."""
        return int(lib.b4_segment_made_ns(self.cdata))

    def close(self) -> None:
        """Says that the maker leaves in order; does nothing for those who attached."""
        if self._mine:
            check(lib.b4_segment_close(self.cdata), "segment")


def _new_file(path: Path, size: int) -> mmap.mmap:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(fd, size)
        if sys.platform != "darwin":
            os.posix_fallocate(fd, 0, size)  # a full disk shows here, not as a bus error on first touch
        return mmap.mmap(fd, size)
    finally:
        os.close(fd)
