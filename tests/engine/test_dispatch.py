"""Who is woken: what a strategy implements, on its own instruments, after its warm-up, its own errors named."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from bot4_core.domain.event import Bar, Flag, Kind, Quote, Trade
from bot4_core.domain.order import Order
from bot4_core.engine.core import Engine
from bot4_core.errors import ConfigError, DomainError, StoreError, StrategyError
from bot4_core.strategy import Context, Fill, Strategy, Timer

from .rig import BTC, ETH, MINUTE, Quiet, rig

BAR, TRADE, QUOTE = 1 << Kind.BAR, 1 << Kind.TRADE, 1 << Kind.QUOTE


def run_elsewhere(error: BaseException) -> Engine:
    """An engine whose next timer raises in a frame that is in no strategy's file."""
    code = compile("def fail(ts):\n    raise error\n", "elsewhere.py", "exec")
    names: dict[str, Any] = {"error": error}
    exec(code, names)  # the only way to a frame outside this file
    r = rig(strategy=Quiet())
    r.engine.run_timers = names["fail"]  # type: ignore[method-assign]  # an engine that fails by itself
    return r.engine


class Everything(Strategy):
    timeframes = ("1m",)

    def on_start(self, ctx: Context) -> None:
        self.calls: list[Any] = ["start"]

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.calls.append(bar)

    def on_trade(self, ctx: Context, trade: Trade) -> None:
        self.calls.append(trade)

    def on_quote(self, ctx: Context, quote: Quote) -> None:
        self.calls.append(quote)

    def on_stop(self, ctx: Context) -> None:
        self.calls.append("stop")


def test_events_reach_the_methods_with_their_exact_fields() -> None:
    every = Everything()
    r = rig(strategy=every, interval_ns=0)
    r.step([(0, 0, Kind.TRADE, Flag.SELL, 100, 7, 42, 0, 0, 0)])
    r.step([(6, 0, Kind.QUOTE, 0, 99, 1, 101, 2, 0, 0)])
    r.step([(MINUTE, 0, Kind.TRADE, 0, 102, 3, 43, 0, 0, 0)])
    r.engine.stop()

    assert every.calls == [
        "start", Trade(BTC, 0, 100, 7, 42, True), Quote(BTC, 6, 99, 1, 101, 2),
        Bar(BTC, MINUTE, 100, 100, 100, 100, 7, 1, MINUTE), Trade(BTC, MINUTE, 102, 3, 43, False), "stop",
    ]  # fmt: skip
    assert r.engine.dispatch.wakes == 4


def test_events_of_one_time_come_by_instrument() -> None:
    class Bars(Strategy):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            seen.append((bar.instrument.symbol, ctx.position(ETH).lots, bar.close_ticks))

    seen: list[tuple[str, int, int]] = []
    rig(BTC, ETH, strategy=Bars()).bars(5, 7)

    assert seen == [("BTC/USDT", 0, 5), ("ETH/USDT", 0, 7)]


def test_a_strategy_hears_only_of_its_own_instruments_fills_and_orders() -> None:
    class Mine(Strategy):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            told.append(bar.instrument.symbol)

        def on_fill(self, ctx: Context, fill: Fill) -> None:
            told.append("fill")

        def on_order(self, ctx: Context, order: Order) -> None:
            told.append("order")

    told: list[str] = []
    r = rig(BTC, ETH, beside=[("mine", Mine(), [1])])
    r.bars(10_000, 10_000)
    order = r.ctx.buy(BTC, quantity=1)
    r.open(order, 10_000, 500)
    r.say(r.cancelled(order))

    assert told == ["ETH/USDT"]


def test_bars_before_the_window_only_warm_up() -> None:
    class Warm(Strategy):
        def on_start(self, ctx: Context) -> None:
            self.average = ctx.sma(2)

        def on_bar(self, ctx: Context, bar: Bar) -> None:
            seen.append((bar.ts, self.average.ready))

    seen: list[tuple[int, bool]] = []
    r = rig(strategy=Warm(), trading_from=3 * MINUTE)
    for close in (1, 2, 3, 4):
        r.bar(close)

    assert seen == [(3 * MINUTE, True), (4 * MINUTE, True)]


def kind_of(**methods: Any) -> Strategy:
    settings = {name: value for name, value in methods.items() if not callable(value)}
    written = {name: value for name, value in methods.items() if callable(value)}
    made: type[Strategy] = type("Made", (Strategy,), {**written, "__module__": __name__})
    return made(**settings)


@pytest.mark.parametrize(
    ("methods", "interval", "wanted"),
    [
        ({}, MINUTE, 0), ({"on_stop": lambda self, ctx: None}, MINUTE, BAR),
        ({"on_stop": lambda self, ctx: None}, 0, 0),
        ({"on_fill": lambda self, ctx, fill: None}, MINUTE, BAR),
        ({"on_bar": lambda self, ctx, bar: None}, MINUTE, BAR),
        ({"on_trade": lambda self, ctx, trade: None}, 0, TRADE),
        ({"on_quote": lambda self, ctx, quote: None}, 0, QUOTE),
        ({"on_quote": lambda self, ctx, quote: None}, MINUTE, QUOTE | BAR),
        ({"on_trade": lambda self, ctx, trade: None}, MINUTE, TRADE | BAR),
        ({"on_trade": lambda self, ctx, trade: None, "history": 0}, MINUTE, TRADE),
        ({"on_bar": lambda self, ctx, bar: None, "history": 0}, MINUTE, BAR),
        ({"on_timer": lambda self, ctx, timer: None}, MINUTE, BAR),
        ({"on_timer": lambda self, ctx, timer: None, "history": 0}, MINUTE, 0),
        ({"on_start": lambda self, ctx: ctx.sma(3)}, MINUTE, BAR),
        ({"on_start": lambda self, ctx: ctx.sma(3, "1m")}, 0, TRADE),
    ],
)  # fmt: skip
def test_the_engine_is_woken_for_what_is_implemented(methods: dict[str, Any], interval: int, wanted: int) -> None:
    r = rig(strategy=kind_of(**methods), interval_ns=interval)

    assert r.engine.dispatch.wanted_kinds(0, held=False) == wanted


def test_bars_from_ticks_need_a_timeframe() -> None:
    with pytest.raises(ConfigError, match=r"strategy quiet wants bars, but BTC/USDT has only ticks: .*timeframes"):
        rig(strategy=kind_of(on_bar=lambda self, ctx, bar: None), interval_ns=0)


def test_a_strategys_own_error_names_the_line_in_its_file() -> None:
    class Broken(Strategy):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            raise ValueError("no such feature" + "!" * 1_000)

    r = rig(strategy=Broken())
    where = r"test_dispatch\.py:\d+: ValueError: no such feature"
    with pytest.raises(StrategyError, match=where) as told, r.engine.dispatch.strategy_errors():
        r.bar(1)
    assert len(str(told.value)) < 600
    assert isinstance(told.value.__cause__, ValueError)


def test_a_wrong_argument_is_named_with_its_line_like_any_slip_of_the_strategy() -> None:
    class Wrong(Strategy):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            ctx.buy(BTC, quantity=0.1)  # type: ignore[arg-type]  # the point of the test

    line = Wrong.on_bar.__code__.co_firstlineno + 1
    r = rig(strategy=Wrong())
    where = rf"test_dispatch\.py:{line}: quantity: .*float"
    with pytest.raises(StrategyError, match=where) as told, r.engine.dispatch.strategy_errors():
        r.bar(1)
    assert isinstance(told.value.__cause__, DomainError)


def test_the_place_is_in_the_strategys_file_even_when_a_library_raises() -> None:
    class Far(Strategy):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            json.loads("{\n")

    line = Far.on_bar.__code__.co_firstlineno + 1
    r = rig(strategy=Far())
    where = rf"test_dispatch\.py:{line}: JSONDecodeError: "
    with pytest.raises(StrategyError, match=where) as told, r.engine.dispatch.strategy_errors():
        r.bar(1)
    assert "\n" not in str(told.value)


def test_leaving_the_program_from_a_strategy_is_no_good_end() -> None:
    class Leaves(Strategy):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            sys.exit(0)

    r = rig(strategy=Leaves())
    where = r"test_dispatch\.py:\d+: SystemExit: 0"
    with pytest.raises(StrategyError, match=where), r.engine.dispatch.strategy_errors():
        r.bar(1)


@pytest.mark.parametrize("error", [KeyError("deep inside"), DomainError("deep inside"), SystemExit(3)])
def test_an_error_that_never_passed_through_a_strategy_stays_what_it_is(error: BaseException) -> None:
    engine = run_elsewhere(error)
    with pytest.raises(type(error), match=r"deep inside|3"), engine.dispatch.strategy_errors():
        engine.run_timers(MINUTE)


def test_an_error_of_the_journal_is_not_the_strategys() -> None:
    class Asks(Strategy):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            raise StoreError("the disk is full")

    r = rig(strategy=Asks())
    with pytest.raises(StoreError, match="the disk is full"), r.engine.dispatch.strategy_errors():
        r.bar(1)


@pytest.mark.parametrize("kind", [Kind.LEVEL, Kind.QUOTE, Kind.TRADE])
def test_an_event_nobody_follows_is_passed_over(kind: Kind) -> None:
    every = Everything()
    r = rig(strategy=kind_of(on_bar=lambda self, ctx, bar: every.__dict__.setdefault("bars", []).append(bar.ts)))
    r.step([(5, 0, kind, 0, 1, 2, 3, 4, 0, 0), (5, 0, Kind.BAR, 0, 1, 1, 1, 1, 1, 1)])

    assert every.__dict__["bars"] == [5]


def test_timers_go_to_the_strategy_that_set_them_with_its_name_for_them() -> None:
    class Clock(Strategy):
        def on_start(self, ctx: Context) -> None:
            ctx.every("2m", "even")

        def on_timer(self, ctx: Context, timer: Timer) -> None:
            seen.append((timer.name, timer.ts, timer.every_ns))

    seen: list[tuple[str, int, int]] = []
    r = rig(strategy=Clock())
    for _ in range(4):
        r.bar(1)

    assert seen == [("even", 2 * MINUTE, 2 * MINUTE), ("even", 4 * MINUTE, 2 * MINUTE)]


def test_naming_the_historys_own_bars_as_a_timeframe_wakes_once_per_bar() -> None:
    class Named(Strategy):
        timeframes = ("1m", "2m", "2m")

        def on_bar(self, ctx: Context, bar: Bar) -> None:
            seen.append((bar.ts, bar.interval_ns))

    seen: list[tuple[int, int]] = []
    r = rig(strategy=Named())
    r.bar(1)
    r.bar(2)

    assert seen == [(MINUTE, MINUTE), (2 * MINUTE, MINUTE), (2 * MINUTE, 2 * MINUTE)]
