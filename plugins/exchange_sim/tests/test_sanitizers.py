"""The kernel outside Python: under AddressSanitizer and UBSan, step by step and in bulk, on bars and ticks."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import bot4_exchange_sim.native
import numpy as np
import pytest
from attrs import define
from bot4_exchange_sim.native import Kernel, Market, Rules, Stream

import bot4_core.native
from bot4_core.sdk import EVENT_DTYPE, Kind, RunStatus

WORLDS = 150
STEP = 1000  # ns between events, and length of a bar
START = 1_600_000_000_000_000_000
FOREVER = 2**63 - 1
SOURCES = Path(bot4_exchange_sim.native.__file__).parent / "src"
REQUEST = struct.Struct("<9qI6B6x")


@define
class World:
    """Everything of one run; ``actions`` are (time, 0 submit or 1 cancel, the request's fields)."""

    rules: Rules
    markets: Sequence[Market]
    streams: Sequence[Stream]
    balances: Sequence[int]
    actions: Sequence[tuple[int, int, tuple[int, ...]]]


def _bars(random: Random, count: int) -> Any:
    events = np.zeros(count, EVENT_DTYPE)
    for row in range(count):
        low, *inner, high = sorted(random.randint(90, 110) for _ in range(4))
        random.shuffle(inner)
        volume = random.choice([0, 10, 100, 5000])
        events[row] = (START + (row + 1) * STEP, 0, Kind.BAR, 0, (inner[0], high, low, inner[1], volume, 0))
    return events


def _ticks(random: Random, count: int) -> Any:
    events = np.zeros(count, EVENT_DTYPE)
    at = START
    for row in range(count):
        at += random.choice([0, 0, 1, 400])
        middle, size = random.randint(92, 108), random.randint(0, 30)
        if random.random() < 0.5:
            words = (middle, size, row, 0, 0, 0)
            events[row] = (at, 0, Kind.TRADE, random.randint(0, 1), words)
        else:
            bid = middle - 1 if random.random() < 0.95 else 0
            events[row] = (at, 0, Kind.QUOTE, 0, (bid, size, middle + 1, random.randint(0, 30), 0, 0))
    return events


def _request(random: Random, order_id: int) -> tuple[int, ...]:
    kind = random.choice([1, 1, 2, 2, 3, 4])
    limit = random.randint(90, 110) if kind in (2, 4) else 0
    trigger = random.randint(90, 110) if kind in (3, 4) else 0
    tif = random.choice([1, 1, 1, 2, 3, 4])
    expiry = START + random.randint(0, 40 * STEP) if tif == 4 else 0
    attached = random.random() < 0.5
    stop, target = (random.choice([0, random.randint(90, 110)]) for _ in range(2)) if attached else (0, 0)
    reduce_only = int(not attached and random.random() < 0.2)
    lots = random.choice([1, 7, 40, 2**60])
    return (order_id, lots, limit, trigger, expiry, order_id + 1 if stop else 0, stop, order_id + 2 if target else 0,
            target, random.randint(0, 1), random.randint(0, 1), kind, tif, 1, reduce_only,
            int(kind == 2 and random.random() < 0.2))


def _world(seed: int) -> World:
    random = Random(seed)
    ratio = random.choice([Fraction(0), Fraction(1, 1000), Fraction(1, 30)])
    rules = Rules(
        market_ratio=ratio, slip_ratio=ratio / 2, maker_fee=Fraction(random.choice([-1, 1]), 5000),
        taker_fee=Fraction(1, 1000), leverage=Fraction(3), latency_ns=random.choice([0, 0, 1, 1500]),
        margin=random.random() < 0.5, compat=random.random() < 0.1, capacity=random.choice([6, 64]),
    )
    market = Market(
        cost_ratio=Fraction(7, 3), lot_units=10, volume_ratio=Fraction(1, 2), share_ratio=Fraction(1, 20), min_lots=2,
        max_lots=0, min_notional=300, base=0, quote=1,
    )
    other = Market(
        cost_ratio=Fraction(1), lot_units=1, volume_ratio=Fraction(3), share_ratio=Fraction(3), min_lots=0, max_lots=50,
        min_notional=0, base=2, quote=1,
    )
    streams = [
        Stream(events=_bars(random, 40), interval_ns=STEP, name="bars", instrument=0),
        Stream(events=_ticks(random, 120), interval_ns=0, name="ticks", instrument=random.choice([0, 1])),
        Stream(events=_bars(random, 30), interval_ns=STEP, name="bars", instrument=1),
    ]
    actions = []
    for number in range(random.randint(5, 40)):
        at = START + random.randint(0, 40 * STEP)
        if random.random() < 0.25:
            actions.append((at, 1, (random.randint(1, 3 * number + 3), *[0] * 15)))
        else:
            actions.append((at, 0, _request(random, 3 * number + 1)))
    balances = [random.choice([0, 500]), random.choice([2_000, 100_000, 2**62]), 0]
    return World(rules, [market, other], streams, balances, sorted(actions, key=lambda each: each[0]))


def _script(world: World) -> bytes:
    r = world.rules
    ratios = (r.market_ratio, r.slip_ratio, r.maker_fee, r.taker_fee, r.leverage)
    numbers = [part for ratio in ratios for part in (ratio.numerator, ratio.denominator)]
    parts = [
        struct.pack("<11q4I", *numbers, r.latency_ns, r.margin, r.compat, r.capacity, 0),
        struct.pack("<4q", len(world.markets), len(world.balances), len(world.streams), len(world.actions)),
    ]
    for m in world.markets:
        numbers = [p for ratio in (m.cost_ratio, m.volume_ratio, m.share_ratio) for p in
                   (ratio.numerator, ratio.denominator)]
        parts.append(struct.pack("<10q2I", *numbers[:2], m.lot_units, *numbers[2:], m.min_lots, m.max_lots,
                                 m.min_notional, m.base, m.quote))
    parts.append(struct.pack(f"<{len(world.balances)}q", *world.balances))
    for stream in sorted(world.streams, key=lambda each: each.instrument):
        parts.append(struct.pack("<3q", stream.interval_ns, stream.instrument, len(stream.events)))
        parts.append(stream.events.tobytes())
    for at, what, request in world.actions:
        parts += [struct.pack("<2q", at, what), REQUEST.pack(*request)]
    return b"".join(parts)


def _play(world: World) -> bytes:
    """The same in Python: count of reports, the reports, the balances."""
    kernel = Kernel(world.rules, world.markets, world.streams, world.balances)
    reports: list[bytes] = []

    def until(ts: int) -> None:
        kernel.wake_at(ts)
        while True:
            status = kernel.run()
            while status & RunStatus.MORE:
                status = kernel.run_on()
            assert status >= 0
            if status & (RunStatus.TIMER | RunStatus.FINISHED):
                return
            count = status >> RunStatus.REPORTS_SHIFT & RunStatus.EVENTS
            reports.append(bytes(kernel.reports[: count * 64]))

    for at, what, request in world.actions:
        until(at)
        if what:
            kernel.cancel(request[0])
        else:
            kernel.submit(_order(request))  # type: ignore[arg-type]  # the kernel only reads these attributes
    until(FOREVER)
    whole = b"".join(reports)
    balances = [kernel.balance(i) for i in range(len(world.balances))]
    return struct.pack("<q", len(whole) // 64) + whole + struct.pack(f"<{len(balances)}q", *balances)


def _order(request: tuple[int, ...]) -> SimpleNamespace:
    names = ("order_id", "quantity_lots", "price_ticks", "trigger_ticks", "expire_ns", "stop_id", "stop_ticks",
             "target_id", "target_ticks", "index", "side", "type", "tif", "role", "reduce_only", "post_only")
    return SimpleNamespace(**dict(zip(names, request, strict=True)))


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C program, built with sanitizers."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    core = Path(bot4_core.native.include_dir())
    if compiler is None or not (core / "valuation.c").exists() or not (SOURCES / "bars.c").exists():
        pytest.skip("needs a C compiler and the .c files of a checkout")
    target = tmp_path_factory.mktemp("c") / "play"
    command = [
        compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all", f"-I{SOURCES}", str(Path(__file__).parent / "c" / "play.c"),
        str(core / "valuation.c"), *map(str, sorted(SOURCES.glob("*.c"))), "-o", str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.parametrize("mode", [[], ["bulk"], ["when-due"]], ids=["event by event", "bulk", "when due"])
def test_sanitized_runs_are_clean_and_equal_to_python(player: Path, mode: list[str]) -> None:
    worlds = [_world(seed) for seed in range(WORLDS)]
    done = subprocess.run(
        [str(player), *mode], input=b"".join(map(_script, worlds)), capture_output=True, check=False, timeout=300,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert done.stdout == b"".join(map(_play, worlds))


def test_the_worlds_are_worth_playing() -> None:
    seen: dict[int, int] = {}
    for seed in range(WORLDS):
        answer = _play(_world(seed))
        (count,) = struct.unpack_from("<q", answer)
        for row in np.frombuffer(answer, EVENT_DTYPE, count, 8):
            seen[int(row["kind"])] = seen.get(int(row["kind"]), 0) + 1
    assert all(seen.get(kind, 0) > 20 for kind in range(Kind.ACK, Kind.CANCEL_REJECTED + 1)), seen


def test_balances_move_by_exactly_what_the_fills_say_on_ticks_too() -> None:
    for seed in range(WORLDS):
        world = _world(seed)
        answer = _play(world)
        (count,) = struct.unpack_from("<q", answer)
        expected = list(world.balances)
        for row in np.frombuffer(answer, EVENT_DTYPE, count, 8):
            if row["kind"] == Kind.FILL:
                market = world.markets[int(row["instrument"])]
                sign = -1 if row["flags"] & 1 else 1
                lots, fee, cost = (int(row["v"][i]) for i in (2, 3, 5))
                expected[market.base] += sign * lots * market.lot_units
                expected[market.quote] -= sign * cost + fee
        assert list(struct.unpack("<3q", answer[-24:])) == expected
        if not world.rules.margin:
            assert min(expected) >= 0
