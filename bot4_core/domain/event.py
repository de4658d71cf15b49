"""The event record: every fact is one 64-byte record (DECISIONS.md D-1).

The same layout is ring slot, history-file row, journal row and numpy dtype; ``native/src/event.h`` holds it for C
and a static assert there, with a test here, keeps the two equal.

What the six words ``v`` mean, by kind:

=================  ==================================================================================
``BAR``            open, high, low, close (ticks), volume (volume units), trade count; ``ts`` is the **close**
``TRADE``          price (ticks), quantity (volume units), trade id, receive ns; ``Flag.SELL`` = aggressor sold
``QUOTE``          bid price, bid size, ask price, ask size, receive ns, venue sequence
``LEVEL``          price, size, order count, receive ns, venue sequence
``ACK``            order id
``TRIGGERED``      order id, trigger price (ticks)
``FILL``           order id, price (ticks), quantity (lots), fee (units of the fee asset), trade id, cost (quote units)
``CANCELLED``      order id, filled so far (lots), reason (:class:`Reason`)
``REJECTED``       order id, 0, reason
``EXPIRED``        order id, filled so far (lots), reason
``CANCEL_REJECTED``  order id, 0, reason
``INTENT``         order id, quantity (lots), price (ticks or 0), trigger (ticks or 0), parent order id or 0
``DENIED``         order id, quantity (lots), price, trigger, parent, number of failed rules
``CANCEL``         order id: a cancel was asked for
``HALT``           mode entered; the blob says by which rule, what was measured and the limit
``RESIZED``        order id, new quantity (lots): an attached order shrinks to what its entry filled
``EQUITY``         equity, gross exposure, buy-and-hold value (all units of the reporting asset), peak
``RUN_START``      schema version
``RUN_END``        events, wakes
=================  ==================================================================================
"""

from __future__ import annotations

import struct
from decimal import Decimal
from enum import IntEnum, IntFlag

import msgspec
import numpy as np

from .instrument import Instrument

#: numpy dtype of one record; 64 bytes, little-endian, packed.
EVENT_DTYPE = np.dtype(
    [("ts", "<i8"), ("instrument", "<u4"), ("kind", "<u2"), ("flags", "<u2"), ("v", "<i8", (6,))]
)
#: The same record for the struct module: ts, instrument, kind, flags, v0..v5.
EVENT = struct.Struct("<qIHH6q")
#: bytes of one record
EVENT_SIZE = 64


class Kind(IntEnum):
    """What a record says; market data below 16, order reports from 16, the engine's own facts from 32."""

    BAR = 1
    TRADE = 2
    QUOTE = 3
    LEVEL = 4
    ACK = 16
    TRIGGERED = 17
    FILL = 18
    CANCELLED = 19
    REJECTED = 20
    EXPIRED = 21
    CANCEL_REJECTED = 22
    INTENT = 32
    DENIED = 33
    CANCEL = 34
    HALT = 35
    EQUITY = 36
    RESIZED = 37
    RUN_START = 40
    RUN_END = 41


class Flag(IntFlag):
    """Bits of ``flags``."""

    SELL = 1
    SNAPSHOT = 2
    LAST = 4
    MAKER = 8
    FEE_BASE = 16
    """The fee of this fill is in base-asset units instead of quote-asset units."""
    VIOLATION = 32
    """A fact that broke a rule: late fill, overfill (TRADING.md O-3, K-8)."""


class Reason(IntEnum):
    """Why a venue or the simulator ended or refused something."""

    NONE = 0
    REQUESTED = 1
    TIME_IN_FORCE = 2
    INSUFFICIENT_BALANCE = 3
    MIN_QUANTITY = 4
    MAX_QUANTITY = 5
    MIN_NOTIONAL = 6
    UNKNOWN_ORDER = 7
    DUPLICATE_ID = 8
    WOULD_CROSS = 9
    POSITION_CLOSED = 10
    """A reducing order whose position is gone."""
    SIBLING_FILLED = 11
    """The other leg of a stop/target pair filled."""
    PARENT_ENDED = 12
    """The entry that this protective order belongs to ended without a fill."""
    INSUFFICIENT_MARGIN = 13
    OVERFLOW = 14
    BOOK_FULL = 15
    NOT_SENT = 16
    """Held back after its intent was journaled: the latch was set, or the intent became durable too late (O-6)."""


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One finished candle of one instrument.

    Attributes:
        instrument: what traded.
        ts: close time, UTC nanoseconds.
        open_ticks, high_ticks, low_ticks, close_ticks: prices in ticks of the instrument.
        volume_units: traded volume in units of ``10**-instrument.volume_scale``.
        trades: number of trades, 0 where the source does not say.
        interval_ns: length of the bar.
    """

    instrument: Instrument
    ts: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_units: int
    trades: int
    interval_ns: int

    @property
    def open(self) -> Decimal:
        """First price."""
        return self.instrument.price(self.open_ticks)

    @property
    def high(self) -> Decimal:
        """Highest price."""
        return self.instrument.price(self.high_ticks)

    @property
    def low(self) -> Decimal:
        """Lowest price."""
        return self.instrument.price(self.low_ticks)

    @property
    def close(self) -> Decimal:
        """Last price."""
        return self.instrument.price(self.close_ticks)

    @property
    def volume(self) -> Decimal:
        """Traded volume in the base asset."""
        return self.instrument.volume(self.volume_units)


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One public trade. ``sell`` is true when the aggressor sold; quantities as in :class:`Bar`."""

    instrument: Instrument
    ts: int
    price_ticks: int
    quantity_units: int
    trade_id: int
    sell: bool

    @property
    def price(self) -> Decimal:
        """Trade price."""
        return self.instrument.price(self.price_ticks)

    @property
    def quantity(self) -> Decimal:
        """Traded quantity in the base asset."""
        return self.instrument.volume(self.quantity_units)


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Best bid and ask with their displayed sizes; quantities as in :class:`Bar`."""

    instrument: Instrument
    ts: int
    bid_ticks: int
    bid_units: int
    ask_ticks: int
    ask_units: int

    @property
    def bid(self) -> Decimal:
        """Best bid price."""
        return self.instrument.price(self.bid_ticks)

    @property
    def ask(self) -> Decimal:
        """Best ask price."""
        return self.instrument.price(self.ask_ticks)

    @property
    def bid_size(self) -> Decimal:
        """Displayed size at the bid in the base asset."""
        return self.instrument.volume(self.bid_units)

    @property
    def ask_size(self) -> Decimal:
        """Displayed size at the ask in the base asset."""
        return self.instrument.volume(self.ask_units)
