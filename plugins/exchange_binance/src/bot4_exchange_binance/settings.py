"""The plugin's config table."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from bot4_core.sdk import DomainError


def _valid_quotes(_settings: object, _attribute: object, value: tuple[str, ...]) -> None:
    for quote in value:
        if not quote.isalnum() or quote != quote.upper():
            raise DomainError(f"{quote!r} is no asset code, as 'USDT'")


_valid_quotes.json_schema = {"items": {"pattern": "^[A-Z0-9]+$"}}  # type: ignore[attr-defined]  # what an editor may know

@frozen(kw_only=True)
class BinanceSettings:
    """``[exchange.NAME]`` with ``use = "binance"``.

    Args:
        market: ``spot``, or ``usdm`` for USD-margined perpetual futures.
        quotes: only instruments quoted in one of these assets; empty = all.
        include_closed: also instruments that cannot be traded at the moment.
    """

    market: Literal["spot", "usdm"] = "spot"
    quotes: tuple[str, ...] = field(default=(), validator=_valid_quotes)
    include_closed: bool = False
