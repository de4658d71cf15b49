"""What this plugin offers, and what it can do so far."""

from __future__ import annotations

from bot4_core.sdk import Capability, ExchangeSpec, Services

from .settings import KrakenSettings


def _create(settings: KrakenSettings, services: Services) -> object:
    # the decoders are built when they are needed, not when plugins are listed
    from .exchange import Kraken

    return Kraken(settings, services)


SPEC = ExchangeSpec(
    name="kraken",
    settings=KrakenSettings,
    create=_create,
    capabilities=frozenset({Capability.INSTRUMENTS}),
    summary="Kraken: instruments from the venue's own list; no orders yet",
)
