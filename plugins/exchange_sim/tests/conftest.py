"""Fixtures of the simulator's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot4_core.sdk import Instrument

from .scenario import BTC, INTERVAL, Make, Records, Sim


@pytest.fixture(scope="session", autouse=True)
def _no_disk() -> Iterator[None]:
    """Histories of tests need not survive a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        yield


@pytest.fixture
def sim(tmp_path: Path) -> Make:
    """Makes a simulator over one BTC/USDT history, or over the histories given."""

    def make(records: Records | None = None, *histories: tuple[Instrument, Records, int], **settings: Any) -> Sim:
        own = [] if records is None else [(BTC, records, INTERVAL if int(records["kind"][0]) == 1 else 0)]
        return Sim(tmp_path, [*own, *histories], settings)

    return make
