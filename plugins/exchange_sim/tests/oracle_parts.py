"""What the oracle plays with: the words of its reports, instruments, the venue, candles and orders.

Like the oracle it shares nothing with the plugin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

ACK, TRIGGERED, FILL, CANCELLED, REJECTED, EXPIRED, CANCEL_REJECTED = range(16, 23)
(NONE, REQUESTED, TIME_IN_FORCE, NO_BALANCE, MIN_QUANTITY, MAX_QUANTITY, MIN_NOTIONAL, UNKNOWN, DUPLICATE, WOULD_CROSS,
 POSITION_CLOSED, SIBLING_FILLED, PARENT_ENDED, NO_MARGIN) = range(14)
INT64 = 2**63 - 1


@dataclass(frozen=True)
class Spec:
    """An instrument: quote units per tick and lot, base units per lot, lots per volume unit, filters."""

    cost: Fraction
    lot_units: int
    volume: Fraction
    base: str
    quote: str
    min_lots: int = 0
    max_lots: int = 0
    min_notional: int = 0


@dataclass(frozen=True)
class Venue:
    """What holds for all instruments."""

    spread: Fraction
    slippage: Fraction
    participation: Fraction
    maker: Fraction
    taker: Fraction
    latency: int = 0
    margin: bool = False
    leverage: Fraction = Fraction(3)
    compat: bool = False


@dataclass(frozen=True)
class Candle:
    """A bar; ``ts`` is its close."""

    ts: int
    instrument: int
    open: int
    high: int
    low: int
    close: int
    volume: int


@dataclass
class Ticket:
    """An order at the venue. ``sign`` is +1 to buy, -1 to sell."""

    id: int
    instrument: int
    sign: int
    type: str
    lots: int
    limit: int = 0
    trigger: int = 0
    tif: str = "GTC"
    expire: int = 0
    reduce_only: bool = False
    post_only: bool = False
    stop: tuple[int, int] | None = None
    target: tuple[int, int] | None = None

    left: int = 0
    filled: int = 0
    alive: bool = True
    arrived: bool = False
    listed: bool = False
    fired: bool = False
    met: bool = False
    eligible: int = 0
    born: Candle | None = None
    born_at: int = 0
    cancelling: bool = False
    parent: Ticket | None = None
    children: list[Ticket] = field(default_factory=list)
    twin: Ticket | None = None
    why: int = PARENT_ENDED
    worst: int = 0
