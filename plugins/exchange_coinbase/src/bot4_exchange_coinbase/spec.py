"""What this plugin offers, and what it can do so far."""

from __future__ import annotations

from bot4_core.sdk import Capability, ExchangeSpec, Services

from .settings import CoinbaseSettings


def _create(settings: CoinbaseSettings, services: Services) -> object:
    # the decoders are built when they are needed, not when plugins are listed
    from .exchange import Coinbase

    return Coinbase(settings, services)


SPEC = ExchangeSpec(
    name="coinbase",
    settings=CoinbaseSettings,
    create=_create,
    capabilities=frozenset({Capability.INSTRUMENTS}),
    summary="Coinbase: instruments from the venue's own list; no orders yet",
)
