"""The exchange object: histories together, windows, wakes, the valuation, refusals."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from bot4_exchange_sim.exchange import SimExchange
from bot4_exchange_sim.native import Kernel, Market, Rules, Stream
from bot4_exchange_sim.native.kernel import Scanned
from bot4_exchange_sim.settings import SimSettings

from bot4_core.native.valuation import Valuation
from bot4_core.sdk import (
    EVENT_DTYPE,
    ConfigError,
    DomainError,
    HistoryError,
    Kind,
    NativeError,
    OrderType,
    Replay,
    RunStatus,
    Side,
)

from .scenario import BTC, ETH, INTERVAL, START, Make, bars, close_of, fills, flat, services, ticks

BAR = 1 << Kind.BAR


def test_it_satisfies_the_replay_protocol(sim: Make) -> None:
    s = sim(bars(flat(3)), (ETH, bars(flat(4)), INTERVAL))
    assert isinstance(s.exchange, Replay)
    assert s.exchange.instruments == [BTC, ETH]
    assert s.exchange.intervals_ns == [INTERVAL, INTERVAL]
    assert (s.exchange.first_ns, s.exchange.last_ns) == (close_of(0), close_of(3))
    assert s.exchange.total_events == 7
    assert s.exchange.starting_balances() == {"BTC": 0, "ETH": 0, "USDT": 10**14}
    assert [s.exchange.kinds(i) for i in range(2)] == [BAR, BAR]
    assert (s.exchange.shorting, s.exchange.leverage) == (False, 1)


def test_files_of_one_instrument_follow_each_other(sim: Make) -> None:
    s = sim(None, (BTC, bars(flat(3)), INTERVAL), (BTC, bars(flat(2), first=3), INTERVAL))
    s.exchange.wake_on(0, BAR)
    s.finish()
    assert [step[0] for step in s.steps] == [close_of(bar) for bar in range(5)]
    assert s.exchange.processed() == s.exchange.total_events == 5


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ((BTC, bars(flat(2), first=2), INTERVAL), "overlap in time"),
        ((BTC, bars(flat(2), first=9, interval=2 * INTERVAL), 2 * INTERVAL), "bars of different length"),
        ((evolve(BTC, tick=Decimal("0.1")), bars(flat(2), first=3), INTERVAL), "otherwise than"),
        ((evolve(ETH, quote_scale=2), bars(flat(2)), INTERVAL), "USDT has 8 decimals in one instrument and 2"),
    ],
)
def test_histories_that_contradict_each_other_are_refused(sim: Make, second: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        sim(None, (BTC, bars(flat(3)), INTERVAL), second)


def test_book_levels_alone_are_refused(sim: Make) -> None:
    with pytest.raises(ConfigError, match="book levels only"):
        sim(None, (BTC, ticks([(0, Kind.LEVEL, (1, 1, 1), 0)]), 0))


def test_a_margin_account_needs_one_quote_asset(sim: Make) -> None:
    other = evolve(ETH, symbol="ETH/EUR")
    with pytest.raises(ConfigError, match="one quote asset, these markets have EUR, USDT"):
        sim(bars(flat(2)), (other, bars(flat(2)), INTERVAL), account="margin")


def test_balances_of_unknown_assets_are_refused(sim: Make) -> None:
    with pytest.raises(ConfigError, match="balances names DOGE"):
        sim(bars(flat(2)), balances={"DOGE": Decimal(1)})


def test_balances_finer_than_the_asset_are_refused(sim: Make) -> None:
    with pytest.raises(DomainError, match="USDT balance"):
        sim(bars(flat(2)), balances={"USDT": Decimal("0.000000001")})


def test_a_missing_history_is_named(tmp_path: Path) -> None:
    settings = SimSettings(history=["none.b4h"], balances={"USDT": Decimal(1)})
    with pytest.raises(HistoryError, match=r"none\.b4h"):
        SimExchange(settings, services(tmp_path))


def test_the_hash_covers_every_history_in_order(sim: Make) -> None:
    one = sim(bars(flat(3)), (ETH, bars(flat(3)), INTERVAL)).exchange.history_hash
    other = sim(bars(flat(3)), (ETH, bars([*flat(2), *flat(1, 10_001)]), INTERVAL)).exchange.history_hash
    assert len(one) == 64
    assert one != other
    assert one == sim(bars(flat(3)), (ETH, bars(flat(3)), INTERVAL)).exchange.history_hash


@pytest.mark.parametrize(("first", "last"), [(1, 3), (0, 4), (2, 2)])
def test_seek_and_limit_are_both_included(sim: Make, first: int, last: int) -> None:
    s = sim(bars(flat(5)))
    s.exchange.limit(close_of(last))
    s.exchange.seek(close_of(first))
    s.exchange.wake_on(0, BAR)
    s.finish()
    assert [step[0] for step in s.steps] == [close_of(bar) for bar in range(first, last + 1)]
    assert s.exchange.processed() == s.exchange.total_events == last - first + 1


def test_a_window_between_bars_takes_what_lies_inside(sim: Make) -> None:
    s = sim(bars(flat(5)))
    s.exchange.seek(close_of(1) + 1)
    s.exchange.limit(close_of(3) - 1)
    assert s.exchange.total_events == 1


def test_a_window_that_ends_before_it_begins_is_refused(sim: Make) -> None:
    s = sim(bars(flat(5)))
    s.exchange.limit(close_of(1))
    with pytest.raises(ConfigError, match="ends before it begins"):
        s.exchange.seek(close_of(2))


def test_a_replay_under_way_cannot_seek(sim: Make) -> None:
    s = sim(bars(flat(5)))
    s.after_bar(0)
    with pytest.raises(NativeError):
        s.exchange.seek(close_of(2))


def test_a_timer_goes_before_later_events_and_after_those_of_its_time(sim: Make) -> None:
    s = sim(bars(flat(3)))
    s.exchange.wake_on(0, BAR)
    assert s.run(close_of(0) - 1) == RunStatus.TIMER
    assert s.run(close_of(0)) & RunStatus.EVENTS == 1
    assert s.run(close_of(0)) == RunStatus.TIMER
    assert s.exchange.processed() == 1


def test_an_ack_waits_for_company_but_not_past_a_timer(sim: Make) -> None:
    s = sim(bars(flat(3)))
    s.after_bar(0)
    s.send(Side.BUY, OrderType.LIMIT, 1, price_ticks=9_000)
    status = s.run(close_of(0) + 5)
    assert (status & RunStatus.EVENTS, status >> 16 & RunStatus.EVENTS) == (0, 1)
    assert s.run(close_of(0) + 5) == RunStatus.TIMER


def test_the_end_is_told_again_and_again(sim: Make) -> None:
    s = sim(bars(flat(3)))
    assert [s.run() for _ in range(3)] == [RunStatus.FINISHED] * 3


def test_long_stretches_come_back_with_more(sim: Make) -> None:
    s = sim(bars(flat(2000)))
    assert s.run() == RunStatus.MORE
    assert 0 < s.exchange.processed() < 2000
    assert s.exchange.run_on() == RunStatus.FINISHED


def test_an_ack_survives_a_stretch_nobody_wants(sim: Make) -> None:
    s = sim(bars(flat(2000)))
    order = s.send(Side.BUY, OrderType.LIMIT, 1, price_ticks=9_000)
    assert s.run() == RunStatus.MORE
    status = s.exchange.run_on()
    assert status >> 16 & RunStatus.EVENTS == 1
    assert [r[5] for r in s.finish()] == []
    assert order.order_id == 1


def test_the_buffers_outlive_the_exchange(sim: Make) -> None:
    s = sim(bars(flat(3)))
    s.exchange.wake_on(0, BAR)
    s.run()
    step = s.exchange.step
    del s
    assert int.from_bytes(step[:8], "little") == close_of(0)


def _valued(sim: Make, rows: list[tuple[int, int, int, int]], limit_ppb: int = 0) -> tuple[Any, Valuation]:
    s = sim(bars(rows))
    valuation = Valuation(1, sample_ns=INTERVAL, cash_mul=1)
    valuation.set_cash(10**9)
    valuation.set_position(0, 1000, 1)
    if limit_ppb:
        valuation.set_limit(limit_ppb)
    s.exchange.attach(valuation)
    return s, valuation


def test_skipped_steps_mark_the_valuation(sim: Make) -> None:
    s, valuation = _valued(sim, [*flat(2), *flat(1, 9_000)])
    s.finish()
    assert valuation.mark_of(0) == 9_000
    assert valuation.equity == 10**9 + 9_000_000


def test_a_breach_returns_its_step_and_everything_after_it(sim: Make) -> None:
    s, _ = _valued(sim, [*flat(2), *flat(1, 9_000), *flat(1, 10_000)], limit_ppb=500_000)
    status = s.run()
    assert status & RunStatus.BREACH
    assert status & RunStatus.EVENTS == 1
    assert int.from_bytes(s.exchange.step[:8], "little") == close_of(2)


def test_a_step_with_fills_is_not_marked_before_they_are_applied(sim: Make) -> None:
    s, valuation = _valued(sim, [*flat(1), *flat(1, 9_000)])
    s.after_bar(0)
    s.send(Side.BUY, OrderType.MARKET, 1)
    status = s.run()
    assert status >> 16 & RunStatus.EVENTS == 2
    assert not status & RunStatus.MARKED
    assert valuation.mark_of(0) == 10_000


def test_a_valuation_of_too_few_instruments_is_refused(sim: Make) -> None:
    s = sim(bars(flat(3)), (ETH, bars(flat(3)), INTERVAL))
    with pytest.raises(NativeError):
        s.exchange.attach(Valuation(1, sample_ns=INTERVAL, cash_mul=1))


def test_the_same_run_twice_gives_the_same_bytes(sim: Make) -> None:
    def play() -> list[Any]:
        s = sim(bars([(10_000 + n % 7, 10_020 + n % 5, 9_980 - n % 3, 10_000, 500) for n in range(200)]))
        for bar in range(0, 200, 5):
            s.after_bar(bar)
            s.send(Side.BUY, OrderType.MARKET, 7, stop=9_979, target=10_022)
        return s.finish() and s.reports

    first = play()
    assert fills(first)
    assert first == play()


@pytest.mark.parametrize(
    ("change", "row"),
    [
        (lambda e: e["v"].__setitem__((1, 2), 10_001), 1),  # low above open
        (lambda e: e["v"].__setitem__((2, 4), -1), 2),  # negative volume
        (lambda e: e["ts"].__setitem__(1, START), 1),  # back in time
        (lambda e: e["kind"].__setitem__(0, 17), 0),
        (lambda e: e["v"].__setitem__((1, 1), 2**54), 1),  # a price out of bounds
        (lambda e: None, -1),
    ],
)
def test_a_scan_names_the_first_record_that_cannot_be(change: Any, row: int) -> None:
    events = bars(flat(3))
    change(events)
    assert Scanned(events).bad_row == row


def test_a_scan_counts_events_of_one_time() -> None:
    events = np.concatenate([bars(flat(3)), np.zeros(0, EVENT_DTYPE)])
    events["ts"] = [START, START, START + 1]
    assert Scanned(events).longest_run == 2


def _kernel(count: int, streams: int = 1, price: int = 100) -> Kernel:
    none = Fraction(0)
    rules = Rules(market_ratio=none, slip_ratio=none, maker_fee=none, taker_fee=none, leverage=Fraction(1),
                  latency_ns=0, margin=False, compat=False)
    market = Market(cost_ratio=Fraction(1), lot_units=1, volume_ratio=Fraction(1), share_ratio=Fraction(1),
                    min_lots=0, max_lots=0, min_notional=0, base=0, quote=1)
    events = ticks([(0, Kind.TRADE, (price, 1, 1), 0)] * count)
    stream = Stream(events=events, interval_ns=0, instrument=0, name="trades.b4h")
    return Kernel(rules, [market], [stream] * streams, [0, 0])


def test_a_history_with_an_impossible_record_is_refused() -> None:
    with pytest.raises(HistoryError, match=r"trades\.b4h: record 1 "):
        _kernel(2, price=2**54)


def test_more_events_of_one_time_than_a_step_holds_are_refused() -> None:
    assert _kernel(65_535).run() == RunStatus.MORE
    with pytest.raises(ConfigError, match="65536 events have one time"):
        _kernel(65_536)


def test_more_histories_than_the_kernel_merges_are_refused() -> None:
    assert _kernel(1, 64).run() == RunStatus.FINISHED
    with pytest.raises(ConfigError, match="at most 64"):
        _kernel(1, 65)


def test_indices_out_of_range_are_refused() -> None:
    kernel = _kernel(1)
    for call in (lambda: kernel.wake_on(1, BAR), lambda: kernel.balance(2), lambda: kernel.position(1)):
        with pytest.raises(NativeError):
            call()
