"""Parity with backtesting.py: the same fills, fees, profits and final equity on seven months of real candles.

Three parties: backtesting.py (its own environment, a subprocess), an exact replay of forty lines that imports nothing
of ours (oracle.py), and bot4 through its command line. The oracle is compared with the peer first, so the expected
numbers stand before bot4 is asked.

backtesting.py adds its cash up in floats. At 1e7 one addition is off by up to 1e-9, and after 2,605 trades its printed
equity is off by 8.5e-8: rounding of the peer, not a difference in trading. Its equity is therefore taken twice: as
the exact sum of the numbers it prints per trade, compared to 1e-8, and as printed, compared to one unit in the last
place of its cash per fill.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from . import market
from .bot4_side import bot4_cross_run
from .oracle import CASH, FEE_RATE, Trade, replay

TOLERANCE = Decimal("1e-8")

pytestmark = pytest.mark.skipif(
    not market.data_dir().is_dir(), reason="recorded market data not found; set BOT4_TEST_DATA to its directory"
)
each_symbol = pytest.mark.parametrize("symbol", market.SYMBOLS)
each_mode = pytest.mark.parametrize("long_short", [False, True], ids=["long-only", "long-short"])


def expected(symbol: str, long_short: bool) -> tuple[list[Trade], Decimal]:
    """Return the oracle's trades and final equity."""
    candles = market.load(symbol)
    return replay(candles.open, candles.close, market.signs(symbol), long_short=long_short)


def peer_trades(answer: dict[str, Any]) -> list[Trade]:
    """Return the peer's trades with every float taken at its exact binary value."""
    return [
        Trade(
            trade["entry_bar"],
            trade["exit_bar"],
            Decimal(trade["entry_price"]),
            Decimal(trade["exit_price"]),
            trade["size"],
            Decimal(trade["entry_commission"]) + Decimal(trade["exit_commission"]),
            Decimal(trade["pnl"]),
        )
        for trade in answer["trades"]
    ]


def peer_equity_exact(answer: dict[str, Any], last_close: Decimal) -> Decimal:
    """Return cash + the P&L of each closed trade + the open unit at the last close, entry fee paid, summed exactly."""
    equity = CASH + sum((trade.pnl for trade in peer_trades(answer)), Decimal(0))
    for trade in answer["open_trade"]:
        entry = Decimal(trade["entry_price"])
        equity += trade["size"] * (last_close - entry) - abs(trade["size"]) * entry * FEE_RATE
    return equity


def assert_same_trades(ours: Sequence[Trade], theirs: Sequence[Trade], tolerance: Decimal) -> None:
    """Fail at the first trade that differs: bars and size exactly, prices, fees and P&L within the tolerance."""
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        same_bars = (mine.entry_bar, mine.exit_bar, mine.size) == (other.entry_bar, other.exit_bar, other.size)
        assert same_bars, f"trade {number}: {mine} against {other}"
        for name in ("entry_price", "exit_price", "fees", "pnl"):
            apart = abs(getattr(mine, name) - getattr(other, name))
            assert apart <= tolerance, f"trade {number}: {name} differs by {apart}: {mine} against {other}"
    assert len(ours) == len(theirs)


@each_symbol
@each_mode
def test_backtesting_py_trades_as_the_exact_replay_says(symbol: str, long_short: bool) -> None:
    trades, equity = expected(symbol, long_short)
    answer = market.backtesting_run(symbol, long_short)
    assert answer["bars"] == len(market.load(symbol).close) == 61_056
    assert_same_trades(peer_trades(answer), trades, TOLERANCE)
    assert len(trades) > 1_000
    assert abs(peer_equity_exact(answer, market.load(symbol).close[-1]) - equity) <= TOLERANCE
    rounding = Decimal(math.ulp(float(CASH))) * answer["orders"]
    assert abs(Decimal(answer["final_equity"]) - equity) <= rounding


@each_symbol
@each_mode
def test_bot4_trades_as_backtesting_py_does(
    symbol: str, long_short: bool, tmp_path: Path, parity_lines: list[str]
) -> None:
    answer = market.backtesting_run(symbol, long_short)
    trades, equity = bot4_cross_run(symbol, long_short, tmp_path)
    parity_lines.append(
        f"{symbol:8} {'long/short' if long_short else 'long only ':10} trades: bot4 {len(trades)}, "
        f"backtesting.py {answer['count']}; final equity: bot4 {equity}, backtesting.py {answer['final_equity']!r}"
    )
    assert_same_trades(trades, peer_trades(answer), TOLERANCE)
    assert abs(equity - peer_equity_exact(answer, market.load(symbol).close[-1])) <= TOLERANCE
    exact_trades, exact_equity = expected(symbol, long_short)
    assert_same_trades(trades, exact_trades, Decimal(0))
    assert equity == exact_equity
