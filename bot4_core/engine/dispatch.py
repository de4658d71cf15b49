"""Who is woken for what: strategies, their subscriptions, and the calls they get."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..domain.event import Bar, Flag, Kind, Quote, Trade
from ..domain.instrument import Instrument
from ..domain.order import Order
from ..errors import Bot4Error, ConfigError, StrategyError
from ..strategy import Fill, Strategy, Timer, implements
from .context import StrategyContext
from .indicators import Focus, Row
from .series import Feed, parse_interval

_SELL = int(Flag.SELL)
#: ``method(context, event)`` of a strategy
Method = Callable[[StrategyContext, Any], None]


class Dispatch:
    """The strategies of one run and their calls.

    Args:
        feeds: one per instrument.

    Attributes:
        wakes: how often a strategy was called.
        trading_from: the argument of :meth:`start`.
    """

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self.feeds = tuple(feeds)
        self.wakes = 0
        self.trading_from = 0
        self._strategies: dict[str, tuple[StrategyContext, Strategy]] = {}

    def add(self, context: StrategyContext, strategy: Strategy) -> None:
        """Takes in a strategy."""
        self._strategies[context.name] = (context, strategy)

    def start(self, trading_from: int) -> None:
        """Calls every strategy's ``on_start``, then wires its wakes.

        Args:
            trading_from: events before this time (UTC ns) only warm up.
        """
        self.trading_from = trading_from
        for context, strategy in self._strategies.values():
            strategy.on_start(context)
            for index in context.indices:
                self._subscribe(context, strategy, index)

    def stop(self) -> None:
        """Calls every strategy's ``on_stop``."""
        for context, strategy in self._strategies.values():
            strategy.on_stop(context)

    def exchange_of(self, index: int) -> str:
        """The exchange table an instrument is traded on."""
        return next(c.exchange for c, _ in self._strategies.values() if index in c.indices)

    @property
    def bars_needed(self) -> int:
        """Bars the slowest strategy must see before its first wake."""
        return max((context.bars_needed for context, _ in self._strategies.values()), default=0)

    def _subscribe(self, context: StrategyContext, strategy: Strategy, index: int) -> None:
        feed = self.feeds[index]
        kind = type(strategy)
        if implements(kind, "on_trade"):
            feed.trades.append(self._trade_caller(context, strategy, index))
        if implements(kind, "on_quote"):
            feed.quotes.append(self._quote_caller(context, strategy, index))
        if not implements(kind, "on_bar"):
            return
        lengths: list[int | None] = [parse_interval(text) for text in strategy.timeframes]
        if feed.base is not None:
            lengths.insert(0, None)
        if not lengths:
            raise ConfigError(
                f"strategy {context.name} wants bars, but {feed.instrument.symbol} has only ticks: "
                'give the class `timeframes = ("1m",)`'
            )
        for series in dict.fromkeys(feed.series(length) for length in lengths):  # the history's own may be named too
            warmup = context.bars_needed if series is feed.base else strategy.warmup
            series.listen(warmup, self._bar_caller(context, strategy, index, series.interval_ns))

    def wanted_kinds(self, index: int, held: bool) -> int:
        """Event kinds of one instrument the engine must be woken for.

        Bars are followed for ``on_bar``, for indicators, and for a timer strategy that reads ``ctx.bars``; a held
        position is followed for its worst price.

        Args:
            index: instrument.
            held: whether a position is open in it.

        Returns:
            A mask of ``1 << kind``.
        """
        bars = 1 << (Kind.BAR if self.feeds[index].base is not None else Kind.TRADE)
        mask = bars if held or self.feeds[index].has_indicators else 0
        for context, strategy in self._strategies.values():
            if index not in context.indices:
                continue
            kind = type(strategy)
            if implements(kind, "on_bar") or (implements(kind, "on_timer") and strategy.history):
                mask |= bars
            mask |= (1 << Kind.TRADE) * implements(kind, "on_trade") | (1 << Kind.QUOTE) * implements(kind, "on_quote")
        return mask

    def _bar_caller(
        self, context: StrategyContext, strategy: Strategy, index: int, interval_ns: int
    ) -> Callable[[Row], None]:
        instrument, focus, on_bar, trading_from = self._call_parts(context, strategy.on_bar, index)

        def call(row: Row) -> None:
            if row[0] >= trading_from:
                focus.index = index
                self.wakes += 1
                on_bar(context, Bar(instrument, row[0], row[4], row[5], row[6], row[7], row[8], row[9], interval_ns))

        return call

    def _call_parts(
        self, context: StrategyContext, method: Method, index: int
    ) -> tuple[Instrument, Focus, Method, int]:
        """What every caller closes over, as locals: it runs once per event."""
        return self.feeds[index].instrument, context.focus, method, self.trading_from

    def _trade_caller(self, context: StrategyContext, strategy: Strategy, index: int) -> Callable[[Row], None]:
        instrument, focus, on_trade, trading_from = self._call_parts(context, strategy.on_trade, index)

        def call(row: Row) -> None:
            if row[0] >= trading_from:
                focus.index = index
                self.wakes += 1
                sell = bool(row[3] & _SELL)
                on_trade(context, Trade(instrument, row[0], row[4], row[5], row[6], sell))

        return call

    def _quote_caller(self, context: StrategyContext, strategy: Strategy, index: int) -> Callable[[Row], None]:
        instrument, focus, on_quote, trading_from = self._call_parts(context, strategy.on_quote, index)

        def call(row: Row) -> None:
            if row[0] >= trading_from:
                focus.index = index
                self.wakes += 1
                on_quote(context, Quote(instrument, row[0], row[4], row[5], row[6], row[7]))

        return call

    def tell_timer(self, owner: StrategyContext, timer: Timer) -> None:
        """A timer of a strategy is due."""
        if timer.ts >= self.trading_from:
            self.wakes += 1
            self._strategies[owner.name][1].on_timer(owner, timer)

    def tell_fill(self, fill: Fill) -> None:
        """Tells the order's strategy of a fill."""
        context, strategy = self._strategies.get(fill.order.strategy, (None, None))
        if context is not None and strategy is not None and implements(type(strategy), "on_fill"):
            context.focus.index = fill.order.index
            self.wakes += 1
            strategy.on_fill(context, fill)

    def tell_order(self, order: Order) -> None:
        """Tells the order's strategy that it ended."""
        context, strategy = self._strategies.get(order.strategy, (None, None))
        if context is not None and strategy is not None and implements(type(strategy), "on_order"):
            context.focus.index = order.index
            self.wakes += 1
            strategy.on_order(context, order)


@contextmanager
def strategy_errors() -> Iterator[None]:
    """Turns what a strategy raises into one line that names the place in its own file.

    Raises:
        StrategyError: in place of anything that is not an error of ours.
    """
    try:
        yield
    except Bot4Error:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"
        raise StrategyError(f"{place}: {type(error).__name__}: {str(error)[:256]}") from error
