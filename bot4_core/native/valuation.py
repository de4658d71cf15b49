"""Equity marked to market, exactly, with drawdown and curve (src/valuation.h says how)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import NativeError
from ._native import ffi, lib
from .memory import aligned
from .status import check

_NO_VALUE: Final = -(1 << 63)
_STRIDE: Final[int] = lib.B4_EVENT_SIZE


def _value(answer: int, what: str) -> int:
    if answer == _NO_VALUE:
        raise NativeError(f"valuation: {what} has no value yet or does not fit 64 bits; raise the asset's unit")
    return answer


class Valuation:
    """Marks positions to market event by event.

    All amounts are in units of the reporting asset, floored from an exact sum kept in finer units.

    Args:
        n_instruments: instruments of the run, 1 to 4096; events name them by index.
        sample_ns: length of one bucket of the equity curve in nanoseconds.
        n_samples: rows of the curve; when they are used up every bucket becomes twice as long.
        cash_mul: fine units in one unit of the reporting asset.

    Raises:
        NativeError: an argument is outside its bound.

    One thread at a time may use it, the plugin's kernel that was given :attr:`cdata` included.
    """

    __slots__ = ("_mark", "_owner", "cdata", "n_instruments")

    def __init__(self, n_instruments: int, *, sample_ns: int, n_samples: int = 8192, cash_mul: int) -> None:
        size = lib.b4_valuation_size(n_instruments, n_samples)
        self._owner, memory = aligned(size, "valuation")
        check(
            lib.b4_valuation_init(memory, size, n_instruments, n_samples, sample_ns, cash_mul),
            "valuation",
        )
        self.n_instruments = n_instruments
        self.cdata: Any = ffi.cast("b4_valuation *", memory)
        self._mark = lib.b4_bulk_valuation_mark

    @property
    def address(self) -> int:
        """Address of the structure, for another native module; valid as long as this object lives."""
        return int(ffi.cast("uintptr_t", self.cdata))

    def set_cash(self, units: int) -> None:
        """Sets the cash (and every other amount that has no mark) in units of the reporting asset.

        Raises:
            NativeError: equity would leave its range; nothing changed.
        """
        check(lib.b4_valuation_set_cash(self.cdata, units), "valuation: cash")

    def set_position(self, instrument: int, base_units: int, mul: int) -> None:
        """Sets a position; one tick of it is worth ``base_units * mul`` fine units.

        Args:
            instrument: index.
            base_units: signed quantity in units of the base asset.
            mul: positive weight that brings units times ticks to fine units.

        Raises:
            NativeError: index or weight out of range, or equity would leave its range; nothing changed.
        """
        check(lib.b4_valuation_set_position(self.cdata, instrument, base_units, mul), "valuation: position")

    def set_mark_kinds(self, instrument: int, kinds: int) -> None:
        """Chooses which event kinds mark an instrument: bit ``1 << Kind`` of BAR, TRADE and QUOTE.

        Raises:
            NativeError: the index is out of range or the mask names another kind.
        """
        check(lib.b4_valuation_set_mark_kinds(self.cdata, instrument, kinds), "valuation: mark kinds")

    def set_limit(self, ppb: int) -> None:
        """Sets the drawdown that breaches, in parts per billion of the peak; 0 or less switches it off.

        Forgets an earlier breach.

        Raises:
            NativeError: above 1,000,000,000.
        """
        check(lib.b4_valuation_set_limit(self.cdata, ppb), "valuation: limit")

    def restore_peak(self, units: int) -> None:
        """Takes a persisted or rebased peak (TRADING.md K-3) and forgets an earlier breach.

        Raises:
            NativeError: the peak is outside the range of equity.
        """
        check(lib.b4_valuation_restore_peak(self.cdata, units), "valuation: peak")

    def roll(self, ts: int) -> None:
        """Closes the curve's bucket if ``ts`` (ns) lies beyond it; call before applying the fills of ``ts``."""
        check(lib.b4_valuation_roll(self.cdata, ts), "valuation: roll")

    def mark_events(self, events: Any, n: int) -> int:
        """Marks ``n`` records and closes each time step among them.

        Args:
            events: cdata pointer or buffer (``ffi.from_buffer``) of 64-byte records, sorted by time.
            n: number of records.

        Returns:
            1 when the drawdown reached the limit in one of the steps, else 0.

        Raises:
            NativeError: a record names an unknown instrument or carries no possible price.
        """
        answer: int = self._mark(self.cdata, events, n, _STRIDE)
        if answer < 0:
            check(answer, "valuation: marking events")
        return answer

    def close_step(self, ts: int) -> int:
        """Judges equity at ``ts`` without a new event (after a fee or funding); as :meth:`mark_events`."""
        return check(lib.b4_valuation_close_step(self.cdata, ts), "valuation: step")

    @property
    def equity(self) -> int:
        """Cash plus marked positions now; a position without a mark counts 0."""
        return _value(lib.b4_valuation_equity(self.cdata), "equity")

    @property
    def peak(self) -> int:
        """Highest equity judged, or the restored peak.

        Raises:
            NativeError: before the first step.
        """
        return _value(lib.b4_valuation_peak(self.cdata), "peak")

    @property
    def exposure(self) -> int:
        """Gross exposure: the sum of absolute position values."""
        return _value(lib.b4_valuation_exposure(self.cdata), "exposure")

    @property
    def drawdown_ppb(self) -> int:
        """Present fall below the peak, parts per billion, floored."""
        return _value(lib.b4_valuation_drawdown(self.cdata), "drawdown")

    @property
    def max_drawdown_ppb(self) -> int:
        """Deepest fall below any peak so far, parts per billion, floored."""
        return _value(lib.b4_valuation_max_drawdown(self.cdata), "drawdown")

    @property
    def breached(self) -> bool:
        """True from the first breach until :meth:`set_limit` or :meth:`restore_peak`."""
        return bool(lib.b4_valuation_breached(self.cdata))

    @property
    def unmarked(self) -> int:
        """Number of positions held without a mark; while it is not 0, no step is judged."""
        return int(lib.b4_valuation_unmarked(self.cdata))

    @property
    def unjudged(self) -> int:
        """Number of time steps that could not be judged because of :attr:`unmarked`."""
        return int(lib.b4_valuation_unjudged(self.cdata))

    @property
    def sample_ns(self) -> int:
        """Present length of a bucket of the curve."""
        return int(lib.b4_valuation_sample_ns(self.cdata))

    def mark_of(self, instrument: int) -> int:
        """The instrument's mark in ticks, 0 before the first.

        Raises:
            NativeError: the index is out of range.
        """
        return _value(lib.b4_valuation_mark_of(self.cdata, instrument), "mark")

    def reset_range(self, instrument: int) -> None:
        """Forgets an instrument's extremes; call when a position opens.

        Raises:
            NativeError: the index is out of range.
        """
        check(lib.b4_valuation_reset_range(self.cdata, instrument), "valuation: range")

    def range_of(self, instrument: int) -> tuple[int, int]:
        """Lowest and highest price of bars and trades since the last reset, ticks; 0 and 0 before the first.

        Raises:
            NativeError: the index is out of range.
        """
        low, high = lib.b4_valuation_low_of(self.cdata, instrument), lib.b4_valuation_high_of(self.cdata, instrument)
        return _value(low, "range"), _value(high, "range")

    def flush(self) -> None:
        """Writes the open bucket to the curve; more events of that bucket replace its row."""
        check(lib.b4_valuation_flush(self.cdata), "valuation: flush")

    def samples(self) -> npt.NDArray[np.int64]:
        """A copy of the curve.

        Returns:
            One row per bucket that had events: end of the bucket (ns), equity, gross exposure, then each
            instrument's mark in ticks (0 = none yet). A bucket is ``(end - sample_ns, end]``.
        """
        rows, columns = ffi.new("size_t *"), ffi.new("size_t *")
        at = lib.b4_valuation_samples(self.cdata, rows, columns)
        flat = np.frombuffer(ffi.buffer(at, rows[0] * columns[0] * 8), dtype=np.int64)
        return flat.reshape(rows[0], columns[0]).copy()
