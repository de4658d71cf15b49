"""The trader's turn: what may leave, what is held back and what goes at once, at each point where it waits."""

from __future__ import annotations

import asyncio
import os
import random
import select
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from bot4_core.domain.order import Order, Role
from bot4_core.engine import live as live_module
from bot4_core.engine.durability import Durability
from bot4_core.errors import StrategyError
from bot4_core.native.latch import Mode
from bot4_core.protocols import Arrival, RunStatus
from bot4_core.sdk import Bar, Context, Strategy

from .trading import Live

FLAT = [10_000] * 400


class Once(Strategy):
    """Buys at the second bar; keeps an entry far below the market from the fourth on."""

    seen: int = 0

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen += 1
        if self.seen == 2:
            ctx.buy(bar.instrument, fraction="0.01", stop="0.02")
        elif self.seen == 4:
            ctx.buy(bar.instrument, fraction="0.001", stop="0.02", limit=9_000)


class Stubborn(Once):
    """Wants an entry that was held back again at once."""

    def on_order(self, ctx: Context, order: Order) -> None:
        ctx.buy(order.instrument, fraction="0.01", stop="0.02")


class Closing(Once):
    """Closes what it holds at the sixth bar."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        super().on_bar(ctx, bar)
        if self.seen == 6:
            ctx.close(bar.instrument)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def sent(live: Live) -> list[str]:
    return [what for what in live.happened if what.startswith("submit")]


@pytest.mark.parametrize("strategy", [Once, Stubborn])
def test_an_entry_whose_disk_answers_in_the_moment_of_a_stop_is_not_sent(
    tmp_path: Path, strategy: type[Strategy]
) -> None:
    async def test() -> None:
        live = Live(tmp_path, strategy, FLAT, disk=False, unguarded=True)

        def at_once() -> None:
            live.trader.stop("stopped by the test")
            live.disk_answers()

        def act(what: str) -> None:
            if what == "INTENT 1":
                asyncio.get_running_loop().call_soon(at_once)

        live.when = act
        assert await live.run() == "stopped by the test"
        assert sent(live) == []
        assert any("was not sent: the run is ending" in line for line in live.said)
        assert "DENIED 3" in live.happened or strategy is Once

    run(test())


def test_an_entry_that_is_held_back_at_a_stop_is_not_wanted_again_for_ever(tmp_path: Path) -> None:
    async def test() -> None:
        live = Live(tmp_path, Stubborn, FLAT, disk=False, unguarded=True)
        live.when = lambda what: what == "INTENT 1" and asyncio.get_running_loop().call_soon(live.trader.stop, "enough")
        assert await live.run() == "enough"
        assert sent(live) == []
        assert len([what for what in live.happened if what.startswith("INTENT")]) == 2  # the entry and its stop

    run(test())


def test_an_entry_is_not_sent_late_although_its_disk_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole process may have been stopped meanwhile (O-6)."""
    monkeypatch.setattr(live_module, "VALID_S", 0.05)

    async def test() -> None:
        live = Live(tmp_path, Once, FLAT, disk=False)

        def sleep_deeply() -> None:
            select.select([], [], [], 0.1)
            live.disk_answers()

        live.when = lambda what: what == "INTENT 1" and asyncio.get_running_loop().call_soon(sleep_deeply)
        assert await live.run() == "finished"
        assert "submit 1" not in live.happened
        assert any("was not sent: its intent was not durable within" in line for line in live.said)

    run(test())


def test_a_reduction_and_the_cancels_before_it_do_not_wait_for_a_disk_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "STALLED_S", 0.1)

    async def test() -> None:
        live = Live(tmp_path, Closing, FLAT)
        began = 0.0

        def act(what: str) -> None:
            nonlocal began
            if what.startswith("submit 3"):  # the far entry is out; the close comes next
                live.disk = False
            elif what.startswith("INTENT 5"):
                began = time.monotonic()
            elif what.startswith("submit 5"):
                assert 0.05 < time.monotonic() - began < live_module.VALID_S / 2
                live.disk_answers()

        live.when = act
        assert await live.run() == "finished"
        assert "submit 5" in live.happened
        assert not live.journal.waits_s()

    run(test())


def test_a_kill_is_heeded_while_the_journal_has_no_room_for_more_of_the_market(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        live = Live(tmp_path, Once, FLAT)
        monkeypatch.setattr(Durability, "full", property(lambda journal: "submit 3" in live.happened))

        def act(what: str) -> None:
            if what == "submit 3":
                asyncio.get_running_loop().call_later(
                    0.01, lambda: live.latch.set(Mode.KILLED, "enough", "the test", 1)
                )
            elif what == "cancel 3":
                live.trader.stop("seen")

        live.when = act
        assert await live.run() == "seen"
        assert "HALT 3" in live.happened

    run(test())


def test_a_recorder_that_dies_before_it_gives_room_back_does_not_hang_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is durable, yet the ring stays full until another recorder has started: the loop must turn."""

    async def test() -> None:
        live = Live(tmp_path, Once, FLAT)
        monkeypatch.setattr(Durability, "full", property(lambda journal: True))
        asyncio.get_running_loop().call_later(0.05, live.trader.stop, "seen")
        assert await live.run() == "seen"

    run(test())


class Falling(Once):
    """Buys far too much once, and a little at each bar from the fortieth on."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen += 1
        if self.seen == 2 or self.seen >= 40:
            ctx.buy(bar.instrument, fraction="0.9" if self.seen == 2 else "0.01", stop="0.5")


def test_a_run_that_halted_takes_no_new_risk_although_its_latch_is_released(tmp_path: Path) -> None:
    """The market is back before the flattening has reached it, so no drawdown is left to deny what follows."""
    closes = [10_000] * 20 + [7_500] + [10_000] * 5_000

    async def test() -> None:
        pace = {"speed": "20000", "latency": "3m"}
        live = Live(tmp_path, Falling, closes, exchange=pace, unguarded=True, drawdown="0.15")
        denied = 0

        def act(what: str) -> None:
            nonlocal denied
            if what.startswith("said latch KILLED"):
                asyncio.get_running_loop().call_soon(live.latch.release, "test", "the test", 2)
            denied += what.startswith("DENIED") and live.latch.mode is Mode.ACTIVE
            if denied > 2 and any("takes no new risk" in line for line in live.said):
                live.trader.stop("seen")

        live.when = act
        assert await live.run() == "seen"
        assert live.engine.halted and live.engine.account.valuation.drawdown_ppb < 10**8
        assert len(sent(live)) == 2  # what fell, and its flattening

    run(test())


def test_timers_dropped_by_a_stop_do_not_come_due_at_the_end_of_time(tmp_path: Path) -> None:
    async def test() -> None:
        live = Live(tmp_path, Once, FLAT)
        asyncio.get_running_loop().call_later(0, live.trader.stop, "stop")
        await live.run()
        before = live.engine.desk.now
        live.trader._take(Arrival(b"", RunStatus.TIMER))
        assert live.engine.desk.now == before

    run(test())


class Leaving(Once):
    """Ends the process, as it thinks, when its entry fills; the far entry works then."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        super().on_bar(ctx, bar)
        if self.seen == 8:
            sys.exit(7)


class Failing(Once):
    """Raises at a bar, and again whatever it is told."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        super().on_bar(ctx, bar)
        if self.seen == 5:
            ctx.buy(bar.instrument, fraction="0.001", stop="0.02", limit=9_100)
        if self.seen == 8:
            raise KeyError("a bar")

    def on_order(self, ctx: Context, order: Order) -> None:
        raise KeyError("an order")


@pytest.mark.parametrize(("strategy", "words"), [(Leaving, "SystemExit: 7"), (Failing, "a bar")])
def test_whatever_a_strategy_raises_its_entries_are_cancelled_and_the_answers_taken_in(
    tmp_path: Path, strategy: type[Strategy], words: str
) -> None:
    async def test() -> None:
        live = Live(tmp_path, strategy, FLAT)
        with pytest.raises(StrategyError, match=words):
            await live.run()
        assert "CANCELLED 3" in live.after("cancel 3")
        assert live.engine.desk.orders.entries == 0

    run(test())


class Lively(Once):
    """Enters, closes and cancels within a few bars, and wants at once again what was held back or cancelled."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen += 1
        ctx.buy(bar.instrument, fraction="0.002", stop="0.02")
        if self.seen % 3 == 1:
            ctx.buy(bar.instrument, fraction="0.001", stop="0.02", limit=9_000)
        elif self.seen % 3 == 2:
            ctx.close(bar.instrument)
        else:
            for order in ctx.orders(bar.instrument):
                ctx.cancel(order)

    def on_order(self, ctx: Context, order: Order) -> None:
        ctx.buy(order.instrument, fraction="0.001", stop="0.02")


#: (at which of the things that happen, in that very moment or in the loop's next turn, what)
POINTS = [(at, soon, act) for at in range(60) for soon in (False, True) for act in ("kill", "stop")]


@pytest.mark.parametrize(
    ("at", "soon", "act"), POINTS if os.environ.get("BOT4_FUZZ") else random.Random(1).sample(POINTS, 30)
)
def test_no_entry_leaves_after_a_kill_or_a_stop_wherever_it_falls(
    tmp_path: Path, at: int, soon: bool, act: str
) -> None:
    async def test() -> None:
        live = Live(tmp_path, Lively, FLAT[:12], exchange={"jitter": "1ms", "speed": "max"})

        def fire() -> None:
            if act == "kill":
                live.latch.set(Mode.KILLED, "enough", "the test", 1)
            else:
                live.trader.stop("enough")

        def when(what: str) -> None:
            if len(live.happened) == at + 1:
                asyncio.get_running_loop().call_soon(fire) if soon else fire()

        live.when = when
        reason = await live.run()
        assert len(live.happened) > at
        assert live.astray == []
        assert reason == "finished" if act == "kill" else reason.startswith("enough")
        orders = live.engine.desk.orders
        assert act == "kill" or not any(o.role is Role.ENTRY and not o.pending_cancel for o in orders.all_working())

    run(test())
