"""The board: what the trader writes is what others read, all of one moment or said not to be."""

from __future__ import annotations

import os
import time
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.domain.instrument import Instrument
from bot4_core.errors import NativeError
from bot4_core.native.segment import CountersSection, Segment, TextSection
from bot4_core.state.board import MAX_INSTRUMENTS, OTHER_RULES, Board, BoardView, Manifest, RunState

from .trader import HAMMERED, INSTRUMENTS, figures, manifest, trader


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "segment", manifest("trend", os.getpid()))


def view(board: Board) -> BoardView:
    return BoardView.attach(board.segment.path)


def test_what_the_trader_writes_is_what_others_read(board: Board) -> None:
    figures(board)
    board.say(RunState.RUNNING)
    board.beat(time.monotonic_ns(), 77)
    board.count("sent", 43)
    now = view(board).read()
    assert now.consistent
    assert now.version == 2
    assert (now.state, now.loop_lag_ns, now.sent, now.approved, now.denied) == (RunState.RUNNING, 77, 43, 45, 11)
    assert 0 <= now.heartbeat_age_ns < 10**10
    assert (now.events, now.wakes, now.fills, now.working_orders, now.working_entries) == (12_345, 1_234, 40, 3, 1)
    assert (now.equity_units, now.peak_units) == (98_765 * 10**8 + 43_210_000, 101_000 * 10**8)
    assert (now.drawdown_ppb, now.max_drawdown_ppb) == (22_124_430, 31_000_000)
    assert (now.next_seq, now.durable_seq, now.market_ns) == (501, 498, 1_660_000_000 * 10**9)
    recorder = now.recorder
    assert (recorder.pid, recorder.records, recorder.batches, recorder.restarts) == (4242, 499, 40, 0)
    assert recorder.store_ok
    assert now.latency["decide"].count == 3
    assert now.latency["durable"].max == 700_000


def test_positions_are_stated_with_their_instruments(board: Board) -> None:
    figures(board)
    long, short, flat = view(board).read().positions
    assert (long.symbol, long.quantity, long.entry_price) == ("BTC/USDT", Decimal("0.06000"), Decimal(20_000))
    assert (short.quantity, short.uncovered_lots, short.mark_ticks) == (Decimal("-0.5"), 5_000, 199_000)
    assert (flat.lots, flat.entry_price) == (0, None)


def test_denials_of_rules_that_were_not_known_count_together(board: Board) -> None:
    board.write({}, {"position": 2, "mine": 3, "yours": 4}, [])
    assert dict(view(board).read().denied_by_rule) == {"position": 2, OTHER_RULES: 7}


def test_a_rule_with_a_long_name_is_counted_under_what_fits(tmp_path: Path) -> None:
    long = "ü" * 40
    board = Board(tmp_path / "segment", manifest("trend", 1, rules=(long,)))
    board.write({}, {long: 5}, [])
    assert dict(view(board).read().denied_by_rule) == {"ü" * 28: 5}


def test_a_board_that_was_just_made_has_a_heartbeat_and_says_that_it_has_no_figures(board: Board) -> None:
    now = view(board).read()
    assert (now.version, now.state, now.durable_seq) == (0, RunState.STARTING, -1)
    assert 0 <= now.heartbeat_age_ns < 10**10
    assert board.durable_seq == -1


def test_a_manifest_comes_back_whole(board: Board) -> None:
    assert view(board).manifest == board.manifest
    assert board.manifest.rules[-1] == OTHER_RULES


@given(st.binary(max_size=60) | st.sampled_from([b"{}", b"[]", b"null", b'{"run_id": 1}']))
def test_a_manifest_of_something_else_is_refused(text: bytes) -> None:
    with pytest.raises(NativeError, match="manifest cannot be read"):
        Manifest.from_json(text)


def test_more_instruments_than_fit_are_refused(tmp_path: Path) -> None:
    rows = [evolve(INSTRUMENTS[0], symbol=f"A{number}/USDT") for number in range(MAX_INSTRUMENTS + 1)]
    with pytest.raises(NativeError, match="500; make two"):
        Board(tmp_path / "segment", manifest("trend", 1, instruments=tuple(rows)))
    assert list(tmp_path.iterdir()) == []
    largest = Board(tmp_path / "segment", manifest("trend", 1, instruments=tuple(rows[:-1])))
    largest.write({}, {}, [(number, 0, 0, 0, 0) for number in range(MAX_INSTRUMENTS)])
    assert [one.lots for one in view(largest).read().positions] == list(range(MAX_INSTRUMENTS))


def test_there_is_nothing_to_attach_to_without_a_segment(tmp_path: Path) -> None:
    with pytest.raises(NativeError, match="no segment"):
        BoardView.attach(tmp_path / "segment")


@pytest.mark.parametrize("lost", ["run", "recorder", "positions", "denied", "a counter", "manifest"])
def test_a_segment_of_another_version_is_refused(tmp_path: Path, board: Board, lost: str) -> None:
    counters = {name: CountersSection(group.names) for name, group in board.segment.counters.items()}
    layout = {"manifest": TextSection(board.manifest.to_json()), **counters}
    if lost == "a counter":
        layout["run"] = CountersSection(board.segment.counters["run"].names[:-1])
    else:
        del layout[lost]
    Segment.create(tmp_path / "old", layout)
    with pytest.raises(NativeError, match="another version"):
        BoardView.attach(tmp_path / "old")


def test_a_state_that_no_trader_writes_is_damage_and_not_a_crash(board: Board) -> None:
    run = board.segment.counters["run"]
    run.set(run.index("state"), 99)
    with pytest.raises(NativeError, match="damaged"):
        view(board).read()


def test_a_writer_that_died_in_the_middle_is_said(board: Board) -> None:
    figures(board)
    run = board.segment.counters["run"]
    run.set(run.index("version"), 3)
    now = view(board).read()
    assert not now.consistent
    assert now.events == 12_345


def test_a_reading_that_the_writer_overtook_is_made_again(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, plain, overtaken = view(board), BoardView._read, []

    def overtake(self: BoardView, consistent: bool) -> object:
        snapshot = plain(self, consistent)
        if len(overtaken) < 3:
            overtaken.append(snapshot)
            figures(board, scale=len(overtaken))
        return snapshot

    monkeypatch.setattr(BoardView, "_read", overtake)
    now = reader.read()
    assert now.consistent
    assert now.events == 3 * 12_345
    assert len(overtaken) == 3


def test_every_reading_of_a_board_that_is_being_hammered_is_of_one_moment(tmp_path: Path) -> None:
    with trader(state=tmp_path) as rig:
        rig.order("hammer")
        reader = BoardView.attach(rig.folder.segment_path)
        first = reader.read().events
        seen, deadline = set(), time.monotonic() + 60
        while len(seen) < 200 and time.monotonic() < deadline:
            now = reader.read()
            assert now.consistent
            values = {getattr(now, name) for name in HAMMERED} | set(now.denied_by_rule.values())
            for one in now.positions:
                values |= {one.lots, one.mark_ticks, one.unrealised_units, one.uncovered_lots}
            assert len(values) == 1, now
            seen |= values
    assert len(seen) == 200, f"the writer stood still at {first}"


def test_an_instrument_survives_the_segment() -> None:
    made = manifest("x", 1, instruments=(Instrument(symbol="A/B", tick=Decimal("0.5"), lot=Decimal(3), version="7"),))
    (back,) = Manifest.from_json(made.to_json()).instruments
    assert back == made.instruments[0]


def test_a_limit_and_lost_sinks_are_read_back(tmp_path: Path) -> None:
    board = Board(tmp_path / "segment", manifest("trend", 1, drawdown_limit="0.075"))
    board.count("sinks_lost", 2)
    board.say(RunState.FAILED)
    seen = view(board)
    now = seen.read()
    assert (seen.manifest.drawdown_limit, now.sinks_lost, now.state) == ("0.075", 2, RunState.FAILED)
    assert [one for one in RunState if one.is_over] == [RunState.ENDED, RunState.FAILED]
    assert manifest("trend", 1).drawdown_limit is None


def test_a_limit_that_is_no_number_is_refused() -> None:
    with pytest.raises(NativeError, match="cannot be read"):
        Manifest.from_json(manifest("x", 1, drawdown_limit="much").to_json())
