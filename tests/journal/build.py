"""Runs, records and a random market for the journal's tests."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from attrs import define, field

from bot4_core.domain.event import Flag, Kind, Reason
from bot4_core.domain.instrument import Instrument
from bot4_core.domain.money import Rounding
from bot4_core.domain.order import Side
from bot4_core.domain.portfolio import Portfolio
from bot4_core.journal.records import RunInfo, Words
from bot4_core.journal.store import Store
from bot4_core.journal.writer import JournalWriter, Pending

MINUTE = 60_000_000_000
START_EQUITY = 100_000 * 10**8

BTC = Instrument(symbol="BTC/USDT", tick=Decimal("0.01"), lot=Decimal("0.00001"), version="7")
#: A tick × lot is a tenth of a quote unit: costs are rounded.
SHIB = Instrument(symbol="SHIB/USDT", tick=Decimal("0.00000001"), lot=Decimal("0.1"))


def info(run_id: str = "run-1", **changes: Any) -> RunInfo:
    """A RunInfo; ``changes`` replace its fields."""
    fields: dict[str, Any] = {
        "run_id": run_id,
        "bot": "trend",
        "mode": "backtest",
        "created_ns": 1_700_000_000_000_000_000,
        "seed": 7,
        "config": "[bot]\nname = 'trend'\n",
        "instruments": (BTC, SHIB),
        "start_equity": START_EQUITY,
        "reporting_asset": "USDT",
        "interval_ns": MINUTE,
        "history_hash": "ab" * 32,
        "fill_rules": {"profile": "conservative", "half_spread_ticks": 1},
        "limits": {"position": Decimal("0.02"), "correlation": {"max": "0.7"}},
        "versions": {"bot4-core": "0.1.0"},
        "accounts": {"main": "sim"},
        "strategies": {"trend": "./trend.py:Trend"},
    }
    return RunInfo(**{**fields, **changes})


def wish(side: str = "buy", **changes: Any) -> dict[str, Any]:
    """An INTENT blob; its client id is set by the caller where it matters."""
    return {"strategy": "trend", "exchange": "main", "side": side, "type": "market", "tif": "ioc", **changes}


def intent(order_id: int, lots: int, *, ts: int = 0, instrument: int = 0, price: int = 0, **blob: Any) -> Pending:
    """An INTENT record."""
    words: Words = (order_id, lots, price, 0, 0, 0)
    flags = int(Flag.SELL) if blob.get("side") == "sell" else 0
    return ts, instrument, Kind.INTENT, flags, words, wish(client_id=f"c{order_id}", **blob)


def denied(order_id: int, *rules: str, ts: int = 0) -> Pending:
    """A DENIED record that failed the named rules."""
    failures = [{"rule": rule, "measured": "0.05", "limit": "0.02"} for rule in rules]
    words: Words = (order_id, 10, 0, 0, 0, len(rules))
    return ts, 0, Kind.DENIED, 0, words, wish(client_id=f"c{order_id}", failures=failures)


def report(kind: Kind, order_id: int, *, ts: int = 0, filled: int = 0, reason: Reason = Reason.NONE) -> Pending:
    """An order report without a fill."""
    return ts, 0, kind, 0, (order_id, filled, reason, 0, 0, 0), None


def fill(
    order_id: int,
    lots: int,
    price: int,
    *,
    trade_id: int,
    ts: int = 0,
    fee: int = 0,
    instrument: Instrument = BTC,
    flags: int = 0,
) -> Pending:
    """A FILL record at the instrument's exact cost."""
    words: Words = (order_id, price, lots, fee, trade_id, instrument.cost_units(price, lots))
    return ts, (BTC, SHIB).index(instrument), Kind.FILL, flags, words, None


@define
class RandomRun:
    """A seeded run of orders of every fate, with the books that an engine would keep beside it.

    Attributes:
        portfolio: balances after the records so far.
        marks: last price of each instrument, in ticks.
    """

    seed: int
    orders: int
    portfolio: Portfolio = field(init=False)
    marks: list[int] = field(init=False, factory=lambda: [4_000_000, 12_345])
    _trade_id: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.portfolio = Portfolio(scales={"BTC": 8, "SHIB": 8, "USDT": 8})

    def records(self) -> Iterator[Pending]:
        """The run's records without RUN_START and RUN_END."""
        rng = random.Random(self.seed)
        for order_id in range(1, self.orders + 1):
            ts = order_id * MINUTE
            index = rng.randrange(2)
            self.marks[index] = max(1, self.marks[index] + rng.randint(-50, 50))
            fate = rng.choice(["filled", "filled", "filled", "partial", "cancelled", "rejected", "denied", "late"])
            if fate == "denied":
                yield denied(order_id, *rng.sample(["position", "drawdown", "stop", "duplicate"], 2), ts=ts)
                continue
            side = rng.choice(["buy", "sell"])
            lots = rng.randint(1, 1000)
            role = rng.choice(["entry", "stop", "target", "close"])
            yield intent(order_id, lots, ts=ts, instrument=index, side=side, role=role, tag=f"t{order_id % 3}")
            if fate == "rejected":
                yield report(Kind.REJECTED, order_id, ts=ts, reason=Reason.MIN_NOTIONAL)
                continue
            yield report(Kind.ACK, order_id, ts=ts)
            yield from self._outcome(rng, order_id, fate, Side[side.upper()], lots, index, ts)
            yield ts, 0, Kind.EQUITY, 0, (START_EQUITY + rng.randint(-99, 99), 5, 6, START_EQUITY, 0, 0), None

    def _outcome(
        self, rng: random.Random, order_id: int, fate: str, side: Side, lots: int, index: int, ts: int
    ) -> Iterator[Pending]:
        if fate == "cancelled":
            yield report(Kind.CANCEL, order_id, ts=ts)
            yield report(Kind.CANCELLED, order_id, ts=ts, reason=Reason.REQUESTED)
            return
        first = rng.randint(1, lots)
        yield self._fill(rng, order_id, side, first, index, ts)
        if fate == "partial":
            yield report(Kind.CANCELLED, order_id, ts=ts, filled=first, reason=Reason.TIME_IN_FORCE)
            return
        if fate == "late":
            yield report(Kind.CANCELLED, order_id, ts=ts, filled=lots, reason=Reason.REQUESTED)
        if lots > first:
            yield self._fill(rng, order_id, side, lots - first, index, ts)

    def _fill(self, rng: random.Random, order_id: int, side: Side, lots: int, index: int, ts: int) -> Pending:
        self._trade_id += 1
        traded = (BTC, SHIB)[index]
        price = max(1, self.marks[index] + rng.randint(-5, 5))
        cost = traded.cost_units(price, lots)
        fee = traded.cost_units(price, lots, Rounding.CEILING) // 1000 - rng.choice([0, 0, cost // 500])
        self.portfolio.apply_fill(traded, side, lots, cost, fee, traded.quote)
        flags = int(Flag.SELL) if side is Side.SELL else 0
        return fill(order_id, lots, price, trade_id=self._trade_id, ts=ts, fee=fee, instrument=traded, flags=flags)


def write(store: Store, run_id: str = "run-1", *, seed: int = 1, orders: int = 300, batch: int = 64) -> str:
    """Writes one random run and returns its result hash."""
    with JournalWriter(store, info(run_id, created_ns=1000 + seed), batch=batch) as writer:
        writer.append_many(RandomRun(seed, orders).records())
        return writer.finish({"events": 5, "wakes": 3, "net_pnl": "1.5"})
