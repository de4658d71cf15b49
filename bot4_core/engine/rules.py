"""The gate's rules, one plain function each, and what they are told about an order (TRADING.md P-1, K-1 to K-6)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from ..domain.money import Rounding, divide, from_units, ratio_text, ratio_to_fraction
from ..domain.order import Failure, Order, OrderType, Role, Side
from ..errors import DomainError
from ..native.latch import Mode

if TYPE_CHECKING:
    from .gate import Gate

_SECOND_NS = 10**9
#: a protective stop keeps at least so many ticks from the entry, or noise of the quote itself would trigger it (P-1)
_MIN_STOP_TICKS = 2


class Wish(msgspec.Struct, frozen=True, gc=False):
    """An order on its way through the gate (``bot4_core.protocols.Wish``).

    Attributes:
        order: the order.
        mark_ticks: the price that marks its instrument now.
        worst_ticks: the worst fill price that is assumed.
        ts: time of the decision, UTC ns.
        equity_units: equity marked to market, units of the reporting asset.
        exposed_units: notional of the resulting position; worked out when asked for where it is not given.
    """

    order: Order
    mark_ticks: int
    worst_ticks: int
    ts: int
    equity_units: int
    exposed_units: int | None = None


class Venue(msgspec.Struct, frozen=True):
    """What the buying-power rule must know of the account at the venue.

    Attributes:
        shorting: whether positions below zero are possible.
        leverage: gross exposure over equity that the venue allows (margin accounts).
        taker_fee: ratio of cost.
    """

    shorting: bool
    leverage: Decimal
    taker_fee: Decimal


@lru_cache(maxsize=64)
def _beyond(collar: Decimal, side: Side) -> tuple[int, int]:
    """1 + collar for a buy, 1 - collar for a sale, as a fraction."""
    return ratio_to_fraction(1 + collar * side.sign)


def worst_price(order_type: OrderType, side: Side, price: int, trigger: int, mark: int, collar: Decimal) -> int:
    """The worst fill price an order is judged by, ticks.

    A limit never fills worse than its limit; a market order is assumed to fill up to ``collar`` beyond the mark, a
    stop up to ``collar`` beyond its trigger, or beyond the mark once that has passed the trigger (0 = no mark yet).
    """
    if price:
        return price
    start = mark if order_type is not OrderType.STOP else _stop_fill(side, trigger, mark)
    num, den = _beyond(collar, side)
    return divide(start * num, den, Rounding.CEILING if side is Side.BUY else Rounding.FLOOR)


def _stop_fill(side: Side, trigger: int, mark: int) -> int:
    """Where a stop starts to fill, ticks: at its trigger, or at a mark that is past it."""
    if mark <= 0:
        return trigger
    return max(trigger, mark) if side is Side.BUY else min(trigger, mark)


Rule = Callable[["Gate", Wish], Failure | None]


def likeness(order: Order) -> tuple[int, ...]:
    """What makes two orders equal for the duplicate rule."""
    return (order.index, order.side, order.type, order.quantity_lots, order.price_ticks, order.trigger_ticks)


def _latch(gate: Gate, wish: Wish) -> Failure | None:
    """Nothing that raises risk passes a latch that is not ACTIVE (K-6), nor one released under a halted run."""
    mode = gate.latch.mode
    if mode != Mode.ACTIVE:
        return Failure("latch", Mode(mode).name, Mode.ACTIVE.name)
    return Failure("latch", f"this run halted: {gate.halted}", "a new run") if gate.halted else None


def _journal(gate: Gate, wish: Wish) -> Failure | None:
    """With the store down no risk is raised (K-9): an intent that is not durable must not be sent."""
    waits = gate.journal_waits_s
    return None if waits is None else Failure("journal", f"records wait for {waits:.1f} s", "durable at once")


def _trigger_side(gate: Gate, wish: Wish) -> Failure | None:
    """A stop entry waits beyond the mark: one that the market has passed fires at once, far from where it is judged."""
    order, mark = wish.order, wish.mark_ticks
    if order.type not in (OrderType.STOP, OrderType.STOP_LIMIT):
        return None
    if mark <= 0:
        raise DomainError(f"{order.instrument.symbol} has no price yet")
    if (order.trigger_ticks - mark) * order.side.sign > 0:
        return None
    price, sign = order.instrument.price, ">" if order.side is Side.BUY else "<"
    return Failure("trigger_side", f"{price(order.trigger_ticks)}", f"{sign} {price(mark)}", order.instrument.quote)


def _stop_cover(gate: Gate, wish: Wish) -> Failure | None:
    """P-1: a stop on the right side, clear of the entry's own noise, not too far from the worst fill."""
    limit = gate.limits.stop_distance
    order = wish.order
    if limit is None:
        return None
    allowed = f"a stop within {limit}"
    if not order.stop_ticks:
        return Failure("stop_cover", "no stop", allowed)
    gap = (_nearest_fill(wish) - order.stop_ticks) * order.side.sign
    if gap < _MIN_STOP_TICKS:
        return Failure("stop_cover", f"{gap} ticks from the entry", f">= {_MIN_STOP_TICKS} ticks on the losing side")
    distance = (wish.worst_ticks - order.stop_ticks) * order.side.sign
    num, den = ratio_to_fraction(limit)
    if distance * den > wish.worst_ticks * num:
        return Failure("stop_cover", ratio_text(distance, wish.worst_ticks), str(limit))
    return None


def _symbol_halt(gate: Gate, wish: Wish) -> Failure | None:
    """No new risk in an instrument where the venue filled more than was ordered (O-3)."""
    reason = gate.halted_symbols.get(wish.order.index)
    return Failure("symbol_halt", reason, "fills that agree with their orders") if reason else None


def _nearest_fill(wish: Wish) -> int:
    """The fill price nearest to the protective stop, ticks: a limit beyond the mark fills at the mark."""
    order = wish.order
    start = order.trigger_ticks or wish.mark_ticks
    if order.type is OrderType.STOP:
        start = _stop_fill(order.side, order.trigger_ticks, wish.mark_ticks)
    prices = [order.price_ticks, start]
    known = [price for price in prices if price > 0]
    if not known:
        raise DomainError(f"{order.instrument.symbol} has no price yet")
    return min(known) if order.side is Side.BUY else max(known)


def fill_price(side: Side, worst: int, mark: int) -> int:
    """The price an order's size is judged at, ticks: the dearest it may fill at (K-1).

    A buy never pays more than ``worst``; a sale below the mark is worth the mark.
    """
    return worst if side is Side.BUY else max(worst, mark)


def _mark(gate: Gate, index: int) -> int:
    mark = gate.account.mark_ticks(index)
    if mark <= 0:
        raise DomainError(f"{gate.account.instruments[index].symbol} has no price yet")
    return mark


def _own_price(wish: Wish) -> int:
    price = fill_price(wish.order.side, wish.worst_ticks, wish.mark_ticks)
    if price <= 0:
        raise DomainError(f"{wish.order.instrument.symbol} has no price yet")
    return price


def _working_notional(gate: Gate, order: Order) -> int:
    """What is left of a working order at the dearest price it may fill at, units of the reporting asset."""
    mark = _mark(gate, order.index)
    worst = worst_price(order.type, order.side, order.price_ticks, order.trigger_ticks, mark, gate.limits.collar)
    return gate.account.notional_units(order.index, order.remaining_lots, fill_price(order.side, worst, mark))


def _equity(gate: Gate, wish: Wish) -> int:
    if gate.account.valuation.unmarked:
        raise DomainError("equity is unknown: an asset that is held has no price yet")
    return wish.equity_units


def _exposure(gate: Gate, wish: Wish, index: int) -> int:
    """Largest notional the position in one instrument may reach while working orders fill or not (K-1).

    Stops and targets only reduce. In the wish's own instrument only its direction counts, elsewhere either does.
    """
    account, order = gate.account, wish.order
    lots = account.position_lots(index)
    held = account.notional_units(index, lots, _mark(gate, index)) * (1 if lots > 0 else -1) if lots else 0
    pending = {Side.BUY: 0, Side.SELL: 0}
    for working in gate.orders.working(index):
        if working.role in (Role.ENTRY, Role.CLOSE):
            pending[working.side] += _working_notional(gate, working)
    if index != order.index:
        return max(abs(held + pending[Side.BUY]), abs(held - pending[Side.SELL]))
    own = account.notional_units(index, order.quantity_lots, _own_price(wish))
    sign = order.side.sign
    return max(abs(held + sign * own), abs(held + sign * (own + pending[order.side])))


def _resulting_position(gate: Gate, wish: Wish) -> int:
    """Notional in the wish's base asset with working orders, units of the reporting asset."""
    if wish.exposed_units is not None:
        return wish.exposed_units
    return sum(_exposure(gate, wish, index) for index in gate.account.same_base(wish.order.index))


def sized(gate: Gate, wish: Wish) -> tuple[Wish, str | None]:
    """The wish with its resulting position worked out, and that over equity as decimal text (K-8).

    Without a price the wish comes back as it was, and None: the rules will deny it.
    """
    try:
        exposed, equity = _resulting_position(gate, wish), _equity(gate, wish)
    except DomainError:
        return wish, None
    return msgspec.structs.replace(wish, exposed_units=exposed), ratio_text(exposed, equity)


def _position(gate: Gate, wish: Wish) -> Failure | None:
    """K-1: notional in one base asset over equity."""
    limit = gate.limits.position
    if limit is None:
        return None
    total, equity = _resulting_position(gate, wish), _equity(gate, wish)
    num, den = ratio_to_fraction(limit)
    if equity <= 0 or total * den > equity * num:
        return Failure("position", ratio_text(total, equity), str(limit))
    return None


def _drawdown(gate: Gate, wish: Wish) -> Failure | None:
    """K-3: no new risk once the fall from the peak reached the limit."""
    limit = gate.limits.drawdown
    if limit is None:
        return None
    ppb = gate.account.valuation.drawdown_ppb
    return Failure("drawdown", ratio_text(ppb, 10**9), str(limit)) if ppb >= limit * 10**9 else None


def _venue_filters(gate: Gate, wish: Wish) -> Failure | None:
    """The instrument's own filters; what the stop will bring after slippage and fee must pass them too (P-5)."""
    order, instrument = wish.order, wish.order.instrument
    failure = quantity_filter(order)
    if failure is not None:
        return failure
    entry = order.price_ticks or order.trigger_ticks or wish.mark_ticks
    if entry <= 0:
        raise DomainError(f"{instrument.symbol} has no price yet")
    smallest_cost = instrument.cost_units(entry, order.quantity_lots)
    if order.stop_ticks:
        smallest_cost = min(smallest_cost, _stop_proceeds(gate, order))
    notional = from_units(smallest_cost, instrument.quote_scale)
    if notional < instrument.min_notional:
        return Failure("venue_filters", f"notional {notional:f}", f">= {instrument.min_notional}", instrument.quote)
    return None


def quantity_filter(order: Order) -> Failure | None:
    """The instrument's smallest and largest quantity."""
    instrument, quantity = order.instrument, order.quantity
    smallest = max(instrument.min_quantity, instrument.lot)
    if quantity < smallest:
        return Failure("venue_filters", f"quantity {quantity}", f">= {smallest}", instrument.base)
    if instrument.max_quantity and quantity > instrument.max_quantity:
        return Failure("venue_filters", f"quantity {quantity}", f"<= {instrument.max_quantity}", instrument.base)
    return None


def _stop_proceeds(gate: Gate, order: Order) -> int:
    """Quote units that the order's stop trades at its worst price, after the fee."""
    side = order.side.opposite
    price = worst_price(OrderType.STOP, side, 0, order.stop_ticks, 0, gate.limits.collar)
    num, den = ratio_to_fraction(1 - gate.venue.taker_fee)
    return divide(order.instrument.cost_units(price, order.quantity_lots) * num, den, Rounding.FLOOR)


def _max_notional(gate: Gate, wish: Wish) -> Failure | None:
    """Fat-finger limit of one order."""
    limit = gate.limits.max_notional
    if limit is None:
        return None
    order = wish.order
    notional = from_units(
        gate.account.notional_units(order.index, order.quantity_lots, _own_price(wish)), gate.account.scale
    )
    if notional > limit:
        return Failure("max_notional", f"{notional.normalize():f}", str(limit), gate.account.reporting)
    return None


def _open_orders(gate: Gate, wish: Wish) -> Failure | None:
    """Working entry orders of the bot, this one included."""
    count, limit = gate.orders.entries + 1, gate.limits.open_orders
    return Failure("open_orders", str(count), str(limit), "orders") if count > limit else None


def _open_orders_per_symbol(gate: Gate, wish: Wish) -> Failure | None:
    """Working entry orders of one instrument, this one included."""
    count, limit = gate.orders.open_entries(wish.order.index) + 1, gate.limits.open_orders_per_symbol
    return Failure("open_orders_per_symbol", str(count), str(limit), "orders") if count > limit else None


def _duplicate(gate: Gate, wish: Wish) -> Failure | None:
    """An equal order within the window is a slip, not a wish."""
    window = gate.limits.duplicate_window_s
    last = gate.remembered.get(likeness(wish.order))
    if window is None or last is None:
        return None
    age = Decimal(wish.ts - last) / _SECOND_NS
    return Failure("duplicate", f"{age.normalize():f}", f">= {window}", "s") if age < window else None


def _order_rate(gate: Gate, wish: Wish) -> Failure | None:
    """Entry orders accepted within the last second, this one included."""
    limit = gate.limits.orders_per_second
    if limit is None:
        return None
    count = 1 + sum(1 for ts in gate.recent if wish.ts - ts < _SECOND_NS)
    return Failure("order_rate", str(count), str(limit), "orders/s") if count > limit else None


def _buying_power(gate: Gate, wish: Wish) -> Failure | None:
    """The account must be able to pay at the worst price, other working entries included."""
    return _margin(gate, wish) if gate.venue.shorting else _cash(gate, wish)


def _cash(gate: Gate, wish: Wish) -> Failure | None:
    """Spot: buys out of the free quote balance with the fee, sells out of the free base balance."""
    order, instrument = wish.order, wish.order.instrument
    own = gate.account.portfolio.own
    pending = [o for o in gate.orders.all_working() if o.role is Role.ENTRY and o.side is order.side]
    if order.side is Side.SELL:
        same = [o for o in pending if o.instrument.base == instrument.base]
        wanted = sum(o.instrument.base_units(o.remaining_lots) for o in [*same, order])
        free, asset, scale = own.get(instrument.base, 0), instrument.base, instrument.base_scale
    else:
        same = [o for o in pending if o.instrument.quote == instrument.quote]
        wanted = instrument.cost_units(_own_price(wish), order.quantity_lots, Rounding.CEILING)
        wanted += sum(_worst_cost(gate, o) for o in same)
        num, den = ratio_to_fraction(1 + gate.venue.taker_fee)
        wanted = divide(wanted * num, den, Rounding.CEILING)
        free, asset, scale = own.get(instrument.quote, 0), instrument.quote, instrument.quote_scale
    if wanted > free:
        measured, allowed = from_units(wanted, scale), from_units(free, scale)
        return Failure("buying_power", f"{measured.normalize():f}", f"{allowed.normalize():f}", asset)
    return None


def _worst_cost(gate: Gate, order: Order) -> int:
    """Quote units a working buy may still cost."""
    mark = gate.account.mark_ticks(order.index)
    price = worst_price(order.type, order.side, order.price_ticks, order.trigger_ticks, mark, gate.limits.collar)
    if price <= 0:
        raise DomainError(f"{order.instrument.symbol} has no price yet")
    return order.instrument.cost_units(price, order.remaining_lots, Rounding.CEILING)


def _margin(gate: Gate, wish: Wish) -> Failure | None:
    """Margin: gross exposure with working entries over equity, against the venue's leverage."""
    order = wish.order
    equity = _equity(gate, wish)
    gross = gate.account.valuation.exposure
    gross += gate.account.notional_units(order.index, order.quantity_lots, _own_price(wish))
    gross += sum(_working_notional(gate, each) for each in gate.orders.all_working() if each.role is Role.ENTRY)
    num, den = ratio_to_fraction(gate.venue.leverage)
    if equity <= 0 or gross * den > equity * num:
        return Failure("buying_power", ratio_text(gross, equity), str(gate.venue.leverage), "x equity")
    return None


#: The rules of an order that raises risk, in the order they are reported.
ENTRY_RULES: tuple[tuple[str, Rule], ...] = (
    ("latch", _latch),
    ("journal", _journal),
    ("symbol_halt", _symbol_halt),
    ("trigger_side", _trigger_side),
    ("stop_cover", _stop_cover),
    ("position", _position),
    ("drawdown", _drawdown),
    ("max_notional", _max_notional),
    ("open_orders", _open_orders),
    ("open_orders_per_symbol", _open_orders_per_symbol),
    ("duplicate", _duplicate),
    ("order_rate", _order_rate),
    ("buying_power", _buying_power),
    ("venue_filters", _venue_filters),
)
