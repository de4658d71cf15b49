"""How a backtest ends besides the end of its history: Ctrl-C, SIGTERM, a strategy that raises, a window."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot4_core.domain.event import Bar
from bot4_core.domain.order import Order
from bot4_core.errors import StrategyError
from bot4_core.journal.store import Store
from bot4_core.journal.verify import verify
from bot4_core.strategy import Context, Fill, Strategy
from bot4_core.testing import bars_from_closes

from .driven import MINUTE, Driven, drive

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


class Raises(Strategy):
    """Buys at its first bar and raises where it is told to."""

    where: str = ""

    def on_start(self, ctx: Context) -> None:
        self.seen = 0
        self.fail("on_start")

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen += 1
        if self.seen == 1:
            ctx.buy(bar.instrument, quantity="1", stop="0.02")
        if self.seen == 10:
            self.fail("on_bar")

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.fail("on_fill")

    def on_order(self, ctx: Context, order: Order) -> None:
        self.fail("on_order")

    def on_stop(self, ctx: Context) -> None:
        self.fail("on_stop")

    def fail(self, method: str) -> None:
        if method == self.where:
            raise ValueError(f"{method}\nis broken")


def driven(folder: Path, strategy: type[Strategy], closes: list[int], **settings: Any) -> Driven:
    return drive(folder, strategy, (*bars_from_closes(closes), MINUTE), **settings)


@pytest.mark.parametrize("where", ["on_start", "on_bar", "on_fill", "on_order", "on_stop"])
def test_wherever_a_strategy_raises_the_journal_has_an_end_with_the_reason(tmp_path: Path, where: str) -> None:
    closes = [100] * 5 + [90] * 25 if where == "on_order" else [100] * 30
    run = driven(tmp_path, Cancels if where == "on_order" else Raises, closes, where=where)

    assert isinstance(run.error, StrategyError)
    assert run.reason == f"failed: {run.error}"
    assert f"ValueError: {where} is broken" in run.reason
    assert run.record.row.finished
    equity = run.record.equity
    assert len(equity.ts) >= {"on_start": 1, "on_fill": 2, "on_order": 2, "on_bar": 10, "on_stop": 30}[where]
    assert run.record.summary["fills"] == len(run.record.fills)


class Cancels(Raises):
    """Takes an order back, so that one ends without a fill."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen += 1
        if self.seen == 1:
            self.order = ctx.buy(bar.instrument, quantity="1", limit="50", stop="0.02")
        if self.seen == 3:
            ctx.cancel(self.order)


def test_a_fill_that_a_strategy_chokes_on_takes_no_report_of_its_batch_with_it(tmp_path: Path) -> None:
    run = driven(tmp_path, Raises, [100] * 30, where="on_fill")
    states = {order.role: order.state for order in run.record.orders}

    # the fill of the entry and the acknowledgement of its stop come in one batch
    assert states == {"entry": "filled", "stop": "acknowledged"}
    assert [position["symbol"] for position in run.record.summary["open_positions"]] == ["BTC/USDT"]


class Interrupts(Strategy):
    """Rests an entry far below, and interrupts the run with it on the book and another one on its way."""

    def on_start(self, ctx: Context) -> None:
        self.seen, self.stopped = 0, False

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        assert not self.stopped, "no market event is told after the interrupt"
        self.seen += 1
        if self.seen == 2:
            ctx.buy(bar.instrument, quantity="1", limit="50", stop="0.02")
        if self.seen == 10:
            self.stopped = True
            ctx.buy(bar.instrument, quantity="1", limit="40", stop="0.02")
            ctx.every("1s")
            os.kill(os.getpid(), signal.SIGINT)

    def on_timer(self, ctx: Context, timer: object) -> None:
        raise AssertionError("no timer after the interrupt")


@pytest.mark.parametrize("latency", ["0ms", "50ms", "4s"])
def test_an_interrupt_waits_for_the_answers_to_its_cancels(tmp_path: Path, latency: str) -> None:
    run = driven(tmp_path, Interrupts, [100] * 30, exchange={"latency": latency})

    assert run.error is None
    assert run.reason == "interrupted by SIGINT"
    assert [(order.role, order.state) for order in run.record.orders] == [
        ("entry", "cancelled"), ("stop", "cancelled"), ("entry", "cancelled"), ("stop", "cancelled"),
    ]  # fmt: skip
    assert not any(order.pending_cancel for order in run.record.orders)


def test_cancels_that_stay_unanswered_are_stated(tmp_path: Path) -> None:
    run = driven(tmp_path, Interrupts, [100] * 30, exchange={"latency": "90s"})

    assert run.reason == "interrupted by SIGINT; 2 cancels unanswered"
    assert [order.role for order in run.record.orders if order.pending_cancel] == ["entry", "entry"]
