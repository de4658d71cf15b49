"""What this plugin offers, and what it can do so far."""

from __future__ import annotations

from bot4_core.sdk import Capability, ExchangeSpec, Services

from .settings import BinanceSettings


def _create(settings: BinanceSettings, services: Services) -> object:
    # the decoders are built when they are needed, not when plugins are listed
    from .exchange import Binance

    return Binance(settings, services)


SPEC = ExchangeSpec(
    name="binance",
    settings=BinanceSettings,
    create=_create,
    capabilities=frozenset({Capability.INSTRUMENTS}),
    summary="Binance: instruments from the venue's own list; no orders yet",
)
