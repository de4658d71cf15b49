"""Virtual time jumps only when everybody waits, in a fixed order, and real pipes go first."""

from __future__ import annotations

import asyncio
import os

import pytest

from bot4_core.errors import Bot4Error
from bot4_core.testing import clock as module
from bot4_core.testing.clock import FakeClock


def test_time_jumps_to_each_moment_that_is_slept_for() -> None:
    clock = FakeClock(now_ns=1_000, monotonic_ns=5)
    seen: list[tuple[str, int, int]] = []

    async def sleeper(name: str, *moments: int) -> None:
        for moment in moments:
            await clock.sleep_until(moment)
            seen.append((name, clock.monotonic_ns(), clock.now_ns()))

    async def main() -> None:
        await asyncio.gather(sleeper("a", 10, 30), sleeper("b", 20, 30))

    clock.run(main())
    assert seen == [("a", 10, 1_005), ("b", 20, 1_015), ("a", 30, 1_025), ("b", 30, 1_025)]


def test_of_two_with_one_moment_the_one_that_fell_asleep_first_wakes_first_and_runs_until_it_waits() -> None:
    clock, seen = FakeClock(), list[str]()

    async def sleeper(name: str) -> None:
        await clock.sleep_until(7)
        for _ in range(3):
            seen.append(name)
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(sleeper("a"), sleeper("b"))

    clock.run(main())
    assert "".join(seen) == "aaabbb"


def test_time_stands_still_while_anything_can_be_run() -> None:
    clock = FakeClock()

    async def busy() -> int:
        for _ in range(1_000):
            await asyncio.sleep(0)
        return clock.monotonic_ns()

    async def main() -> int:
        sleeper = asyncio.create_task(clock.sleep_until(5))
        answer = await busy()
        await sleeper
        return answer

    assert clock.run(main()) == 0
    assert clock.monotonic_ns() == 5


def test_a_moment_that_has_passed_gives_the_others_a_turn() -> None:
    clock, seen = FakeClock(monotonic_ns=9), list[str]()

    async def other() -> None:
        seen.append("other")

    async def main() -> None:
        task = asyncio.create_task(other())
        await clock.sleep_until(9)
        seen.append("main")
        await task

    clock.run(main())
    assert (seen, clock.monotonic_ns()) == (["other", "main"], 9)


def test_time_that_is_advanced_wakes_everybody_on_the_way_at_their_own_time() -> None:
    clock, ticks = FakeClock(), list[int]()

    async def ticker() -> None:
        while True:
            await clock.sleep_until(clock.monotonic_ns() + 10)
            ticks.append(clock.monotonic_ns())

    async def main() -> None:
        task = asyncio.create_task(ticker())
        await asyncio.sleep(0)
        await clock.advance(35)
        task.cancel()

    clock.run(main())
    assert (ticks, clock.monotonic_ns()) == ([10, 20, 30], 35)


def test_time_does_not_jump_to_the_moment_of_somebody_who_was_cancelled() -> None:
    clock = FakeClock()

    async def main() -> None:
        task = asyncio.create_task(clock.sleep_until(5))
        await asyncio.sleep(0)
        task.cancel()
        await clock.sleep_until(8)
        assert clock.monotonic_ns() == 8
        assert not clock.sleeping()

    clock.run(main())


def test_a_pipe_that_is_ready_goes_before_a_jump() -> None:
    clock, seen = FakeClock(), list[str]()
    reading, writing = os.pipe()

    async def main() -> None:
        asyncio.get_running_loop().add_reader(reading, lambda: seen.append(os.read(reading, 9).decode()))
        os.write(writing, b"pipe")
        await clock.sleep_until(10**18)
        seen.append("time")
        asyncio.get_running_loop().remove_reader(reading)

    clock.run(main())
    os.close(reading)
    os.close(writing)
    assert seen == ["pipe", "time"]


def test_a_test_that_waits_for_ever_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.01)

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Bot4Error, match="nobody sleeps"):
        FakeClock().run(main())


def test_virtual_time_is_refused_in_another_loop() -> None:
    with pytest.raises(Bot4Error, match=r"FakeClock\.run"):
        asyncio.run(FakeClock().sleep_until(5))
