"""The table of orders and their ids: counted right, found late, bounded, never the same id twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.domain.order import Order, OrderState, OrderType, Role, Side
from bot4_core.engine.orders import ClientIds, OrderTable

from .rig import BTC


def order(table: OrderTable, index: int = 0, role: Role = Role.ENTRY) -> Order:
    made = Order(
        order_id=table.new_id(), client_id="x", strategy="s", exchange="e", instrument=BTC, index=index, side=Side.BUY,
        type=OrderType.MARKET, quantity_lots=1, role=role,
    )  # fmt: skip
    table.add(made)
    return made


def test_ids_count_from_one() -> None:
    table = OrderTable(1)

    assert [table.new_id() for _ in range(3)] == [1, 2, 3]
    assert table.created == 3


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.sampled_from(Role)), max_size=60))
def test_working_orders_and_entries_are_counted_per_instrument(moves: list[tuple[bool, int, Role]]) -> None:
    table, alive = OrderTable(3), []
    for add, index, role in moves:
        if add or not alive:
            alive.append(order(table, index, role))
        else:
            gone = alive.pop(index % len(alive))
            gone.state = OrderState.CANCELLED
            table.retire(gone)
            table.retire(gone)
        for i in range(3):
            assert list(table.working(i)) == [each for each in alive if each.index == i]
            assert table.open_entries(i) == sum(each.index == i and each.role is Role.ENTRY for each in alive)
        assert table.entries == sum(each.role is Role.ENTRY for each in alive)
        assert table.all_working() == sorted(alive, key=lambda each: (each.index, each.order_id))
        assert table.ended[OrderState.CANCELLED] == table.created - len(alive)


def test_an_ended_order_is_found_by_a_late_report_until_ten_thousand_others_have_ended() -> None:
    table = OrderTable(1)
    first, still_working = order(table), order(table)
    table.retire(first)
    for _ in range(9_999):
        table.retire(order(table))
    assert table.find(first.order_id) is first

    table.retire(order(table))

    assert table.find(first.order_id) is None
    assert table.find(still_working.order_id) is still_working
    assert table.find(0) is None


def bits(client_id: str) -> tuple[int, int, int]:
    number = int(client_id, 16)
    return number >> 112, number >> 40 & (1 << 72) - 1, number & (1 << 40) - 1


def test_a_client_id_is_tag_process_and_counter_in_32_hex_digits() -> None:
    ids = ClientIds(0xB4B4, seed=7)
    first, second = ids.next(), ids.next()

    assert (len(first), first) == (32, first.lower())
    assert bits(first)[0] == bits(second)[0] == 0xB4B4
    assert bits(first)[1] == bits(second)[1] != 0
    assert (bits(first)[2], bits(second)[2]) == (1, 2)


def test_seeded_ids_repeat_and_unseeded_never_do() -> None:
    assert ClientIds(1, seed=7).next() == ClientIds(1, seed=7).next()
    assert ClientIds(1, seed=7).next() != ClientIds(1, seed=8).next()
    assert len({ClientIds(1, seed=None).next() for _ in range(100)}) == 100


@pytest.mark.parametrize("tag", [0, 65_535, 65_536 + 5])
def test_a_tag_never_spills_into_the_rest(tag: int) -> None:
    assert bits(ClientIds(tag, seed=1).next())[0] == tag & 0xFFFF
