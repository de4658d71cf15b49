"""The ring against a deque, in both modes, and between threads and processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot4_core.domain.event import EVENT_DTYPE
from bot4_core.errors import NativeError
from bot4_core.native import ffi, lib
from bot4_core.native.segment import RingSection, Segment
from bot4_core.native.spsc import Spsc

from .reference.spsc import Ring


def numbered(numbers: list[int]) -> np.ndarray:
    events = np.zeros(len(numbers), EVENT_DTYPE)
    events["ts"] = numbers
    events["v"] = np.asarray(numbers, np.int64)[:, None] * 7
    return events


moves = st.lists(st.tuples(st.sampled_from(["push", "push one", "pop", "pop one"]), st.integers(0, 40)), max_size=60)


@given(moves, st.sampled_from([2, 4, 16]), st.booleans())
@settings(max_examples=300, deadline=None)
def test_it_agrees_with_a_deque(moves: list[tuple[str, int]], capacity: int, drop_oldest: bool) -> None:
    native, reference = Spsc(capacity, drop_oldest=drop_oldest), Ring(capacity, drop_oldest=drop_oldest)
    event = ffi.new("b4_event *")
    counter = 0
    for move, n in moves:
        if move == "push":
            numbers = list(range(counter, counter + n))
            counter += n
            assert native.push_batch(numbered(numbers)) == reference.push_batch(numbers)
        elif move == "push one":
            event.ts, event.v = counter, [counter * 7] * 6
            assert native.push(event) == bool(reference.push_batch([counter]))
            counter += 1
        elif move == "pop":
            out = np.zeros(n, EVENT_DTYPE)
            expected = reference.pop_batch(n)
            assert native.pop_batch(out) == len(expected)
            assert out[: len(expected)].tobytes() == numbered(expected).tobytes()
        else:
            expected = reference.pop_batch(1)
            assert native.pop(event) == bool(expected)
            assert not expected or (event.ts, event.v[5]) == (expected[0], expected[0] * 7)
        assert len(native) == len(reference.items)
        assert (native.pushed, native.popped, native.rejected, native.dropped) == (
            reference.pushed,
            reference.popped,
            reference.rejected,
            reference.dropped,
        )


messages = st.lists(
    st.tuples(st.sampled_from(["push all", "push", "peek", "release", "pop"]), st.integers(0, 18)), max_size=60
)


@given(messages, st.sampled_from([2, 4, 16]))
@settings(max_examples=300, deadline=None)
def test_messages_peeks_and_releases_agree_with_a_deque(moves: list[tuple[str, int]], capacity: int) -> None:
    native, reference = Spsc(capacity), Ring(capacity, drop_oldest=False)
    counter = 0
    for move, n in moves:
        numbers = list(range(counter, counter + n))
        if move == "push all" and 1 <= n <= capacity:
            counter += n
            assert native.push_all(numbered(numbers).tobytes()) == reference.push_all(numbers)
        elif move == "push all":
            with pytest.raises(NativeError, match="bound"):
                native.push_all(numbered(numbers).tobytes())
        elif move == "push":
            counter += n
            assert native.push_batch(numbered(numbers)) == reference.push_batch(numbers)
        elif move == "release" and not reference.release(n):
            with pytest.raises(NativeError, match="bound"):
                native.release(n)
        elif move == "release":
            native.release(n)
        elif move in ("peek", "pop"):
            out = np.zeros(n, EVENT_DTYPE)
            expected = (reference.peek_batch if move == "peek" else reference.pop_batch)(n)
            assert (native.peek_batch if move == "peek" else native.pop_batch)(out) == len(expected)
            assert out[: len(expected)].tobytes() == numbered(expected).tobytes()
        assert len(native) == len(reference.items)
        assert (native.pushed, native.popped, native.rejected) == (
            reference.pushed,
            reference.popped,
            reference.rejected,
        )


def test_a_ring_that_drops_the_oldest_passes_no_messages_and_shows_nothing_before_it_is_taken() -> None:
    ring, out = Spsc(4, drop_oldest=True), np.zeros(2, EVENT_DTYPE)
    ring.push_batch(numbered([1, 2]))
    for call in (lambda: ring.push_all(bytes(64)), lambda: ring.peek_batch(out), lambda: ring.release(1)):
        with pytest.raises(NativeError, match="state"):
            call()
    assert (len(ring), ring.pushed, ring.popped) == (2, 2, 0)


def test_a_message_is_whole_records() -> None:
    ring = Spsc(4)
    for size in (1, 63, 65):
        with pytest.raises(NativeError, match="no whole records"):
            ring.push_all(bytes(size))
    with pytest.raises(NativeError, match="released"):
        ring.release(-1)
    assert ring.pushed == 0


def test_a_consumer_that_is_killed_over_what_it_peeked_leaves_it_to_the_next(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path / "bot.seg", {"journal": RingSection(64)})
    ring, out = segment.rings["journal"], np.zeros(64, EVENT_DTYPE)
    for start in range(0, 60, 3):
        assert ring.push_all(numbered([start, start + 1, start + 2]).tobytes())
    code = """
import os, signal, sys, numpy as np
from bot4_core.domain.event import EVENT_DTYPE
from bot4_core.native.segment import Segment
ring, out = Segment.attach(sys.argv[1]).rings["journal"], np.zeros(64, EVENT_DTYPE)
assert ring.peek_batch(out[:9]) == 9
ring.release(6)
assert ring.peek_batch(out) == 54
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, segment.path], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (-9, "")
    assert ring.peek_batch(out) == 54
    assert out["ts"][:54].tolist() == list(range(6, 60))
    assert not ring.push_all(numbered(list(range(60, 71))).tobytes())  # 11 do not fit into 10
    assert ring.push_all(numbered(list(range(60, 70))).tobytes())


def test_a_full_ring_refuses_and_says_how_full_it_is() -> None:
    ring = Spsc(4)

    assert ring.push_batch(numbered([1, 2, 3])) == 3
    assert ring.pressure == 0.75
    assert ring.push_batch(numbered([4, 5])) == 1
    assert (ring.rejected, ring.pressure, ring.capacity, ring.drop_oldest) == (1, 1.0, 4, False)


@pytest.mark.parametrize("drop_oldest", [False, True])
def test_two_threads_pass_records_whole_and_in_order(drop_oldest: bool) -> None:
    total, ring = 200_000, Spsc(4096, drop_oldest=drop_oldest)
    source = numbered(list(range(total)))

    def produce() -> None:
        sent = 0
        while sent < total:
            sent += ring.push_batch(source[sent : sent + 2000])

    producer = threading.Thread(target=produce)
    producer.start()
    out, seen = np.zeros(1500, EVENT_DTYPE), []
    while producer.is_alive() or len(ring):
        seen.append(out[: ring.pop_batch(out)].copy())
    producer.join()
    got = np.concatenate(seen)

    assert (np.diff(got["ts"]) > 0).all()
    assert (got["v"] == got["ts"][:, None] * 7).all()
    assert len(got) + ring.dropped == total
    assert drop_oldest or len(got) == total


def test_two_processes_pass_records_through_a_segment(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path / "bot.seg", {"ticks": RingSection(1024)})
    code = """
import sys, numpy as np
from bot4_core.domain.event import EVENT_DTYPE
from bot4_core.native.segment import Segment
ring = Segment.attach(sys.argv[1]).rings["ticks"]
events = np.zeros(50_000, EVENT_DTYPE)
events["ts"] = np.arange(50_000)
sent = 0
while sent < len(events):
    sent += ring.push_batch(events[sent:sent + 500])
"""
    ring, out, seen = segment.rings["ticks"], np.zeros(700, EVENT_DTYPE), 0
    with subprocess.Popen([sys.executable, "-c", code, segment.path]) as producer:
        while producer.poll() is None or len(ring):
            n = ring.pop_batch(out)
            assert (out["ts"][:n] == np.arange(seen, seen + n)).all()
            seen += n

    assert producer.returncode == 0
    assert seen == 50_000


@pytest.mark.parametrize("capacity", [0, 1, 3, 1000, 2**25])
def test_a_capacity_that_is_no_power_of_two_in_bounds_is_refused(capacity: int) -> None:
    with pytest.raises(NativeError, match="bound"):
        Spsc(capacity)


def test_arrays_of_another_shape_are_refused() -> None:
    ring, good = Spsc(4), numbered([1, 2, 3, 4])
    read_only = good.copy()
    read_only.flags.writeable = False
    for bad in (np.zeros(4, np.int64), good.reshape(2, 2), good[::2]):
        with pytest.raises(NativeError, match="contiguous"):
            ring.push_batch(bad)
    with pytest.raises(NativeError, match="read-only"):
        ring.pop_batch(read_only)
    with pytest.raises(NativeError, match="read-only"):
        ring.peek_batch(read_only)
    assert ring.push_batch(read_only) == 4


def test_null_and_foreign_memory_are_refused() -> None:
    null, ring, event = ffi.NULL, Spsc(4), ffi.new("b4_event *")
    assert lib.b4_spsc_push(null, event) == lib.B4_E_NULL
    assert lib.b4_spsc_push(ring.cdata, null) == lib.B4_E_NULL
    assert lib.b4_spsc_pop(ring.cdata, null) == lib.B4_E_NULL
    assert lib.b4_spsc_pop_batch(ring.cdata, null, 1) == lib.B4_E_NULL
    assert lib.b4_spsc_push_all(null, null, 1) == lib.B4_E_NULL
    assert lib.b4_spsc_push_all(ring.cdata, null, 1) == lib.B4_E_NULL
    assert lib.b4_spsc_peek_batch(ring.cdata, null, 1) == lib.B4_E_NULL
    assert lib.b4_spsc_peek_batch(null, null, 0) == lib.B4_E_NULL
    assert lib.b4_spsc_release(null, 0) == lib.B4_E_NULL
    assert lib.b4_spsc_length(null) == -1
    size = lib.b4_spsc_size(4)
    assert lib.b4_spsc_check(ring.cdata, size) == 0
    assert lib.b4_spsc_check(ring.cdata, size - 1) == lib.B4_E_SIZE
    words = ffi.cast("uint64_t *", ring.cdata)
    words[1] = 5  # capacity
    assert lib.b4_spsc_check(ring.cdata, size) == lib.B4_E_DAMAGED
    words[1], words[16] = 4, 1  # read beyond write
    assert lib.b4_spsc_check(ring.cdata, size) == lib.B4_E_DAMAGED
    assert lib.b4_spsc_init(ffi.cast("void *", ring.cdata), size, 4, 2) == lib.B4_E_RANGE
