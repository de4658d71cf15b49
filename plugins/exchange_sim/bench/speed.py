"""Speed of the simulator: the replay alone, with resting orders, with many instruments, and with a wake per bar.

Run: ``python bench/speed.py [bars]``. Every figure stands beside its ratio to an empty native call in the same run,
because nanoseconds belong to a machine.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
from bot4_exchange_sim.exchange import SimExchange
from bot4_exchange_sim.native._kernel import ffi, lib
from bot4_exchange_sim.settings import SimSettings

from bot4_core.native.valuation import Valuation
from bot4_core.sdk import EVENT_DTYPE, Instrument, Kind, Order, OrderType, RunStatus, Services, Side
from bot4_core.testing import write_history

_MINUTE = 60 * 10**9
_START = 1_600_000_020_000_000_000
_ROUNDS = 5


def _history(folder: Path, place: int, count: int) -> str:
    """Writes a walk of one-minute bars."""
    instrument = Instrument(symbol=f"C{place}/USDT", tick=Decimal("0.01"), lot=Decimal("0.00001"))
    random = np.random.default_rng(place)
    closes = np.maximum(100_000 + np.cumsum(random.integers(-50, 51, count)), 1000)
    opens = np.concatenate([[100_000], closes[:-1]])
    events = np.zeros(count, EVENT_DTYPE)
    events["ts"], events["kind"] = _START + (np.arange(count) + 1) * _MINUTE, Kind.BAR
    reach = random.integers(0, 30, (2, count))
    events["v"][:, 0], events["v"][:, 3] = opens, closes
    events["v"][:, 1] = np.maximum(opens, closes) + reach[0]
    events["v"][:, 2] = np.maximum(np.minimum(opens, closes) - reach[1], 1)
    events["v"][:, 4] = random.integers(1, 10**10, count)
    name = f"{place}.b4h"
    write_history(folder / name, instrument, events, interval_ns=_MINUTE, source="walk", roundings=0)
    return name


def _exchange(folder: Path, names: list[str]) -> SimExchange:
    services = Services(base_dir=folder, resolve_history=lambda name: folder / name, seed=1, bot="bench")
    made = SimExchange(SimSettings(history=names, balances={"USDT": Decimal(10**6)}), services)
    valuation = Valuation(len(names), sample_ns=60 * _MINUTE, cash_mul=1)
    valuation.set_cash(10**12)
    for index in range(len(names)):
        valuation.set_position(index, 1, 1)
    made.attach(valuation)
    return made


def _rest(exchange: SimExchange, orders: int) -> None:
    """Orders far from the market: they are looked at on every bar and never fill."""
    for number in range(orders):
        exchange.submit(Order(
            order_id=number + 1, client_id="b", strategy="b", exchange="b", instrument=exchange.instruments[0], index=0,
            side=Side.BUY, type=OrderType.LIMIT, quantity_lots=10**6, price_ticks=1,
        ))


def _drain(exchange: SimExchange) -> None:
    while not exchange.run_on() & RunStatus.FINISHED:
        pass


def _wakes(exchange: SimExchange) -> None:
    run, done = exchange.run, RunStatus.FINISHED
    while not run() & done:
        pass


def _best(make: Callable[[], SimExchange], play: Callable[[SimExchange], None]) -> float:
    """Seconds of the fastest round; construction is not counted."""
    best = float("inf")
    for _ in range(_ROUNDS):
        exchange = make()
        began = time.perf_counter()
        play(exchange)
        best = min(best, time.perf_counter() - began)
    return best


def _empty_call_ns() -> float:
    call, nothing, count = lib.b4s_processed, ffi.NULL, 200_000
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(count):
            call(nothing)
        best = min(best, time.perf_counter() - began)
    return best / count * 1e9


def main() -> None:
    """Prints the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    unit = _empty_call_ns()
    print(f"empty native call from Python: {unit:.0f} ns")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        names = [_history(base, place, count if place == 0 else count // 10) for place in range(10)]

        def show(what: str, seconds: float, events: int) -> None:
            each = seconds / events * 1e9
            print(f"{what:<44} {events / seconds / 1e6:8.2f} M/s  {each:7.1f} ns  {each / unit:6.2f} calls")

        def one() -> SimExchange:
            return _exchange(base, names[:1])

        def resting() -> SimExchange:
            made = one()
            _rest(made, 3)
            return made

        def ten() -> SimExchange:
            return _exchange(base, names[1:] + names[:1])

        def woken() -> SimExchange:
            made = one()
            made.wake_on(0, 1 << Kind.BAR)
            return made

        show("bars nobody wants", _best(one, _drain), count)
        show("bars nobody wants, 3 resting orders", _best(resting, _drain), count)
        show("bars of 10 instruments, nobody wants", _best(ten, _drain), count + 9 * (count // 10))
        show("bars that wake Python (empty loop)", _best(woken, _wakes), count)


if __name__ == "__main__":
    main()
