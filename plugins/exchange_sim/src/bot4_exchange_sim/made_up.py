"""The simulator's own market: bars made up from the bot's seed, for instruments with filters that suit their price."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from bot4_core.sdk import Instrument, Kind, Rounding, divide, from_units, synth_bars

from .sources import Source

#: 2024-01-01T00:00:00Z, the open of the first bar
START_NS = 1_704_067_200 * 10**9
#: an asset's amounts have so many decimals, and a lot is one of them at least
_ASSET_SCALE = 8
_MINUTE_NS = 60 * 10**9
#: worth of what a minute trades on average, in quote
_TRADED_PER_MINUTE = 250_000


def made_up(prices: Mapping[str, Decimal], *, seed: int, interval_ns: int, bars: int) -> list[Source]:
    """Markets that move together; each follows from the seed and its symbol, whatever stands beside it.

    Args:
        prices: symbol to the price of its first open.
        seed: the bot's.
        interval_ns: length of a bar.
        bars: of each market.
    """
    instruments = [instrument_at(symbol, price) for symbol, price in prices.items()]
    traded = [_volume(each, price, interval_ns) for each, price in zip(instruments, prices.values(), strict=True)]
    made = synth_bars(
        instruments, seed=seed, start_ns=START_NS, bars=bars, interval_ns=interval_ns,
        start_prices=list(prices.values()), volumes=traded,
    )  # fmt: skip
    return [
        Source(instrument=each, kinds=(Kind.BAR,), interval_ns=interval_ns, events=events, name=each.symbol)
        for each, events in zip(instruments, made, strict=True)
    ]


def instrument_at(symbol: str, price: Decimal) -> Instrument:
    """An instrument whose ticks and lots suit a price.

    The tick shows six digits of the price (0.1 at 30,000; 0.000001 at 0.5), and a lot is worth 0.001 to 0.01 quote,
    but never less than 0.00000001 base.
    """
    magnitude = price.adjusted()
    decimals = min(magnitude + 3, _ASSET_SCALE)
    return Instrument(
        symbol=symbol,
        tick=Decimal(1).scaleb(magnitude - 5),
        lot=Decimal(1).scaleb(-decimals),
        volume_scale=max(decimals, 0),
        version="made-up",
    )


def _volume(instrument: Instrument, price: Decimal, interval_ns: int) -> Decimal:
    """Mean volume of a bar, in base: worth the same at every price."""
    units = Fraction(_TRADED_PER_MINUTE * interval_ns, _MINUTE_NS) / Fraction(price) * 10**instrument.volume_scale
    return from_units(divide(units.numerator, units.denominator, Rounding.HALF_EVEN), instrument.volume_scale)
