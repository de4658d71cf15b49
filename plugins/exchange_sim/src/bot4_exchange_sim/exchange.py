"""The simulated exchange: history files and settings in, a ``Replay`` out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np
from attrs import field, frozen

from bot4_core.sdk import ConfigError, History, Instrument, Kind, Order, Rounding, Services, divide, to_units

from .native import Kernel, Market, Rules, Stream
from .rules import rules_text
from .settings import SimSettings

_TICKS = 1 << Kind.TRADE | 1 << Kind.QUOTE
_INT64_MAX = 2**63 - 1


@frozen(kw_only=True)
class _Listing:
    """An instrument with its histories, in the order of the settings."""

    instrument: Instrument
    histories: list[History] = field(factory=list)

    @property
    def kinds(self) -> int:
        return sum(1 << kind for kind in {kind for each in self.histories for kind in each.kinds})

    @property
    def interval_ns(self) -> int:
        return max(each.interval_ns for each in self.histories)


class SimExchange:
    """Replays recorded history against resting orders (``bot4_core.sdk.Replay``).

    Args:
        settings: the config table.
        services: finds the history files.

    Raises:
        ConfigError: histories, balances and account do not fit each other.
        HistoryError: a history file is missing or damaged.
    """

    def __init__(self, settings: SimSettings, services: Services) -> None:
        histories = [History.open(services.resolve_history(name)) for name in settings.history]
        listings = _listings(histories)
        scales = _scales([each.instrument for each in listings])
        self._assets = {asset: place for place, asset in enumerate(scales)}
        self._start = _starting(settings.balances, scales)
        if settings.account == "margin":
            _check_margin(listings)
        streams = [
            Stream(
                events=np.asarray(history.events),
                interval_ns=history.interval_ns,
                instrument=index,
                name=history.path.name,
            )
            for index, listing in enumerate(listings)
            for history in listing.histories
        ]
        self._kernel = Kernel(
            _rules(settings),
            [_market(each.instrument, settings, self._assets) for each in listings],
            streams,
            [self._start[asset] for asset in scales],
        )
        self._kinds = [each.kinds for each in listings]
        self._times = [(each.events["ts"]) for each in streams]
        self._from_ns, self._to_ns = 0, _INT64_MAX
        self.instruments: Sequence[Instrument] = [each.instrument for each in listings]
        self.intervals_ns: Sequence[int] = [each.interval_ns for each in listings]
        self.first_ns = min(each.first_ts for each in histories)
        self.last_ns = max(each.last_ts for each in histories)
        self.total_events = sum(each.rows for each in histories)
        self.history_hash = _hash(listings)
        self.shorting = settings.account == "margin"
        self.leverage = settings.leverage if self.shorting else Decimal(1)
        self.taker_fee = settings.fees.taker
        on_ticks = [bool(kinds & _TICKS) for kinds in self._kinds]
        self.rules: Mapping[str, str] = rules_text(settings, bars=not all(on_ticks), ticks=any(on_ticks))
        self.step = self._kernel.step
        self.reports = self._kernel.reports
        self.run = self._kernel.run
        self.run_on = self._kernel.run_on
        self.wake_at = self._kernel.wake_at
        self.submit = self._kernel.submit
        self.processed = self._kernel.processed

    def starting_balances(self) -> Mapping[str, int]:
        """Balances before the first order, asset to units."""
        return dict(self._start)

    def balances(self) -> Mapping[str, int]:
        """The venue's balances now, asset to units."""
        return {asset: self._kernel.balance(place) for asset, place in self._assets.items()}

    def position_lots(self, index: int) -> int:
        """The venue's net position in an instrument, lots."""
        return self._kernel.position(index)

    def open_orders(self) -> int:
        """Orders at the venue or on their way, attached ones included."""
        return self._kernel.open_orders()

    def kinds(self, index: int) -> int:
        """Event kinds the histories of one instrument hold, as a mask of ``1 << kind``."""
        return self._kinds[index]

    def cancel(self, order: Order) -> None:
        """Asks for the order's end; the answer is a CANCELLED or CANCEL_REJECTED report."""
        self._kernel.cancel(order.order_id)

    def attach(self, valuation: object) -> None:
        """Hands over the engine's native valuation, which skipped steps mark.

        Args:
            valuation: a ``bot4_core.native.valuation.Valuation``; kept as long as the exchange.

        Raises:
            NativeError: it was laid out by another version of bot4.
        """
        self._kernel.attach(valuation.address)  # type: ignore[attr-defined]  # the protocol leaves the type open
        self._valuation = valuation

    def wake_on(self, index: int, kinds: int) -> None:
        """Names the event kinds of one instrument that wake the engine, as a mask of ``1 << kind``."""
        self._kernel.wake_on(index, kinds)

    def seek(self, from_ns: int) -> None:
        """Starts at the first event at or after ``from_ns``; only before the first ``run``."""
        self._from_ns = max(from_ns, 0)
        self._cut()

    def limit(self, to_ns: int) -> None:
        """Ends with the last event at or before ``to_ns``; only before the first ``run``."""
        self._to_ns = to_ns
        self._cut()

    def _cut(self) -> None:
        if self._from_ns > self._to_ns:
            raise ConfigError("the window ends before it begins")
        self._kernel.window(self._from_ns, self._to_ns)
        self.total_events = sum(
            int(np.searchsorted(ts, self._to_ns, "right") - np.searchsorted(ts, self._from_ns, "left"))
            for ts in self._times
        )


def _listings(histories: Sequence[History]) -> list[_Listing]:
    """The instruments in the order they are first named, each with its histories."""
    found: dict[str, _Listing] = {}
    for history in histories:
        listing = found.setdefault(history.instrument.symbol, _Listing(instrument=history.instrument))
        if listing.instrument != history.instrument:
            raise ConfigError(
                f"{history.path.name} defines {history.instrument.symbol} otherwise than "
                f"{listing.histories[0].path.name} (tick, lot, filters or scales); import both from one source"
            )
        for other in listing.histories:
            _check_pair(other, history)
        listing.histories.append(history)
    for listing in found.values():
        if not listing.kinds & (_TICKS | 1 << Kind.BAR):
            raise ConfigError(f"{listing.instrument.symbol} has book levels only; add its bars, trades or quotes")
    return list(found.values())


def _check_pair(one: History, other: History) -> None:
    """Two histories of one instrument must not tell the same thing twice."""
    both = set(one.kinds) & set(other.kinds)
    overlap = one.first_ts <= other.last_ts and other.first_ts <= one.last_ts
    symbol = one.instrument.symbol
    if Kind.BAR in both and one.interval_ns != other.interval_ns:
        raise ConfigError(f"{symbol}: {one.path.name} and {other.path.name} have bars of different length; use one")
    if both and overlap:
        raise ConfigError(f"{symbol}: {one.path.name} and {other.path.name} overlap in time; cut one of them")


def _scales(instruments: Sequence[Instrument]) -> dict[str, int]:
    """Every asset with its decimals, in order of first appearance."""
    scales: dict[str, int] = {}
    for instrument in instruments:
        for asset, scale in ((instrument.base, instrument.base_scale), (instrument.quote, instrument.quote_scale)):
            if scales.setdefault(asset, scale) != scale:
                raise ConfigError(f"{asset} has {scales[asset]} decimals in one instrument and {scale} in another")
    return scales


def _starting(balances: Mapping[str, Decimal], scales: Mapping[str, int]) -> dict[str, int]:
    unknown = sorted(set(balances) - set(scales))
    if unknown:
        raise ConfigError(f"balances names {unknown[0]}, which no history trades; known: {', '.join(sorted(scales))}")
    return {
        asset: to_units(balances.get(asset, Decimal(0)), Decimal(1).scaleb(-scale), Rounding.EXACT, f"{asset} balance")
        for asset, scale in scales.items()
    }


def _check_margin(listings: Sequence[_Listing]) -> None:
    quotes = sorted({each.instrument.quote for each in listings})
    if len(quotes) > 1:
        raise ConfigError(f"a margin account needs one quote asset, the histories have {', '.join(quotes)}")


def _rules(settings: SimSettings) -> Rules:
    return Rules(
        market_ratio=settings.spread_ratio / 2 + settings.slippage_ratio,
        slip_ratio=settings.slippage_ratio,
        maker_fee=Fraction(settings.fees.maker),
        taker_fee=Fraction(settings.fees.taker),
        leverage=Fraction(settings.leverage),
        latency_ns=settings.latency_ns,
        margin=settings.account == "margin",
        compat=settings.compat,
    )


def _market(instrument: Instrument, settings: SimSettings, assets: Mapping[str, int]) -> Market:
    per_unit = Fraction(1, 10**instrument.volume_scale) / (Fraction(instrument.lot) * Fraction(instrument.multiplier))
    notional = Fraction(instrument.min_notional) * 10**instrument.quote_scale
    return Market(
        cost_ratio=Fraction(*instrument.tick_lot_ratio),
        lot_units=instrument.lot_units,
        volume_ratio=per_unit,
        share_ratio=per_unit * settings.participation_ratio,
        min_lots=to_units(instrument.min_quantity, instrument.lot, Rounding.CEILING, "minimum quantity"),
        max_lots=to_units(instrument.max_quantity, instrument.lot, Rounding.FLOOR, "maximum quantity"),
        min_notional=divide(notional.numerator, notional.denominator, Rounding.CEILING),
        base=assets[instrument.base],
        quote=assets[instrument.quote],
    )


def _hash(listings: Sequence[_Listing]) -> str:
    digest = hashlib.sha256()
    for listing in listings:
        for history in listing.histories:
            digest.update(f"{history.instrument.symbol} {history.sha256}\n".encode())
    return digest.hexdigest()
