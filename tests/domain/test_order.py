"""The order's state machine against TRADING.md O-1 to O-3, pair by pair and over random lives."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot4_core.domain.instrument import Instrument
from bot4_core.domain.order import (
    MOVES,
    TERMINAL,
    Denied,
    Failure,
    Order,
    OrderState,
    OrderType,
    Role,
    Side,
)
from bot4_core.errors import AlreadyTerminal, ConcurrentModification, DomainError, InvalidTransition, TransitionError

from .reference import order_moves

BTC = Instrument(symbol="BTC/USDT", tick="0.01", lot="0.001")
S = OrderState
#: a shortest legal way to each state
WAY: dict[OrderState, tuple[OrderState, ...]] = {
    S.CREATED: (),
    S.DENIED: (S.DENIED,),
    S.VALIDATED: (S.VALIDATED,),
    S.SUBMITTED: (S.VALIDATED, S.SUBMITTED),
    S.ACKNOWLEDGED: (S.VALIDATED, S.SUBMITTED, S.ACKNOWLEDGED),
    S.TRIGGERED: (S.VALIDATED, S.SUBMITTED, S.TRIGGERED),
    S.PARTIALLY_FILLED: (S.VALIDATED, S.SUBMITTED, S.PARTIALLY_FILLED),
    S.FILLED: (S.VALIDATED, S.SUBMITTED, S.FILLED),
    S.CANCELLED: (S.CANCELLED,),
    S.REJECTED: (S.VALIDATED, S.SUBMITTED, S.REJECTED),
    S.EXPIRED: (S.VALIDATED, S.SUBMITTED, S.EXPIRED),
    S.FAILED: (S.FAILED,),
    S.UNKNOWN: (S.VALIDATED, S.SUBMITTED, S.UNKNOWN),
}


def order(lots: int = 10, **changes: object) -> Order:
    given: dict[str, object] = {
        "order_id": 1, "client_id": "c1", "strategy": "s", "exchange": "main", "instrument": BTC, "index": 0,
        "side": Side.BUY, "type": OrderType.LIMIT, "quantity_lots": lots, "price_ticks": 10_000,
    }  # fmt: skip
    return Order(**{**given, **changes})


def order_in(state: OrderState, lots: int = 10) -> Order:
    made = order(lots)
    for step in WAY[state]:
        made.move(step, 1)
    return made


def spelled(state: OrderState) -> str:
    return "".join(part.capitalize() for part in state.name.split("_"))


def test_the_table_of_moves_is_the_page_and_nothing_else() -> None:
    ours = {spelled(state): frozenset(spelled(after) for after in MOVES[state]) for state in OrderState}

    assert ours == order_moves.moves()
    assert {spelled(state) for state in TERMINAL} == set(order_moves.TERMINAL)


@pytest.mark.parametrize("before", OrderState, ids=lambda s: s.name)
@pytest.mark.parametrize("after", OrderState, ids=lambda s: s.name)
def test_every_pair_of_states_moves_or_is_refused_as_the_page_says(before: OrderState, after: OrderState) -> None:
    one = order_in(before)
    moved = len(one.history)

    if spelled(after) in order_moves.moves()[spelled(before)]:
        one.move(after, 7, "why")
        assert one.state is after
        last = one.history[-1]
        assert (last.before, last.after, last.ts, last.reason) == (before, after, 7, "why")
    else:
        kind = AlreadyTerminal if spelled(before) in order_moves.TERMINAL else InvalidTransition
        with pytest.raises(kind, match=f"order 1 cannot move from {before.name} to {after.name}"):
            one.move(after, 7)
        assert one.state is before
        assert len(one.history) == moved


@pytest.mark.parametrize("state", OrderState, ids=lambda s: s.name)
def test_a_move_with_the_wrong_expected_state_changes_nothing(state: OrderState) -> None:
    one = order_in(state)
    for other in set(OrderState) - {state}:
        with pytest.raises(ConcurrentModification, match=f"is {state.name}, expected {other.name}"):
            one.move(S.CANCELLED, 1, expected=other)
    assert one.state is state


def test_a_move_with_the_right_expected_state_happens_once() -> None:
    one = order_in(S.SUBMITTED)

    one.move(S.ACKNOWLEDGED, 1, expected=S.SUBMITTED)

    with pytest.raises(ConcurrentModification):
        one.move(S.ACKNOWLEDGED, 1, expected=S.SUBMITTED)


def test_a_fill_after_the_end_is_applied_and_flagged() -> None:
    one = order_in(S.SUBMITTED)
    one.move(S.CANCELLED, 2)

    assert one.fill(4, 400, 1, 3) is True
    assert (one.filled_lots, one.cost_units, one.fee_units) == (4, 400, 1)
    assert one.state is S.CANCELLED
    assert one.violation


def test_more_than_was_ordered_is_applied_and_flagged() -> None:
    one = order_in(S.ACKNOWLEDGED)

    assert one.fill(6, 600, 0, 1) is False
    assert one.fill(6, 600, 0, 2) is True
    assert (one.state, one.filled_lots, one.remaining_lots, one.violation) == (S.FILLED, 12, 0, True)


@pytest.mark.parametrize("state", [S.CREATED, S.VALIDATED])
def test_a_fill_of_an_order_that_was_never_sent_is_kept_as_a_fact_and_flagged(state: OrderState) -> None:
    one = order_in(state)

    assert one.fill(3, 300, 0, 1) is True
    assert (one.state, one.filled_lots, one.violation) == (state, 3, True)


@pytest.mark.parametrize("lots", [0, -1])
def test_a_fill_of_nothing_is_refused_before_it_changes_the_order(lots: int) -> None:
    one = order_in(S.SUBMITTED)

    with pytest.raises(DomainError, match="fill of"):
        one.fill(lots, 5, 5, 1)
    assert (one.state, one.filled_lots, one.cost_units, one.fee_units) == (S.SUBMITTED, 0, 0, 0)


def test_a_partial_fill_leaves_a_pending_cancel_pending() -> None:
    one = order_in(S.ACKNOWLEDGED)
    one.pending_cancel = True

    one.fill(1, 100, 0, 1)

    assert one.pending_cancel
    assert one.state is S.PARTIALLY_FILLED


def test_the_history_keeps_the_newest_moves_and_is_bounded() -> None:
    one = order_in(S.SUBMITTED, lots=10**6)
    for ts in range(1000):
        one.fill(1, 1, 0, ts)

    assert len(one.history) == 64
    assert one.history[-1].ts == 999
    assert [move.ts for move in one.history] == list(range(936, 1000))
    assert one.filled_lots == 1000


def test_the_average_price_is_cost_by_quantity_in_any_decimal_context() -> None:
    one = order_in(S.SUBMITTED, lots=3)
    assert one.average_price is None
    one.fill(1, 10_000_000, 0, 1)  # 0.1 USDT for 0.001 BTC
    one.fill(2, 20_100_000, 0, 2)

    with localcontext(Context(prec=2)):
        average = one.average_price

    assert average is not None
    assert abs(Fraction(average) - Fraction("0.301") / Fraction("0.003")) < Fraction(1, 10**20)


def test_the_average_price_of_a_contract_counts_its_multiplier() -> None:
    contract = Instrument(symbol="BTC/USDT", tick="0.1", lot="1", multiplier="0.01")
    one = order(5, instrument=contract)
    one.move(S.VALIDATED, 1)
    one.move(S.SUBMITTED, 1)

    one.fill(5, contract.cost_units(600_000, 5), 0, 1)

    assert one.average_price == 60_000


def test_prices_and_quantities_are_shown_as_decimals_and_absent_ones_as_none() -> None:
    one = order(25, price_ticks=0, stop_ticks=9_800, target_ticks=10_400)

    assert (one.quantity, one.filled, one.limit) == (Decimal("0.025"), 0, None)
    assert (one.stop_loss, one.take_profit) == (Decimal("98.00"), Decimal("104.00"))
    assert order(price_ticks=10_000).limit == Decimal("100")
    assert (order().stop_loss, order().take_profit) == (None, None)


@pytest.mark.parametrize("role", Role, ids=lambda role: role.name)
def test_only_entries_raise_risk(role: Role) -> None:
    assert order(role=role).raises_risk is (role is Role.ENTRY)


def test_sides_are_opposite_and_signed() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)


def test_a_denial_reads_as_a_sentence_and_names_its_first_rule() -> None:
    denied = Denied((Failure("position", "0.03", "0.02"), Failure("open_orders", "11", "10", "orders")))

    assert denied.rule == "position"
    assert str(denied) == "position: 0.03, allowed 0.02; open_orders: 11 orders, allowed 10 orders"


class OrderLife(RuleBasedStateMachine):
    """Any sequence of moves and fills keeps the order's sums right and its moves legal."""

    def __init__(self) -> None:
        super().__init__()
        self.order = order(20)
        self.fills: list[tuple[int, int, int]] = []
        self.flagged = False
        self.clock = 0
        self.table = order_moves.moves()

    @rule(after=st.sampled_from(OrderState), expected=st.none() | st.sampled_from(OrderState))
    def move(self, after: OrderState, expected: OrderState | None) -> None:
        before = self.order.state
        self.clock += 1
        legal = spelled(after) in self.table[spelled(before)]
        if legal and expected in (None, before):
            self.order.move(after, self.clock, expected=expected)
            assert self.order.state is after
        else:
            with pytest.raises(TransitionError):
                self.order.move(after, self.clock, expected=expected)
            assert self.order.state is before

    @rule(lots=st.integers(1, 12), cost=st.integers(0, 10**12), fee=st.integers(-50, 50))
    def fill(self, lots: int, cost: int, fee: int) -> None:
        before, self.clock = self.order.state, self.clock + 1
        self.fills.append((lots, cost, fee))
        total = sum(f[0] for f in self.fills)
        unsent = before in (S.CREATED, S.VALIDATED)
        broken = unsent or spelled(before) in order_moves.TERMINAL or total > 20
        self.flagged |= broken

        assert self.order.fill(lots, cost, fee, self.clock) is broken
        if not unsent and spelled(before) not in order_moves.TERMINAL:
            assert self.order.state is (S.FILLED if total >= 20 else S.PARTIALLY_FILLED)
        else:
            assert self.order.state is before

    @precondition(lambda self: self.order.state is not S.CREATED)
    @invariant()
    def history_is_a_legal_chain_that_ends_here(self) -> None:
        moves = self.order.history
        assert moves[-1].after is self.order.state
        for one, two in pairwise(moves):
            assert one.after is two.before
            assert one.ts < two.ts
        assert all(spelled(m.after) in self.table[spelled(m.before)] for m in moves)

    @invariant()
    def sums_are_the_fills(self) -> None:
        assert self.order.filled_lots == sum(f[0] for f in self.fills)
        assert self.order.cost_units == sum(f[1] for f in self.fills)
        assert self.order.fee_units == sum(f[2] for f in self.fills)
        assert self.order.remaining_lots == max(0, 20 - self.order.filled_lots)
        assert self.order.violation is self.flagged
        assert self.order.is_terminal is (spelled(self.order.state) in order_moves.TERMINAL)


TestOrderLife = OrderLife.TestCase
