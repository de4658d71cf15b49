"""Timers: in order, aligned, never in the past, and bounded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.engine.context import StrategyContext
from bot4_core.engine.timers import NEVER_NS, Timers
from bot4_core.errors import DomainError
from bot4_core.strategy import Context, Strategy, Timer

from .rig import MINUTE, Rig, rig

OWNER: StrategyContext = object()  # type: ignore[assignment]  # timers only hand it back
HOUR = 60 * MINUTE


def names(timers: Timers, ts: int) -> list[tuple[str, int]]:
    return [(timer.name, timer.ts) for timer, _ in timers.due(ts)]


@given(st.lists(st.integers(0, 50), max_size=40), st.lists(st.integers(0, 60), max_size=10).map(sorted))
def test_timers_come_by_time_and_equal_times_in_the_order_they_were_set(due: list[int], looks: list[int]) -> None:
    timers, seen = Timers(), []
    for number, ts in enumerate(due):
        timers.once(ts, str(number), OWNER)
    for ts in [*looks, 100]:
        for name, when in names(timers, ts):
            assert when <= ts
            seen.append((when, int(name)))

    assert seen == sorted((ts, number) for number, ts in enumerate(due))
    assert timers.next_ns == NEVER_NS


def test_the_next_time_is_known_without_looking() -> None:
    timers = Timers()
    assert timers.next_ns == NEVER_NS
    timers.once(50, "b", OWNER)
    timers.once(20, "a", OWNER)
    assert timers.next_ns == 20

    assert names(timers, 20) == [("a", 20)]
    assert timers.next_ns == 50
    timers.clear()
    assert (timers.next_ns, names(timers, 99)) == (NEVER_NS, [])


def test_a_repeating_timer_is_aligned_to_multiples_and_misses_none() -> None:
    timers = Timers()
    timers.start_ns = 25
    timers.repeat(10, "ten", OWNER)

    assert names(timers, 29) == []
    assert names(timers, 30) == [("ten", 30)]
    assert names(timers, 65) == [("ten", 40), ("ten", 50), ("ten", 60)]
    assert timers.next_ns == 70


def test_one_on_a_multiple_starts_with_the_next_multiple() -> None:
    timers = Timers()
    timers.start_ns = 30
    timers.repeat(10, "ten", OWNER)

    assert timers.next_ns == 40


def test_a_moment_that_is_over_is_due_at_once() -> None:
    timers = Timers()
    timers.start_ns = 30
    timers.once(5, "late", OWNER)

    assert names(timers, 30) == [("late", 30)]


def test_the_engines_own_timers_have_no_owner() -> None:
    timers = Timers()
    timers.repeat(10, "buckets", None)
    timers.once(10, "mine", OWNER)

    assert [owner for _, owner in timers.due(10)] == [None, OWNER]


def test_ten_thousand_timers_are_the_most() -> None:
    timers = Timers()
    for ts in range(10_000):
        timers.once(ts, "t", OWNER)

    with pytest.raises(DomainError, match="more than 10000 timers are set: use repeating ones"):
        timers.once(1, "t", OWNER)


def test_a_timer_that_sets_itself_for_the_same_moment_ends_with_an_error_and_not_never() -> None:
    timers = Timers()
    timers.once(5, "again", OWNER)

    with pytest.raises(DomainError, match="'again' sets itself again"):
        for timer, owner in timers.due(5):
            assert owner is OWNER
            timers.once(timer.ts, timer.name, owner)


def strategy(wish: Callable[[Context], None]) -> type[Strategy]:
    class Clocked(Strategy):
        def on_bar(self, ctx: Context, bar: object) -> None:
            if not seen:
                wish(ctx)
            seen.append(("bar", ctx.now))

        def on_timer(self, ctx: Context, timer: Timer) -> None:
            seen.append((timer.name, timer.ts))
            assert ctx.now >= timer.ts

    seen: list[tuple[str, int]] = []
    Clocked.seen = seen  # type: ignore[attr-defined]  # read back by the test
    return Clocked


def run(wish: Callable[[Context], None], *bar_times: int) -> list[tuple[str, int]]:
    kind = strategy(wish)
    r: Rig = rig(strategy=kind())
    for ts in bar_times:
        r.bar(10_000, ts=ts)
    seen: list[tuple[str, int]] = kind.seen  # type: ignore[attr-defined]  # set above
    return seen


def test_a_repeating_timer_set_late_in_a_run_does_not_catch_up_on_the_past() -> None:
    late = 100 * HOUR + MINUTE

    seen = run(lambda ctx: ctx.every("1h", "hourly"), late, late + MINUTE, 101 * HOUR + MINUTE)

    assert seen == [("bar", late), ("bar", late + MINUTE), ("bar", 101 * HOUR + MINUTE), ("hourly", 101 * HOUR)]


def test_a_timer_for_the_past_comes_right_after_the_event_that_set_it() -> None:
    assert run(lambda ctx: ctx.at(5, "late"), HOUR, 2 * HOUR) == [("bar", HOUR), ("late", HOUR), ("bar", 2 * HOUR)]


def test_timers_come_after_the_events_of_their_time() -> None:
    seen = run(lambda ctx: ctx.at(2 * HOUR, "then"), HOUR, 2 * HOUR)

    assert seen == [("bar", HOUR), ("bar", 2 * HOUR), ("then", 2 * HOUR)]


def test_a_timer_without_a_name_is_called_by_its_period() -> None:
    assert ("30m", HOUR) in run(lambda ctx: ctx.every("30m"), HOUR - MINUTE, HOUR)
