"""The simulator's own market: the same for one seed and symbol everywhere, and fit to be traded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bot4_exchange_sim.exchange import SimExchange
from bot4_exchange_sim.made_up import START_NS, instrument_at, made_up
from bot4_exchange_sim.settings import PRICES, SimSettings

from bot4_core.sdk import EVENT, Kind, Order, OrderType, RunStatus, Side
from bot4_core.testing import FakeClock

from .scenario import services

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
TWO = {"BTC/USDT": Decimal(30_000), "DOGE/USDT": Decimal("0.07")}


def exchange(seed: int = 1, **given: Any) -> SimExchange:
    settings = SimSettings(**{"market": TWO, "bars": 500, "balances": {"USDT": Decimal(100_000)}, **given})
    return SimExchange(settings, services(Path("nowhere"), seed))


def test_bars_begin_on_a_fixed_date_with_the_length_and_number_asked_for() -> None:
    made = exchange(interval="1h", bars=10)
    assert [each.symbol for each in made.instruments] == list(TWO)
    assert made.intervals_ns == [HOUR, HOUR]
    assert (made.first_ns, made.last_ns) == (START_NS + HOUR, START_NS + 10 * HOUR)
    assert made.total_events == 20
    assert [made.kinds(index) for index in range(2)] == [1 << Kind.BAR] * 2


def test_the_first_bar_opens_at_the_price_given() -> None:
    for source, price in zip(made_up(TWO, seed=1, interval_ns=MINUTE, bars=3), TWO.values(), strict=True):
        assert source.instrument.price(int(source.events["v"][0, 0])) == price


_CODE = """
import json, sys
from decimal import Decimal
from pathlib import Path
from bot4_core.sdk import Services
from bot4_exchange_sim.exchange import SimExchange
from bot4_exchange_sim.settings import SimSettings
settings = SimSettings(market={"BTC/USDT": Decimal(30000), "DOGE/USDT": Decimal("0.07")}, bars=500,
                       balances={"USDT": Decimal(100000)})
made = SimExchange(settings, Services(base_dir=Path(), resolve_history=Path, seed=1, bot="x"))
json.dump([made.history_hash, [each.to_mapping() for each in made.instruments]], sys.stdout)
"""


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_one_seed_makes_one_market_in_every_process(hash_seed: str) -> None:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", _CODE], env=environment, capture_output=True, text=True, check=True)
    made = exchange()
    assert json.loads(done.stdout) == [made.history_hash, [each.to_mapping() for each in made.instruments]]


def test_seed_symbol_price_length_and_number_each_make_another_market() -> None:
    hashes = [
        exchange().history_hash,
        exchange(seed=2).history_hash,
        exchange(market={"BTC/USDT": Decimal(30_000), "LTC/USDT": Decimal("0.07")}).history_hash,
        exchange(market={**TWO, "BTC/USDT": Decimal(40_000)}).history_hash,
        exchange(interval="5m").history_hash,
        exchange(bars=501).history_hash,
    ]
    assert len(set(hashes)) == len(hashes)


def test_two_symbols_of_one_price_differ_and_a_symbol_is_the_same_in_any_company() -> None:
    btc, ltc = made_up({"BTC/USDT": Decimal(100), "LTC/USDT": Decimal(100)}, seed=1, interval_ns=MINUTE, bars=50)
    (alone,) = made_up({"LTC/USDT": Decimal(100)}, seed=1, interval_ns=MINUTE, bars=50)
    assert btc.sha256 != ltc.sha256
    assert ltc.sha256 == alone.sha256


@pytest.mark.parametrize(
    ("price", "tick", "lot", "volume_scale"),
    [
        ("30000", "0.1", "0.0000001", 7),
        ("2000", "0.01", "0.000001", 6),
        ("1", "0.00001", "0.001", 3),
        ("0.5", "0.000001", "0.01", 2),
        ("0.07", "0.0000001", "0.1", 1),
        ("0.000001", "0.00000000001", "1000", 0),
        ("10000000", "100", "0.00000001", 8),
    ],
)
def test_ticks_and_lots_suit_the_price(price: str, tick: str, lot: str, volume_scale: int) -> None:
    made = instrument_at("A/B", Decimal(price))
    assert (made.tick, made.lot, made.volume_scale) == (Decimal(tick), Decimal(lot), volume_scale)


@pytest.mark.parametrize("price", [*PRICES, Decimal("0.0009"), Decimal("9.99"), Decimal(123_456)])
@pytest.mark.parametrize("interval", ["1s", "1m", "1d"])
def test_a_market_of_any_price_trades_about_as_much_and_can_be_bought(price: Decimal, interval: str) -> None:
    made = exchange(market={"A/B": price}, interval=interval, balances={"B": Decimal(100_000)})
    made.wake_on(0, 1 << Kind.BAR)
    assert made.run() & RunStatus.EVENTS == 1
    instrument = made.instruments[0]
    lots = int(Decimal(1000) / (price * instrument.lot))
    made.submit(Order(order_id=1, client_id="c", strategy="s", exchange="e", instrument=instrument, index=0,
                      side=Side.BUY, type=OrderType.MARKET, quantity_lots=lots))
    filled = worth = bars = 0
    while not (status := made.run()) & RunStatus.FINISHED:
        for at in range(status & RunStatus.EVENTS):
            bar = EVENT.unpack_from(made.step, at * 64)
            worth += int(price * instrument.volume(bar[8]))
            bars += 1
        for at in range(status >> RunStatus.REPORTS_SHIFT & RunStatus.EVENTS):
            report = EVENT.unpack_from(made.reports, at * 64)
            filled += report[6] if report[2] == Kind.FILL else 0
    assert filled == lots > 0
    minutes = {"1s": 1 / 60, "1m": 1, "1d": 1440}[interval]
    assert 100_000 * minutes < worth / bars < 600_000 * minutes


def test_a_made_up_market_streams_what_it_replays() -> None:
    replayed = exchange()
    for index in range(2):
        replayed.wake_on(index, 1 << Kind.BAR)
    steps = []
    while not (status := replayed.run()) & RunStatus.FINISHED:
        steps.append(bytes(replayed.step[: (status & RunStatus.EVENTS) * 64]))

    async def read() -> list[bytes]:
        pieces, found = [], []
        async for records, status in exchange().stream(clock):
            if status & RunStatus.FINISHED:
                return found
            pieces.append(bytes(records))
            if status & RunStatus.STEP:
                found.append(b"".join(pieces))
                pieces.clear()
        return []

    clock = FakeClock()
    assert clock.run(read()) == steps
    assert len(steps) == 500
    assert clock.monotonic_ns() == 499 * MINUTE


def test_the_prices_go_somewhere() -> None:
    for source in made_up(TWO, seed=1, interval_ns=HOUR, bars=2_000):
        closes = source.events["v"][:, 3]
        assert len(np.unique(closes)) > 1_000
