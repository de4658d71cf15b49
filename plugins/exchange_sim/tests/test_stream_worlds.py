"""Random markets and orders over time: step for step what a backtest shows, and never before it is due."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st

from bot4_core.sdk import EVENT, EVENT_SIZE, Instrument, Kind, OrderType, RunStatus, Side, TimeInForce
from bot4_core.testing import FakeClock

from .over_time import SYMBOLS, Bot, Deed, Piece, in_a_backtest, over_time
from .scenario import INTERVAL, START, Records, Sim, bars, ticks

SECOND = 10**9
QUARTER = INTERVAL // 4


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Instrument, Records, int]]:
    """One to four markets of bars or ticks, many of whose times are equal."""
    found = []
    for instrument in SYMBOLS[: draw(st.integers(1, 4))]:
        if draw(st.booleans()):
            prices = draw(st.lists(st.integers(99, 101), min_size=1, max_size=8))
            first = draw(st.integers(0, 2))
            found.append((instrument, bars([(p, p + 1, p - 1, p) for p in prices], first=first), INTERVAL))
        else:
            offsets = sorted(draw(st.lists(st.integers(0, 12), min_size=1, max_size=16)))
            rows: list[tuple[int, int, Sequence[int], int]] = [
                (at * QUARTER, Kind.TRADE, (100 + at % 3, 500), at % 2)
                if draw(st.booleans())
                else (at * QUARTER, Kind.QUOTE, (99, 40, 101, 40), 0)
                for at in offsets
            ]
            found.append((instrument, ticks(rows), 0))
    return found


@st.composite
def deeds(draw: st.DrawFn, markets: int) -> Deed:
    """An order of any type, perhaps with stop and target, or a cancel of any order."""
    after = draw(st.integers(-4, 20))
    if draw(st.integers(0, 3)) == 0:
        return Deed(after, None, draw(st.integers(1, 12)))
    type = draw(st.sampled_from(OrderType))
    order: dict[str, Any] = {"side": draw(st.sampled_from(Side)), "type": type, "lots": draw(st.integers(1, 60)),
                             "index": draw(st.integers(0, markets - 1))}
    if type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        order["price_ticks"] = draw(st.integers(98, 102))
    if type in (OrderType.STOP, OrderType.STOP_LIMIT):
        order["trigger_ticks"] = draw(st.integers(98, 102))
    if draw(st.booleans()):
        order |= {"stop": 98, "target": 102}
    if draw(st.integers(0, 3)) == 0:
        order |= {"tif": TimeInForce.GTD, "expire_ns": START + draw(st.integers(1, 12)) * QUARTER}
    return Deed(after, order)


@define(frozen=True)
class World:
    """Everything of one run."""

    markets: list[tuple[Instrument, Records, int]]
    script: list[Deed]
    timer_every: int
    speed: Decimal | str
    jitter: str
    latency: str
    seed: int

    def bot(self, folder: str) -> Bot:
        given = {"speed": self.speed, "jitter": self.jitter, "latency": self.latency, "account": "margin"}
        return Bot(Sim(Path(folder), self.markets, given, self.seed), self.script, self.timer_every)

    @property
    def jitter_ns(self) -> int:
        return {"0ms": 0, "1ns": 1, "50ms": SECOND // 20, "90s": 90 * SECOND}[self.jitter]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    markets = draw(histories())
    return World(
        markets=markets,
        script=draw(st.lists(deeds(len(markets)), max_size=8)),
        timer_every=draw(st.sampled_from([0, QUARTER, INTERVAL, 7 * SECOND])),
        speed=draw(st.sampled_from(["max", Decimal(1), Decimal(7), Decimal("0.3"), Decimal(1_000_000)])),
        jitter=draw(st.sampled_from(["0ms", "1ns", "50ms", "90s"])),
        latency=draw(st.sampled_from(["0ms", "20s", "60s"])),
        seed=draw(st.integers(0, 3)),
    )


def due_at(world: World, ns: int) -> int:
    """When a market time is due, reckoned from the first event, by exact fractions."""
    assert isinstance(world.speed, Decimal)
    first = min(int(records["ts"][0]) for _, records, _ in world.markets)
    wait = Fraction(ns - first) / Fraction(world.speed)
    return -(-wait.numerator // wait.denominator)


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_over_time_a_bot_sees_step_for_step_what_a_backtest_shows_it(world: World) -> None:
    clock, pieces = FakeClock(), list[Piece]()
    with TemporaryDirectory() as folder:
        expected = in_a_backtest(world.bot(folder))
        assert clock.run(over_time(world.bot(folder), clock, pieces)) == expected
    assert pieces.pop().status == RunStatus.FINISHED
    if world.speed == "max":
        assert clock.monotonic_ns() == 0
        return
    before, answered, timers = 0, 0, iter(expected.timers)
    for piece in pieces:
        if piece.status & RunStatus.TIMER:
            assert piece.at == max(due_at(world, next(timers)[1]), before)
        else:
            assert piece.records
        for at in range(0, len(piece.records), EVENT_SIZE):
            ts, _, kind, *_ = EVENT.unpack_from(piece.records, at)
            assert piece.at >= due_at(world, ts)
            if kind < 16:  # a step waits for the one before, and answers between two events have a jitter of their own
                assert piece.at <= max(due_at(world, ts) + world.jitter_ns, answered)
            else:
                answered = piece.at
        before = piece.at
