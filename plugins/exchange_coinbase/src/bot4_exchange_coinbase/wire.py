"""Coinbase's bytes to bot4's objects. Pure: no input or output, no clock, no state.

Coinbase lists its products in two dialects: the Exchange API as a bare list, the Advanced Trade API as an object with
``products``. Both are read; the shape of the answer says which it is.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from attrs import frozen

from bot4_core.sdk import DomainError, ExchangeError, Instrument, parse_decimal

MAX_BYTES = 16 * 1024 * 1024
_ASSET_SCALE = 8


class Product(msgspec.Struct, frozen=True):
    """One product of the Exchange API."""

    id: str
    base_currency: str
    quote_currency: str
    quote_increment: str
    base_increment: str
    min_market_funds: str = "0"
    status: str = "online"
    trading_disabled: bool = False


class AdvancedProduct(msgspec.Struct, frozen=True):
    """One product of the Advanced Trade API; ``price_increment`` is the tick, ``quote_increment`` the quote's own."""

    product_id: str
    product_type: str
    base_currency_id: str
    quote_currency_id: str
    base_increment: str
    price_increment: str
    base_min_size: str = "0"
    base_max_size: str = "0"
    quote_min_size: str = "0"
    status: str = "online"
    trading_disabled: bool = False
    is_disabled: bool = False


class AdvancedProducts(msgspec.Struct, frozen=True):
    """The answer of the Advanced Trade API."""

    products: tuple[AdvancedProduct, ...]


@frozen(kw_only=True)
class Listed:
    """One instrument with the venue's own name for it, and whether orders are taken now."""

    venue_symbol: str
    instrument: Instrument
    open: bool


def parse_listing(data: bytes) -> list[Listed]:
    """The spot instruments in an answer to ``products``, by symbol; futures are left out.

    Args:
        data: the body as received, of either API.

    Raises:
        ExchangeError: malformed, too large, or two entries for one symbol.
    """
    if len(data) > MAX_BYTES:
        raise ExchangeError(f"coinbase products: {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        answer = msgspec.json.decode(data, type=list[Product] | AdvancedProducts)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ExchangeError(f"coinbase products: {error}") from error
    found: dict[str, Listed] = {}
    for listed in _exchange(answer) if isinstance(answer, list) else _advanced(answer.products):
        twin = found.setdefault(listed.instrument.symbol, listed)
        if twin is not listed:
            names = f"{twin.venue_symbol} and {listed.venue_symbol}"
            raise ExchangeError(f"coinbase products: {names} are both {listed.instrument.symbol}")
    return [found[symbol] for symbol in sorted(found)]


def _exchange(products: Iterable[Product]) -> Iterable[Listed]:
    for one in products:
        instrument = _instrument(
            one.id,
            symbol=f"{one.base_currency}/{one.quote_currency}",
            tick=one.quote_increment,
            lot=one.base_increment,
            min_notional=one.min_market_funds,
        )
        yield Listed(
            venue_symbol=one.id, instrument=instrument, open=one.status == "online" and not one.trading_disabled
        )


def _advanced(products: Iterable[AdvancedProduct]) -> Iterable[Listed]:
    for one in products:
        if one.product_type != "SPOT":
            continue
        instrument = _instrument(
            one.product_id,
            symbol=f"{one.base_currency_id}/{one.quote_currency_id}",
            tick=one.price_increment,
            lot=one.base_increment,
            min_quantity=one.base_min_size,
            max_quantity=one.base_max_size,
            min_notional=one.quote_min_size,
        )
        closed = one.status != "online" or one.trading_disabled or one.is_disabled
        yield Listed(venue_symbol=one.product_id, instrument=instrument, open=not closed)


def _instrument(
    venue_symbol: str,
    *,
    symbol: str,
    tick: str,
    lot: str,
    min_notional: str,
    min_quantity: str = "0",
    max_quantity: str = "0",
) -> Instrument:
    try:
        lot_size = parse_decimal(lot)
        decimals = -int(lot_size.normalize().as_tuple().exponent)
        return Instrument(
            symbol=symbol,
            tick=parse_decimal(tick),
            lot=lot_size,
            min_quantity=parse_decimal(min_quantity),
            max_quantity=parse_decimal(max_quantity),
            min_notional=parse_decimal(min_notional),
            base_scale=max(_ASSET_SCALE, decimals),
            quote_scale=_ASSET_SCALE,
        )
    except DomainError as error:
        raise ExchangeError(f"coinbase products: {venue_symbol}: {error}") from error
