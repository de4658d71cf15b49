"""Small markets on disk for the history tests."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from bot4_core.domain.event import EVENT_DTYPE, Kind
from bot4_core.domain.instrument import Instrument
from bot4_core.history.loading import Selection

#: 2022-08-01T00:00:00Z
START_MS = 1_659_312_000_000
#: long after every time in the tests; given as the present, so that no test depends on the clock
NOW_NS = 1_800_000_000_000_000_000
MINUTE_NS = 60_000_000_000

Write = Callable[..., Path]


@pytest.fixture
def btc() -> Instrument:
    """BTC/USDT with a tick of one cent."""
    return Instrument(symbol="BTC/USDT", tick="0.01", lot="0.00001")


@pytest.fixture
def selection(btc: Instrument) -> Selection:
    """How the tests read a table unless they say otherwise."""
    return Selection(instrument=btc, now_ns=NOW_NS)


@pytest.fixture
def bars() -> np.ndarray:
    """Five good one-minute bars."""
    events = np.zeros(5, dtype=EVENT_DTYPE)
    events["ts"] = START_MS * 1_000_000 + np.arange(1, 6) * MINUTE_NS
    events["kind"] = Kind.BAR
    events["v"][:] = [100, 120, 90, 110, 5, 2]
    return events


@pytest.fixture
def candles() -> list[list[str]]:
    """Ten good one-minute candles as CSV fields: open time, open, high, low, close, volume."""
    return [[str(START_MS + 60_000 * i), "100.00", "101.5", "99.00", "100.25", "1.5"] for i in range(10)]


@pytest.fixture
def write_csv(tmp_path: Path) -> Write:
    """Writes rows of fields as CSV, gzipped when the name says so."""

    def write(
        rows: Sequence[Sequence[str]],
        name: str = "btcusdt.csv",
        header: str = "open_time_ms,open,high,low,close,volume",
    ) -> Path:
        text = "\n".join([header, *(",".join(row) for row in rows)]) + "\n"
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write
