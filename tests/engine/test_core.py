"""One step of the engine: what comes before what (D-5), and when the driver is needed."""

from __future__ import annotations

import pytest

from bot4_core.domain.event import EVENT, Bar, Kind
from bot4_core.errors import NativeError
from bot4_core.native.latch import Mode
from bot4_core.protocols import RunStatus
from bot4_core.strategy import Context, Fill, Strategy, Timer

from .rig import BTC, ETH, MINUTE, Rig, rig


class Diary(Strategy):
    """Writes down what it is told, and what it can see then."""

    def on_start(self, ctx: Context) -> None:
        self.lines: list[tuple[object, ...]] = []
        ctx.at(2 * MINUTE, "alarm")

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.lines.append(("bar", bar.instrument.base, ctx.equity))

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.lines.append(("fill", fill.order.instrument.base, ctx.position(fill.order.instrument).lots))

    def on_timer(self, ctx: Context, timer: Timer) -> None:
        self.lines.append((timer.name, ctx.now, ""))


def bar_row(ts: int, close: int, index: int = 0) -> tuple[int, ...]:
    return (ts, index, Kind.BAR, 0, close, close, close, close, 10**6, 1)


def test_in_a_step_come_reports_then_all_marks_then_events_then_timers() -> None:
    diary = Diary()
    r = rig(BTC, ETH, strategy=diary)
    r.bars(10_000, 10_000)
    order = r.ctx.buy(BTC, quantity=10)
    r.send()
    diary.lines.clear()
    r.now = 2 * MINUTE
    stop = r.desk.orders.find(order.stop_id)
    assert stop is not None

    r.step(
        [bar_row(r.now, 10_100), bar_row(r.now, 20_000, 1)],
        [r.report(Kind.ACK, order), r.report(Kind.ACK, stop), r.fill_row(order, 10_000, 10_000)],
    )

    # the first bar already sees the fill at the new mark of every instrument
    assert diary.lines == [
        ("fill", "BTC", 10_000), ("bar", "BTC", 100_010), ("bar", "ETH", 100_010), ("alarm", r.now, ""),
    ]  # fmt: skip
    assert r.engine.take_changed() == [0]
    assert r.engine.take_changed() == []


def test_orders_of_a_step_leave_after_the_whole_step() -> None:
    class Buyer(Strategy):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            ctx.buy(bar.instrument, quantity=1)
            seen.append(len(r.facts))

    seen: list[int] = []
    r = rig(BTC, ETH, strategy=Buyer())
    r.bars(10_000, 10_000)

    assert seen == [0, 0]
    assert [order.index for _, order in r.send()] == [0, 1]


def test_a_step_the_exchange_has_marked_is_not_marked_again() -> None:
    r = rig()

    r.step([bar_row(5, 10_000)], flags=RunStatus.MARKED)
    assert r.account.mark_ticks(0) == 0
    r.step([bar_row(6, 10_000)])
    assert r.account.mark_ticks(0) == 10_000


def pulls(r: Rig, *statuses: int) -> tuple[int, int]:
    """Feeds statuses to one ``advance``; the answer and how many were pulled."""
    rest = list(statuses)
    answer = r.advance(lambda: rest.pop(0))
    return answer, len(statuses) - len(rest)


def test_marked_bars_are_processed_until_there_is_no_step() -> None:
    diary = Diary()
    r = rig(strategy=diary)
    EVENT.pack_into(r.steps, 0, *bar_row(2 * MINUTE, 10_000))

    assert pulls(r, *[RunStatus.MARKED | 1] * 3, RunStatus.FINISHED, 1) == (RunStatus.FINISHED, 4)
    assert [line[0] for line in diary.lines] == ["bar", "alarm", "bar", "bar"]
    assert r.desk.now == 2 * MINUTE


@pytest.mark.parametrize("reason", [RunStatus.TIMER, RunStatus.FINISHED, RunStatus.MORE])
def test_without_a_step_nothing_happens_and_the_driver_is_told_why(reason: int) -> None:
    r = rig()
    r.bar(10_000)
    wakes = r.engine.dispatch.wakes

    assert pulls(r, reason, 1) == (reason, 1)
    assert r.engine.dispatch.wakes == wakes


def test_the_driver_is_needed_as_soon_as_a_command_waits() -> None:
    class Buyer(Strategy):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            if len(calls) == 2:
                ctx.buy(BTC, quantity=1)
            calls.append(bar.ts)

    calls: list[int] = []
    r = rig(strategy=Buyer())
    r.bar(10_000)
    marked = RunStatus.MARKED | 1

    assert pulls(r, marked, marked, marked, RunStatus.FINISHED) == (marked, 2)
    assert len(r.send()) == 1


def test_a_breach_the_exchange_saw_halts_like_one_of_our_own() -> None:
    r = rig(balances={"USDT": 80_000 * 10**8})
    r.account.valuation.restore_peak(100_000 * 10**8)

    r.step([bar_row(5, 10_000)], flags=RunStatus.MARKED | RunStatus.BREACH)

    assert r.desk.latch.mode is Mode.KILLED
    assert r.engine.halted.startswith("drawdown 0.20000000")


def test_a_replay_that_fails_is_an_error_and_not_an_end() -> None:
    with pytest.raises(NativeError, match="code -3"):
        pulls(rig(), -3)


def test_changed_instruments_are_named_in_order() -> None:
    r = rig(BTC, ETH)
    r.bars(10_000, 10_000)
    orders = [r.ctx.buy(each, quantity=1) for each in (ETH, BTC)]
    r.send()

    r.say(*(r.report(Kind.ACK, order) for order in orders))

    assert r.engine.take_changed() == [0, 1]
