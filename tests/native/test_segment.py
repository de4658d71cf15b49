"""A segment is found, checked whole, and shared between processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot4_core.errors import NativeError
from bot4_core.native import ffi, lib
from bot4_core.native.counters import Counters
from bot4_core.native.segment import (
    CountersSection,
    HistogramSection,
    RingSection,
    Section,
    Segment,
    State,
    TextSection,
)

LAYOUT: dict[str, Section] = {
    "engine": CountersSection(("events", "heartbeat")),
    "decision": HistogramSection(),
    "journal": RingSection(8),
    "ticks": RingSection(16, drop_oldest=True),
    "manifest": TextSection("what others must know: é\0"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trend.seg"


def test_another_process_sees_what_the_maker_counts_and_the_other_way_round(path: Path) -> None:
    segment = Segment.create(path, LAYOUT)
    segment.counters["engine"].add(0, 41)
    segment.histograms["decision"].record(1000)
    code = """
import sys
from bot4_core.native.segment import Segment
segment = Segment.attach(sys.argv[1])
engine = segment.counters["engine"]
print(engine.read(), segment.histograms["decision"].read().max, segment.rings["ticks"].drop_oldest, segment.owner)
engine.add(engine.index("events"))
"""
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == f"{{'events': 41, 'heartbeat': 0}} 1000 True {os.getpid()}"
    assert segment.counters["engine"].read()["events"] == 42
    assert segment.made_ns > 1_600_000_000 * 10**9


@pytest.mark.parametrize("size", [1, 63, 64, 65, 100_000])
def test_a_text_is_there_for_others_as_long_as_it_was(path: Path, size: int) -> None:
    text = bytes(n % 251 for n in range(size))
    made = Segment.create(path, {"manifest": TextSection(text), "n": CountersSection(("one",)), "b": TextSection("é")})
    made.counters["n"].add(0, 3)
    code = """
import sys
from bot4_core.native.segment import Segment
segment = Segment.attach(sys.argv[1])
sys.stdout.buffer.write(segment.texts["b"] + segment.texts["manifest"])
segment.counters["n"].add(0, 4)
"""
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True)

    assert done.stdout == "é".encode() + text
    assert made.texts == {"manifest": text, "b": "é".encode()}
    assert made.counters["n"].get(0) == 7


def test_a_text_that_claims_more_than_its_section_is_refused(path: Path) -> None:
    Segment.create(path, {"manifest": TextSection("x" * 64), "n": CountersSection(("one",))})
    good = path.read_bytes()
    count = 128 + 36  # of the first entry of the table
    for size in (0, 65, 128, 2**24 + 1, 2**32 - 1):
        path.write_bytes(good[:count] + size.to_bytes(4, "little") + good[count + 4 :])
        with pytest.raises(NativeError, match="damaged"):
            Segment.attach(path)


def test_a_segment_says_when_its_maker_left_in_order(path: Path) -> None:
    segment = Segment.create(path, LAYOUT)
    observer = Segment.attach(path)
    observer.close()
    assert observer.state is State.READY
    segment.close()
    assert observer.state is State.CLOSED


def test_sections_outlive_the_segment_object(path: Path) -> None:
    counters = Segment.create(path, LAYOUT).counters["engine"]
    path.unlink()
    counters.add(1, 5)

    assert counters.read() == {"events": 0, "heartbeat": 5}


def test_a_new_segment_replaces_the_file_but_not_the_mapping_of_others(path: Path) -> None:
    first = Segment.create(path, LAYOUT)
    first.counters["engine"].add(0, 7)
    Segment.create(path, {"other": HistogramSection()})

    assert first.counters["engine"].get(0) == 7
    assert list(Segment.attach(path).histograms) == ["other"]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_attaching_refuses_what_is_missing_or_cut(path: Path) -> None:
    with pytest.raises(NativeError, match="is the bot running"):
        Segment.attach(path)
    Segment.create(path, LAYOUT)
    size = path.stat().st_size
    for cut in (size - 64, size - 1, 64, 1):
        os.truncate(path, cut)
        with pytest.raises(NativeError):
            Segment.attach(path)
    os.truncate(path, 0)
    with pytest.raises(NativeError, match="no segment"):
        Segment.attach(path)


def test_attaching_refuses_any_damage_to_the_header_or_the_table(path: Path) -> None:
    Segment.create(path, LAYOUT)
    good = path.read_bytes()
    table = 128  # header line and state line come first
    free = {*range(24, 40), *range(44, 64), *range(68, 128)}  # owner, time, padding
    accepted = []
    for at in range(table + len(LAYOUT) * 64):
        damaged = bytearray(good)
        damaged[at] ^= 0x80
        path.write_bytes(damaged)
        try:
            Segment.attach(path)
            accepted.append(at)
        except NativeError:
            pass
    renamed = {table + 64 * i + k for i in range(len(LAYOUT)) for k in range(32)}
    unused_words = {table + 64 * i + 44 + k for i in range(len(LAYOUT)) for k in range(4)}
    unused_modes = {table + 64 * i + 40 + k for i in (0, 1, 4) for k in range(4)}

    assert set(accepted) <= free | renamed | unused_words | unused_modes


@pytest.mark.parametrize("at", [0, 4, 8])
def test_attaching_refuses_damage_inside_a_ring(path: Path, at: int) -> None:
    segment = Segment.create(path, LAYOUT)
    offset = int(ffi.cast("uintptr_t", segment.rings["journal"].cdata)) - int(ffi.cast("uintptr_t", segment.cdata))
    with path.open("r+b") as file:
        file.seek(offset + at)
        file.write(b"\x07")
    with pytest.raises(NativeError):
        Segment.attach(path)


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"": HistogramSection()},
        {"x" * 32: HistogramSection()},
        {"a\0b": HistogramSection()},
        {"ring": RingSection(3)},
        {"counters": CountersSection(())},
        {"counters": CountersSection(("twice", "twice"))},
        {"counters": CountersSection(("",))},
        {"text": TextSection("")},
        {"text": TextSection(bytes(2**24 + 1))},
        {str(i): HistogramSection() for i in range(257)},
    ],
)
def test_an_impossible_layout_is_refused_and_leaves_no_file(path: Path, layout: dict[str, Section]) -> None:
    with pytest.raises(NativeError):
        Segment.create(path, layout)

    assert list(path.parent.iterdir()) == []


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NativeError, match="cannot be made"):
        Segment.create(tmp_path / "absent" / "x.seg", LAYOUT)


def test_sections_lie_on_cache_lines_and_each_counter_on_its_own(path: Path) -> None:
    segment = Segment.create(path, LAYOUT)
    addresses = [
        int(ffi.cast("uintptr_t", section.cdata))
        for section in (*segment.counters.values(), *segment.histograms.values(), *segment.rings.values())
    ]

    assert all(address % 64 == 0 for address in addresses)
    assert lib.b4_counters_size(3) - lib.b4_counters_size(2) == 64


def test_counters_are_bounds_checked_and_found_by_name() -> None:
    counters = Counters(("a", "é" * 28))
    counters.set(1, -3)
    counters.add(1)

    assert counters.read() == {"a": 0, "é" * 28: -2}
    assert counters.index("a") == 0
    assert counters.names == ("a", "é" * 28)
    for call in (lambda: counters.add(2), lambda: counters.set(2, 0), lambda: counters.get(2)):
        with pytest.raises(NativeError):
            call()
    with pytest.raises(NativeError, match="no 'b' among a"):
        counters.index("b")
    assert lib.b4_counters_add(ffi.NULL, 0, 1) == lib.B4_E_NULL
    assert lib.b4_counters_check(counters.cdata, 64) == lib.B4_E_SIZE


def test_a_section_is_only_handed_out_as_what_it_is(path: Path) -> None:
    segment = Segment.create(path, LAYOUT)

    assert lib.b4_segment_at(segment.cdata, 0, lib.B4_SECTION_SPSC) == ffi.NULL
    assert lib.b4_segment_at(segment.cdata, 4, lib.B4_SECTION_SPSC) == ffi.NULL
    assert lib.b4_segment_at(segment.cdata, 3, lib.B4_SECTION_TEXT) == ffi.NULL
    assert lib.b4_segment_at(segment.cdata, 5, lib.B4_SECTION_TEXT) == ffi.NULL
    assert lib.b4_segment_at(ffi.NULL, 0, lib.B4_SECTION_SPSC) == ffi.NULL
    assert lib.b4_segment_section(segment.cdata, 5, ffi.new("b4_section *")) == lib.B4_E_RANGE
    assert lib.b4_segment_check(ffi.NULL, 0) == lib.B4_E_NULL


def test_a_pipe_or_directory_is_refused_as_a_target_and_left_as_it_is(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(NativeError, match="cannot be made: it is no regular file"):
        Segment.create(path, LAYOUT)
    with pytest.raises(NativeError, match="cannot be made: it is a directory"):
        Segment.create(path.parent, LAYOUT)
    assert path.is_fifo()
    assert [p.name for p in path.parent.iterdir()] == ["trend.seg"]
