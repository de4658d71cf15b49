"""How a backtest ends besides the end of its history: Ctrl-C, SIGTERM, a strategy that raises, a window."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot4_core.journal.store import Store
from bot4_core.journal.verify import verify

BOT4 = str(Path(sys.executable).with_name("bot4"))

STRATEGY = '''
import os
import signal

from bot4_core.sdk import Bar, Context, Strategy


class Ends(Strategy):
    """Buys once, rests a limit far below, then does what its setting says at bar 200."""

    how: str = ""
    seen: int = 0

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen += 1
        if self.seen == 100:
            ctx.buy(bar.instrument, fraction="0.01", stop="0.03")
            ctx.buy(bar.instrument, fraction="0.001", limit=bar.instrument.price(bar.low_ticks // 2), tag="rest")
        if self.seen == 120 and self.how:
            if self.how == "raise":
                raise ValueError("out of ideas")
            os.kill(os.getpid(), getattr(signal, self.how))
'''

BOT = """
[bot]
name = "ends"
plugins = ["exchange-sim", "risk-default"]
[journal]
url = "sqlite:///ends.db"
[exchange.main]
use = "sim"
history = ["btcusdt-1h.b4h"]
balances = { USDT = "100000" }
[[risk]]
use = "default"
[strategy.ends]
use = "./ends.py:Ends"
trade = ["main:BTC/USDT"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run(tmp_path, "init", "bot")
    (tmp_path / "bot" / "ends.py").write_text(STRATEGY, encoding="utf-8")
    (tmp_path / "bot" / "bot.toml").write_text(BOT, encoding="utf-8")
    return tmp_path / "bot"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BOT4_STATE": str(folder / "state")}
    return subprocess.run(
        [BOT4, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def end(folder: Path, how: str, *more: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    done = run(folder, "backtest", "bot.toml", "--set", f'strategy.ends.how="{how}"', "--json", *more)
    return done, json.loads(done.stdout) if done.stdout else {}


@pytest.mark.parametrize(("how", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_the_run_with_its_journal_complete(folder: Path, how: str, code: int) -> None:
    done, answer = end(folder, how)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert answer["reason"] == f"interrupted by {how}"
    with Store.open(f"sqlite:///{folder}/ends.db", mode="read") as store:
        record = store.load(answer["run_id"])
        assert verify(store, answer["run_id"]).same
    states = {order.tag or order.role: order.state for order in record.orders if order.role != "stop"}
    assert states == {"entry": "filled", "rest": "cancelled"}, "entries are cancelled, what is filled stays (D-11)"
    stop = next(order for order in record.orders if order.role == "stop" and order.parent_id == 1)
    assert stop.state == "acknowledged", "the stop of an open position is kept"
    assert [position["symbol"] for position in answer["open_positions"]] == ["BTC/USDT"]


def test_a_strategy_that_raises_is_named_with_its_line_and_its_journal_stays_readable(folder: Path) -> None:
    done, _ = end(folder, "raise")
    assert done.returncode == 1
    line = next(n for n, text in enumerate(STRATEGY.splitlines(), 1) if "out of ideas" in text)
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"ends.py:{line}" in done.stderr
    assert "ValueError: out of ideas" in done.stderr
    with Store.open(f"sqlite:///{folder}/ends.db", mode="read") as store:
        record = store.load("latest")
        assert verify(store, record.info.run_id).same
    assert any(order.state == "filled" for order in record.orders)


def test_a_window_trades_only_inside_it_and_warms_up_before_it(folder: Path) -> None:
    _, whole = end(folder, "")
    _, part = end(folder, "", "--from", "2025-02-01", "--to", "2025-02-28")
    assert part["first_ts"] == 1_738_368_000 * 10**9
    assert part["last_ts"] == 1_740_787_200 * 10**9 - 1
    assert part["wakes"] == 27 * 24 + 24
    assert part["events"] < whole["events"]
