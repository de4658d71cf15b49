"""Each promise of a sink is broken by exactly the fault it is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot4_core.sdk import Kind
from bot4_core.testing.contracts.samples import stream

from .planted import broken, plugin

_LOOP = "        for seq, ts, instrument, kind, flags, order, _, reason, *_ in events:\n"
_FILE = "        file: where to write, relative to the TOML; written anew by each"
_WRITE = "            if what:\n"
_CLOSE = "        self._file.close()\n"
_OPEN = "        self._file.write(HEADING)\n"
_KNOWN = "            what = "
_NEWS = "        if not events:\n            self._file.write('0,nothing\\n')\n"
_EMPTIED = "        events, given = events[:], events\n        given.clear()\n"
_IDENTITY = "        self._file.write(f'0,{id(self)},{path}\\n')\n"
#: promise, what is changed in the page's sink, a word of the message
FAULTS: list[tuple[str, dict[str, str], str]] = [
    ("settings_are_filled_and_explained", {_FILE: ""}, "says nothing about file"),
    ("each_record_is_taken_once_and_in_order", {_WRITE: "            if what and seq != 9:\n"}, "[9] are missing"),
    ("each_record_is_taken_once_and_in_order", {'write(f"{seq}': 'write(2 * f"{seq}'}, "doubled"),
    ("how_records_are_batched_makes_no_difference", {"{why}": "{why}{len(events) // 100}"}, "batches of 1 "),
    ("an_empty_batch_is_no_news", {_LOOP: _NEWS + _LOOP}, "when empty batches come in between"),
    ("an_empty_batch_is_no_news", {_LOOP: "        events[0]\n" + _LOOP}, "IndexError"),
    ("the_batch_is_left_as_it_was", {_LOOP: _EMPTIED + _LOOP}, "was changed"),
    ("a_kind_it_does_not_know_is_no_error", {_KNOWN: "            Kind(kind)\n" + _KNOWN}, "63 is not a valid Kind"),
    ("a_large_batch_is_quick", {_LOOP: "        sum(range(len(events) ** 2 * 4))\n" + _LOOP}, "allowed are 1 s"),
    ("closing_twice_is_closing_once", {_CLOSE: "        self._file.flush()\n" + _CLOSE}, "ValueError"),
]


def test_the_sink_of_the_page_keeps_every_promise(tmp_path: Path) -> None:
    with plugin("sink") as contract:
        assert broken(contract, tmp_path) == {}


@pytest.mark.parametrize(("promise", "changes", "word"), FAULTS)
def test_a_fault_breaks_the_promise_it_is_about(
    promise: str, changes: Mapping[str, str], word: str, tmp_path: Path
) -> None:
    with plugin("sink", changes) as contract:
        found = broken(contract, tmp_path)
    assert list(found) == [f"test_{promise}"], found
    assert word in found[f"test_{promise}"]


def test_output_that_no_two_runs_share_breaks_every_comparison(tmp_path: Path) -> None:
    with plugin("sink", {_OPEN: _OPEN + _IDENTITY}) as contract:
        found = broken(type("_Silent", (contract,), {"seqs": lambda self, folder: None}), tmp_path)
    assert "two runs over one stream made different output" in found["test_the_same_stream_gives_the_same_output"]
    compared = ("how_records_are_batched_makes_no_difference", "an_empty_batch_is_no_news")
    assert set(found) == {"test_the_same_stream_gives_the_same_output", *(f"test_{name}" for name in compared)}


def test_a_sink_that_does_not_say_what_it_holds_is_not_asked_for_records(tmp_path: Path) -> None:
    with plugin("sink", {_WRITE: "            if what and seq != 9:\n"}) as contract:
        silent: Any = type("_Silent", (contract,), {"seqs": lambda self, folder: None})
        assert broken(silent, tmp_path) == {}


def test_the_sample_stream_has_every_kind_a_sink_is_given() -> None:
    records = stream(100)
    assert [record[0] for record in records] == list(range(100))
    assert {len(record) for record in records} == {11}
    assert (records[0][3], records[-1][3]) == (Kind.RUN_START, Kind.RUN_END)
    assert {kind for kind in Kind if kind >= Kind.ACK} == {record[3] for record in records}
