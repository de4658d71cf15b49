"""What a bar costs in a backtest, accounts, gate and journal included, for ``bot4 bench``."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import numpy as np

from ..domain.event import EVENT, EVENT_SIZE, Bar
from ..domain.instrument import Instrument
from ..history.synth import synth
from ..strategy import Context, Strategy
from .strategy import run_strategy

_BARS: Final = 50_000
_MINUTE_NS: Final = 60 * 10**9
#: 2024-01-01 00:00 UTC
_START_NS: Final = 1_704_067_200 * 10**9
_BASELINE: Final = "unpack and one method call per bar"


class _Idle(Strategy):
    """Woken for every bar, does nothing."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        pass


class _Cross(Strategy):
    """Two exact averages, an order at each cross."""

    def on_start(self, ctx: Context) -> None:
        self.fast, self.slow = ctx.sma(10), ctx.sma(30)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if self.fast.crossed_above(self.slow):
            ctx.buy(bar.instrument, fraction="0.01")
        elif self.fast.crossed_below(self.slow):
            ctx.close(bar.instrument)


class _Asleep(Strategy):
    """Wants no market data: the native replay runs by itself."""

    history: int = 1


def run(*, rounds: int = 5) -> list[dict[str, Any]]:
    """Rows as CLI.md names them, nanoseconds per bar; the cases take turns, one sample per round."""
    instrument = Instrument(symbol="BTC/USDT", tick=Decimal("0.01"), lot=Decimal("0.00001"), volume_scale=5)
    events = synth(
        instrument, seed=1, start_ns=_START_NS, bars=_BARS, interval_ns=_MINUTE_NS, start_price=Decimal(30_000)
    )

    def backtest(strategy: type[Strategy]) -> Callable[[], float]:
        return lambda: float(run_strategy(strategy, (instrument, events)).record.summary["wall_s"])

    cases: dict[str, Callable[[], float]] = {
        _BASELINE: lambda: _baseline(memoryview(events.tobytes())),
        "backtest, strategy asleep": backtest(_Asleep),
        "backtest, empty on_bar": backtest(_Idle),
        "backtest, two averages and orders": backtest(_Cross),
    }
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            samples[name].append(case() / _BARS * 1e9)
    base = float(np.median(samples[_BASELINE]))
    return [_row(name, np.array(values), base) for name, values in samples.items()]


def _baseline(buffer: memoryview) -> float:
    def on_bar(row: tuple[int, ...]) -> None:
        pass

    unpack = EVENT.unpack_from
    began = time.perf_counter()
    for offset in range(0, _BARS * EVENT_SIZE, EVENT_SIZE):
        on_bar(unpack(buffer, offset))
    return time.perf_counter() - began


def _row(name: str, ns: Any, base: float) -> dict[str, Any]:
    p50, p99, p999 = (float(np.percentile(ns, p)) for p in (50, 99, 99.9))
    return {
        "row": "R-67", "name": name, "where": "python", "unit": "ns", "median": p50, "p50": p50, "p99": p99,
        "p999": p999, "n": len(ns) * _BARS, "baseline": _BASELINE, "ratio": p50 / base,
    }
