"""Property tests here draw the same examples each time, and a slow machine is no failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from .seven import ROWS, SYMBOLS, bot4

settings.register_profile("same-every-time", derandomize=True, deadline=None)
settings.load_profile("same-every-time")


@pytest.fixture(scope="session")
def histories(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven months of seven recorded symbols, imported."""
    folder = tmp_path_factory.mktemp("histories")
    files = sorted(shared_data.glob("candles/binance_spot_*usdt_5m_2022-08_2023-02.csv.gz"))
    listing = shared_data / "reference" / "symbol_properties_lean.csv"
    source = ("--instrument", str(listing), "--venue", "binance", "--to", str(folder))
    answer = bot4(folder, "data", "import", *map(str, files), *source)
    assert (answer["rows"], answer["gaps"]) == (len(SYMBOLS) * ROWS, 0)
    return folder
