"""Trade statistics worked by hand on a handful of trades."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot4_core.report.trade_metrics import losing_streak, trade_stats
from bot4_core.report.trades import Trade


def trade(pnl: str, *, fees: str = "1", **changes: Any) -> Trade:
    values: dict[str, Any] = {
        "number": 1,
        "symbol": "BTC/USDT",
        "asset": "USDT",
        "side": "long",
        "entry_ts": 0,
        "exit_ts": 60 * 10**9,
        "quantity": Decimal(1),
        "entry_cost": Decimal(100),
        "exit_cost": Decimal(100),
        "entry_price": Decimal(100),
        "exit_price": Decimal(100),
        "entry_fees": Decimal(fees) / 2,
        "exit_fees": Decimal(fees) / 2,
        "pnl": Decimal(pnl),
        "bars": 2,
        "reason": "close",
        "tag": "",
        "exit_tag": "",
        "strategy": "trend",
        "exchange": "main",
    }
    return Trade(**(values | changes))


def test_wins_losses_and_means() -> None:
    trades = [trade("10"), trade("-4"), trade("-2"), trade("0"), trade("6", side="short", bars=4)]
    stats = trade_stats(trades, "USDT")
    assert (stats.count, stats.wins, stats.losses, stats.longs, stats.shorts) == (5, 2, 2, 4, 1)
    assert stats.win_rate.value == pytest.approx(0.4)
    assert (stats.gross_profit, stats.gross_loss) == (Decimal(16), Decimal(-6))
    assert stats.profit_factor.value == pytest.approx(16 / 6)
    assert stats.expectancy == Decimal(2)
    assert (stats.average_win, stats.average_loss) == (Decimal(8), Decimal(-3))
    assert stats.losing_streak == 2
    assert (stats.fees, stats.cost_per_trade) == (Decimal(5), Decimal(1))
    # before fees: 11 -3 -1 1 7, so the gaining ones made 19
    assert stats.fee_share.value == pytest.approx(5 / 19)
    assert stats.holding_ns.value == pytest.approx(60e9)
    assert stats.bars.value == pytest.approx(2.4)


def test_a_streak_is_broken_by_a_trade_that_does_not_lose() -> None:
    assert losing_streak([trade(p) for p in ("-1", "-1", "0", "-1", "-1", "-1", "2", "-1")]) == 3
    assert losing_streak([]) == 0


def test_no_trade_gives_reasons_instead_of_numbers() -> None:
    stats = trade_stats([], "USDT")
    assert stats.asset == "USDT"
    assert stats.win_rate.note == stats.profit_factor.note == stats.holding_ns.note == "no closed trade"
    assert stats.expectancy is None
    assert stats.average_win is None
    assert stats.cost_per_trade is None


def test_only_winners_have_no_profit_factor() -> None:
    assert trade_stats([trade("1")], "USDT").profit_factor.note == "no losing trade"


def test_trades_in_two_assets_are_not_added() -> None:
    stats = trade_stats([trade("1"), trade("2", asset="BTC")], "USDT")
    assert stats.asset == ""
    assert stats.expectancy is None
    assert stats.fees is None
    assert stats.profit_factor.note == "trades in several assets"
    assert stats.win_rate.value == 1.0


def test_a_mean_of_many_is_as_exact_as_its_parts() -> None:
    stats = trade_stats([trade("9000000000.00000001") for _ in range(3000)], "USDT")
    assert stats.expectancy == Decimal("9000000000.00000001")
