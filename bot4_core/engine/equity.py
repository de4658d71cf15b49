"""The equity curve on its way into the journal, beside buy-and-hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..domain.event import Kind
from .account import Account
from .desk import Recorder


class EquityLog:
    """Writes the curve that the valuation samples, each row once.

    Buy-and-hold is the starting equity spread evenly over what is traded.

    What was sampled before the window belongs to the warm-up. A sample at its first moment is not written, because the
    curve starts there at the starting equity, but its prices are those buy-and-hold buys at.

    Args:
        account: whose valuation samples it.
        recorder: takes the rows for the journal.
        start_equity: units of the reporting asset.
        first_ns: first moment of the run, UTC ns.
    """

    def __init__(self, account: Account, recorder: Recorder, start_equity: int, first_ns: int) -> None:
        self._account = account
        self._record = recorder
        self._start = self._peak = start_equity
        self._first = first_ns
        self._done: int | None = None

    def write(self, *, last: bool) -> None:
        """Writes what has come since the last call.

        Args:
            last: also the bucket that is still open; nothing may be written after it.
        """
        valuation = self._account.valuation
        if last:
            valuation.flush()
        samples = valuation.samples()
        samples = samples[samples[:, 0] >= self._first]
        if self._done is None:
            self._record(self._first, 0, Kind.EQUITY, 0, (self._start, 0, self._start, self._start, 0, 0), None)
            self._done = self._first
        hold = self._hold(samples)
        for row, held in zip(samples.tolist(), hold, strict=True):
            if row[0] > self._done:
                self._done = row[0]
                self._peak = max(self._peak, row[1])
                self._record(row[0], 0, Kind.EQUITY, 0, (row[1], row[2], held, self._peak, 0, 0), None)

    def _hold(self, samples: npt.NDArray[np.int64]) -> list[int]:
        """Value of buy-and-hold at each sample; an instrument without a price yet counts as cash."""
        columns = [
            3 + index
            for index, each in enumerate(self._account.instruments)
            if each.quote == self._account.reporting
        ]
        if not len(samples) or not columns:
            return [self._start] * len(samples)
        marks = samples[:, columns].astype(np.float64)
        seen = marks > 0
        firsts = np.array(
            [column[mask][0] if mask.any() else 1.0 for column, mask in zip(marks.T, seen.T, strict=True)]
        )
        growth = np.where(seen, marks / firsts, 1.0).mean(axis=1)
        return [int(value) for value in np.rint(growth * self._start)]
