"""The fill rules in force as text, for the report (TRADING.md section 4: printed in every report)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from .settings import SimSettings


def _share(ratio: Fraction) -> str:
    """A ratio in percent; settings are decimals, so it ends."""
    value = Decimal(ratio.numerator) / Decimal(ratio.denominator) * 100
    return f"{value.normalize():f} %"


def rules_text(settings: SimSettings, *, bars: bool, ticks: bool) -> dict[str, str]:
    """The rules in force, name to text.

    Args:
        settings: the simulator's settings.
        bars: some instrument's orders match bars.
        ticks: some instrument's orders match trades or quotes.
    """
    text = {"profile": settings.fill_profile, "account": _account(settings), "fees": _fees(settings)}
    text["timing"] = (
        f"order latency {settings.latency}; an order meets the first bar that opens at or after its arrival, or the "
        "first tick from its arrival on, never the data that caused it (T-1); on bars a cancel acts at the end of a "
        "bar already open at its arrival (T-2), and a bar that closes after a GTD order's expiry does not fill it"
    )
    if bars:
        text |= _compat_bars() if settings.compat else _bars(settings)
    if ticks:
        text |= _ticks(settings)
    text["reducing"] = (
        "reduce-only orders fill at most the venue's position and end with it (K-4); they lock no balance and are "
        "exempt from the minimum notional; a fill of a stop or a target shrinks the other by as much"
    )
    text["not simulated"] = "feed latency, funding, interest, liquidation, market impact beyond slippage"
    if settings.market is None:
        text["universe"] = "survivorship: unknown (B-9)"
    else:
        text["universe"] = "made up from the bot's seed, no recorded market; a result says nothing about any venue"
    return text


def _account(settings: SimSettings) -> str:
    if settings.account == "spot":
        return "spot: no shorts; an order reserves its cost at the worst known price plus fee"
    return f"margin: shorts allowed; initial margin at submission, leverage {settings.leverage.normalize():f}"


def _fees(settings: SimSettings) -> str:
    maker, taker = Fraction(settings.fees.maker), Fraction(settings.fees.taker)
    return f"maker {_share(maker)}, taker {_share(taker)} of the cost, in the quote asset, rounded up once per fill"


def _bars(settings: SimSettings) -> dict[str, str]:
    half, slip = _share(settings.spread_ratio / 2), _share(settings.slippage_ratio)
    return {
        "market": f"open ± half spread {half} ± slippage {slip}, rounded to the tick against us (B-1)",
        "volume": f"all own fills of a bar take at most {_share(settings.participation_ratio)} of its volume; the "
        "rest waits, IOC cancels it, FOK is all or nothing (B-1)",
        "limit": f"marketable on its first bar: taker at open ± slippage {slip}, capped at the limit; resting: only "
        "when the bar trades a tick beyond, at the limit, as maker (B-2)",
        "stop": f"a touch triggers; fills at the worse of stop and open, ± slippage {slip}, taker (B-3); the limit "
        "of a stop-limit competes from the next bar (B-4)",
        "path": "open first, in order of arrival; then touched stops; then resting limits; so of a stop and a target "
        "in reach the stop fills; a stop is live on the bar of its entry, a target then only when the entry was a "
        "market order (B-5)",
        "no volume": "a missing or zero-volume bar fills, triggers and marks nothing (B-7)",
    }


def _compat_bars() -> dict[str, str]:
    return {
        "market": "at the next bar's open exactly",
        "volume": "no cap; bars without volume fill",
        "limit": "at the limit, or at the open when it gaps beyond",
        "stop": "at the stop, or at the open when it gaps beyond",
        "path": "open, then stops, then limits",
    }


def _ticks(settings: SimSettings) -> dict[str, str]:
    cost = _share(settings.spread_ratio / 2 + settings.slippage_ratio)
    return {
        "quotes": "takers walk the displayed best size at its price; what we took returns only by a later increase "
        "(L-3); the rest waits for the next quote; post-only is judged on the quote at arrival (L-4)",
        "trades alone": f"takers fill at the next print ± half spread and slippage ({cost}), at most its quantity",
        "queue": "before us stands what is displayed at our price at arrival; prints at our price and a shrinking "
        "level reduce it (L-1); behind the best price it is unknown, and only a print or quote through our price "
        "fills, at our price, at most its size, shared in order of arrival (L-2)",
        "stop trigger": "the last trade where there are trades, else the opposite quote; a triggered stop is a market "
        "order from the next event on",
    }
