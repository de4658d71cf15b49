"""Runs made by hand: a small seeded market and a trader, written as journal records and folded by the real fold."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from bot4_core.domain.event import Flag, Kind
from bot4_core.domain.instrument import Instrument
from bot4_core.journal.fold import Fold
from bot4_core.journal.reading import EquityCurve, RunRecord, RunRow
from bot4_core.journal.records import FailureBlob, HaltBlob, IntentBlob, RunInfo

START_NS = 1_659_312_000 * 10**9  # 2022-08-01T00:00:00Z
MINUTE_NS = 60 * 10**9
SCALE = 8
ONE = 10**SCALE


def instrument(symbol: str = "BTC/USDT", tick: str = "0.01", lot: str = "0.00001") -> Instrument:
    """A spot pair with 8 decimals everywhere."""
    return Instrument(symbol=symbol, tick=Decimal(tick), lot=Decimal(lot))


class Script:
    """Writes records one by one; what a test needs of a journal and nothing else."""

    def __init__(self, *instruments: Instrument, start_equity: int = 100_000 * ONE, **info: Any) -> None:
        values: dict[str, Any] = {
            "run_id": "r-20220801-0001",
            "bot": "trend-demo",
            "mode": "backtest",
            "created_ns": START_NS + 10**9,
            "seed": 7,
            "config": '[bot]\nname = "trend-demo"\n',
            "instruments": instruments or (instrument(),),
            "start_equity": start_equity,
            "reporting_asset": "USDT",
            "reporting_scale": SCALE,
            "interval_ns": 5 * MINUTE_NS,
            "accounts": {"main": "sim"},
            "strategies": {"trend": "./trend.py:Trend"},
        }
        self.info = RunInfo(**(values | info))
        self.fold = Fold(self.info)
        self.seq = 0
        self.order = 0
        self.trade = 0
        self.samples: list[tuple[int, int, int, int]] = []

    def put(self, ts: int, kind: Kind, v: tuple[int, ...], *, index: int = 0, flags: int = 0, blob: Any = None) -> None:
        """One record."""
        words = (v + (0,) * 6)[:6]
        text = None if blob is None else msgspec.json.encode(blob).decode()
        self.fold.apply(self.seq, ts, index, kind, flags, words, text)
        self.seq += 1

    def intent(self, ts: int, side: str, lots: int, *, index: int = 0, role: str = "entry", tag: str = "") -> int:
        """An order that is sent; returns its id."""
        self.order += 1
        blob = IntentBlob(strategy="trend", exchange="main", side=side, type="market", role=role, tag=tag)
        self.put(ts, Kind.INTENT, (self.order, lots, 0, 0, 0), index=index, blob=blob)
        return self.order

    def deny(self, ts: int, *failures: tuple[str, str, str, str], index: int = 0) -> None:
        """An order that the gate refuses: rule, measured, limit, unit of each failure."""
        self.order += 1
        rows = tuple(FailureBlob(*failure) for failure in failures)
        blob = IntentBlob(strategy="trend", exchange="main", side="buy", type="market", failures=rows)
        self.put(ts, Kind.DENIED, (self.order, 1000, 0, 0, 0, len(rows)), index=index, blob=blob)

    def fill(self, ts: int, order: int, side: str, ticks: int, lots: int, fee: int, *, index: int = 0) -> int:
        """A fill of the order; returns its cost in quote units."""
        self.trade += 1
        cost = self.info.instruments[index].cost_units(ticks, lots)
        flags = int(Flag.SELL) if side == "sell" else 0
        self.put(ts, Kind.FILL, (order, ticks, lots, fee, self.trade, cost), index=index, flags=flags)
        return cost

    def round_trip(self, entry_ts: int, exit_ts: int, entry: int, exit_: int, lots: int, fee: int, **more: Any) -> None:
        """A long that is opened and closed, prices in ticks, the fee in units at each end."""
        index, tag, reason = more.get("index", 0), more.get("tag", ""), more.get("reason", "close")
        opened = self.intent(entry_ts, "buy", lots, index=index, tag=tag)
        self.fill(entry_ts, opened, "buy", entry, lots, fee, index=index)
        closed = self.intent(exit_ts, "sell", lots, index=index, role=reason)
        self.fill(exit_ts, closed, "sell", exit_, lots, fee, index=index)

    def sample(self, ts: int, equity: int, exposure: int = 0, hold: int = 0) -> None:
        """One equity sample, units."""
        self.samples.append((ts, equity, exposure, hold))

    def halt(self, ts: int, mode: str, rule: str, measured: str, limit: str) -> None:
        """A change of the trading mode."""
        blob = HaltBlob(mode=mode, reason=rule, rule=rule, measured=measured, limit=limit)
        self.put(ts, Kind.HALT, (1,), blob=blob)

    def record(self, summary: dict[str, Any] | None = None) -> RunRecord:
        """The run as the store would load it; without a summary it never finished."""
        rows = self.fold.take()
        columns = np.array(self.samples, dtype=np.int64).reshape(-1, 4)
        peak = np.maximum.accumulate(columns[:, 1]) if len(columns) else columns[:, 1]
        info = self.info
        row = RunRow(
            run_id=info.run_id,
            bot=info.bot,
            mode=info.mode,
            created_ns=info.created_ns,
            seed=info.seed,
            start_equity=info.start_equity,
            reporting_asset=info.reporting_asset,
            reporting_scale=info.reporting_scale,
            finished=summary is not None,
            result_hash="ab" * 32 if summary is not None else None,
            unguarded=info.unguarded,
            summary=summary,
        )
        return RunRecord(
            info=info,
            row=row,
            orders=tuple(rows.orders),
            fills=tuple(rows.fills),
            round_trips=tuple(rows.round_trips),
            risk_events=tuple(rows.risk_events),
            positions=tuple(rows.positions),
            equity=EquityCurve(columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3], peak),
        )


def lost_script() -> Script:
    """A run of one closed trade and an open position that was gone before its first sample."""
    script = Script(mode="paper")
    script.round_trip(START_NS, START_NS + MINUTE_NS, 2_000_000, 2_100_000, 1000, 7)
    opened = script.intent(START_NS + 2 * MINUTE_NS, "buy", 300)
    script.fill(START_NS + 2 * MINUTE_NS, opened, "buy", 2_000_000, 300, 5)
    return script


RULES = {
    "market orders": "open of the next bar plus half spread and slippage, at most 5 % of its volume (B-1)",
    "limit orders": "only when the bar trades through the price by a tick (B-2)",
    "stops": "a touch triggers, filled at the worse of stop and open, taker (B-3)",
    "stop and target in one bar": "the stop (B-5)",
    "bars without volume": "fill, trigger and mark nothing (B-7)",
    "fees": "maker 0.001, taker 0.001",
}
LIMITS = {
    "position": "0.02",
    "drawdown": "0.15",
    "stop_distance": "0.04",
    "open_orders": "100",
    "duplicate_window_s": "1",
    "max_notional": "off",
}
CONFIG = """[bot]
name = "trend-demo"
mode = "paper"
plugins = ["exchange-sim", "risk-default"]

[exchange.main]
use = "sim"
history = ["btcusdt-5m.csv.gz"]
balances = { USDT = "100000" }

[[risk]]
use = "default"
position = 0.02

[strategy.trend]
use = "./trend.py:Trend"
trade = ["main:BTC/USDT"]
fast = 12
"""


def simulated(symbols: int = 3, days: int = 90, seed: int = 1, *, hours: int = 1, **info: Any) -> RunRecord:
    """A whole run on a seeded random market: hourly bars, trades on every instrument, denials, an open position."""
    rng = random.Random(seed)
    names = ["BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC"][:symbols]
    pairs = [instrument(f"{name}/USDT") for name in names]
    script = Script(*pairs, fill_rules=RULES, limits=LIMITS, config=CONFIG, versions={"bot4-core": "0.1.0"}, **info)
    prices = [2_300_000 // (1 + 3 * i) for i in range(symbols)]
    first = list(prices)
    held = [(0, 0)] * symbols  # lots, entry ticks
    start = cash = script.info.start_equity
    bars = days * 24 // hours
    worst, peak = 0.0, start
    for bar in range(bars):
        ts = START_NS + (bar + 1) * hours * 3600 * 10**9
        for i in range(symbols):
            prices[i] = max(prices[i] + round(prices[i] * rng.gauss(0.0001, 0.008)), 100)
            lots, entry = held[i]
            if not lots and rng.random() < 0.05:
                cash, held[i] = _enter(script, rng, ts, i, prices[i], cash)
            elif lots and (rng.random() < 0.06 or prices[i] < entry * 0.98):
                reason = "stop" if prices[i] < entry * 0.98 else ("target" if rng.random() < 0.3 else "close")
                closed = script.intent(ts, "sell", lots, index=i, role=reason)
                fee = script.info.instruments[i].cost_units(prices[i], lots) // 1000
                cash += script.fill(ts, closed, "sell", prices[i], lots, fee, index=i) - fee
                held[i] = (0, 0)
        gross = sum(pairs[i].cost_units(prices[i], held[i][0]) for i in range(symbols))
        hold = sum(start // symbols * prices[i] // first[i] for i in range(symbols))
        peak = max(peak, cash + gross)
        worst = max(worst, (peak - cash - gross) / peak)
        script.sample(ts, cash + gross, gross, hold)
    positions = [
        {
            "symbol": pairs[i].symbol,
            "quantity": str(pairs[i].quantity(held[i][0])),
            "average_entry": str(pairs[i].price(held[i][1])),
            "mark": str(pairs[i].price(prices[i])),
            "unrealised": str(pairs[i].price(prices[i] - held[i][1]) * pairs[i].quantity(held[i][0])),
        }
        for i in range(symbols)
        if held[i][0]
    ]
    return script.record(
        {
            "reason": "finished",
            "events": bars * symbols,
            "wakes": bars,
            "end_equity": str(Decimal(cash + gross).scaleb(-SCALE)),
            "max_drawdown": str(round(worst, 12)),
            "open_positions": positions,
            "first_ts": START_NS + hours * 3600 * 10**9,
            "last_ts": START_NS + bars * hours * 3600 * 10**9,
            "wall_s": 0.84,
            "events_per_s": bars * symbols / 0.84,
            "uncovered_lot_ns": 0,
        }
    )


def _enter(
    script: Script, rng: random.Random, ts: int, index: int, ticks: int, cash: int
) -> tuple[int, tuple[int, int]]:
    chance = rng.random()
    if chance < 0.15:
        script.deny(ts, ("position", f"{rng.uniform(0.021, 0.06):.4f}", "0.02", "of equity"), index=index)
    elif chance < 0.22:
        script.deny(ts, ("stop cover", "none", "required", ""), ("position", "0.03", "0.02", "of equity"), index=index)
    elif chance < 0.25:
        script.deny(ts, ("duplicate", "0.4", "1", "s"), index=index)
    else:
        lots = max(int(cash * 0.02 / (ticks * 10)), 1)
        opened = script.intent(ts, "buy", lots, index=index, tag="fast over slow")
        fee = script.info.instruments[index].cost_units(ticks, lots) // 1000
        return cash - script.fill(ts, opened, "buy", ticks, lots, fee, index=index) - fee, (lots, ticks)
    return cash, (0, 0)
