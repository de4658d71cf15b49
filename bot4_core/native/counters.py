"""Named counters, each on its own cache line (src/counters.h says how)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import NativeError
from ._native import ffi, lib
from .memory import aligned
from .status import check


class Counters:
    """A group of named 64-bit counters; any thread of any process may add, set and read.

    Args:
        names: 1 to 4096 different names of 1 to 56 bytes, none with a zero byte.

    Raises:
        NativeError: a name or their number is not possible.
    """

    __slots__ = ("_add", "_index", "_owner", "_set", "cdata")

    def __init__(self, names: Sequence[str]) -> None:
        size = lib.b4_counters_size(len(names))
        owner, memory = aligned(size, "counters")
        check(lib.b4_counters_init(memory, size, len(names)), "counters")
        label(ffi.cast("b4_counters *", memory), names)
        self._bind(ffi.cast("b4_counters *", memory), owner)

    @classmethod
    def at(cls, cdata: Any, owner: object) -> Counters:
        """The face of counters that live in other memory; arguments as :meth:`bot4_core.native.spsc.Spsc.at`."""
        counters = cls.__new__(cls)
        counters._bind(cdata, owner)
        return counters

    def _bind(self, cdata: Any, owner: object) -> None:
        self.cdata: Any = cdata
        self._owner = owner
        self._add, self._set = lib.b4_counters_add, lib.b4_counters_set
        name = ffi.new("char[]", lib.B4_COUNTER_NAME)
        self._index: dict[str, int] = {}
        for i in range(check(lib.b4_counters_count(cdata), "counters")):
            size = check(lib.b4_counters_name_of(cdata, i, name), "counters")
            self._index[bytes(ffi.buffer(name, size)).decode("utf-8", "replace")] = i

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order of index."""
        return tuple(self._index)

    def index(self, name: str) -> int:
        """Index of a counter, for :meth:`add` and :meth:`set`: look it up once.

        Raises:
            NativeError: there is no counter of that name.
        """
        try:
            return self._index[name]
        except KeyError as error:
            raise NativeError(f"counters: no {name!r} among {', '.join(self._index)}") from error

    def add(self, index: int, by: int = 1) -> None:
        """Adds to a counter.

        Raises:
            NativeError: the index is out of range.
        """
        if self._add(self.cdata, index, by):
            raise NativeError(f"counters: index {index} is not below {len(self._index)}")

    def set(self, index: int, value: int) -> None:
        """Sets a counter (a gauge, a heartbeat); whoever reads it sees what was written before it.

        Raises:
            NativeError: the index is out of range.
        """
        if self._set(self.cdata, index, value):
            raise NativeError(f"counters: index {index} is not below {len(self._index)}")

    def get(self, index: int) -> int:
        """The value now.

        Raises:
            NativeError: the index is out of range.
        """
        out = ffi.new("int64_t *")
        check(lib.b4_counters_get(self.cdata, index, out), "counters")
        return int(out[0])

    def read(self) -> dict[str, int]:
        """All values by name."""
        return {name: self.get(i) for name, i in self._index.items()}


def label(cdata: Any, names: Sequence[str]) -> None:
    """Writes the names of new counters.

    Args:
        cdata: ``b4_counters *`` with as many counters.
        names: as for :class:`Counters`.

    Raises:
        NativeError: a name is empty, too long, has a zero byte, or occurs twice.
    """
    if len(set(names)) != len(names):
        raise NativeError("counters: a name occurs twice")
    for i, name in enumerate(names):
        raw = name.encode("utf-8")
        if not 1 <= len(raw) <= lib.B4_COUNTER_NAME or 0 in raw:
            raise NativeError(f"counters: the name {name!r} must have 1 to {lib.B4_COUNTER_NAME} bytes, none zero")
        check(lib.b4_counters_name(cdata, i, raw, len(raw)), "counters")
