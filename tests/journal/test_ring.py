"""Records through the ring: whole, in order, checked; full means refused at once."""

from __future__ import annotations

import time
from zlib import crc32

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot4_core.domain.event import EVENT_DTYPE, Kind
from bot4_core.errors import StoreError
from bot4_core.journal.records import JournalDamaged, Record, RunInfo, encode_blob
from bot4_core.journal.ring import RingReader, RingWriter
from bot4_core.native.spsc import Spsc

from .build import MINUTE, fill, info, intent

INT64 = st.integers(-(2**63), 2**63 - 1)
WORDS = st.tuples(INT64, INT64, INT64, INT64, INT64, INT64)
BLOB = st.none() | st.dictionaries(st.text(max_size=4), st.text(max_size=90), max_size=5)
RECORD = st.tuples(INT64, st.integers(0, 2**32 - 1), st.integers(0, 65535), st.integers(0, 65535), WORDS, BLOB)


@given(st.lists(RECORD, max_size=12), st.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_what_is_appended_is_read_back_whole_and_in_order(pushed: list[tuple[object, ...]], limit: int) -> None:
    ring = Spsc(256)
    writer, reader = RingWriter(ring), RingReader(ring)
    expected = []
    for seq, (ts, instrument, kind, flags, v, blob) in enumerate(pushed):
        try:
            text = None if blob is None else encode_blob(blob, seq)  # type: ignore[arg-type]  # a mapping
        except StoreError:  # a lone surrogate
            with pytest.raises(StoreError, match="not JSON"):
                writer.append(ts, instrument, kind, flags, v, blob)  # type: ignore[arg-type]  # as drawn
            return
        assert writer.append(ts, instrument, kind, flags, v, blob) == seq  # type: ignore[arg-type]  # as drawn
        expected.append(Record(seq, ts, instrument, kind, flags, v, text))  # type: ignore[arg-type]  # as drawn
    seen: list[Record] = []
    while frames := reader.frames(limit):
        assert len(frames) <= limit
        assert reader.frames(limit) == frames  # looking takes nothing
        seen += frames
        reader.release()
    assert seen == expected
    assert len(ring) == 0


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 111, 112, 113, 5000])
def test_a_blob_of_any_length_takes_the_slots_it_needs(size: int) -> None:
    ring = Spsc(256)
    blob = {"x": "y" * (size - 8)} if size >= 8 else {}
    RingWriter(ring).append(1, 0, Kind.HALT, 0, (1, 2, 3, 4, 5, 6), blob)
    length = len(encode_blob(blob, 0))
    assert len(ring) == 2 + max(0, -(-(length - 48) // 64))
    assert RingReader(ring).frames(1)[0].blob == encode_blob(blob, 0)


def test_a_full_ring_refuses_at_once_and_the_seq_is_not_used_up() -> None:
    ring = Spsc(8)
    writer, reader = RingWriter(ring), RingReader(ring)
    for seq in range(4):
        assert writer.append(*fill(1, 1, 1, trade_id=seq)) == seq
    with pytest.raises(StoreError, match="the journal is full at seq 4: 8 of 8 slots wait for the recorder"):
        writer.append(*fill(1, 1, 1, trade_id=4))
    assert len(reader.frames(1)) == 1
    reader.release()
    with pytest.raises(StoreError, match="full"):  # two slots are free, an intent needs four
        writer.append(*intent(1, 1))
    assert writer.append(*fill(1, 1, 1, trade_id=4)) == writer.next_seq - 1 == 4
    assert [record.seq for record in reader.frames(9)] == [1, 2, 3, 4]


def test_what_can_never_be_journaled_is_refused_before_it_is_pushed() -> None:
    ring = Spsc(8)
    writer = RingWriter(ring)
    with pytest.raises(StoreError, match="larger than the journal's whole ring"):
        writer.append(1, 0, Kind.HALT, 0, (0, 0, 0, 0, 0, 0), {"x": "y" * 500})
    with pytest.raises(StoreError, match="seq 0 cannot be journaled: a number does not fit"):
        writer.append(2**63, 0, Kind.FILL, 0, (0, 0, 0, 0, 0, 0))
    with pytest.raises(StoreError, match="blob of seq 0 is not JSON"):
        writer.append(1, 0, Kind.HALT, 0, (0, 0, 0, 0, 0, 0), {"x": object()})
    assert (len(ring), writer.next_seq) == (0, 0)


def test_a_run_begins_and_ends_through_the_ring() -> None:
    ring = Spsc(256)
    writer, reader = RingWriter(ring), RingReader(ring)
    assert writer.start(info()) == 0
    writer.append(*fill(1, 1, 1, trade_id=1, ts=MINUTE))
    assert writer.finish({"events": 61056, "wakes": 17}) == 2
    start, _, end = reader.frames(9)
    assert (start.kind, start.ts, start.v[0]) == (Kind.RUN_START, info().created_ns, 1)
    assert start.blob is not None
    assert RunInfo.from_blob(msgspec.json.decode(start.blob)) == info()
    assert (end.kind, end.ts, end.v[:2], end.blob) == (Kind.RUN_END, MINUTE, (61056, 17), '{"events":61056,"wakes":17}')
    with pytest.raises(StoreError, match="cannot begin at seq 3"):
        writer.start(info())


def test_every_flipped_bit_of_a_frame_is_found_and_good_frames_before_it_are_given_out() -> None:
    source = Spsc(16)
    writer = RingWriter(source)
    writer.append(*fill(1, 1, 1, trade_id=1))
    writer.append(*intent(2, 1))
    slots = np.zeros(16, EVENT_DTYPE)
    good = slots[: source.peek_batch(slots)].tobytes()
    length = len(encode_blob(intent(2, 1)[5] or {}, 1))
    for at in range(128, 128 + 128 + length - 48):  # the second frame without its padding
        damaged = bytearray(good)
        damaged[at] ^= 0x10
        ring = Spsc(16)
        assert ring.push_all(bytes(damaged))
        reader = RingReader(ring)
        assert [record.seq for record in reader.frames(9)] == [0], at
        reader.release()
        with pytest.raises(JournalDamaged, match=r"the frame of seq -?\d+ .* is broken"):
            reader.frames(9)


def test_a_blob_that_is_no_text_is_broken() -> None:
    ring = Spsc(16)
    body = bytes(64)
    head = (0).to_bytes(8, "little") + (2).to_bytes(4, "little") + crc32(b"\xff\xfe", crc32(body)).to_bytes(4, "little")
    assert ring.push_all(head + b"\xff\xfe" + bytes(46) + body)
    with pytest.raises(JournalDamaged, match="its blob is no text"):
        RingReader(ring).frames(1)


def test_measure_appending(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the rates; fails only on an order of magnitude, because machines differ."""
    ring = Spsc(65_536)
    writer, reader = RingWriter(ring), RingReader(ring)
    bare, wordy = fill(1, 1, 1, trade_id=1), intent(7, 100, stop_ticks=390, equity=10**13)
    kept: list[object] = []
    cases = {
        "list": lambda: kept.append(bare),
        "record": lambda: writer.append(*bare),
        "record with blob": lambda: writer.append(*wordy),
    }
    best = dict.fromkeys([*cases, "read"], float("inf"))
    for _ in range(10):
        for name, call in cases.items():
            start = time.perf_counter()
            for _ in range(3000):
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / 3000 * 1e6)
        start = time.perf_counter()
        read = len(reader.frames(10_000))
        reader.release()
        best["read"] = min(best["read"], (time.perf_counter() - start) / read * 1e6)
        assert read == 6000
    with capsys.disabled():
        print("\n  ring:", ", ".join(f"{name} {took:.2f} us" for name, took in best.items()))
    assert best["record with blob"] < 60
