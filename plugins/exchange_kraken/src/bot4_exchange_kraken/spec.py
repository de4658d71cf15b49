"""What this plugin offers, and what it can do so far."""

from bot4_core.sdk import Capability, ExchangeSpec

from .exchange import Kraken
from .settings import KrakenSettings

SPEC = ExchangeSpec(
    name="kraken",
    settings=KrakenSettings,
    create=Kraken,
    capabilities=frozenset({Capability.INSTRUMENTS}),
    summary="Kraken: instruments from the venue's own list; no orders yet",
)
