"""The history file: what goes in comes out, and nothing damaged is believed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot4_core.domain.event import EVENT_DTYPE, Flag, Kind
from bot4_core.domain.instrument import Instrument
from bot4_core.errors import HistoryError
from bot4_core.history import file as file_module
from bot4_core.history.file import HEADER_BYTES, MAGIC, History, write_history

MINUTE_NS = 60_000_000_000
SPEC = {"interval_ns": MINUTE_NS, "source": "somewhere/btc.csv", "roundings": 3}


@pytest.fixture
def path(tmp_path: Path, btc: Instrument, bars: np.ndarray) -> Path:
    """A good history of five bars."""
    return write_history(tmp_path / "btc.b4h", btc, bars, **SPEC).path


def rewrite(path: Path, bars: np.ndarray, **changes: object) -> None:
    """Makes a file whose header and hash are right for records that write_history would refuse."""
    head = path.read_bytes()[:HEADER_BYTES]
    length = int.from_bytes(head[8:16], "little")
    header = json.loads(head[16 : 16 + length])
    header |= {
        "sha256": hashlib.sha256(bars.tobytes()).hexdigest(),
        "rows": len(bars),
        "first_ts": int(bars["ts"][0]),
        "last_ts": int(bars["ts"][-1]),
        **changes,
    }
    text = json.dumps(header).encode()
    path.write_bytes((MAGIC + len(text).to_bytes(8, "little") + text).ljust(HEADER_BYTES, b"\0") + bars.tobytes())


def test_what_was_written_is_read_back(path: Path, btc: Instrument, bars: np.ndarray) -> None:
    history = History.open(path)
    assert (history.instrument, history.interval_ns, history.kinds) == (btc, MINUTE_NS, (Kind.BAR,))
    assert (history.rows, history.first_ts, history.last_ts) == (5, bars["ts"][0], bars["ts"][4])
    assert (history.source, history.roundings) == ("btc.csv", 3)
    assert history.sha256 == hashlib.sha256(bars.tobytes()).hexdigest()
    assert np.array_equal(history.events, bars)
    assert not history.events.flags.writeable


def test_the_layout_is_the_documented_one(path: Path, bars: np.ndarray) -> None:
    raw = path.read_bytes()
    length = int.from_bytes(raw[8:16], "little")
    header = json.loads(raw[16 : 16 + length])
    assert raw[:8] == b"B4HIST\0\1"
    assert not any(raw[16 + length : 4096])
    assert raw[4096:] == bars.tobytes()
    assert header["kinds"] == ["BAR"]
    assert header["instrument"]["symbol"] == "BTC/USDT"
    assert header["imported_by"].startswith("bot4-core ")


def test_the_same_data_give_the_same_file(path: Path, tmp_path: Path, btc: Instrument, bars: np.ndarray) -> None:
    again = write_history(tmp_path / "again.b4h", btc, bars, **SPEC).path
    assert again.read_bytes() == path.read_bytes()


def test_between_cuts_by_time(path: Path, bars: np.ndarray) -> None:
    history = History.open(path)
    second, fourth = int(bars["ts"][1]), int(bars["ts"][3])
    assert history.between(second, fourth)["ts"].tolist() == bars["ts"][1:3].tolist()
    assert len(history.between()) == 5
    assert len(history.between(end_ns=second)) == 1
    assert len(history.between(start_ns=fourth + 1)) == 1
    assert len(history.between(fourth, second)) == 0


TICKS = st.lists(
    st.tuples(
        st.sampled_from([Kind.TRADE, Kind.QUOTE, Kind.LEVEL]),
        st.integers(0, 10**12),
        st.integers(1, 2**62),
        st.integers(0, 2**62),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ticks=TICKS)
def test_any_legal_ticks_survive_a_round_trip(ticks: list[tuple], tmp_path: Path, btc: Instrument) -> None:
    events = np.zeros(len(ticks), dtype=EVENT_DTYPE)
    for record, (kind, offset, price, size, sold) in zip(events, ticks, strict=True):
        record["ts"], record["kind"] = 1_600_000_000_000_000_000 + offset, kind
        record["flags"] = Flag.SELL if sold else 0
        record["v"] = [price, size, price, size, 0, 0] if kind == Kind.QUOTE else [price, size, 0, 0, 0, 0]
    events = events[np.argsort(events["ts"], kind="stable")]
    write_history(tmp_path / "x.b4h", btc, events, interval_ns=0, source="x", roundings=0)
    assert History.open(tmp_path / "x.b4h").events.tobytes() == events.tobytes()


@pytest.mark.parametrize("size", [0, 3, 8, 15, 4095, 4096, 4097, 4096 + 5 * 64 - 1])
def test_a_cut_file_is_refused(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(HistoryError, match=r"btc\.b4h: (is cut|is no history file)"):
        History.open(path, verify=False)


def test_a_longer_file_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0" * 64)
    with pytest.raises(HistoryError, match="is too long"):
        History.open(path, verify=False)


@pytest.mark.parametrize(
    ("offset", "new", "words"),
    [
        (0, b"PK", "is no history file"),
        (7, b"\2", "has format version 2"),
        (8, b"\xff" * 8, "header length is impossible"),
        (8, b"\0" * 8, "header length is impossible"),
        (16, b"[", "header is damaged"),
        (18, b"\xff", "header is damaged"),
        (4000, b"x", "header length is impossible"),
        (4096, b"\1", "do not match their sha256"),
        (4096 + 64 * 4 + 63, b"\1", "do not match their sha256"),
    ],
)
def test_a_changed_byte_is_noticed(path: Path, offset: int, new: bytes, words: str) -> None:
    raw = bytearray(path.read_bytes())
    raw[offset : offset + len(new)] = new
    path.write_bytes(raw)
    with pytest.raises(HistoryError, match=words) as caught:
        History.open(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": 0}, "impossible number of rows"),
        ({"rows": "5"}, "header is damaged"),
        ({"rows": True}, "header is damaged"),
        ({"interval_ns": -1}, "impossible number of rows, interval"),
        ({"interval_ns": 0}, "less than|does not go with"),
        ({"kinds": ["FILL", "BEER"]}, "unknown kinds"),
        ({"kinds": []}, "unknown kinds"),
        ({"kinds": ["TRADE"]}, "header names kinds"),
        ({"first_ts": 5}, "first_ts"),
        ({"instrument": {"symbol": 5}}, "instrument is impossible"),
        ({"instrument": {"symbol": "A/B", "tick": "NaN", "lot": "1"}}, "instrument is impossible"),
        ({"instrument": {"symbol": "A/B", "tick": "0", "lot": "1"}}, "instrument is impossible"),
        ({"sha256": "0" * 64}, "do not match their sha256"),
    ],
)
def test_an_impossible_header_is_refused(path: Path, bars: np.ndarray, changes: dict, words: str) -> None:
    rewrite(path, bars, **changes)
    with pytest.raises(HistoryError, match=words):
        History.open(path)


BAD_RECORDS = [
    (2, "ts", lambda r: r["ts"].__class__(5), "record 3: time outside"),
    (3, "ts", lambda r: r["ts"] - 10 * MINUTE_NS, "record 4: .* is before the record above"),
    (3, "ts", lambda r: r["ts"] - MINUTE_NS, "record 4: bar less than one interval"),
    (1, "kind", lambda r: Kind.FILL, "record 2: no market-data record"),
    (1, "instrument", lambda r: 1, "record 2: instrument index not 0"),
    (1, "flags", lambda r: 64, "record 2: unknown flag"),
    (4, "v", lambda r: [100, 89, 90, 100, 5, 2], "record 5: high below low"),
    (4, "v", lambda r: [121, 120, 90, 110, 5, 2], "record 5: open or close outside"),
    (4, "v", lambda r: [100, 120, 0, 110, 5, 2], "record 5: price not above 0"),
    (4, "v", lambda r: [100, 120, 90, 110, -5, 2], "record 5: negative volume"),
]


@pytest.mark.parametrize(("row", "name", "change", "words"), BAD_RECORDS)
def test_an_impossible_record_is_neither_written_nor_believed(
    row: int, name: str, change: object, words: str, path: Path, btc: Instrument, bars: np.ndarray
) -> None:
    bars[name][row] = change(bars[row])
    with pytest.raises(HistoryError, match=words):
        write_history(path.with_name("new.b4h"), btc, bars, **SPEC)
    assert sorted(p.name for p in path.parent.iterdir()) == ["btc.b4h"]
    rewrite(path, bars, first_ts=int(bars["ts"][0]))
    with pytest.raises(HistoryError, match=words):
        History.open(path)


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (Kind.TRADE, [0, 1, 0, 0, 0, 0], "price not above 0"),
        (Kind.TRADE, [5, -1, 0, 0, 0, 0], "negative quantity"),
        (Kind.QUOTE, [6, 1, 5, 1, 0, 0], "bid above ask"),
        (Kind.QUOTE, [0, 1, 5, 1, 0, 0], "price not above 0"),
        (Kind.QUOTE, [5, 1, -6, 1, 0, 0], "price not above 0"),
        (Kind.QUOTE, [5, 1, 6, -1, 0, 0], "negative size"),
        (Kind.LEVEL, [0, 1, 0, 0, 0, 0], "price not above 0"),
        (Kind.LEVEL, [5, 1, -1, 0, 0, 0], "negative size or order count"),
        (Kind.QUOTE, [0, 0, 5, 1, 0, 0], ""),
        (Kind.QUOTE, [5, 1, 0, 0, 0, 0], ""),
        (Kind.QUOTE, [5, 1, 5, 1, 0, 0], ""),
        (Kind.LEVEL, [5, 0, 0, 0, 0, 0], ""),
    ],
)
def test_impossible_ticks_are_refused_and_odd_ones_taken(
    kind: Kind, values: list[int], words: str, tmp_path: Path, btc: Instrument, bars: np.ndarray
) -> None:
    events = bars[:1]
    events["kind"], events["v"][0] = kind, values
    if not words:
        assert write_history(tmp_path / "x.b4h", btc, events, interval_ns=0, source="x", roundings=0).rows == 1
        return
    with pytest.raises(HistoryError, match=f"record 1: {words}"):
        write_history(tmp_path / "x.b4h", btc, events, interval_ns=0, source="x", roundings=0)


def test_faults_behind_the_first_chunk_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, btc: Instrument, bars: np.ndarray
) -> None:
    monkeypatch.setattr(file_module, "CHUNK_ROWS", 2)
    whole = write_history(tmp_path / "whole.b4h", btc, bars, **SPEC)
    assert whole.sha256 == hashlib.sha256(bars.tobytes()).hexdigest()
    History.open(whole.path)
    for row, words in ((2, "record 3: .* is before"), (4, "record 5: .* is before")):
        late = bars.copy()
        late["ts"][row] -= 3 * MINUTE_NS
        with pytest.raises(HistoryError, match=words):
            write_history(tmp_path / "x.b4h", btc, late, **SPEC)
    twin = bars.copy()
    twin["ts"][2] = twin["ts"][1]
    with pytest.raises(HistoryError, match="record 3: bar less than one interval"):
        write_history(tmp_path / "x.b4h", btc, twin, **SPEC)


def test_without_verify_only_header_and_size_are_checked(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert History.open(path, verify=False).rows == 5


@pytest.mark.parametrize("events", [np.zeros(0, dtype=EVENT_DTYPE), np.zeros(3), np.zeros((2, 2), dtype=EVENT_DTYPE)])
def test_no_records_or_other_arrays_are_refused(events: np.ndarray, tmp_path: Path, btc: Instrument) -> None:
    with pytest.raises(HistoryError, match="nothing to write"):
        write_history(tmp_path / "x.b4h", btc, events, **SPEC)


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    for name in (tmp_path / "no.b4h", tmp_path):
        with pytest.raises(HistoryError, match="cannot be read") as caught:
            History.open(name)
        assert str(name) in str(caught.value)


def test_a_failed_write_leaves_the_old_file_and_no_other(
    monkeypatch: pytest.MonkeyPatch, path: Path, btc: Instrument, bars: np.ndarray
) -> None:
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    bars["v"][:, 4] = 7
    with pytest.raises(HistoryError, match="cannot be written: No space left"):
        write_history(path, btc, bars, **SPEC)
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["btc.b4h"]


def test_a_header_that_does_not_fit_is_refused(tmp_path: Path, btc: Instrument, bars: np.ndarray) -> None:
    with pytest.raises(HistoryError, match=r"header of \d+ bytes is longer"):
        write_history(tmp_path / "x.b4h", btc, bars, **(SPEC | {"source": "s" * 5000}))


def test_a_pipe_is_refused_as_a_target_and_left_as_it_is(tmp_path: Path, btc: Instrument, bars: np.ndarray) -> None:
    pipe = tmp_path / "btc.b4h"
    os.mkfifo(pipe)
    with pytest.raises(HistoryError, match=r"btc\.b4h: cannot be written: it is no regular file"):
        write_history(pipe, btc, bars, **SPEC)
    with pytest.raises(HistoryError, match="cannot be written: it is a directory"):
        write_history(tmp_path, btc, bars, **SPEC)
    assert pipe.is_fifo()
    assert [p.name for p in tmp_path.iterdir()] == ["btc.b4h"]
