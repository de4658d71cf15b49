"""Events over time: each when it is due, in pieces that may overtake each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bot4_exchange_sim.stream import TURN

from bot4_core.native.valuation import Valuation
from bot4_core.sdk import (
    EVENT,
    EVENT_SIZE,
    Arrival,
    ExchangeError,
    Kind,
    NativeError,
    OrderType,
    RunStatus,
    Side,
    Streaming,
)
from bot4_core.testing import FakeClock

from .over_time import SYMBOLS, collect
from .scenario import FOREVER, INTERVAL, Make, Sim, bars, close_of, flat

SECOND = 10**9


def many(sim: Make, **given: Any) -> Sim:
    """Four markets of 200 bars."""
    return sim(None, *((each, bars(flat(200)), INTERVAL) for each in SYMBOLS), **given)


def test_the_simulator_is_a_streaming_exchange(sim: Make) -> None:
    assert isinstance(sim(bars(flat(3))).exchange, Streaming)


def test_one_bar_comes_each_minute_and_then_the_end(sim: Make) -> None:
    pieces = collect(sim(bars(flat(3))))
    assert [(piece.at, piece.status) for piece in pieces] == [
        (0, RunStatus.STEP), (INTERVAL, RunStatus.STEP), (2 * INTERVAL, RunStatus.STEP),
        (2 * INTERVAL, RunStatus.FINISHED),
    ]


@pytest.mark.parametrize(("speed", "minute"), [(Decimal(60), SECOND), (Decimal("0.5"), 120 * SECOND)])
def test_the_speed_is_market_seconds_in_a_second(sim: Make, speed: Decimal, minute: int) -> None:
    assert [piece.at for piece in collect(sim(bars(flat(3)), speed=speed))[:3]] == [0, minute, 2 * minute]


def test_a_speed_that_does_not_divide_adds_no_error_up(sim: Make) -> None:
    pieces = collect(sim(bars(flat(3000)), speed=Decimal(7)))
    assert [piece.at for piece in pieces[:3000]] == [-(-bar * INTERVAL // 7) for bar in range(3000)]


def test_pieces_are_of_every_size_and_jitter_lets_them_overtake(sim: Make) -> None:
    pieces = collect(many(sim, jitter="50ms"))[:-1]
    sizes = {len(piece.records) // EVENT_SIZE for piece in pieces}
    assert sizes == {1, 2, 3, 4}
    order = [tuple(EVENT.unpack_from(piece.records)[:2]) for piece in pieces]
    assert order != sorted(order)
    assert len({piece.at % INTERVAL for piece in pieces}) > 100
    assert max(piece.at % INTERVAL for piece in pieces) <= SECOND // 20


def test_without_jitter_pieces_come_in_order(sim: Make) -> None:
    pieces = collect(many(sim))[:-1]
    order = [tuple(EVENT.unpack_from(piece.records)[:2]) for piece in pieces]
    assert order == sorted(order)
    assert len(pieces) > 200


def test_the_bots_seed_decides_cuts_and_jitter(sim: Make, tmp_path: Path) -> None:
    given = [(each, bars(flat(50)), INTERVAL) for each in SYMBOLS]
    one, again, other = (collect(Sim(tmp_path, given, {"jitter": "1s"}, seed)) for seed in (5, 5, 6))
    assert one == again
    assert one != other


def test_fast_replays_wait_for_nothing(sim: Make) -> None:
    pieces = collect(many(sim, speed="max", jitter="1h"))
    assert {piece.at for piece in pieces} == {0}
    order = [tuple(EVENT.unpack_from(piece.records)[:2]) for piece in pieces[:-1]]
    assert order != sorted(order)


@pytest.mark.parametrize("speed", ["max", Decimal(1_000_000)])
def test_a_bot_that_is_always_late_starves_nobody(sim: Make, speed: Decimal | str) -> None:
    s, clock = sim(bars(flat(20 * TURN)), speed=speed), FakeClock()

    async def main() -> int:
        turns, running = 0, True

        async def other() -> None:
            nonlocal turns
            while running:
                turns += 1
                await asyncio.sleep(0)

        async with aclosing(s.exchange.stream(clock)) as arrivals:
            await anext(arrivals)
            await clock.advance(3600 * SECOND)
            task = asyncio.create_task(other())
            async for _, status in arrivals:
                if status & RunStatus.FINISHED:
                    break
        running = False
        await task
        return turns

    assert 18 <= clock.run(main()) <= 24


def test_who_was_away_gets_what_it_missed_in_order_and_at_once(sim: Make) -> None:
    s, clock = sim(bars(flat(6))), FakeClock()

    async def main() -> list[tuple[int, int]]:
        got = []
        async with aclosing(s.exchange.stream(clock)) as arrivals:
            for bar in range(6):
                records, _ = await anext(arrivals)
                got.append((clock.monotonic_ns(), EVENT.unpack(records)[0]))
                if bar == 1:
                    await clock.advance(2 * INTERVAL + 5)
        return got

    late = 3 * INTERVAL + 5
    times = [0, INTERVAL, late, late, 4 * INTERVAL, 5 * INTERVAL]
    assert clock.run(main()) == list(zip(times, [close_of(bar) for bar in range(6)], strict=True))


def test_the_end_and_a_timer_are_told_again_and_again(sim: Make) -> None:
    s, clock = sim(bars(flat(1))), FakeClock()
    s.exchange.wake_at(close_of(0) - 1)

    async def main() -> list[int]:
        async with aclosing(s.exchange.stream(clock)) as arrivals:
            timers = [(await anext(arrivals)).status for _ in range(2)]
            s.exchange.wake_at(FOREVER)
            return [*timers, *[(await anext(arrivals)).status for _ in range(3)]]

    assert clock.run(main()) == [RunStatus.TIMER] * 2 + [RunStatus.STEP] + [RunStatus.FINISHED] * 2


# while the stream waits


Then = Callable[[FakeClock, asyncio.Task[Arrival], AsyncIterator[Arrival]], Coroutine[Any, Any, Any]]


def waiting(s: Sim, then: Then, after: int = 1) -> Any:
    """Reads ``after`` arrivals, waits ten seconds beyond, and goes on with ``then`` while the next is waited for."""
    clock = FakeClock()

    async def main() -> Any:
        async with aclosing(s.exchange.stream(clock)) as arrivals:
            for _ in range(after):
                await anext(arrivals)
            task = asyncio.ensure_future(anext(arrivals))
            await clock.advance(10 * SECOND)
            assert not task.done()
            return await then(clock, task, arrivals)

    return clock.run(main())


def test_a_cancel_while_the_stream_waits_is_answered_now(sim: Make) -> None:
    s = sim(bars(flat(5)), jitter="1s")
    order = s.send(Side.BUY, OrderType.LIMIT, 1, price_ticks=9_000)

    async def cancel(clock: FakeClock, task: asyncio.Task[Arrival], _: object) -> int:
        s.exchange.cancel(order)
        records, status = await task
        assert status == RunStatus.STEP
        assert EVENT.unpack(records)[2:5] == (Kind.CANCELLED, 0, order.order_id)
        return clock.monotonic_ns()

    assert 10 * SECOND < waiting(s, cancel, after=2) < 12 * SECOND


def test_an_answer_comes_when_the_latency_is_over_not_with_the_next_bar(sim: Make) -> None:
    s = sim(bars(flat(5)), latency="20s")
    unknown = s.order(Side.BUY, OrderType.MARKET, 1)

    async def cancel(clock: FakeClock, task: asyncio.Task[Arrival], _: object) -> tuple[int, int]:
        s.exchange.cancel(unknown)
        kind = EVENT.unpack((await task).records)[2]
        return clock.monotonic_ns(), kind

    # sent, as everything is, at the market's last moment, the close of the first bar
    assert waiting(s, cancel) == (20 * SECOND, Kind.CANCEL_REJECTED)


def test_an_ack_waits_for_the_next_bar_as_in_a_backtest(sim: Make) -> None:
    s = sim(bars(flat(5)))

    async def send(clock: FakeClock, task: asyncio.Task[Arrival], arrivals: AsyncIterator[Arrival]) -> list[int]:
        s.send(Side.BUY, OrderType.LIMIT, 1, price_ticks=9_000)
        got = [await task]
        while not got[-1].status & RunStatus.STEP:
            got.append(await anext(arrivals))
        assert clock.monotonic_ns() == INTERVAL
        return sorted(EVENT.unpack(each.records)[2] for each in got)

    assert waiting(s, send) == [Kind.BAR, Kind.ACK]


def test_a_timer_may_be_moved_while_the_stream_waits(sim: Make) -> None:
    s = sim(bars(flat(5)))

    async def move(clock: FakeClock, task: asyncio.Task[Arrival], _: object) -> tuple[int, int]:
        s.exchange.wake_at(close_of(0) + 30 * SECOND)
        return (await task).status, clock.monotonic_ns()

    assert waiting(s, move) == (RunStatus.TIMER, 30 * SECOND)


def test_a_cancel_between_two_pieces_leaves_the_step_whole_and_on_time(sim: Make) -> None:
    given = [(each, bars(flat(5)), INTERVAL) for each in SYMBOLS]
    s, clock = sim(None, *given, jitter="30s"), FakeClock()
    order = s.send(Side.BUY, OrderType.LIMIT, 1, price_ticks=9_000)

    async def main() -> tuple[list[tuple[int, bytes]], int]:
        pieces = []
        async with aclosing(s.exchange.stream(clock)) as arrivals:
            records, status = await anext(arrivals)
            assert not status
            s.exchange.cancel(order)
            while True:
                pieces.append((clock.monotonic_ns(), bytes(records)))
                if status:
                    return pieces, EVENT.unpack_from((await anext(arrivals)).records)[2]
                task = asyncio.ensure_future(anext(arrivals))
                await asyncio.sleep(0)
                s.exchange.wake_at(FOREVER)  # wakes the sleeping stream, which has to sleep on
                records, status = await task

    undisturbed = sim(None, *given, jitter="30s")
    undisturbed.send(Side.BUY, OrderType.LIMIT, 1, price_ticks=9_000)
    pieces, then = clock.run(main())
    assert len(pieces) > 2
    assert pieces == [(piece.at, piece.records) for piece in collect(undisturbed, len(pieces))]
    assert then == Kind.CANCELLED


def test_a_reader_that_is_cancelled_leaves_the_exchange_in_order(sim: Make) -> None:
    s = sim(bars(flat(5)))

    async def give_up(clock: FakeClock, task: asyncio.Task[Arrival], _: object) -> list[int]:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with aclosing(s.exchange.stream(clock)) as arrivals:
            return [EVENT.unpack((await anext(arrivals)).records)[0], clock.monotonic_ns()]

    # a new stream counts from what comes next: it does not wait for it again
    assert waiting(s, give_up) == [close_of(1), 10 * SECOND]


def test_there_is_one_stream_at_a_time(sim: Make) -> None:
    s = sim(bars(flat(5)))

    async def second(clock: FakeClock, task: asyncio.Task[Arrival], _: object) -> int:
        with pytest.raises(ExchangeError, match="under way already"):
            await anext(s.exchange.stream(clock))
        return (await task).status

    assert waiting(s, second) == RunStatus.STEP


# window and valuation


def test_a_window_is_set_before_and_its_first_event_comes_at_once(sim: Make) -> None:
    s = sim(bars(flat(9)))
    s.exchange.limit(close_of(5))
    s.exchange.seek(close_of(3))
    pieces = collect(s)
    assert [EVENT.unpack(piece.records)[0] for piece in pieces[:-1]] == [close_of(3), close_of(4), close_of(5)]
    assert [piece.at for piece in pieces] == [0, INTERVAL, 2 * INTERVAL, 2 * INTERVAL]
    with pytest.raises(NativeError):
        s.exchange.seek(close_of(4))


def test_an_order_sent_before_the_stream_does_not_move_its_start(sim: Make) -> None:
    s = sim(bars(flat(9)))
    s.exchange.seek(close_of(3))
    s.send(Side.BUY, OrderType.LIMIT, 1, price_ticks=9_000)
    assert [piece.at for piece in collect(s) if piece.status == RunStatus.STEP][:2] == [0, INTERVAL]


def test_the_reader_marks_its_own_valuation(sim: Make) -> None:
    s = sim(bars(flat(3)))
    valuation = Valuation(1, sample_ns=INTERVAL, cash_mul=1)
    s.exchange.attach(valuation)
    assert len(collect(s)) == 4
    assert valuation.mark_of(0) == 0
