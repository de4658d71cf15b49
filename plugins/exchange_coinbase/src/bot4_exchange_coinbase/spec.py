"""What this plugin offers, and what it can do so far."""

from bot4_core.sdk import Capability, ExchangeSpec

from .exchange import Coinbase
from .settings import CoinbaseSettings

SPEC = ExchangeSpec(
    name="coinbase",
    settings=CoinbaseSettings,
    create=Coinbase,
    capabilities=frozenset({Capability.INSTRUMENTS}),
    summary="Coinbase: instruments from the venue's own list; no orders yet",
)
