"""The market of the speed comparison: seeded synthetic one-minute bars, the same on every machine and numpy version.

    python bench/peers/cross_data.py OUT.npz [BARS] [SEED]

The walk is made of plain uint64 arithmetic (splitmix64 over a counter), because numpy does not promise that its own
generators give the same stream in every version. Every bar opens at the close before it, so an engine that fills at
the close and one that fills at the next open trade at the same price, and their fills and balances can be compared.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

BARS = 1_000_000
SEED = 2026
FAST, SLOW = 100, 400

TICK, LOT, VOLUME_SCALE = "0.01", "0.001", 3
START_TICKS = 3_000_000
FIRST_OPEN_NS = 1_577_836_800_000_000_000  # 2020-01-01T00:00:00Z
INTERVAL_NS = 60_000_000_000

TAKER_FEE = "0.001"
ORDER_QUANTITY = "0.1"
START_BALANCE = "10000000"
LEVERAGE = "10"


def noise(seed: int, stream: int, count: int) -> npt.NDArray[np.uint64]:
    """Return `count` well mixed 64-bit numbers; `stream` keeps the draws of one seed apart.

    The mixer is splitmix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014).
    """
    with np.errstate(over="ignore"):
        counter = np.arange(1, count + 1, dtype=np.uint64) + np.uint64((seed << 40) ^ (stream << 56))
        mixed = counter * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def draw(seed: int, stream: int, count: int, span: int) -> npt.NDArray[np.int64]:
    """Return `count` integers in 0..span-1. The bias of the remainder is below 1e-15 for the spans used here."""
    return (noise(seed, stream, count) % np.uint64(span)).astype(np.int64)


def make_bars(count: int = BARS, seed: int = SEED) -> dict[str, npt.NDArray[np.int64]]:
    """Return `open`, `high`, `low`, `close` in ticks of 0.01, `volume` in 0.001 units, `close_ns` in UTC nanoseconds.

    A step is the sum of three even draws, close to normal, with a standard deviation of about 300 ticks (1 basis
    point of the start price); wicks reach up to 200 ticks further. Volume is far above the order size, so that neither
    engine's participation limit ever splits an order.

    Raises:
        ValueError: the walk came within 10 % of zero; take another seed or fewer bars.
    """
    steps = sum((draw(seed, stream, count, 601) for stream in (1, 2, 3)), np.full(count, -900, dtype=np.int64))
    close = START_TICKS + np.cumsum(steps)
    opens = np.concatenate((np.array([START_TICKS], dtype=np.int64), close[:-1]))
    low = np.minimum(opens, close) - draw(seed, 5, count, 201)
    if int(low.min()) < START_TICKS // 10:
        raise ValueError(f"seed {seed} walks too close to zero within {count} bars; take another seed or fewer bars")
    return {
        "open": opens,
        "high": np.maximum(opens, close) + draw(seed, 4, count, 201),
        "low": low,
        "close": close,
        "volume": 1_000_000 + draw(seed, 6, count, 1_000_000),
        "close_ns": FIRST_OPEN_NS + INTERVAL_NS * np.arange(1, count + 1, dtype=np.int64),
    }


def expected_orders(close: npt.NDArray[np.int64], fast: int = FAST, slow: int = SLOW) -> int:
    """Return how many orders the cross sends: one for the first entry, two (close, open) for each later turn.

    The last bar is left out: an order sent there has no next bar to fill in.
    """
    total = np.concatenate((np.array([0], dtype=np.int64), np.cumsum(close)))
    fast_sum = (total[slow:] - total[slow - fast : -fast]) * slow
    slow_sum = (total[slow:] - total[:-slow]) * fast
    sign = np.sign(fast_sum - slow_sum)[:-1]
    sign = sign[sign != 0]
    turns = int(np.count_nonzero(sign[1:] != sign[:-1]))
    return 1 + 2 * turns if sign.size else 0


def save(path: Path, count: int = BARS, seed: int = SEED) -> int:
    """Write the bars as an uncompressed npz and return the number of orders the cross will send over them."""
    bars = make_bars(count, seed)
    with path.open("wb") as out:
        np.savez(out, allow_pickle=False, **bars)
    return expected_orders(bars["close"])


if __name__ == "__main__":
    orders = save(Path(sys.argv[1]), *(int(argument) for argument in sys.argv[2:4]))
    print(f"{sys.argv[1]}: the {FAST}/{SLOW} cross sends {orders} orders over it")
