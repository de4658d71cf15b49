"""What a strategy is handed: its view of the engine, and the helpers that turn wishes into orders."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, TypedDict, Unpack

from ..domain.instrument import Instrument
from ..domain.money import Rounding, divide, parse_decimal, ratio_to_fraction
from ..domain.order import Order, OrderType, Role, Side, TimeInForce
from ..domain.portfolio import Position
from ..errors import DomainError
from ..strategy import Number, Strategy
from .indicators import KINDS, Focus, IndicatorHandle
from .rules import fill_price, worst_price
from .series import BarWindow, Series, parse_interval

if TYPE_CHECKING:
    from .core import Engine


def _number(value: Number | None, name: str) -> Decimal | None:
    try:
        return None if value is None else parse_decimal(value)
    except DomainError as error:
        raise DomainError(f"{name}: {error}") from None


def _positive(value: Number | None, name: str) -> Decimal | None:
    number = _number(value, name)
    if number is not None and number <= 0:
        raise DomainError(f"{name} {number} must be greater than 0")
    return number


#: a tag goes into the journal with every order
_MAX_TAG = 256


def _tag(tag: str) -> str:
    """A tag that the journal and the report can hold."""
    if isinstance(tag, str) and len(tag) <= _MAX_TAG and tag.isprintable():
        return tag
    raise DomainError(f"tag {ascii(tag)[:40]} must be printable text of at most {_MAX_TAG} characters")


class EntryWish(TypedDict, total=False):
    """The keyword arguments of ``buy`` and ``sell`` (:meth:`bot4_core.strategy.Context.buy` explains each)."""

    fraction: Number | None
    quantity: Number | None
    notional: Number | None
    limit: Number | None
    trigger: Number | None
    stop: Number | None
    stop_price: Number | None
    target: Number | None
    target_price: Number | None
    tif: TimeInForce
    expire_ns: int
    post_only: bool
    tag: str
    signal_strength: Number | None
    ta_score: Number | None
    ml_confidence: Number | None


class StrategyContext:
    """One strategy's door to the engine (``bot4_core.strategy.Context``).

    Args:
        engine: the engine.
        strategy: the strategy object.
        name: its config table.
        exchange: the exchange table it trades on.
        indices: its instruments, as indices of the run's table, in the order of ``trade``.

    Attributes:
        alone: the index of its only instrument, None when it has several.
        focus: what is being delivered to it.
        bars_needed: bars of the history's own length it must see before its first ``on_bar``.
        warmup_ns: how long before its first moment the history must begin, for all its bars and indicators.
        has_indicators: whether it made one.
    """

    def __init__(self, engine: Engine, strategy: Strategy, name: str, exchange: str, indices: Sequence[int]) -> None:
        self._engine = engine
        self._desk = engine.desk
        self._account = engine.account
        self._strategy = strategy
        self.name = name
        self.exchange = exchange
        self.indices = tuple(indices)
        self.alone = self.indices[0] if len(self.indices) == 1 else None
        self.focus = Focus(self.alone)
        self.bars_needed = strategy.warmup
        self.warmup_ns = 0
        self.has_indicators = False
        self._table = {i: engine.account.instruments[i] for i in self.indices}
        self._by_symbol = {each.symbol: i for i, each in self._table.items()}

    # what is

    @property
    def now(self) -> int:
        """Time of the event being delivered, UTC ns."""
        return self._desk.now

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The strategy's instruments."""
        return tuple(self._table.values())

    @property
    def equity(self) -> Decimal:
        """Equity marked to market, in the reporting asset."""
        return self._account.equity

    def balance(self, asset: str) -> Decimal:
        """Our balance of an asset."""
        return self._account.portfolio.balance(asset)

    def position(self, instrument: Instrument) -> Position:
        """Net position."""
        return self._account.positions[self._index(instrument)]

    def orders(self, instrument: Instrument | None = None) -> Sequence[Order]:
        """This strategy's working orders."""
        indices = self.indices if instrument is None else (self._index(instrument),)
        table = self._desk.orders
        return [order for index in indices for order in table.working(index) if order.strategy == self.name]

    def bars(self, n: int, instrument: Instrument | None = None, timeframe: str | None = None) -> BarWindow:
        """The last finished bars."""
        if self._strategy.history <= 0:
            raise DomainError("no bars are kept for this strategy: its `history` is 0, set it to the most you read")
        index = self.focus.index if instrument is None else self._index(instrument)
        if index is None:
            raise DomainError("bars of which instrument? Nothing of one is being delivered: give instrument=")
        return self._engine.feeds[index].series(parse_interval(timeframe) if timeframe else None).window(n)

    # indicators

    def ema(self, length: int, timeframe: str | None = None) -> IndicatorHandle:
        """Exponential average of closes."""
        return self._indicator("ema", length, timeframe)

    def sma(self, length: int, timeframe: str | None = None) -> IndicatorHandle:
        """Simple average of closes."""
        return self._indicator("sma", length, timeframe)

    def rsi(self, length: int = 14, timeframe: str | None = None) -> IndicatorHandle:
        """Wilder's relative strength index."""
        return self._indicator("rsi", length, timeframe)

    def atr(self, length: int = 14, timeframe: str | None = None) -> IndicatorHandle:
        """Wilder's average true range."""
        return self._indicator("atr", length, timeframe)

    def highest(self, length: int, timeframe: str | None = None) -> IndicatorHandle:
        """Highest high."""
        return self._indicator("highest", length, timeframe)

    def lowest(self, length: int, timeframe: str | None = None) -> IndicatorHandle:
        """Lowest low."""
        return self._indicator("lowest", length, timeframe)

    def stdev(self, length: int, timeframe: str | None = None) -> IndicatorHandle:
        """Population standard deviation of closes."""
        return self._indicator("stdev", length, timeframe)

    def _indicator(self, name: str, length: int, timeframe: str | None) -> IndicatorHandle:
        if isinstance(length, bool) or not isinstance(length, int) or not 0 < length <= 100_000:
            raise DomainError(f"{name}({length!r}): the length must be a whole number from 1 to 100000")
        interval = parse_interval(timeframe) if timeframe else None
        needed = length + KINDS[name][1]
        states = {}
        for index in self.indices:
            series = self._engine.feeds[index].series(interval)
            states[index] = series.indicator(name, length)
            states[index].deliveries = self._engine.dispatch.deliveries
            self.need(series, needed)
            if series is self._engine.feeds[index].base:
                self.bars_needed = max(self.bars_needed, needed)
        self.has_indicators = True
        return IndicatorHandle(name, states, self._table, self.focus)

    def need(self, series: Series, bars: int) -> None:
        """Makes sure a window's history begins so many bars of this series before the window.

        One more of a series that is built from shorter rows: its first bar is under way when the history begins, and
        is left out.
        """
        built = series is not self._engine.feeds[series.index].base
        self.warmup_ns = max(self.warmup_ns, (bars + built) * series.interval_ns)

    # orders

    def buy(self, instrument: Instrument, **wish: Unpack[EntryWish]) -> Order:
        """Wishes to buy; see :class:`bot4_core.strategy.Context` for the arguments."""
        return self._enter(Side.BUY, instrument, **wish)

    def sell(self, instrument: Instrument, **wish: Unpack[EntryWish]) -> Order:
        """Wishes to sell short; see :class:`bot4_core.strategy.Context` for the arguments."""
        return self._enter(Side.SELL, instrument, **wish)

    def close(self, instrument: Instrument, quantity: Number | None = None, tag: str = "") -> Order | None:
        """Closes the position, or part of it, at market."""
        index = self._index(instrument)
        wanted, tag = _positive(quantity, "quantity"), _tag(tag)
        lots = self._desk.closable_lots(index)
        if wanted is not None:
            lots = min(lots, self._table[index].lots(wanted, Rounding.FLOOR))
        if lots <= 0:
            return None
        return self._desk.close_position(index, lots, self.name, self.exchange, tag)

    def cancel(self, order: Order) -> bool:
        """Asks the venue to end an order."""
        if order.is_terminal or order.pending_cancel:
            return True
        ours = order.strategy == self.name and self._desk.orders.find(order.order_id) is order
        if not ours or not self._engine.may_cancel(order):
            return False
        self._desk.cancel(order)
        return True

    def every(self, period: str, name: str = "") -> None:
        """Sets a repeating timer."""
        self._engine.timers.repeat(parse_interval(period), name or period, self, self._desk.now)

    def at(self, ts: int, name: str = "") -> None:
        """Sets a timer for one moment."""
        self._engine.timers.once(ts, name, self, self._desk.now)

    def _index(self, instrument: Instrument) -> int:
        index = self._by_symbol.get(instrument.symbol)
        if index is None:
            known = ", ".join(self._by_symbol)
            raise DomainError(f"{instrument.symbol} is not in the trade list of strategy {self.name} ({known})")
        return index

    def _enter(
        self,
        side: Side,
        instrument: Instrument,
        *,
        fraction: Number | None = None,
        quantity: Number | None = None,
        notional: Number | None = None,
        limit: Number | None = None,
        trigger: Number | None = None,
        stop: Number | None = None,
        stop_price: Number | None = None,
        target: Number | None = None,
        target_price: Number | None = None,
        tif: TimeInForce = TimeInForce.GTC,
        expire_ns: int = 0,
        post_only: bool = False,
        tag: str = "",
        signal_strength: Number | None = None,
        ta_score: Number | None = None,
        ml_confidence: Number | None = None,
    ) -> Order:
        index = self._index(instrument)
        instrument = self._table[index]  # ours: a stranger's of the same symbol may have another tick
        price = self._ticks(instrument, limit, "limit")
        trigger_ticks = self._ticks(instrument, trigger, "trigger")
        kind = _TYPES[bool(price), bool(trigger_ticks)]
        if post_only and kind is not OrderType.LIMIT:
            raise DomainError("post_only needs a limit and no trigger: other orders take liquidity")
        mark = self._account.mark_ticks(index)
        worst = worst_price(kind, side, price, trigger_ticks, mark, self._desk.gate.limits.collar)
        entry = price or trigger_ticks or mark
        order = Order(
            order_id=self._desk.orders.new_id(),
            client_id=self._desk.client_ids.next(),
            strategy=self.name,
            exchange=self.exchange,
            instrument=instrument,
            index=index,
            side=side,
            type=kind,
            quantity_lots=self._size(index, fill_price(side, worst, mark), fraction, quantity, notional),
            price_ticks=price,
            trigger_ticks=trigger_ticks,
            tif=tif,
            expire_ns=self._expiry(tif, expire_ns),
            post_only=post_only,
            role=Role.ENTRY,
            stop_ticks=self._protective(instrument, side, entry, stop, stop_price, "stop", self._strategy.default_stop),
            target_ticks=self._protective(instrument, side.opposite, entry, target, target_price, "target", None),
            tag=_tag(tag),
            signal_strength=_number(signal_strength, "signal_strength"),
            ta_score=_number(ta_score, "ta_score"),
            ml_confidence=_number(ml_confidence, "ml_confidence"),
            created_ns=self._desk.now,
        )
        self._desk.wish(order, mark, worst)
        return order

    def _expiry(self, tif: TimeInForce, expire_ns: int) -> int:
        if not isinstance(tif, TimeInForce):
            raise DomainError(f"tif {tif!r:.40} must be one of TimeInForce, as TimeInForce.IOC")
        if isinstance(expire_ns, bool) or not isinstance(expire_ns, int):
            raise DomainError(f"expire_ns {expire_ns!r:.40} must be a whole number of UTC nanoseconds")
        wanted = expire_ns > self._desk.now if tif is TimeInForce.GTD else expire_ns == 0
        if not wanted:
            raise DomainError("expire_ns must lie in the future, and belongs to TimeInForce.GTD only")
        return expire_ns

    @staticmethod
    def _ticks(instrument: Instrument, price: Number | None, name: str) -> int:
        number = _positive(price, name)
        return 0 if number is None else instrument.ticks(number)

    def _size(
        self, index: int, price: int, fraction: Number | None, quantity: Number | None, notional: Number | None
    ) -> int:
        """Lots of the one size that was given, rounded down at the dearest price; 0 when it is less than a lot."""
        given = {"fraction": fraction, "quantity": quantity, "notional": notional}
        named = {name: _positive(value, name) for name, value in given.items() if value is not None}
        if len(named) != 1:
            raise DomainError(f"give exactly one of fraction, quantity, notional; got {', '.join(named) or 'none'}")
        name, value = named.popitem()
        assert value is not None  # filtered above
        instrument = self._table[index]
        if name == "quantity":
            return instrument.lots(value, Rounding.FLOOR)
        if price <= 0:
            raise DomainError(f"{instrument.symbol} has no price yet: size by quantity")
        num, den = ratio_to_fraction(value)
        account = self._account
        if name == "fraction":
            budget = divide(account.equity_units() * num, den, Rounding.FLOOR)
            unit = account.notional_units(index, 1, price) if instrument.quote != account.reporting else 0
        else:
            budget = divide(10**instrument.quote_scale * num, den, Rounding.FLOOR)
            unit = 0
        if unit:
            return max(0, budget // unit)
        tick_num, tick_den = instrument.tick_lot_ratio
        return max(0, budget * tick_den // (price * tick_num))

    def _protective(
        self,
        instrument: Instrument,
        side: Side,
        entry: int,
        ratio: Number | None,
        price: Number | None,
        name: str,
        default: Decimal | None,
    ) -> int:
        """Ticks of a stop (``side`` = the entry's) or target (``side`` = the other), 0 for none.

        A ratio is rounded towards the entry, so the distance is never more than was asked for.
        """
        if ratio is not None and price is not None:
            raise DomainError(f"give {name} or {name}_price, not both")
        if price is not None:
            return self._ticks(instrument, price, f"{name}_price")
        distance = _positive(ratio, name) if ratio is not None else default
        if distance is None or entry <= 0:
            return 0
        if side is Side.BUY and distance >= 1:
            raise DomainError(f"{name} {distance} must be a ratio below 1 ('0.02' is 2 %), or give {name}_price")
        num, den = ratio_to_fraction(1 - distance * side.sign)
        return divide(entry * num, den, Rounding.CEILING if side is Side.BUY else Rounding.FLOOR)


#: (limit given, trigger given) -> order type
_TYPES = {
    (False, False): OrderType.MARKET,
    (True, False): OrderType.LIMIT,
    (False, True): OrderType.STOP,
    (True, True): OrderType.STOP_LIMIT,
}
