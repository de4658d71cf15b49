"""What a strategy author writes against: the base class and the context it is handed.

::

    class Trend(Strategy):                       # annotated fields are settings, filled from the config table
        fast: int = 12
        slow: int = 26

        def on_start(self, ctx):
            self.fast_avg, self.slow_avg = ctx.ema(self.fast), ctx.ema(self.slow)

        def on_bar(self, ctx, bar):              # implementing it is subscribing to it
            if self.fast_avg.crossed_above(self.slow_avg):
                ctx.buy(bar.instrument, fraction="0.02", stop="0.02")
            elif self.fast_avg.crossed_below(self.slow_avg):
                ctx.close(bar.instrument)
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Protocol, dataclass_transform

import attrs
import msgspec

from .domain.event import Bar, Quote, Trade
from .domain.instrument import Instrument
from .domain.order import Order, TimeInForce
from .domain.portfolio import Closed, Position

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: What callers may give where an exact number is wanted.
Number = Decimal | str | int


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One fill of an order of ours.

    Attributes:
        order: the order, already updated.
        ts: venue time, UTC ns.
        price_ticks, lots: price and quantity.
        fee_units: fee in units of ``fee_asset`` (negative = rebate).
        fee_asset: the asset the fee was taken in.
        maker: true when our order was resting.
        closed: the portion of a position this fill closed, with its profit and its worst price; None when it opened.
    """

    order: Order
    ts: int
    price_ticks: int
    lots: int
    fee_units: int
    fee_asset: str
    maker: bool
    closed: Closed | None = None

    @property
    def price(self) -> Decimal:
        """Fill price."""
        return self.order.instrument.price(self.price_ticks)

    @property
    def quantity(self) -> Decimal:
        """Filled quantity in base."""
        return self.order.instrument.quantity(self.lots)


class Timer(msgspec.Struct, frozen=True, gc=False):
    """A timer that is due: its name, the time it was set for, and its period (0 = once), all ns."""

    name: str
    ts: int
    every_ns: int


class Indicator(Protocol):
    """An incremental indicator. It follows the instrument whose event is being delivered; ``of`` names another.

    Where nothing of one instrument is delivered (``on_start``, ``on_timer``, ``on_stop``) the strategy's only one is
    meant; with several, anything but ``of`` raises DomainError.

    Prices come out as float because an indicator is a statistic; comparisons between two moving averages of
    ticks are made on exact integers.
    """

    @property
    def ready(self) -> bool:
        """True once enough bars were seen."""
        ...

    @property
    def value(self) -> float:
        """The latest value, in price units for price indicators; NaN before it is ready."""
        ...

    def of(self, instrument: Instrument) -> Indicator:
        """The same indicator of one named instrument."""
        ...

    def above(self, other: Indicator) -> bool:
        """True while this one is greater than the other."""
        ...

    def below(self, other: Indicator) -> bool:
        """True while this one is less than the other."""
        ...

    def crossed_above(self, other: Indicator) -> bool:
        """True on the bar where this one rises above the other, and in no other delivery."""
        ...

    def crossed_below(self, other: Indicator) -> bool:
        """True on the bar where this one falls below the other, and in no other delivery."""
        ...


class BarWindow(Protocol):
    """The last bars of one instrument, oldest first. Prices are float64 for analysis; ``*_ticks`` are exact."""

    def __len__(self) -> int: ...

    @property
    def ts(self) -> npt.NDArray[np.int64]:
        """Close times, UTC ns."""
        ...

    @property
    def open(self) -> npt.NDArray[np.float64]:
        """First prices."""
        ...

    @property
    def high(self) -> npt.NDArray[np.float64]:
        """Highest prices."""
        ...

    @property
    def low(self) -> npt.NDArray[np.float64]:
        """Lowest prices."""
        ...

    @property
    def close(self) -> npt.NDArray[np.float64]:
        """Last prices."""
        ...

    @property
    def volume(self) -> npt.NDArray[np.float64]:
        """Volumes in the base asset."""
        ...

    @property
    def close_ticks(self) -> npt.NDArray[np.int64]:
        """Last prices in ticks, exact."""
        ...


class Context(Protocol):
    """What a strategy may ask and do. Every order goes through the gate; a denial is ``order.denied``, not an error.

    Numbers may be given as Decimal, text or int, never float. Ratios are fractions (``"0.02"`` is 2 %). The ``length``
    of an indicator is in bars, of ``timeframe`` ("1h") or of the history's own length when that is None.
    """

    @property
    def now(self) -> int:
        """Time of the event being delivered, UTC ns."""
        ...

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The instruments of the strategy's ``trade`` list, in its order."""
        ...

    @property
    def equity(self) -> Decimal:
        """Equity marked to market, in the reporting asset."""
        ...

    def balance(self, asset: str) -> Decimal:
        """Our balance of an asset, locked amounts included."""
        ...

    def position(self, instrument: Instrument) -> Position:
        """Net position; read it, do not change it."""
        ...

    def orders(self, instrument: Instrument | None = None) -> Sequence[Order]:
        """This strategy's working orders."""
        ...

    def bars(self, n: int, instrument: Instrument | None = None, timeframe: str | None = None) -> BarWindow:
        """The last ``n`` finished bars (fewer before the history holds them), oldest first.

        Raises:
            DomainError: when ``n`` is beyond the strategy's ``history``, or no instrument is given where the strategy
                has several and nothing of one is being delivered.
        """
        ...

    def ema(self, length: int, timeframe: str | None = None) -> Indicator:
        """Exponential average of closes, alpha = 2/(length+1), seeded with the first ``length`` closes' mean."""
        ...

    def sma(self, length: int, timeframe: str | None = None) -> Indicator:
        """Simple average of the last ``length`` closes, exact."""
        ...

    def rsi(self, length: int = 14, timeframe: str | None = None) -> Indicator:
        """Wilder's relative strength index of closes, 0 to 100."""
        ...

    def atr(self, length: int = 14, timeframe: str | None = None) -> Indicator:
        """Wilder's average true range."""
        ...

    def highest(self, length: int, timeframe: str | None = None) -> Indicator:
        """Highest high of the last ``length`` bars."""
        ...

    def lowest(self, length: int, timeframe: str | None = None) -> Indicator:
        """Lowest low of the last ``length`` bars."""
        ...

    def stdev(self, length: int, timeframe: str | None = None) -> Indicator:
        """Population standard deviation of the last ``length`` closes."""
        ...

    def buy(
        self,
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
        """Wishes to buy; market without ``limit`` and ``trigger``.

        Args:
            instrument: what to buy.
            fraction, quantity, notional: the size, exactly one of the three: a fraction of equity, base units, or
                quote units; rounded down to a lot at the worst acceptable price.
            limit: limit price.
            trigger: stop-entry price; with ``limit`` a stop-limit.
            stop: distance of the protective stop as a ratio of the entry price; the strategy's ``default_stop``
                when neither this nor ``stop_price`` is given.
            stop_price: the stop as a price.
            target, target_price: take profit, as ratio or price.
            tif, expire_ns: time in force; ``expire_ns`` (UTC ns) belongs to GTD.
            post_only: refuse to take liquidity.
            tag: kept with the order: printable text of at most 256 characters.
            signal_strength, ta_score, ml_confidence: why; journaled with the intent.

        Returns:
            The order: working, or with ``order.denied`` set.

        Raises:
            DomainError: for a number that cannot be (float, off the tick, no size, two sizes), or a tag.
        """
        ...

    def sell(
        self,
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
        """Wishes to sell short (margin accounts); to leave a long use :meth:`close`.

        Arguments, answer and errors as :meth:`buy`.
        """
        ...

    def close(self, instrument: Instrument, quantity: Number | None = None, tag: str = "") -> Order | None:
        """Closes the position (or part of it) at market, reduce-only.

        Working entries that would trade with the close are cancelled first: all on the position's side when the whole
        position is closed, else those the close could reach.

        Args:
            instrument: whose position.
            quantity: base units, rounded down to a lot; None = what is held and not being closed yet.
            tag: printable text of at most 256 characters.

        Returns:
            The order; the first of several where the venue's largest quantity asks for more than one (at most ten
            work at once); None when nothing is left to close.

        Raises:
            DomainError: for a number or a tag that cannot be.
        """
        ...

    def cancel(self, order: Order) -> bool:
        """Asks the venue to end an order of this strategy.

        Returns:
            True when its end is asked for or has come. False when it is refused: the order is not this strategy's, or
            it is a protective stop whose entry still works or without which a part of the position would stand bare
            (P-1; never refused when the bot is ``unguarded``). Cancel the entry, or close the position, instead.
        """
        ...

    def every(self, period: str, name: str = "") -> None:
        """Sets a repeating timer, told by its ``name``: ``period`` is "30s", "5m", "4h" or "1d", aligned to UTC."""
        ...

    def at(self, ts: int, name: str = "") -> None:
        """Sets a timer for one moment ``ts``, UTC ns; one in the past is due at once. ``name`` tells it from others."""
        ...


@dataclass_transform(kw_only_default=True, field_specifiers=(attrs.field,))
class Strategy:
    """Base of all strategies. Annotated attributes are settings; the ``on_*`` methods you write are your wakes.

    Attributes:
        default_stop: stop distance used when an order names none, as a ratio; None for no default.
        warmup: bars to see before the first ``on_bar``; indicators raise it to what they need.
        history: how many bars ``ctx.bars`` can reach back, per instrument and timeframe; 0 keeps none, and bars that
            nobody else wants are then not followed.
        timeframes: bar lengths to be woken for besides the history's own ("1h"), not a setting.
    """

    default_stop: Decimal | None = Decimal("0.02")
    warmup: int = 0
    history: int = 500
    timeframes: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        attrs.define(cls, slots=False, eq=False, kw_only=True)

    def on_start(self, ctx: Context) -> None:
        """Called once before the first event: make indicators and timers here."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """A bar finished."""

    def on_trade(self, ctx: Context, trade: Trade) -> None:
        """A public trade happened."""

    def on_quote(self, ctx: Context, quote: Quote) -> None:
        """The best bid or ask changed: ``quote`` has both."""

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        """An order was filled, fully or in part, as ``fill`` says; all reports of the moment are applied by now."""

    def on_order(self, ctx: Context, order: Order) -> None:
        """An order of this strategy ended without (more) fills: cancelled, rejected, expired or held back unsent."""

    def on_timer(self, ctx: Context, timer: Timer) -> None:
        """A timer is due."""

    def on_stop(self, ctx: Context) -> None:
        """Called once after the last event; orders are no longer taken."""


attrs.define(Strategy, slots=False, eq=False, kw_only=True)


def implements(strategy: type[Strategy], method: str) -> bool:
    """True when the class writes the method itself: that is its subscription."""
    return getattr(strategy, method) is not getattr(Strategy, method)
