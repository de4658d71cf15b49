"""What assembly refuses, what unguarded means, and whose books are right in the end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot4_core.domain.instrument import Instrument
from bot4_core.engine.account import Account
from bot4_core.sdk import Bar, ConfigError, Context, ExchangeError, Strategy
from bot4_core.testing import bars_from_closes, run_strategy

WAVE = [10_000 + 50 * step for step in (*range(30), *range(30, 0, -1), *range(30))]


class Once(Strategy):
    """Buys at the tenth bar, without a stop when told so."""

    default_stop: Decimal | None = Decimal("0.02")
    size: Decimal = Decimal("0.01")
    seen: int = 0

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen += 1
        if self.seen == 10:
            ctx.buy(bar.instrument, fraction=self.size)


def test_a_backtest_starts_from_money_alone() -> None:
    with pytest.raises(ConfigError, match="holds BTC at the start"):
        run_strategy(Once, bars_from_closes(WAVE), exchange={"balances": {"USDT": Decimal(1000), "BTC": Decimal(1)}})


def test_the_reporting_asset_is_the_funded_one_whatever_the_order_of_the_histories() -> None:
    ethbtc = Instrument(symbol="ETH/BTC", tick="0.00001", lot="0.0001")
    ethusdt = Instrument(symbol="ETH/USDT", tick="0.01", lot="0.0001")
    cross = bars_from_closes(["0.05"] * 90, instrument=ethbtc)
    others = [bars_from_closes(["500"] * 90, instrument=ethusdt), bars_from_closes(WAVE)]
    for markets in ([cross, *others], [*others, cross]):
        run = run_strategy(Once, markets, exchange={"balances": {"USDT": Decimal(1000)}})
        assert run.record.info.reporting_asset == "USDT"


def test_unguarded_switches_the_cores_limits_off_and_leaves_what_the_user_wrote() -> None:
    free = run_strategy(Once, bars_from_closes(WAVE), unguarded=True, size=Decimal("0.5"))
    assert free.record.info.limits["drawdown"] == "off"
    assert free.record.info.limits["position"] == "off"
    assert free.denied == {}
    kept = run_strategy(
        Once, bars_from_closes(WAVE), unguarded=True, size=Decimal("0.5"), risk={"position": Decimal("0.02")}
    )
    assert kept.record.info.limits["position"] == "0.02"
    assert kept.record.info.limits["drawdown"] == "off"
    assert kept.denied == {"position": 1}


def test_books_that_differ_from_the_exchanges_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Account.apply_fill

    def one_unit_off(self: Account, index: int, side: Any, lots: int, cost: int, *rest: Any) -> Any:
        return real(self, index, side, lots, cost + (side == 0), *rest)  # a buy costs one unit more

    run_strategy(Once, bars_from_closes(WAVE))
    monkeypatch.setattr(Account, "apply_fill", one_unit_off)
    with pytest.raises(ExchangeError, match="USDT: our books say"):
        run_strategy(Once, bars_from_closes(WAVE))


def test_two_strategies_never_share_a_position(tmp_path_factory: pytest.TempPathFactory) -> None:
    import subprocess
    import sys
    from pathlib import Path

    folder = tmp_path_factory.mktemp("two")
    bot4 = str(Path(sys.executable).with_name("bot4"))
    assert subprocess.run([bot4, "init", "bot"], cwd=folder, check=False).returncode == 0
    toml = folder / "bot" / "bot.toml"
    toml.write_text(
        toml.read_text(encoding="utf-8")
        + '\n[strategy.other]\nuse = "./trend.py:Trend"\ntrade = ["main:ETH/USDT"]\n',
        encoding="utf-8",
    )
    done = subprocess.run([bot4, "check", str(toml)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "ETH/USDT is traded by strategy trend already" in done.stderr
