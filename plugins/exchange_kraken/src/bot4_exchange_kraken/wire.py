"""Kraken's bytes to bot4's objects. Pure: no input or output, no clock, no state."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec
from attrs import frozen

from bot4_core.sdk import DomainError, ExchangeError, Instrument, parse_decimal

MAX_BYTES = 16 * 1024 * 1024
_ASSET_SCALE = 8
_MAX_DECIMALS = 18

#: Kraken's own asset codes in ``wsname`` and the codes everybody else uses (Kraken's v2 API says BTC and DOGE too).
_ASSETS = {"XBT": "BTC", "XDG": "DOGE"}


class Pair(msgspec.Struct, frozen=True):
    """One entry of ``AssetPairs``; ``wsname`` is absent on the dark-pool twins (``XXBTZUSD.d``)."""

    pair_decimals: int
    lot_decimals: int
    lot_multiplier: int
    wsname: str = ""
    ordermin: str = "0"
    costmin: str = "0"
    tick_size: str = ""
    status: str = "online"


class AssetPairs(msgspec.Struct, frozen=True):
    """The answer to ``AssetPairs``: errors, or pairs by Kraken's own name."""

    error: tuple[str, ...]
    result: dict[str, Pair] = {}


@frozen(kw_only=True)
class Listed:
    """One instrument with the venue's own name for it, and whether orders are taken now."""

    venue_symbol: str
    instrument: Instrument
    open: bool


def parse_listing(data: bytes) -> list[Listed]:
    """The instruments in an ``AssetPairs`` answer, by symbol; dark-pool twins are left out.

    Args:
        data: the body as received.

    Raises:
        ExchangeError: malformed, too large, an error answer, or two entries for one symbol.
    """
    if len(data) > MAX_BYTES:
        raise ExchangeError(f"kraken AssetPairs: {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        answer = msgspec.json.decode(data, type=AssetPairs)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ExchangeError(f"kraken AssetPairs: {error}") from error
    if answer.error:
        raise ExchangeError(f"kraken AssetPairs: the venue answered {', '.join(answer.error)[:200]}")
    found: dict[str, Listed] = {}
    for listed in _listed(answer):
        twin = found.setdefault(listed.instrument.symbol, listed)
        if twin is not listed:
            names = f"{twin.venue_symbol} and {listed.venue_symbol}"
            raise ExchangeError(f"kraken AssetPairs: {names} are both {listed.instrument.symbol}")
    return [found[symbol] for symbol in sorted(found)]


def _listed(answer: AssetPairs) -> Iterator[Listed]:
    for name, pair in answer.result.items():
        if pair.wsname:
            yield Listed(venue_symbol=name, instrument=_instrument(name, pair), open=pair.status == "online")


def _instrument(name: str, pair: Pair) -> Instrument:
    for decimals in (pair.pair_decimals, pair.lot_decimals):
        if not 0 <= decimals <= _MAX_DECIMALS:
            raise ExchangeError(f"kraken AssetPairs: {name} has {decimals} decimals; 0 to {_MAX_DECIMALS} are possible")
    base, _, quote = pair.wsname.partition("/")
    try:
        return Instrument(
            symbol=f"{_ASSETS.get(base, base)}/{_ASSETS.get(quote, quote)}",
            # tick_size came later than pair_decimals and may be coarser
            tick=parse_decimal(pair.tick_size) if pair.tick_size else Decimal(1).scaleb(-pair.pair_decimals),
            lot=Decimal(1).scaleb(-pair.lot_decimals) * pair.lot_multiplier,
            min_quantity=parse_decimal(pair.ordermin),
            min_notional=parse_decimal(pair.costmin),
            base_scale=max(_ASSET_SCALE, pair.lot_decimals),
            quote_scale=_ASSET_SCALE,
        )
    except DomainError as error:
        raise ExchangeError(f"kraken AssetPairs: {name}: {error}") from error
