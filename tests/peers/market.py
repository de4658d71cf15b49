"""The recorded candles of the parity test, read exactly, and the peer's answer for them."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .oracle import cross_signs

REPOSITORY = Path(__file__).resolve().parents[2]
PEERS = REPOSITORY / "bench" / "peers"
SYMBOLS = ("BTCUSDT", "ETHUSDT", "XRPUSDT", "DOGEUSDT")
INTERVAL_NS = 300_000_000_000
TIMEOUT_S = 900


def data_dir() -> Path:
    """Return the directory of recorded market data: BOT4_TEST_DATA, or `shared/data` beside the checkout."""
    return Path(os.environ.get("BOT4_TEST_DATA") or REPOSITORY.parent / "shared" / "data")


def candles_path(symbol: str) -> Path:
    """Return the five-minute candle file of a symbol such as BTCUSDT."""
    return data_dir() / "candles" / f"binance_spot_{symbol.lower()}_5m_2022-08_2023-02.csv.gz"


class Market(NamedTuple):
    """One symbol's candles, exact: open times in ms, prices as written, the instrument's tick and lot."""

    open_ms: list[int]
    open: list[Decimal]
    high: list[Decimal]
    low: list[Decimal]
    close: list[Decimal]
    tick: Decimal
    lot: Decimal


@cache
def load(symbol: str) -> Market:
    """Return a symbol's candles, with tick and lot from the venue's reference table."""
    with (data_dir() / "reference" / "symbol_properties_lean.csv").open(newline="") as table:
        row = next(
            row
            for row in csv.DictReader(table)
            if (row["market"], row["symbol"], row["type"]) == ("binance", symbol, "crypto")
        )
    with gzip.open(candles_path(symbol), "rt", newline="") as candles:
        rows = list(csv.DictReader(candles))
    prices = {name: [Decimal(candle[name]) for candle in rows] for name in ("open", "high", "low", "close")}
    return Market(
        open_ms=[int(candle["open_time_ms"]) for candle in rows],
        **prices,
        tick=Decimal(row["minimum_price_variation"]),
        lot=Decimal(row["lot_size"]),
    )


@cache
def signs(symbol: str) -> list[int]:
    """Return the exact sign of fast - slow per bar: what both engines decide by."""
    market = load(symbol)
    return cross_signs(market.close, market.tick)


@cache
def peer_python() -> str:
    """Return the interpreter of backtesting.py's own environment, built on the first call."""
    command = [sys.executable, str(PEERS / "venvs.py"), "backtesting"]
    built = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert built.returncode == 0, f"backtesting.py could not be installed from the package index:\n{built.stderr}"
    return built.stdout.strip().splitlines()[-1].split(" ", 1)[1]


@cache
def backtesting_run(symbol: str, long_short: bool) -> dict[str, Any]:
    """Return backtesting.py's answer for one symbol and mode; every number as it printed it, floats in full."""
    market = load(symbol)
    prices = {
        name: np.array([float(price) for price in getattr(market, name)]) for name in ("open", "high", "low", "close")
    }
    with tempfile.TemporaryDirectory(prefix="bot4-parity-") as scratch:
        request = Path(scratch) / "request.npz"
        np.savez(
            request,
            allow_pickle=False,
            open_ms=np.array(market.open_ms, dtype=np.int64),
            sign=np.array(signs(symbol), dtype=np.int8),
            long_short=np.array(long_short),
            **prices,
        )
        done = subprocess.run(
            [peer_python(), str(PEERS / "backtesting_cross.py"), str(request)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            check=False,
        )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
