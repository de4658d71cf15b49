"""The kill latch: strict at once, durable, and closed whenever anything is wrong with its file."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.errors import NativeError, RefusedForSafety
from bot4_core.native import ffi, lib
from bot4_core.native.latch import Latch, Mode

from .reference.latch import Latch as Reference
from .reference.latch import note_is_good

NOTE_SIZE = ffi.sizeof("b4_latch_note")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trend.latch"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*Mode, None]),
            st.sampled_from(["trend", "other", ""]),
            st.text(st.characters(codec="utf-8"), max_size=20),
            st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=20,
    )
)
def test_it_agrees_with_the_reference(moves: list[tuple[Mode | None, str, str, int]]) -> None:
    latch, reference = Latch.memory("trend"), Reference("trend")
    for mode, typed, text, ts in moves:
        if mode is None:
            if reference.release(typed, text[:16], ts):
                latch.release(typed, text[:16], ts)
            else:
                with pytest.raises(RefusedForSafety):
                    latch.release(typed, text[:16], ts)
        elif mode is Mode.ACTIVE:
            with pytest.raises(RefusedForSafety, match="bot's name"):
                latch.set(mode, text, "x", ts)
        else:
            latch.set(mode, text, text[:16], ts)
            reference.set(mode, text, text[:16], ts)
        info = latch.info()
        assert latch.mode == info.mode == reference.mode
        assert (info.seq, info.who, info.reason, info.ts) == (
            reference.seq,
            reference.who,
            reference.reason,
            reference.ts,
        )


def test_a_latch_survives_the_process_with_its_reason(path: Path) -> None:
    Latch.create(path, "trend", who="ops", ts=1).set(Mode.KILLED, "drawdown 15 %", "risk", 2)

    info = Latch.open(path).info()

    assert (info.bot, info.mode, info.reason, info.who, info.ts, info.seq) == (
        "trend",
        Mode.KILLED,
        "drawdown 15 %",
        "risk",
        2,
        2,
    )
    assert info.durable


def test_every_process_that_maps_it_sees_a_set_at_once(path: Path) -> None:
    here = Latch.create(path, "trend")
    code = (
        "import sys; from bot4_core.native.latch import Latch, Mode;"
        "print(Latch.open(sys.argv[1]).set(Mode.CANCEL_ONLY, 'by hand', 'ops', 7).seq)"
    )

    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "2"
    assert here.mode is Mode.CANCEL_ONLY
    assert here.info().who == "ops"


def test_the_first_cause_stays_on_record() -> None:
    latch = Latch.memory("trend")
    latch.set(Mode.KILLED, "first", "a", 1)
    latch.set(Mode.KILLED, "second", "b", 2)
    latch.set(Mode.REDUCE_ONLY, "third", "c", 3)

    assert (latch.mode, latch.info().reason) == (Mode.KILLED, "first")


def test_release_needs_the_typed_name_and_is_recorded(path: Path) -> None:
    latch = Latch.create(path, "trend")
    latch.set(Mode.REDUCE_ONLY, "streak", "risk", 1)
    with pytest.raises(RefusedForSafety, match="'trend'"):
        latch.release("Trend", "ops", 2)
    assert latch.mode is Mode.REDUCE_ONLY

    info = latch.release("trend", "ops", 3)

    assert (info.mode, info.who, info.reason, info.ts) == (Mode.ACTIVE, "ops", "released", 3)
    assert Latch.open(path).mode is Mode.ACTIVE


def test_a_latch_set_again_during_a_release_stays_set(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    latch = Latch.create(path, "trend")
    latch.set(Mode.KILLED, "first", "risk", 1)
    other = Latch.open(path)
    sync = Latch._sync

    def raise_meanwhile(self: Latch) -> None:
        sync(self)
        lib.b4_latch_raise(other.cdata, Mode.KILLED)

    monkeypatch.setattr(Latch, "_sync", raise_meanwhile)
    with pytest.raises(RefusedForSafety, match="set again"):
        latch.release("trend", "ops", 2)
    assert other.mode is Mode.KILLED
    assert Latch.open(path).mode is Mode.KILLED


def test_a_missing_file_is_killed_and_only_the_named_bot_renews_it(path: Path) -> None:
    unnamed = Latch.open(path)
    assert unnamed.mode is Mode.KILLED
    assert "cannot be read" in unnamed.info().reason
    assert unnamed.set(Mode.REDUCE_ONLY, "x", "y", 1).mode is Mode.KILLED
    with pytest.raises(RefusedForSafety, match="name the bot"):
        unnamed.release("trend", "ops", 1)

    named = Latch.open(path, "trend")
    assert named.release("trend", "ops", 2).mode is Mode.ACTIVE
    assert Latch.open(path, "trend").info().who == "ops"


def test_another_bots_file_is_killed(path: Path) -> None:
    Latch.create(path, "trend")

    assert Latch.open(path, "carry").mode is Mode.KILLED
    assert "trend" in Latch.open(path, "carry").info().reason


@pytest.mark.parametrize("size", [0, 1, 4095, 4097])
def test_a_file_of_another_size_is_killed(path: Path, size: int) -> None:
    Latch.create(path, "trend").close()
    os.truncate(path, size)

    assert Latch.open(path).mode is Mode.KILLED


def test_any_single_damaged_byte_that_matters_latches_or_is_noticed(path: Path) -> None:
    Latch.create(path, "trend").close()
    good = path.read_bytes()
    assert note_is_good(good[512 : 512 + NOTE_SIZE])
    opened = []
    for at in [*range(0, 224), *range(256, 264), *range(512, 512 + NOTE_SIZE)]:
        damaged = bytearray(good)
        damaged[at] ^= 0x40
        path.write_bytes(damaged)
        latch = Latch.open(path, "trend")
        if latch.mode is not Mode.KILLED:
            opened.append(at)
        latch.close()

    # The low half of the word counts raises and carries no mode.
    assert opened == [256, 257, 258, 259]


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"A"])
def test_a_page_of_rubbish_is_killed(path: Path, fill: bytes) -> None:
    path.write_bytes(fill * 4096)

    assert Latch.open(path, "trend").mode is Mode.KILLED


@pytest.mark.parametrize("kept", ["word", "note"])
def test_a_crash_that_kept_only_half_of_a_set_stays_latched(path: Path, kept: str) -> None:
    latch = Latch.create(path, "trend")
    before = path.read_bytes()
    latch.set(Mode.CANCEL_ONLY, "halt", "risk", 1)
    after = path.read_bytes()
    latch.close()
    path.write_bytes(before[:512] + after[512:] if kept == "note" else after[:512] + before[512:])

    reopened = Latch.open(path)

    assert reopened.mode is Mode.CANCEL_ONLY
    assert ("halt" if kept == "note" else "without a note") in reopened.info().reason


def test_a_torn_note_leaves_the_one_before(path: Path) -> None:
    latch = Latch.create(path, "trend")
    latch.set(Mode.REDUCE_ONLY, "one", "a", 1)
    latch.set(Mode.KILLED, "two", "b", 2)
    latch.close()
    raw = bytearray(path.read_bytes())
    raw[512 + 100] ^= 1  # the third note took the first slot again
    path.write_bytes(raw)

    reopened = Latch.open(path)

    assert reopened.mode is Mode.KILLED
    assert "before that: one" in reopened.info().reason


def test_verify_latches_when_the_file_is_removed_or_replaced(path: Path) -> None:
    latch = Latch.create(path, "trend")
    assert latch.verify() is Mode.ACTIVE
    path.unlink()
    assert latch.verify() is Mode.KILLED
    assert "removed" in latch.info().reason
    assert lib.b4_latch_mode(latch.cdata) == Mode.KILLED

    assert latch.release("trend", "ops", 1).mode is Mode.ACTIVE
    assert latch.verify() is Mode.ACTIVE


def test_verify_latches_when_the_file_is_cut(path: Path) -> None:
    latch = Latch.create(path, "trend")
    os.truncate(path, 100)

    assert latch.verify() is Mode.KILLED
    assert latch.address == 0


def test_create_refuses_to_replace_a_latch(path: Path) -> None:
    Latch.create(path, "trend").set(Mode.KILLED, "x", "y", 1)
    with pytest.raises(NativeError, match="exists"):
        Latch.create(path, "trend")
    with pytest.raises(NativeError, match="cannot be created"):
        Latch.create(path.parent / "absent" / "x", "trend")

    assert Latch.open(path).mode is Mode.KILLED
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_set_that_cannot_be_made_durable_still_holds_and_says_so(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    latch = Latch.create(path, "trend")

    def no_disk(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", no_disk)
    with pytest.raises(NativeError, match="not durably"):
        latch.set(Mode.KILLED, "x", "y", 1)
    assert latch.mode is Mode.KILLED
    with pytest.raises(NativeError, match="stays set"):
        latch.release("trend", "ops", 2)
    assert latch.mode is Mode.KILLED


def test_long_texts_are_cut_at_a_whole_character() -> None:
    latch = Latch.memory("trend")
    latch.set(Mode.KILLED, "é" * 500, "ü" * 99, 1)

    assert latch.info().reason == "é" * 200
    assert latch.info().who == "ü" * 32


@pytest.mark.parametrize("bot", ["", "x" * 201])
def test_a_name_that_does_not_fit_is_refused(bot: str) -> None:
    with pytest.raises(NativeError, match="1 to 200"):
        Latch.memory(bot)


def test_null_reads_as_killed_and_bad_arguments_are_refused() -> None:
    null = ffi.NULL
    latch = Latch.memory("trend").cdata
    assert lib.b4_latch_mode(null) == Mode.KILLED
    assert lib.b4_latch_raise(null, 3) == lib.B4_E_NULL
    assert lib.b4_latch_raise(latch, 4) == lib.B4_E_RANGE
    assert lib.b4_latch_raise(latch, -1) == lib.B4_E_RANGE
    assert lib.b4_latch_write_note(latch, 1, 0, b"", 65, b"", 0) == lib.B4_E_RANGE
    assert lib.b4_latch_write_note(latch, 1, 0, b"", 0, b"", 401) == lib.B4_E_RANGE
    assert lib.b4_latch_lower(latch, 0) == lib.B4_E_STATE
    assert lib.b4_latch_init(ffi.cast("void *", latch), 4095, b"x", 1, 0, b"", 0) == lib.B4_E_SIZE


def test_the_words_of_the_modes_are_far_from_each_other_and_from_blank_memory() -> None:
    words = [0, 2**32 - 1]
    for mode in Mode:
        latch = Latch.memory("trend")
        if mode:
            latch.set(mode, "", "", 0)
        words.append(lib.b4_latch_word(latch.cdata) >> 32)

    assert min((a ^ b).bit_count() for a, b in combinations(words, 2)) >= 16


def test_a_release_puts_no_file_in_the_place_of_a_pipe(path: Path) -> None:
    os.mkfifo(path)
    latch = Latch.open(path, "trend")
    assert latch.mode is Mode.KILLED
    with pytest.raises(NativeError, match="stays set: it is no regular file"):
        latch.release("trend", "me", 1)
    assert path.is_fifo()
    assert latch.mode is Mode.KILLED
