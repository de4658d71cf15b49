"""Each promise of a sink is broken by exactly the fault it is about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from bot4_core.sdk import Kind, SegmentView, Services, SinkSpec
from bot4_core.sinks.metrics import bot4_sinks
from bot4_core.state.board import Board, BoardView, Manifest
from bot4_core.testing import SinkContract
from bot4_core.testing.contracts.samples import BTC, stream

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
    ("a_large_batch_is_quick", {_LOOP: "        sum(range(len(events) ** 2 * 20))\n" + _LOOP}, "allowed are 1 s"),
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


class _Shows:
    """Reads the figures until it is told to stop."""

    def __init__(self, settings: Any, services: Services) -> None:
        self.seen: list[object] = []

    def serve(self, view: SegmentView, stop: Callable[[float], bool]) -> None:
        while not stop(1.0):
            self.seen.append(view.read())


class _Deaf(_Shows):
    going = threading.Event()

    def serve(self, view: SegmentView, stop: Callable[[float], bool]) -> None:
        while not self.going.wait(0.01):
            stop(1.0)


class _Hasty(_Shows):
    def serve(self, view: SegmentView, stop: Callable[[float], bool]) -> None:
        stop(1.0)


class _Leaves(_Shows):
    def serve(self, view: SegmentView, stop: Callable[[float], bool]) -> None:
        threading.Thread(target=_Deaf.going.wait, daemon=True).start()
        super().serve(view, stop)


class _Fails(_Shows):
    def serve(self, view: SegmentView, stop: Callable[[float], bool]) -> None:
        stop(1.0)
        raise OSError("no such figure")


@frozen(kw_only=True)
class _Nothing:
    """Nothing to set."""


@frozen
class _Figures:
    """A view that always shows the same."""

    manifest: Mapping[str, str] = field(factory=dict)

    def read(self) -> int:
        return 1


class _Reader(SinkContract):
    made: type = _Shows

    def spec(self) -> SinkSpec:
        return SinkSpec(name="shows", settings=_Nothing, create=self.made, reads="segment")

    def output(self, folder: Path) -> None:
        return None

    def view(self, folder: Path) -> SegmentView:
        return _Figures()


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (_Shows, ""),
        (_Deaf, "after it was told to stop"),
        (_Hasty, "before stop() said True"),
        (_Leaves, "left a thread behind"),
        (_Fails, "no such figure"),
        (_Nothing, "TypeError"),
    ],
)
def test_a_reader_of_figures_ends_when_it_is_told(
    made: type, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot4_core.testing.contracts.sink._END_WITHIN_S", 0.2 if made is _Deaf else 10.0)
    changed: Any = type("_Changed", (_Reader,), {"made": made})
    found = broken(changed, tmp_path)
    _Deaf.going.set()
    _Deaf.going = threading.Event()
    promise = "test_a_reader_of_figures_ends_when_it_is_told"
    assert list(found) == ([promise] if word else [])
    assert word in found.get(promise, "")


def test_the_cores_own_metrics_are_held_to_it(tmp_path: Path) -> None:
    made = Manifest(
        run_id="1", bot="shown", mode="paper", pid=1, source="", journal="", started_ns=1, instruments=(BTC,),
        reporting_asset="USDT", reporting_scale=8, start_equity=1, rules=("position",),
    )  # fmt: skip
    board = Board(tmp_path / "segment", made)

    class Metrics(_Reader):
        def spec(self) -> SinkSpec:
            (spec,) = bot4_sinks()
            return spec

        def settings(self) -> Mapping[str, object]:
            return {"port": 0}

        def view(self, folder: Path) -> SegmentView:
            return BoardView.attach(tmp_path / "segment")

    assert broken(Metrics, tmp_path) == {}
    assert board.durable_seq == -1  # and the sink only read
