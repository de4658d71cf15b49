"""Coinbase as a bot4 exchange plugin; the entry point ``exchange-coinbase`` names this module."""

from bot4_core.sdk import ExchangeSpec, hookimpl

from .spec import SPEC


@hookimpl
def bot4_exchanges() -> list[ExchangeSpec]:
    """Offers the exchange ``coinbase``."""
    return [SPEC]
