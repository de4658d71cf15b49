"""RunInfo and the rows: what goes in comes out."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
import sqlalchemy as sa

from bot4_core.errors import StoreError
from bot4_core.journal import tables as t
from bot4_core.journal.records import IntentBlob, RunInfo
from bot4_core.journal.rows import EquityRow, FillRow, OrderRow, PositionRow, RiskEventRow, RoundTripRow

from .build import info, wish


def test_run_info_survives_json() -> None:
    first = info(unguarded=True, limits={"a": Decimal("0.10"), "b": None, "c": [1, Decimal(2)], "d": True, "e": "x"})
    text = msgspec.json.encode(first.to_blob())
    again = RunInfo.from_blob(msgspec.json.decode(text))
    assert again == first
    assert again.instruments == first.instruments
    assert dict(again.limits) == {"a": "0.10", "b": "null", "c": '[1,"2"]', "d": "true", "e": "x"}


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'mode' must be in"):
        info(mode="practice")


@pytest.mark.parametrize("damage", [{"seed": None}, {"instruments": [{"symbol": "X"}]}, {"mode": "x"}, {}])
def test_a_damaged_start_record_is_refused(damage: dict[str, object]) -> None:
    blob = {**info().to_blob(), **damage}
    if not damage or blob["seed"] is None:
        del blob["seed"]
    with pytest.raises(StoreError, match="RUN_START record cannot be read"):
        RunInfo.from_blob(blob)


def test_a_venue_without_an_entry_is_the_exchange_itself() -> None:
    assert info().venue_of("main") == "sim"
    assert info().venue_of("kraken") == "kraken"


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (t.orders, OrderRow),
        (t.fills, FillRow),
        (t.positions, PositionRow),
        (t.round_trips, RoundTripRow),
        (t.risk_events, RiskEventRow),
        (t.equity, EquityRow),
    ],
)
def test_rows_and_tables_have_the_same_columns_in_the_same_order(table: sa.Table, row: type[msgspec.Struct]) -> None:
    """Rows are inserted by place, so an order that differs would swap amounts."""
    assert ["run", *row.__struct_fields__] == [column.name for column in table.c]


def test_an_intent_may_hold_more_than_its_struct_names() -> None:
    blob = msgspec.json.encode(wish(client_id="c1", note="later versions add keys"))
    assert msgspec.json.decode(blob, type=IntentBlob).client_id == "c1"
