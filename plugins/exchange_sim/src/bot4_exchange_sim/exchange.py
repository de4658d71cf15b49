"""The simulated exchange: settings in, a ``Replay`` out that can stream as well."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np

from bot4_core.sdk import (
    Arrival,
    Clock,
    ConfigError,
    History,
    Instrument,
    Order,
    Rounding,
    Services,
    divide,
    to_units,
)

from .made_up import made_up
from .native import Kernel, Market, Rules, Stream
from .rules import rules_text
from .settings import SimSettings
from .sources import TICKS, Listing, Source, hash_of, list_instruments, recorded
from .stream import EventStream

_INT64_MAX = 2**63 - 1
_EVERY_KIND = 0xFFFFFFFF


class SimExchange:
    """Plays a market against resting orders (``bot4_core.sdk.Replay`` and ``Streaming``).

    Args:
        settings: the config table.
        services: finds the history files, and lends the seed of what is made up.

    Raises:
        ConfigError: histories, balances and account do not fit each other.
        HistoryError: a history file is missing or damaged.
    """

    def __init__(self, settings: SimSettings, services: Services) -> None:
        sources = _sources(settings, services)
        listings = list_instruments(sources)
        scales = _scales([each.instrument for each in listings])
        self._assets = {asset: place for place, asset in enumerate(scales)}
        self._start = _starting(settings.balances, scales)
        if settings.account == "margin":
            _check_margin(listings)
        streams = [
            Stream(events=each.events, interval_ns=each.interval_ns, instrument=index, name=each.name)
            for index, listing in enumerate(listings)
            for each in listing.sources
        ]
        self._kernel = Kernel(
            _rules(settings),
            [_market(each.instrument, settings, self._assets) for each in listings],
            streams,
            [self._start[asset] for asset in scales],
        )
        self._kinds = [each.kinds for each in listings]
        self._times = [each.events["ts"] for each in streams]
        self._stream = EventStream(
            self._kernel, speed=settings.speed_ratio, jitter_ns=settings.jitter_ns, seed=services.seed
        )
        self._from_ns, self._to_ns = 0, _INT64_MAX
        self.instruments: Sequence[Instrument] = [each.instrument for each in listings]
        self.intervals_ns: Sequence[int] = [each.interval_ns for each in listings]
        self.first_ns = min(each.first_ts for each in sources)
        self.last_ns = max(each.last_ts for each in sources)
        self.total_events = sum(len(each.events) for each in sources)
        self.history_hash = hash_of(listings)
        self.shorting = settings.account == "margin"
        self.leverage = settings.leverage if self.shorting else Decimal(1)
        self.taker_fee = settings.fees.taker
        on_ticks = [bool(kinds & TICKS) for kinds in self._kinds]
        self.rules: Mapping[str, str] = rules_text(settings, bars=not all(on_ticks), ticks=any(on_ticks))
        self.step = self._kernel.step
        self.reports = self._kernel.reports
        self.run = self._kernel.run
        self.run_on = self._kernel.run_on
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

    def submit(self, order: Order) -> None:
        """Sends an order, with the protective orders it names; the outcome comes back as reports.

        Raises:
            NativeError: the order contradicts itself, or too many are under way.
        """
        self._kernel.submit(order)
        self._stream.look_again()

    def cancel(self, order: Order) -> None:
        """Asks for the order's end; the answer is a CANCELLED or CANCEL_REJECTED report."""
        self._kernel.cancel(order.order_id)
        self._stream.look_again()

    def wake_at(self, ns: int) -> None:
        """Names the time of the next timer, UTC ns; later events are left until it is moved on."""
        self._kernel.wake_at(ns)
        self._stream.look_again()

    def stream(self, clock: Clock) -> AsyncGenerator[Arrival, None]:
        """The events over time, at the speed and with the jitter of the settings (``bot4_core.sdk.Streaming``).

        From here on every event is given, and no valuation is marked: the reader marks its own.
        """
        for index in range(len(self.instruments)):
            self._kernel.wake_on(index, _EVERY_KIND)
        self._kernel.attach(0)
        return self._stream.arrivals(clock, self._first_in_window())

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

    def _first_in_window(self) -> int:
        """Time of the first event that is played, ns."""
        firsts = [(ts, int(np.searchsorted(ts, self._from_ns, "left"))) for ts in self._times]
        return min((int(ts[at]) for ts, at in firsts if at < len(ts)), default=self._from_ns)

    def _cut(self) -> None:
        if self._from_ns > self._to_ns:
            raise ConfigError("the window ends before it begins")
        self._kernel.window(self._from_ns, self._to_ns)
        self.total_events = sum(
            int(np.searchsorted(ts, self._to_ns, "right") - np.searchsorted(ts, self._from_ns, "left"))
            for ts in self._times
        )


def _sources(settings: SimSettings, services: Services) -> list[Source]:
    if settings.market is not None:
        return made_up(
            settings.market, seed=services.seed, interval_ns=settings.interval_ns, bars=settings.bars_each
        )
    return [recorded(History.open(services.resolve_history(name))) for name in settings.history or ()]


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
        raise ConfigError(f"balances names {unknown[0]}, which nothing here trades; known: {', '.join(sorted(scales))}")
    return {
        asset: to_units(balances.get(asset, Decimal(0)), Decimal(1).scaleb(-scale), Rounding.EXACT, f"{asset} balance")
        for asset, scale in scales.items()
    }


def _check_margin(listings: Sequence[Listing]) -> None:
    quotes = sorted({each.instrument.quote for each in listings})
    if len(quotes) > 1:
        raise ConfigError(f"a margin account needs one quote asset, these markets have {', '.join(quotes)}")


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
