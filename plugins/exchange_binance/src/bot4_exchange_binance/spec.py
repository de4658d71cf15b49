"""What this plugin offers, and what it can do so far."""

from bot4_core.sdk import Capability, ExchangeSpec

from .exchange import Binance
from .settings import BinanceSettings

SPEC = ExchangeSpec(
    name="binance",
    settings=BinanceSettings,
    create=Binance,
    capabilities=frozenset({Capability.INSTRUMENTS}),
    summary="Binance: instruments from the venue's own list; no orders yet",
)
