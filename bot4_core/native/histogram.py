"""Latencies counted without locks (src/histogram.h says how)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from ..errors import NativeError
from ._native import ffi, lib
from .memory import aligned
from .status import check

if TYPE_CHECKING:  # a process that only attaches to a segment is spared numpy's start
    import numpy as np
    import numpy.typing as npt


@frozen
class Summary:
    """A reading of a histogram; times in nanoseconds.

    Attributes:
        count: latencies recorded.
        total: their sum.
        max: the largest, exactly.
        errors: operations that failed.
        p50, p99, p999: percentiles, at most 1/32 too high, never too low; 0 while nothing was recorded.
    """

    count: int
    total: int
    max: int
    errors: int
    p50: int
    p99: int
    p999: int


class Histogram:
    """A latency histogram; any thread of any process may record and read."""

    __slots__ = ("_owner", "_record", "cdata")

    def __init__(self) -> None:
        size = lib.b4_histogram_size()
        owner, memory = aligned(size, "histogram")
        check(lib.b4_histogram_init(memory, size), "histogram")
        self._bind(ffi.cast("b4_histogram *", memory), owner)

    @classmethod
    def at(cls, cdata: Any, owner: object) -> Histogram:
        """The face of a histogram that lives in other memory; arguments as :meth:`bot4_core.native.spsc.Spsc.at`."""
        histogram = cls.__new__(cls)
        histogram._bind(cdata, owner)
        return histogram

    def _bind(self, cdata: Any, owner: object) -> None:
        self.cdata: Any = cdata
        self._owner = owner
        self._record = lib.b4_histogram_record

    def record(self, ns: int) -> None:
        """Counts one latency in nanoseconds.

        Raises:
            NativeError: negative, or 2**44 ns (almost five hours) and more.
        """
        if self._record(self.cdata, ns):
            raise NativeError(f"histogram: {ns} ns is outside 0 to {lib.B4_HISTOGRAM_LIMIT - 1}; check the clock")

    def record_batch(self, ns: npt.NDArray[np.int64]) -> None:
        """Counts a contiguous int64 array of latencies.

        Raises:
            NativeError: another type or shape, or a value out of range (those before it are counted).
        """
        if ns.dtype != "int64" or ns.ndim != 1 or not ns.flags.c_contiguous:
            raise NativeError("histogram: needs a contiguous one-dimensional int64 array")
        check(
            lib.b4_bulk_histogram_record(self.cdata, ffi.cast("int64_t *", ffi.from_buffer(ns)), len(ns)),
            "histogram",
        )

    def error(self) -> None:
        """Counts an operation that failed."""
        check(lib.b4_histogram_error(self.cdata), "histogram")

    def read(self) -> Summary:
        """Count, total, maximum, errors and percentiles as they are now."""
        out = ffi.new("b4_histogram_summary *")
        check(lib.b4_histogram_read(self.cdata, out), "histogram")
        return Summary(out.count, out.total, out.max, out.errors, out.p50, out.p99, out.p999)

    def percentile(self, ppm: int) -> int | None:
        """The value at or below which ``ppm`` millionths of the latencies lie, None while there are none.

        Raises:
            NativeError: ``ppm`` is not 1 to 1,000,000.
        """
        value = int(lib.b4_histogram_percentile(self.cdata, ppm))
        return None if value == -1 else check(value, "histogram: percentile")
