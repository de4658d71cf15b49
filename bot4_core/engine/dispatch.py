"""Who is woken for what: strategies, their subscriptions, and the calls they get."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType
from typing import Any

from ..domain.event import Bar, Flag, Kind, Quote, Trade
from ..domain.order import Order
from ..errors import Bot4Error, ConfigError, DomainError, StrategyError, one_line
from ..strategy import Fill, Strategy, Timer, implements
from .context import StrategyContext
from .indicators import Deliveries, Row
from .series import Feed, parse_interval

_SELL = int(Flag.SELL)
#: where a strategy can read ``ctx.bars``; in ``on_start`` there are none yet
_READING = ("on_bar", "on_trade", "on_quote", "on_fill", "on_order", "on_timer", "on_stop")
#: ``method(context, event)`` of a strategy
Method = Callable[[StrategyContext, Any], None]


class Dispatch:
    """The strategies of one run and their calls.

    Args:
        feeds: one per instrument.

    Attributes:
        deliveries: counts the calls of strategies.
        trading_from: the argument of :meth:`start`.
        silent: True once strategies are to hear nothing more of their orders.
    """

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self.feeds = tuple(feeds)
        self.deliveries = Deliveries()
        self.trading_from = 0
        self.silent = False
        self._withheld = 0
        self._strategies: dict[str, tuple[StrategyContext, Strategy]] = {}
        self._holding = False
        self._told: list[Callable[[], None]] = []
        self._since: dict[tuple[str, str], int] = {}

    @property
    def wakes(self) -> int:
        """How often a strategy was called, ``on_start`` and ``on_stop`` not counted."""
        return self.deliveries.count - self._withheld

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

    def warm_from(self, first: int) -> int:
        """When the history must begin for a window from ``first`` on, UTC ns."""
        return first - max((context.warmup_ns for context, _ in self._strategies.values()), default=0)

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
            context.need(series, warmup)
            context.focus.woken |= {series.interval_ns}
            series.listen(warmup, self._bar_caller(context, strategy, index, series.interval_ns))

    def wanted_kinds(self, index: int, held: bool) -> int:
        """Event kinds of one instrument the engine must be woken for.

        Bars are followed for ``on_bar``, for indicators, and for every strategy that may read ``ctx.bars`` (it has a
        method to do so in, and its ``history`` is not 0); a held position is followed for its worst price.

        Args:
            index: instrument.
            held: whether a position is open in it.

        Returns:
            A mask of ``1 << kind``.
        """
        feed = self.feeds[index]
        bars = 1 << (Kind.BAR if feed.base is not None else Kind.TRADE)
        readable = feed.base is not None or bool(feed.built_intervals)
        mask = bars if held or feed.has_indicators else 0
        for context, strategy in self._strategies.values():
            if index not in context.indices:
                continue
            kind = type(strategy)
            reads = readable and strategy.history > 0 and any(implements(kind, name) for name in _READING)
            if reads or implements(kind, "on_bar"):
                mask |= bars
            mask |= (1 << Kind.TRADE) * implements(kind, "on_trade") | (1 << Kind.QUOTE) * implements(kind, "on_quote")
        return mask

    # One caller per subscription. What it closes over are locals, because it runs once per event. The name of the
    # sort of event is only followed for strategies with indicators: a cross is news once (Focus.is_new).

    def _bar_caller(
        self, context: StrategyContext, strategy: Strategy, index: int, interval_ns: int
    ) -> Callable[[Row], None]:
        instrument, on_bar = self.feeds[index].instrument, strategy.on_bar
        trading_from, focus, deliveries, since = self.trading_from, context.focus, self.deliveries, 0

        def call(row: Row) -> None:
            if row[0] >= trading_from:
                focus.index = index
                deliveries.count += 1
                on_bar(context, Bar(instrument, row[0], row[4], row[5], row[6], row[7], row[8], row[9], interval_ns))

        def call_with_news(row: Row) -> None:
            nonlocal since
            focus.index, focus.interval_ns, focus.since = index, interval_ns, since
            since = deliveries.count = deliveries.count + 1
            if row[0] >= trading_from:
                on_bar(context, Bar(instrument, row[0], row[4], row[5], row[6], row[7], row[8], row[9], interval_ns))
            else:
                self._withheld += 1

        return call_with_news if context.has_indicators else call

    def _entry(self, context: StrategyContext, index: int) -> Callable[[Row], bool]:
        """Begins the deliveries of trades or quotes; False while they are withheld, before the window."""
        focus, deliveries, trading_from, since = context.focus, self.deliveries, self.trading_from, 0

        def deliver(row: Row) -> bool:
            nonlocal since
            focus.index, focus.interval_ns, focus.since = index, 0, since
            since = deliveries.count = deliveries.count + 1
            if row[0] < trading_from:
                self._withheld += 1
                return False
            return True

        return deliver

    def _trade_caller(self, context: StrategyContext, strategy: Strategy, index: int) -> Callable[[Row], None]:
        instrument, on_trade, deliver = self.feeds[index].instrument, strategy.on_trade, self._entry(context, index)

        def call(row: Row) -> None:
            if deliver(row):
                on_trade(context, Trade(instrument, row[0], row[4], row[5], row[6], bool(row[3] & _SELL)))

        return call

    def _quote_caller(self, context: StrategyContext, strategy: Strategy, index: int) -> Callable[[Row], None]:
        instrument, on_quote, deliver = self.feeds[index].instrument, strategy.on_quote, self._entry(context, index)

        def call(row: Row) -> None:
            if deliver(row):
                on_quote(context, Quote(instrument, row[0], row[4], row[5], row[6], row[7]))

        return call

    def _enter(self, context: StrategyContext, sort: str, index: int | None) -> None:
        """Begins a delivery that is no market event."""
        focus = context.focus
        key = (context.name, sort)
        focus.index, focus.interval_ns, focus.since = index, 0, self._since.get(key, 0)
        self.deliveries.count += 1
        self._since[key] = self.deliveries.count

    def tell_timer(self, owner: StrategyContext, timer: Timer) -> None:
        """A timer of a strategy is due."""
        if timer.ts >= self.trading_from:
            self._enter(owner, "on_timer", owner.alone)
            self._strategies[owner.name][1].on_timer(owner, timer)

    def tell_fill(self, fill: Fill) -> None:
        """Tells the order's strategy of a fill."""
        self._tell("on_fill", fill.order, fill)

    def tell_order(self, order: Order) -> None:
        """Tells the order's strategy that it ended."""
        self._tell("on_order", order, order)

    def _tell(self, method: str, order: Order, news: Fill | Order) -> None:
        context, strategy = self._strategies.get(order.strategy, (None, None))
        if self.silent or context is None or strategy is None or not implements(type(strategy), method):
            return

        def tell() -> None:
            self._enter(context, method, order.index)
            getattr(strategy, method)(context, news)

        if self._holding:
            self._told.append(tell)
        else:
            tell()

    def hold(self) -> None:
        """Keeps what strategies are to be told until :meth:`tell_all`.

        The reports of a step are all applied and journaled first: a strategy that raises must lose none of them.
        """
        self._holding = True

    def tell_all(self) -> None:
        """Tells strategies what was kept for them, in order."""
        told, self._told, self._holding = self._told, [], False
        for tell in told:
            tell()

    @contextmanager
    def strategy_errors(self) -> Iterator[None]:
        """Turns what a strategy raises into one line that names the place in its own file.

        That is what passes through its code, and is no error of ours but a :class:`DomainError`: a number or an
        argument it gave. An error that began and ended in the core stays as it is.

        Raises:
            StrategyError: in place of the strategy's error.
        """
        try:
            yield
        except (Exception, SystemExit) as error:
            if isinstance(error, Bot4Error) and not isinstance(error, DomainError):
                raise
            place = self._place_of(error)
            if place is None:
                raise
            what = "" if isinstance(error, DomainError) else f"{type(error).__name__}: "
            raise StrategyError(f"{place}: {what}{one_line(error)}") from error

    def _place_of(self, error: BaseException) -> str | None:
        """File and line of the deepest frame in a strategy's own file; None when the error passed through none."""
        own = {code.co_filename for _, strategy in self._strategies.values() for code in _codes(type(strategy))}
        place = None
        for frame, line in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename in own:
                place = f"{frame.f_code.co_filename}:{line}"
        return place


def _codes(kind: type[Strategy]) -> Iterator[CodeType]:
    """The code of every method written for a strategy, in its class and in those it builds on."""
    for each in kind.__mro__[: kind.__mro__.index(Strategy)]:
        for value in vars(each).values():
            code = getattr(value, "__code__", None)
            if isinstance(code, CodeType):
                yield code
