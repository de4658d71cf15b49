"""A ring from one producer to one consumer (src/spsc.h says how and who may call what)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..errors import NativeError
from ._native import ffi, lib
from .memory import aligned
from .status import check

if TYPE_CHECKING:  # a process that only attaches to a segment is spared numpy's start
    import numpy.typing as npt

_SIZE: Final[int] = lib.B4_EVENT_SIZE


def _records(array: npt.NDArray[Any], *, writable: bool) -> Any:
    """The array's memory, if it is one run of 64-byte records."""
    if array.dtype.itemsize != _SIZE or array.ndim != 1 or not array.flags.c_contiguous:
        raise NativeError("ring: needs a contiguous one-dimensional array of 64-byte records (EVENT_DTYPE)")
    if writable and not array.flags.writeable:
        raise NativeError("ring: the array to fill is read-only")
    return ffi.from_buffer(array, require_writable=writable)


class Spsc:
    """A ring of 64-byte records.

    Args:
        capacity: records, a power of two from 2 to 16,777,216.
        drop_oldest: a push into a full ring overwrites the oldest record instead of being refused.

    Raises:
        NativeError: the capacity is not possible.

    Push methods belong to one thread (or process); pop, peek and release to one other. Item by item a ``deque`` is
    faster (crossing into C costs more than the ring does): use batches, several hundred records each.
    """

    __slots__ = ("_owner", "_pop", "_pop_one", "_push", "_push_all", "_push_one", "cdata")

    def __init__(self, capacity: int, *, drop_oldest: bool = False) -> None:
        size = lib.b4_spsc_size(capacity)
        owner, memory = aligned(size, "ring")
        mode = lib.B4_SPSC_DROP_OLDEST if drop_oldest else lib.B4_SPSC_REJECT
        check(lib.b4_spsc_init(memory, size, capacity, mode), "ring")
        self._bind(ffi.cast("b4_spsc *", memory), owner)

    @classmethod
    def at(cls, cdata: Any, owner: object) -> Spsc:
        """The face of a ring that lives in other memory.

        Args:
            cdata: ``b4_spsc *`` that ``b4_spsc_check`` accepted.
            owner: object that keeps the memory mapped.
        """
        ring = cls.__new__(cls)
        ring._bind(cdata, owner)
        return ring

    def _bind(self, cdata: Any, owner: object) -> None:
        self.cdata: Any = cdata
        self._owner = owner
        self._push, self._pop = lib.b4_bulk_spsc_push, lib.b4_bulk_spsc_pop
        self._push_one, self._pop_one = lib.b4_spsc_push, lib.b4_spsc_pop
        self._push_all = lib.b4_bulk_spsc_push_all

    def push(self, event: Any) -> bool:
        """Stores one record.

        Args:
            event: ``b4_event *`` cdata.

        Returns:
            False when the ring is full and refuses.
        """
        return bool(check(self._push_one(self.cdata, event), "ring: push"))

    def pop(self, out: Any) -> bool:
        """Takes the oldest record.

        Args:
            out: ``b4_event *`` cdata to fill.

        Returns:
            False when there is none.
        """
        return bool(check(self._pop_one(self.cdata, out), "ring: pop"))

    def push_batch(self, events: npt.NDArray[Any]) -> int:
        """Stores records in order until the ring is full.

        Args:
            events: one-dimensional contiguous array of ``EVENT_DTYPE``.

        Returns:
            How many were stored; the others are counted in :attr:`rejected`.

        Raises:
            NativeError: the array has another shape or type.
        """
        return check(self._push(self.cdata, _records(events, writable=False), len(events)), "ring: push")

    def push_all(self, records: bytes) -> bool:
        """Stores one message of several records, or none of it; the consumer sees all of it at once.

        Rings that refuse only.

        Args:
            records: whole 64-byte records, 1 to :attr:`capacity` of them.

        Returns:
            False when it does not fit now; its records are counted in :attr:`rejected`.

        Raises:
            NativeError: no whole records, more than the ring can ever hold, or a ring that drops the oldest.
        """
        n, rest = divmod(len(records), _SIZE)
        if rest:
            raise NativeError(f"ring: {len(records)} bytes are no whole records of {_SIZE}")
        return bool(check(self._push_all(self.cdata, records, n), "ring: push"))

    def peek_batch(self, out: npt.NDArray[Any]) -> int:
        """Copies up to ``len(out)`` of the oldest records without taking them (:meth:`release` does).

        Rings that refuse only.

        Args:
            out: one-dimensional contiguous writable array of ``EVENT_DTYPE``.

        Returns:
            How many were filled in from the start of ``out``.

        Raises:
            NativeError: the array has another shape or type, or is read-only, or the ring drops the oldest.
        """
        return check(lib.b4_bulk_spsc_peek(self.cdata, _records(out, writable=True), len(out)), "ring: peek")

    def release(self, n: int) -> None:
        """Takes the ``n`` oldest records, which :meth:`peek_batch` has shown.

        Raises:
            NativeError: fewer are there (nothing is taken), or the ring drops the oldest.
        """
        if n < 0:
            raise NativeError(f"ring: {n} records cannot be released")
        check(lib.b4_spsc_release(self.cdata, n), "ring: release")

    def pop_batch(self, out: npt.NDArray[Any]) -> int:
        """Takes up to ``len(out)`` records in order.

        Args:
            out: one-dimensional contiguous writable array of ``EVENT_DTYPE``.

        Returns:
            How many were filled in from the start of ``out``.

        Raises:
            NativeError: the array has another shape or type, or is read-only.
        """
        return check(self._pop(self.cdata, _records(out, writable=True), len(out)), "ring: pop")

    def __len__(self) -> int:
        return int(lib.b4_spsc_length(self.cdata))

    @property
    def capacity(self) -> int:
        """Records that fit."""
        return int(lib.b4_spsc_capacity(self.cdata))

    @property
    def drop_oldest(self) -> bool:
        """True when a full ring overwrites its oldest record."""
        return bool(lib.b4_spsc_mode(self.cdata) == lib.B4_SPSC_DROP_OLDEST)

    @property
    def pushed(self) -> int:
        """Records stored since the ring was made."""
        return int(lib.b4_spsc_pushed(self.cdata))

    @property
    def popped(self) -> int:
        """Records handed out."""
        return int(lib.b4_spsc_popped(self.cdata))

    @property
    def rejected(self) -> int:
        """Records refused because the ring was full."""
        return int(lib.b4_spsc_rejected(self.cdata))

    @property
    def dropped(self) -> int:
        """Records overwritten before they were taken, as far as the consumer has come."""
        return int(lib.b4_spsc_dropped(self.cdata))

    @property
    def pressure(self) -> float:
        """How full the ring is, 0 to 1."""
        return len(self) / self.capacity
