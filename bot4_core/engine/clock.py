"""The machine's time, as drivers and exchanges see it (``bot4_core.sdk.Clock``)."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Wall time and ``CLOCK_MONOTONIC``; while the machine is suspended the latter stands still."""

    def now_ns(self) -> int:
        """Wall time, UTC ns."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Time since the machine started, ns: the same for all its processes."""
        return time.monotonic_ns()

    async def sleep_until(self, monotonic_ns: int) -> None:
        """Returns once that time has come; the event loop has a turn in any case."""
        await asyncio.sleep(max(monotonic_ns - time.monotonic_ns(), 0) / 1e9)
        # the loop's timers are floats of seconds and may be a little early
        while (left_ns := monotonic_ns - time.monotonic_ns()) > 0:
            await asyncio.sleep(left_ns / 1e9)
