"""The machine's clock sleeps until a moment, never less, and always gives the others a turn."""

from __future__ import annotations

import asyncio
import time

from bot4_core.engine.clock import SystemClock
from bot4_core.sdk import Clock


def test_it_tells_wall_time_and_the_time_all_processes_share() -> None:
    clock: Clock = SystemClock()
    before, begun = time.time_ns(), time.monotonic_ns()
    assert before <= clock.now_ns() <= time.time_ns()
    assert begun <= clock.monotonic_ns() <= time.monotonic_ns()


def test_it_returns_when_the_moment_has_come_and_not_before() -> None:
    clock = SystemClock()

    async def main() -> None:
        for after_ns in (1, 999, 12_345, 1_500_000):
            until = clock.monotonic_ns() + after_ns
            await clock.sleep_until(until)
            assert clock.monotonic_ns() >= until

    asyncio.run(main())


def test_a_moment_that_has_passed_gives_the_others_a_turn() -> None:
    seen: list[str] = []

    async def other() -> None:
        seen.append("other")

    async def main() -> None:
        task = asyncio.create_task(other())
        await SystemClock().sleep_until(0)
        seen.append("main")
        await task

    asyncio.run(main())
    assert seen == ["other", "main"]
