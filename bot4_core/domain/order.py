"""Orders and their state machine (TRADING.md O-1 to O-4)."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum

import msgspec
from attrs import define, field, frozen

from ..errors import AlreadyTerminal, ConcurrentModification, DomainError, InvalidTransition
from .instrument import Instrument
from .money import DERIVED, EXACT, from_units


class Side(IntEnum):
    """Direction of an order or fill; the value is ``Flag.SELL`` in the event record."""

    BUY = 0
    SELL = 1

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 - (self << 1)  # not .value: an enum's descriptor costs more than the sum

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side(1 - self.value)


class OrderType(IntEnum):
    """How an order meets the market."""

    MARKET = 1
    LIMIT = 2
    STOP = 3
    STOP_LIMIT = 4


class TimeInForce(IntEnum):
    """How long an order works."""

    GTC = 1
    """Until cancelled."""
    IOC = 2
    """What fills at once; the rest is cancelled."""
    FOK = 3
    """All at once or nothing."""
    GTD = 4
    """Until ``expire_ns``."""


class Role(IntEnum):
    """What an order is for; ENTRY raises risk, the others reduce it."""

    ENTRY = 1
    STOP = 2
    TARGET = 3
    CLOSE = 4


class OrderState(IntEnum):
    """States of TRADING.md O-1."""

    CREATED = 0
    DENIED = 1
    VALIDATED = 2
    SUBMITTED = 3
    ACKNOWLEDGED = 4
    TRIGGERED = 5
    PARTIALLY_FILLED = 6
    FILLED = 7
    CANCELLED = 8
    REJECTED = 9
    EXPIRED = 10
    FAILED = 11
    UNKNOWN = 12


_S = OrderState
#: the states that no order leaves
TERMINAL = frozenset({_S.DENIED, _S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED, _S.FAILED})
_LIVE_ENDS = frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.UNKNOWN})
#: Every legal move (O-1). UNKNOWN may become what a venue can show evidence for, so never FAILED: that needs the proof
#: that zero bytes left the process.
MOVES: dict[OrderState, frozenset[OrderState]] = {
    _S.CREATED: frozenset({_S.VALIDATED, _S.DENIED, _S.CANCELLED, _S.FAILED}),
    _S.VALIDATED: frozenset({_S.SUBMITTED, _S.CANCELLED, _S.FAILED}),
    _S.SUBMITTED: _LIVE_ENDS | {_S.ACKNOWLEDGED, _S.TRIGGERED, _S.REJECTED},
    _S.ACKNOWLEDGED: _LIVE_ENDS | {_S.TRIGGERED, _S.REJECTED},
    _S.TRIGGERED: _LIVE_ENDS | {_S.REJECTED},
    _S.PARTIALLY_FILLED: _LIVE_ENDS,
    _S.UNKNOWN: frozenset(
        {
            _S.ACKNOWLEDGED,
            _S.TRIGGERED,
            _S.PARTIALLY_FILLED,
            _S.FILLED,
            _S.CANCELLED,
            _S.REJECTED,
            _S.EXPIRED,
        }
    ),
    **{state: frozenset() for state in TERMINAL},
}


class Transition(msgspec.Struct, frozen=True, gc=False):
    """One move of an order: from, to, when (UTC ns), why."""

    before: OrderState
    after: OrderState
    ts: int
    reason: str


@frozen
class Failure:
    """One failed rule of the gate, in the rule's own terms.

    Args:
        rule: the rule's name, as in the report.
        measured: what the order would have meant.
        limit: what is allowed.
        unit: what both numbers are in, empty for a plain ratio.
    """

    rule: str
    measured: str
    limit: str
    unit: str = ""

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.rule}: {self.measured}{unit}, allowed {self.limit}{unit}"


@frozen
class Denied:
    """The gate's refusal: every rule that failed. ``rule`` is the first of them."""

    failures: tuple[Failure, ...]

    @property
    def rule(self) -> str:
        """Name of the first failed rule."""
        return self.failures[0].rule

    def __str__(self) -> str:
        return "; ".join(str(f) for f in self.failures)


#: A working order moves a handful of times; more than this is a venue gone mad, and the oldest moves are dropped.
_HISTORY_MAX = 64


@define(eq=False, kw_only=True)
class Order:
    """One order of ours, from the wish to its end.

    Args:
        order_id: number of the order in this run, from 1; the key in reports and events.
        client_id: the id the venue sees, never used twice (O-7).
        strategy, exchange: names of the config tables.
        instrument, index: what is traded and its place in the run's instrument table.
        side, type, tif: direction, kind, time in force.
        quantity_lots: how much, in lots.
        price_ticks: limit price, 0 for none.
        trigger_ticks: stop price, 0 for none.
        expire_ns: end of a GTD order, UTC ns, 0 for none.
        reduce_only, post_only: venue flags.
        role: entry, stop, target or close.
        parent_id: the entry a stop or target belongs to, 0 for none.
        stop_ticks, target_ticks: the protective prices of an entry, 0 for none.
        stop_id, target_id: order ids of the attached stop and target, 0 for none.
        tag: free text of the strategy, shown in the report.
        signal_strength, ta_score, ml_confidence: why, as the strategy states it; journaled with the intent.
        created_ns: when the strategy wished it, UTC ns.

    Attributes:
        worst_ticks, equity_units, size_fraction: what an entry was judged by (K-8): the worst fill price assumed,
            equity, and the resulting position over equity as decimal text; computed, never supplied.
        trade_ids: the venue's trades that filled it: with the order they are a fill's key (O-4).
    """

    order_id: int
    client_id: str
    strategy: str
    exchange: str
    instrument: Instrument
    index: int
    side: Side
    type: OrderType
    quantity_lots: int
    price_ticks: int = 0
    trigger_ticks: int = 0
    tif: TimeInForce = TimeInForce.GTC
    expire_ns: int = 0
    reduce_only: bool = False
    post_only: bool = False
    role: Role = Role.ENTRY
    parent_id: int = 0
    stop_ticks: int = 0
    target_ticks: int = 0
    stop_id: int = 0
    target_id: int = 0
    tag: str = ""
    signal_strength: Decimal | None = None
    ta_score: Decimal | None = None
    ml_confidence: Decimal | None = None
    created_ns: int = 0

    state: OrderState = field(default=OrderState.CREATED, init=False)
    pending_cancel: bool = field(default=False, init=False)
    filled_lots: int = field(default=0, init=False)
    cost_units: int = field(default=0, init=False)
    fee_units: int = field(default=0, init=False)
    violation: bool = field(default=False, init=False)
    denied: Denied | None = field(default=None, init=False)
    worst_ticks: int = field(default=0, init=False)
    equity_units: int = field(default=0, init=False)
    size_fraction: str | None = field(default=None, init=False)
    trade_ids: set[int] = field(factory=set, init=False, repr=False)
    history: list[Transition] = field(factory=list, init=False, repr=False)

    def move(self, after: OrderState, ts: int, reason: str = "", *, expected: OrderState | None = None) -> None:
        """Makes one move of the state machine.

        Args:
            after: the new state.
            ts: UTC ns.
            reason: kept in the history.
            expected: when given, the move happens only from this state (compare and swap).

        Raises:
            ConcurrentModification: the order is not in ``expected``.
            AlreadyTerminal: the order has ended.
            InvalidTransition: the table of moves refuses it.
        """
        before = self.state
        if expected is not None and before is not expected:
            raise ConcurrentModification(f"order {self.order_id} is {before.name}, expected {expected.name}")
        if after not in MOVES[before]:
            kind = AlreadyTerminal if before in TERMINAL else InvalidTransition
            raise kind(f"order {self.order_id} cannot move from {before.name} to {after.name}")
        self.state = after
        if len(self.history) == _HISTORY_MAX:
            del self.history[0]
        self.history.append(Transition(before, after, ts, reason))

    def fill(self, lots: int, cost_units: int, fee_units: int, ts: int) -> bool:
        """Applies one fill; one out of turn or past the quantity is applied and flagged, never lost (O-3).

        Args:
            lots: filled quantity, positive.
            cost_units: quote units that changed hands.
            fee_units: fee in units of its asset.
            ts: UTC ns.

        Returns:
            True when the fill broke a rule (after the end, before the send, or more than was ordered).

        Raises:
            DomainError: for a fill of no lots; the order is unchanged.
        """
        if lots <= 0:
            raise DomainError(f"order {self.order_id}: a fill of {lots} lots cannot be")
        self.filled_lots += lots
        self.cost_units += cost_units
        self.fee_units += fee_units
        after = OrderState.FILLED if self.filled_lots >= self.quantity_lots else OrderState.PARTIALLY_FILLED
        in_turn = after in MOVES[self.state]
        if in_turn:
            self.move(after, ts, "fill")
        violation = not in_turn or self.filled_lots > self.quantity_lots
        self.violation = self.violation or violation
        return violation

    @property
    def is_terminal(self) -> bool:
        """True once the order has ended."""
        return self.state in TERMINAL

    @property
    def remaining_lots(self) -> int:
        """Lots still to fill, never negative."""
        return max(0, self.quantity_lots - self.filled_lots)

    @property
    def raises_risk(self) -> bool:
        """True for an entry; stops, targets and closes reduce."""
        return self.role is Role.ENTRY

    @property
    def quantity(self) -> Decimal:
        """Ordered quantity in base."""
        return self.instrument.quantity(self.quantity_lots)

    @property
    def filled(self) -> Decimal:
        """Filled quantity in base."""
        return self.instrument.quantity(self.filled_lots)

    @property
    def limit(self) -> Decimal | None:
        """Limit price, None for an order without one."""
        return self.instrument.price(self.price_ticks) if self.price_ticks else None

    @property
    def stop_loss(self) -> Decimal | None:
        """Price of the attached stop, None without one."""
        return self.instrument.price(self.stop_ticks) if self.stop_ticks else None

    @property
    def take_profit(self) -> Decimal | None:
        """Price of the attached target, None without one."""
        return self.instrument.price(self.target_ticks) if self.target_ticks else None

    @property
    def average_price(self) -> Decimal | None:
        """Cost divided by filled quantity; derived, never stored (O-8). None before the first fill."""
        if not self.filled_lots:
            return None
        cost = from_units(self.cost_units, self.instrument.quote_scale)
        return DERIVED.divide(cost, EXACT.multiply(self.filled, self.instrument.multiplier))
