"""``run_strategy``: mistakes are a config's, and a test that passes prints nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bot4_core.errors import ConfigError
from bot4_core.sdk import Bar, Context, Instrument, Strategy
from bot4_core.testing import bars_from_closes, run_strategy

BARS = bars_from_closes([100, 101, 102])


class Idle(Strategy):
    length: int = 3


def test_every_wrong_setting_of_the_strategy_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        run_strategy(Idle, BARS, lenght=4, warmup="much")
    assert [one.path for one in caught.value.mistakes] == ["$.strategy.test.lenght", "$.strategy.test.warmup"]
    assert "did you mean 'length'?" in str(caught.value)


def test_wrong_settings_of_exchange_and_risk_are_named() -> None:
    with pytest.raises(ConfigError, match=r"\$\.exchange\.main\.fes: unknown key.*did you mean 'fees'"):
        run_strategy(Idle, BARS, exchange={"fes": {}})
    with pytest.raises(ConfigError, match=r"\$\.risk\[0\]\.position: 0\.05 is above the limit 0\.02"):
        run_strategy(Idle, BARS, risk={"position": "0.05"})


class Watch(Strategy):
    def on_start(self, ctx: Context) -> None:
        self.own = [one.symbol for one in ctx.instruments]

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        assert [bar.instrument.symbol] == self.own == ["ETH/USDT"]
        ctx.buy(bar.instrument, quantity="0.1")


def test_a_strategy_trades_only_what_it_is_given_of_the_markets() -> None:
    ether = bars_from_closes([50, 51, 52], instrument=Instrument(symbol="ETH/USDT", tick="0.01", lot="0.001"))
    run = run_strategy(Watch, [BARS, ether], trade=["ETH/USDT"])
    assert {each.instrument for each in run.orders} == {1}
    with pytest.raises(ConfigError, match="XRP/USDT has no history on this exchange"):
        run_strategy(Watch, [BARS, ether], trade=["XRP/USDT"])


def test_a_run_in_a_program_of_ones_own_prints_nothing() -> None:
    code = (
        "from bot4_core.sdk import Strategy\n"
        "from bot4_core.testing import bars_from_closes, run_strategy\n"
        "class Idle(Strategy):\n    length: int = 3\n"
        "run_strategy(Idle, bars_from_closes([100, 101, 102]))\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
