"""What the next start says of a run that ended without a clean stop."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice

import pytest

from bot4_core.domain.event import Kind
from bot4_core.errors import StoreError
from bot4_core.journal import tables as t
from bot4_core.journal.lost import LOST_REASON, LostRun, close_lost_runs
from bot4_core.journal.store import Store
from bot4_core.journal.verify import verify
from bot4_core.journal.writer import JournalWriter, Pending

from .build import MINUTE, SHIB, RandomRun, fill, info, intent, report

NOW = 1_800_000_000_000_000_000


def child(order_id: int, parent: int, role: str, lots: int = 500) -> Pending:
    """The intent of a stop or target that goes with an entry."""
    ts, instrument, kind, flags, words, blob = intent(order_id, lots, side="sell", role=role)
    return ts, instrument, kind, flags, (*words[:4], parent, 0), blob


#: One order of each fate; 1 and 2 with stop and target.
RECORDS: list[Pending] = [
    intent(1, 500), child(11, 1, "stop"), child(12, 1, "target"),
    report(Kind.ACK, 1), fill(1, 500, 4_000_000, trade_id=1), report(Kind.ACK, 11), report(Kind.ACK, 12),
    intent(2, 700, price=3_900_000), child(21, 2, "stop"), report(Kind.ACK, 2),  # rests, its stop waits behind it
    intent(3, 100), child(31, 3, "stop"),  # nothing was ever heard of it
    intent(4, 100), report(Kind.REJECTED, 4),
    intent(5, 30, instrument=1, side="sell"), report(Kind.ACK, 5),
    fill(5, 10, 12_000, trade_id=2, instrument=SHIB, ts=7 * MINUTE),
]  # fmt: skip


def write(store: Store, run_id: str, records: list[Pending], **changes: object) -> None:
    writer = JournalWriter(store, info(run_id, **{"mode": "paper", **changes}))
    writer.append_many(records)
    writer.flush()


def test_it_says_what_the_run_left_and_ends_its_journal(store: Store) -> None:
    write(store, "run-1", RECORDS)
    (lost,) = close_lost_runs(store, "trend", NOW)
    assert lost == LostRun(
        run_id="run-1",
        mode="paper",
        created_ns=info().created_ns,
        last_seq=len(RECORDS),
        last_ts=7 * MINUTE,
        working_orders={"entry": 2, "stop": 2, "target": 1},
        positions=(("BTC/USDT", Decimal("0.00500")), ("SHIB/USDT", Decimal("-1.0"))),
        unknown_intents=(3,),
    )
    record = store.load("run-1")
    end = list(store.records("run-1"))[-1]
    assert record.row.finished
    assert record.summary == {
        "reason": LOST_REASON,
        "closed_ns": NOW,
        "open_positions": [
            {"symbol": "BTC/USDT", "quantity": "0.00500", "average_entry": "40000"},
            {"symbol": "SHIB/USDT", "quantity": "-1.0", "average_entry": "0.00012"},
        ],
        "first_ts": 0,
        "last_ts": 7 * MINUTE,
    }
    assert (end.seq, end.kind, end.ts, end.v) == (len(RECORDS) + 1, Kind.RUN_END, 7 * MINUTE, (0,) * 6)
    assert verify(store, "run-1").same
    assert close_lost_runs(store, "trend", NOW) == []


def test_the_hash_of_a_lost_run_is_that_of_the_same_run_ended_in_order(store: Store) -> None:
    records = list(islice(RandomRun(9, 500).records(), 800))
    write(store, "lost", records)
    close_lost_runs(store, "trend", NOW)
    whole = JournalWriter(store, info("whole", mode="paper"))
    whole.append_many(records)
    assert store.load("lost").row.result_hash == whole.finish({})


def test_it_tells_a_person_in_lines(sqlite_store: Store) -> None:
    write(sqlite_store, "run-1", RECORDS)
    (lost,) = close_lost_runs(sqlite_store, "trend", NOW)
    assert str(lost).split("\n") == [
        "run run-1 (paper, started 2023-11-14 22:13:20 UTC) ended without a clean stop; its journal is whole up to"
        f" record {len(RECORDS)} (1970-01-01 00:07:00 UTC) and was closed now",
        "run run-1 held 0.005 BTC/USDT, -1 SHIB/USDT; working orders: 2 entry, 2 stop, 1 target;"
        " on paper all of it ended with the run",
        "run run-1 heard nothing of 1 order it was about to send: 3",
    ]


def test_a_run_that_only_began_held_nothing(store: Store) -> None:
    write(store, "run-1", [])
    (lost,) = close_lost_runs(store, "trend", NOW)
    assert (lost.last_seq, lost.working_orders, lost.positions, lost.unknown_intents) == (0, {}, (), ())
    assert store.load("run-1").summary == {"reason": LOST_REASON, "closed_ns": NOW, "open_positions": []}
    assert "held nothing; working orders: none" in str(lost)
    assert "heard nothing" not in str(lost)


def test_only_open_paper_and_live_runs_of_this_bot_are_closed_oldest_first(store: Store) -> None:
    write(store, "second", [], created_ns=2000)
    write(store, "first", [intent(1, 1)], created_ns=1000, mode="live")
    write(store, "of another", [], bot="other")
    write(store, "a backtest", [], mode="backtest")
    with JournalWriter(store, info("ended", mode="paper")) as ended:
        ended.finish({"reason": "finished"})
    assert [(lost.run_id, lost.mode) for lost in close_lost_runs(store, "trend", NOW)] == [
        ("first", "live"),
        ("second", "paper"),
    ]
    finished = {row.run_id: row.finished for row in store.runs()}
    assert finished == {"second": True, "first": True, "of another": False, "a backtest": False, "ended": True}
    assert store.load("ended").summary == {"reason": "finished"}


def test_a_journal_that_cannot_be_folded_is_named_with_its_run(sqlite_store: Store) -> None:
    write(sqlite_store, "run-1", RECORDS)
    with sqlite_store._engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER events_no_delete")
        connection.execute(t.events.delete().where(t.events.c.seq == 5))
    with pytest.raises(StoreError, match=r"run run-1, which .* cannot be closed: .* jumps from seq 4 to 6"):
        close_lost_runs(sqlite_store, "trend", NOW)
    assert not sqlite_store.load("run-1").row.finished
