"""The kernel tells the time of what comes next, and stops before what is not due; a reference in Python knows too."""

from __future__ import annotations

from random import Random

import pytest
from attrs import define, field

from bot4_core.sdk import Instrument, Kind, OrderType, RunStatus, Side, TimeInForce

from .over_time import EVERY_KIND, SYMBOLS
from .scenario import FOREVER, INTERVAL, START, Make, Records, Sim, bars, close_of, flat, ticks

SECOND = 10**9


@define
class Reference:
    """What is still to come, from the histories and what was sent, without the kernel."""

    events: list[int]
    now: int = 0
    arrivals: list[tuple[int, int]] = field(factory=list)
    expiries: list[int] = field(factory=list)

    def next_ns(self) -> int:
        """Expiries count while there are events."""
        return min([*self.events, *(at for at, _ in self.arrivals), *(self.expiries if self.events else [])],
                   default=FOREVER)

    def pass_by(self, ns: int) -> None:
        """Everything up to that time has happened; the venue knows of an expiry once its order has arrived."""
        self.now = ns
        self.events = [each for each in self.events if each > ns]
        self.expiries += [expiry for at, expiry in self.arrivals if at <= ns and expiry]
        self.arrivals = [each for each in self.arrivals if each[0] > ns]
        self.expiries = [each for each in self.expiries if each > ns]


def histories(random: Random) -> list[tuple[Instrument, Records, int]]:
    found: list[tuple[Instrument, Records, int]] = []
    for instrument in SYMBOLS[: random.randint(1, 4)]:
        if random.random() < 0.5:
            found.append((instrument, bars(flat(random.randint(1, 12)), first=random.randint(0, 3)), INTERVAL))
        else:
            offsets = sorted(random.randint(0, 40) * INTERVAL // 4 for _ in range(random.randint(1, 20)))
            found.append((instrument, ticks([(at, Kind.TRADE, (10_000, 1), 0) for at in offsets]), 0))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_the_time_of_what_comes_next_is_that_of_the_reference(sim: Make, seed: int) -> None:
    random = Random(seed)
    given = histories(random)
    latency_s = random.choice([0, 20, 60])
    s = sim(None, *given, latency=f"{latency_s}s", account="margin")
    kernel = s.exchange._kernel
    for index in range(len(given)):
        s.exchange.wake_on(index, EVERY_KIND)
    times = sorted({int(ts) for _, records, _ in given for ts in records["ts"]})
    reference, looks = Reference(times), 0
    while (due := kernel.next_ns()) != FOREVER:
        assert due == reference.next_ns()
        before = s.exchange.processed()
        assert kernel.run_until(due - 1) == RunStatus.MORE
        assert (s.exchange.processed(), kernel.next_ns()) == (before, due)
        status = kernel.run_until(due)
        assert status >= 0
        reference.pass_by(due)
        looks += 1
        if status & RunStatus.EVENTS and random.random() < 0.4:
            arrival = reference.now + latency_s * SECOND
            reference.arrivals.append((arrival, _send(s, arrival, random)))
    assert reference.next_ns() == FOREVER
    assert looks >= len(times)


def _send(s: Sim, arrival: int, random: Random) -> int:
    """An order that never fills; its expiry, after its arrival and at no event's time, or 0."""
    if random.random() < 0.5:
        s.send(Side.BUY, OrderType.LIMIT, 1, price_ticks=1)
        return 0
    expiry = arrival + random.randint(0, 8) * INTERVAL // 4 + 7
    s.send(Side.BUY, OrderType.LIMIT, 1, price_ticks=1, tif=TimeInForce.GTD, expire_ns=expiry)
    return expiry


def test_looking_for_what_is_not_due_keeps_the_time_of_orders(sim: Make) -> None:
    s = sim(bars(flat(5)), latency="20s")
    kernel = s.exchange._kernel
    s.exchange.wake_on(0, EVERY_KIND)
    assert kernel.run_until(close_of(0)) & RunStatus.EVENTS == 1
    assert kernel.run_until(close_of(0) + 50 * SECOND) == RunStatus.MORE
    s.send(Side.BUY, OrderType.MARKET, 1)  # still sent at the close of the first bar
    assert kernel.next_ns() == close_of(0) + 20 * SECOND


def test_a_timer_is_told_only_when_it_is_due(sim: Make) -> None:
    s = sim(bars(flat(5)))
    kernel = s.exchange._kernel
    s.exchange.wake_at(START + 10)
    assert kernel.run_until(START + 9) == RunStatus.MORE
    assert kernel.run_until(START + 10) == RunStatus.TIMER
    assert kernel.next_ns() == close_of(0)
