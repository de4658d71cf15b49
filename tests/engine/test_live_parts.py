"""The parts of the live driver: steps put together again, and what waits for the disk."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.domain.event import EVENT, EVENT_SIZE, Kind
from bot4_core.domain.instrument import Instrument
from bot4_core.engine import durability as durability_module
from bot4_core.engine.durability import Durability
from bot4_core.engine.gather import Gather
from bot4_core.errors import StoreError
from bot4_core.protocols import RunStatus
from bot4_core.state.board import JOURNAL_SLOTS, Board, Manifest

BTC = Instrument(symbol="BTC/USDT", tick=Decimal("0.01"), lot=Decimal("0.00001"))
NO_WORDS = (0, 0, 0, 0, 0, 0)


def record(instrument: int, kind: Kind, mark: int) -> bytes:
    return EVENT.pack(1, instrument, kind, 0, mark, 0, 0, 0, 0, 0)


@given(data=st.data())
def test_a_step_is_the_same_however_its_pieces_came(data: st.DataObject) -> None:
    """Instruments overtake each other, nothing overtakes itself (``bot4_core.sdk.Arrival``)."""
    events = [
        record(instrument, Kind.BAR, mark)
        for instrument in range(data.draw(st.integers(0, 5)))
        for mark in range(data.draw(st.integers(0, 3)))
    ]
    reports = [record(data.draw(st.integers(0, 5)), Kind.FILL, mark) for mark in range(data.draw(st.integers(0, 6)))]
    waiting = [[one for one in events if one[8] == instrument] for instrument in range(6)] + [list(reports)]
    arrived: list[bytes] = []
    while any(waiting):
        source = data.draw(st.sampled_from([one for one in waiting if one]))
        arrived.append(source.pop(0))
    gather = Gather()
    while arrived:
        size = data.draw(st.integers(1, len(arrived)))
        gather.add(b"".join(arrived[:size]))
        del arrived[:size]
    status = gather.pull()
    assert status & RunStatus.EVENTS == len(events)
    assert status >> RunStatus.REPORTS_SHIFT & RunStatus.EVENTS == len(reports)
    assert bytes(gather.events[: len(events) * EVENT_SIZE]) == b"".join(events)
    assert bytes(gather.reports[: len(reports) * EVENT_SIZE]) == b"".join(reports)
    assert gather.pull() == 0


def board(folder: Path) -> Board:
    manifest = Manifest(
        run_id="r", bot="b", mode="paper", pid=1, source="s", journal="j", started_ns=1, instruments=(BTC,),
        reporting_asset="USDT", reporting_scale=8, start_equity=1, rules=("latch",),
    )  # fmt: skip
    return Board(folder / "segment", manifest)


class Recorder:
    """Stands in for the recorder's answers: sets what is durable, and says so or keeps silent."""

    def __init__(self, shown: Board) -> None:
        self._counters = shown.segment.counters["recorder"]
        self._at = self._counters.index("durable_seq")

    def made_durable(self, seq: int) -> None:
        self._counters.set(self._at, seq)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_waiting_ends_with_the_recorders_answer_and_not_before(tmp_path: Path) -> None:
    async def test() -> None:
        shown = board(tmp_path)
        journal = Durability(shown)
        seq = journal.append(1, 0, Kind.ACK, 0, NO_WORDS, None)
        waiting = asyncio.create_task(journal.wait(seq, 30.0))
        await asyncio.sleep(0)
        journal.interrupt()
        await asyncio.sleep(0)
        assert not waiting.done()
        Recorder(shown).made_durable(seq)
        os.write(journal.notify_fd, b"\1")
        assert await waiting
        assert await journal.wait(seq, 0.0)
        journal.close()

    run(test())


def test_waiting_ends_when_the_time_is_over_or_there_is_nothing_left_to_wait_for(tmp_path: Path) -> None:
    async def test() -> None:
        journal = Durability(board(tmp_path))
        seq = journal.append(1, 0, Kind.ACK, 0, NO_WORDS, None)
        assert not await journal.wait(seq, 0.02)
        hopeless = False
        waiting = asyncio.create_task(journal.wait(seq, 30.0, lambda: hopeless))
        await asyncio.sleep(0)
        hopeless = True
        journal.interrupt()
        assert not await waiting
        journal.close()

    run(test())


def test_records_that_wait_too_long_are_told_until_they_are_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(durability_module.time, "monotonic", lambda: now)

    async def test() -> None:
        nonlocal now
        shown = board(tmp_path)
        journal, recorder = Durability(shown), Recorder(shown)
        assert journal.waits_s() is None
        first = journal.append(1, 0, Kind.ACK, 0, NO_WORDS, None)
        assert journal.waits_s() is None
        now += 0.9
        journal.append(1, 0, Kind.ACK, 0, NO_WORDS, None)
        assert journal.waits_s() is None
        now += 0.2
        assert journal.waits_s() == pytest.approx(1.1)
        recorder.made_durable(first)  # the newer one has not waited for so long
        assert journal.waits_s() is None
        now += 1.5
        assert journal.waits_s() == pytest.approx(1.5)
        recorder.made_durable(first + 1)
        assert journal.waits_s() is None
        journal.close()

    run(test())


def test_denials_are_counted_by_rule_and_a_full_ring_ends_the_run(tmp_path: Path) -> None:
    async def test() -> None:
        journal = Durability(board(tmp_path))
        failures = [{"rule": "position", "measured": "1", "limit": "0", "unit": ""}, {"rule": "latch"}]
        journal.append(1, 0, Kind.DENIED, 0, NO_WORDS, {"failures": failures})
        journal.append(1, 0, Kind.DENIED, 0, NO_WORDS, {"failures": failures[:1]})
        assert journal.denied == {"position": 2, "latch": 1}
        assert not journal.full
        with pytest.raises(StoreError, match="the journal is full"):
            for _ in range(JOURNAL_SLOTS):
                journal.append(1, 0, Kind.ACK, 0, NO_WORDS, None)
        assert journal.full
        journal.close()

    run(test())
