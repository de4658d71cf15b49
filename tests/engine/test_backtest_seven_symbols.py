"""Seven months of seven recorded symbols through the whole house: gate, coverage, journal, determinism."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot4_core.domain.event import Kind
from bot4_core.journal.reading import RunRecord
from bot4_core.journal.store import Store

from .seven import ROWS, SYMBOLS, bot4, write_bot


@pytest.fixture(scope="module")
def answer(histories: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("seven")
    write_bot(folder, histories)
    return {"folder": folder, **bot4(folder, "backtest", "bot.toml", PYTHONHASHSEED="1")}


@pytest.fixture(scope="module")
def store(answer: dict[str, Any]) -> Store:
    return Store.open(f"sqlite:///{answer['folder']}/seven.db", mode="read")


@pytest.fixture(scope="module")
def record(store: Store, answer: dict[str, Any]) -> RunRecord:
    return store.load(answer["run_id"])


def test_at_least_100_approvals_and_20_denials_of_three_rules_stand_in_the_journal(
    record: RunRecord, answer: dict[str, Any]
) -> None:
    approved = [order for order in record.orders if order.role == "entry" and order.state != "denied"]
    denied = Counter(event.rule for event in record.denials)
    print(f"approved {len(approved)}, denied {dict(denied)}, fills {answer['fills']}, end {answer['end_equity']}")
    assert len(approved) >= 100
    for rule in ("position", "max_notional", "order_rate"):
        assert denied[rule] >= 20, rule
    assert answer["denied"] == dict(denied)
    assert answer["events"] == len(SYMBOLS) * ROWS


def test_every_denial_names_its_rule_what_was_measured_and_the_limit(record: RunRecord) -> None:
    limits = {"position": "0.02", "max_notional": "2500", "order_rate": "2"}
    for event in record.denials:
        assert event.rule and event.measured and event.limit
        if event.rule in limits:
            assert event.limit == limits[event.rule]
            assert Decimal(event.measured.split()[0]) > Decimal(event.limit)


def test_no_risk_raising_intent_is_without_a_stop_and_no_lot_was_ever_uncovered(
    store: Store, record: RunRecord
) -> None:
    entries: dict[int, dict[str, Any]] = {}
    stops: dict[int, int] = {}
    for each in store.records(record.info.run_id):
        if each.kind == Kind.INTENT:
            blob = json.loads(each.blob or "{}")
            if blob["role"] == "entry":
                entries[each.v[0]] = blob
            elif blob["role"] == "stop":
                stops[each.v[4]] = each.v[3]
    assert len(entries) >= 100
    for order_id, blob in entries.items():
        assert blob["stop_ticks"] > 0
        assert stops[order_id] == blob["stop_ticks"]
    assert record.summary["uncovered_lot_ns"] == 0


def test_a_position_is_never_above_two_percent_of_equity_when_it_is_taken(store: Store, record: RunRecord) -> None:
    for each in store.records(record.info.run_id):
        if each.kind != Kind.INTENT:
            continue
        blob = json.loads(each.blob or "{}")
        if blob["role"] == "entry":
            instrument = record.info.instruments[each.instrument]
            notional = Decimal(instrument.cost_units(blob["worst_ticks"], each.v[1]))
            assert notional <= Decimal(blob["equity"]) * Decimal("0.02")


def test_profit_of_trades_and_open_positions_is_the_change_of_equity(record: RunRecord, answer: dict[str, Any]) -> None:
    closed = sum(trade.pnl_units for trade in record.round_trips)
    change = (Decimal(answer["end_equity"]) - Decimal(answer["start_equity"])) * 10**8
    if not answer["open_positions"]:
        assert closed == change
    fees = sum(fill.fee_units for fill in record.fills)
    assert Decimal(answer["fees"]) * 10**8 == fees > 0


def test_the_same_seed_gives_the_same_result_hash_in_two_processes(
    answer: dict[str, Any], histories: Path, tmp_path: Path
) -> None:
    write_bot(tmp_path, histories)
    again = bot4(tmp_path, "backtest", "bot.toml", PYTHONHASHSEED="4242")
    assert again["result_hash"] == answer["result_hash"]
    assert again["run_id"] != answer["run_id"]
    other = bot4(tmp_path, "backtest", "bot.toml", "--set", "strategy.cross.slow=31", PYTHONHASHSEED="1")
    assert other["result_hash"] != answer["result_hash"]
