"""Binance's bytes to bot4's objects. Pure: no input or output, no clock, no state."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec
from attrs import frozen

from bot4_core.sdk import DomainError, ExchangeError, Instrument, parse_decimal

MAX_BYTES = 16 * 1024 * 1024
_ASSET_SCALE = 8


class Filter(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of a symbol's ``filters``; each type fills other fields."""

    filter_type: str
    tick_size: str = ""
    step_size: str = ""
    min_qty: str = "0"
    max_qty: str = "0"
    min_notional: str = ""
    notional: str = ""


class Symbol(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of ``symbols``; ``contract_type`` exists on futures only, empty while a contract is prepared."""

    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    filters: tuple[Filter, ...]
    contract_type: str | None = None


class ExchangeInfo(msgspec.Struct, frozen=True):
    """The answer to ``exchangeInfo``."""

    symbols: tuple[Symbol, ...]


@frozen(kw_only=True)
class Listed:
    """One instrument with the venue's own name for it, and whether orders are taken now."""

    venue_symbol: str
    instrument: Instrument
    open: bool


def parse_listing(data: bytes, market: str) -> list[Listed]:
    """The instruments in an ``exchangeInfo`` answer, by symbol.

    Args:
        data: the body as received.
        market: ``spot``, or ``usdm``: then only perpetual contracts count, dated ones have no BASE/QUOTE name.

    Raises:
        ExchangeError: malformed, too large, or two entries for one symbol.
    """
    if len(data) > MAX_BYTES:
        raise ExchangeError(f"binance exchangeInfo: {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        answer = msgspec.json.decode(data, type=ExchangeInfo)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ExchangeError(f"binance exchangeInfo: {error}") from error
    found: dict[str, Listed] = {}
    for listed in _listed(answer, market):
        twin = found.setdefault(listed.instrument.symbol, listed)
        if twin is not listed:
            names = f"{twin.venue_symbol} and {listed.venue_symbol}"
            raise ExchangeError(f"binance exchangeInfo: {names} are both {listed.instrument.symbol}")
    return [found[symbol] for symbol in sorted(found)]


def _listed(answer: ExchangeInfo, market: str) -> Iterator[Listed]:
    for one in answer.symbols:
        if (market == "spot") != (one.contract_type is None):
            raise ExchangeError(f"binance exchangeInfo: {one.symbol} does not belong to market {market!r}")
        if market == "spot" or one.contract_type == "PERPETUAL":
            yield Listed(venue_symbol=one.symbol, instrument=_instrument(one), open=one.status == "TRADING")


def _instrument(one: Symbol) -> Instrument:
    filters = {f.filter_type: f for f in one.filters}
    missing = [name for name in ("PRICE_FILTER", "LOT_SIZE") if name not in filters]
    if missing:
        raise ExchangeError(f"binance exchangeInfo: {one.symbol} has no {missing[0]}")
    # spot renamed MIN_NOTIONAL to NOTIONAL in 2023; futures keep the old name with the field called notional
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL")
    lot = filters["LOT_SIZE"]
    try:
        return Instrument(
            symbol=f"{one.base_asset}/{one.quote_asset}",
            tick=_trimmed(filters["PRICE_FILTER"].tick_size),
            lot=_trimmed(lot.step_size),
            min_quantity=_trimmed(lot.min_qty),
            max_quantity=_trimmed(lot.max_qty),
            min_notional=_trimmed((notional.min_notional or notional.notional or "0") if notional else "0"),
            base_scale=_ASSET_SCALE,
            quote_scale=_ASSET_SCALE,
        )
    except DomainError as error:
        raise ExchangeError(f"binance exchangeInfo: {one.symbol}: {error}") from error


def _trimmed(number: str) -> Decimal:
    """``"0.01000000"`` as 0.01, so that prices made of ticks show no false digits."""
    value = parse_decimal(number)
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()
