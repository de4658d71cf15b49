"""The engine's own account of a run: the blob of RUN_END, read with care.

A run that was killed has none; then the report is built from the journal's rows alone and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from ..errors import StoreError

#: What a run without RUN_END is called.
UNFINISHED = "interrupted: the journal has no end of this run"
#: The same while its bot still trades.
RUNNING = "running: what its journal holds so far"


class OpenPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position that was open when the run ended; decimals as text in the journal."""

    symbol: str
    quantity: Decimal
    average_entry: Decimal | None = None
    mark: Decimal | None = None
    unrealised: Decimal | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Blob of RUN_END as the report needs it; further keys are ignored.

    Attributes:
        reason: how the run ended: finished, interrupted, ``halted: ...`` or ``failed: ...``.
        events: market events replayed; ``wakes`` how often the strategy was called.
        end_equity: amount of the reporting asset; None when the run was closed as lost, of which nobody knows it.
        max_drawdown: deepest drop below the peak at any event, a ratio.
        first_ts, last_ts: of the events, UTC ns.
        wall_s, events_per_s: how long it took.
        uncovered_lot_ns: the coverage ledger (TRADING.md P-2), symbol to open lots without a stop times ns.
    """

    reason: str = "finished"
    events: int = 0
    wakes: int = 0
    end_equity: Decimal | None = None
    max_drawdown: Decimal | None = None
    open_positions: tuple[OpenPosition, ...] | None = None
    first_ts: int = 0
    last_ts: int = 0
    wall_s: float | None = None
    events_per_s: float | None = None
    uncovered_lot_ns: Any = None

    @property
    def whole(self) -> bool:
        """Whether the engine wrote it at the run's own end, and not the next start for a run that was lost."""
        return self.end_equity is not None


def read_summary(blob: Mapping[str, Any] | None) -> Summary | None:
    """The summary of a blob, None of none; StoreError when it is not one."""
    if not blob:
        return None
    try:
        return msgspec.convert(blob, Summary, strict=False)
    except (msgspec.ValidationError, ArithmeticError) as error:
        raise StoreError(
            f"the run's end in the journal cannot be read: {error}; the journal is damaged or of another bot4: "
            "run the backtest again, or look at another of `bot4 runs`"
        ) from error
