"""The exchange object of this plugin."""

from __future__ import annotations

from bot4_core.sdk import Instrument, Services

from . import wire
from .settings import CoinbaseSettings


class Coinbase:
    """Coinbase, as far as it can be used without a connection.

    Args:
        settings: the config table.
        services: what the core lends; nothing of it is needed yet.
    """

    def __init__(self, settings: CoinbaseSettings, services: Services) -> None:
        self._settings = settings

    def parse_instruments(self, data: bytes) -> list[Instrument]:
        """The instruments of the venue's answer that the settings ask for, by symbol.

        Args:
            data: the body of GET /products (Exchange API) or GET /api/v3/brokerage/products (Advanced Trade API).

        Raises:
            ExchangeError: the answer is not that, or lists a symbol twice.
        """
        settings = self._settings
        return [
            listed.instrument
            for listed in wire.parse_listing(data)
            if (listed.open or settings.include_closed)
            and (not settings.quotes or listed.instrument.quote in settings.quotes)
        ]
