"""What a sink promises, as tests an author runs in their own suite."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from ...domain.event import Kind
from ...protocols import SegmentSink, SegmentView, Sink
from ...specs import SinkSpec
from .offer import check_settings, filled, services
from .promise import BrokenPromise, not_for, promised, require
from .samples import stream

_BATCH = 4_096
_RECORDS = 500
#: a reader of figures may take so long to end once it is told
_END_WITHIN_S = 10.0
#: how often it is asked to go on before that
_TURNS = 3
#: a kind of record that no version has
_UNKNOWN_KIND = 63
Records = Sequence[tuple[int, ...]]


class SinkContract(ABC):
    """The promises of a sink. Subclass it in a test file, and pytest runs them::

        class TestCsv(SinkContract):
            def spec(self):
                return SPEC

            def output(self, folder):
                return (folder / "records.csv").read_text()

            def seqs(self, folder):
                return [int(line.split(",")[0]) for line in self.output(folder).splitlines()[1:]]

    A sink whose spec says ``reads="segment"`` makes no output of records: its ``output`` may return None, and it is
    given a :meth:`view`.
    """

    page: ClassVar[str] = "docs/plugins/sink.md#what-a-sink-promises"
    #: time a batch of 4,096 records may take, seconds
    batch_within_s: ClassVar[float] = 1.0

    @abstractmethod
    def spec(self) -> SinkSpec:
        """The spec under test."""

    @abstractmethod
    def output(self, folder: Path) -> object:
        """What the sink has made of the records, once it is closed; compared with ``==``.

        Args:
            folder: the bot's folder the sink was given.
        """

    def settings(self) -> Mapping[str, object]:
        """The table of a config that uses it, without ``use``; files are named relative to the bot's folder."""
        return {}

    def seqs(self, folder: Path) -> Sequence[int] | None:
        """The ``seq`` of each record in the output, in its order; None when the output does not say."""
        return None

    def wanted(self, records: Records) -> Sequence[int]:
        """The ``seq`` of each record that must be in the output; all of them unless the sink chooses."""
        return [record[0] for record in records]

    def view(self, folder: Path) -> SegmentView:
        """For ``reads="segment"``: figures for the sink to read; without them it raises BrokenPromise."""
        raise BrokenPromise("give view(): an object with `manifest` and read(), as far as the sink reads them")

    @promised
    def test_settings_are_filled_and_explained(self, tmp_path: Path) -> None:
        """A config can fill the settings, and their docstring explains each of them."""
        check_settings(self.settings(), self.spec().settings)

    @promised
    def test_each_record_is_taken_once_and_in_order(self, tmp_path: Path) -> None:
        """Each record it is for is in the output once, in order of seq."""
        records = stream(_RECORDS)
        folder = self._fed(tmp_path / "one", [records])
        found = self.seqs(folder)
        if found is None:
            raise not_for(f"the output of the sink {self.spec().name} does not say which records it holds")
        wanted = list(self.wanted(records))
        require(wanted, "wanted() wants no record of the sample: change the settings so that some are")
        lost, extra = sorted(set(wanted) - set(found))[:5], sorted(set(found) - set(wanted))[:5]
        require(not lost and not extra, f"records {lost} are missing, records {extra} should not be there")
        require(list(found) == wanted, "the records are doubled or out of order")

    @promised
    def test_how_records_are_batched_makes_no_difference(self, tmp_path: Path) -> None:
        """One batch, many small ones, or single records: the output is the same."""
        records = stream(_RECORDS)
        whole = self.output(self._fed(tmp_path / "whole", [records]))
        for length in (1, 7, 64):
            parts = [records[at : at + length] for at in range(0, len(records), length)]
            same = self.output(self._fed(tmp_path / str(length), parts)) == whole
            require(same, f"batches of {length} give another output than one batch of {len(records)}")

    @promised
    def test_an_empty_batch_is_no_news(self, tmp_path: Path) -> None:
        """A batch without records changes nothing."""
        records = stream(_RECORDS)
        without = self.output(self._fed(tmp_path / "without", [records[:50], records[50:]]))
        given = self.output(self._fed(tmp_path / "with", [[], records[:50], [], records[50:], []]))
        require(given == without, "the output is another when empty batches come in between")

    @promised
    def test_the_batch_is_left_as_it_was(self, tmp_path: Path) -> None:
        """on_batch() reads the batch; other sinks get the same list."""
        records = stream(_RECORDS)
        given = list(records)
        sink = self._sink(tmp_path / "one")
        sink.on_batch(given)
        _close(sink)
        require(given == records, "the batch was changed")

    @promised
    def test_a_kind_it_does_not_know_is_no_error(self, tmp_path: Path) -> None:
        """A record of an unknown kind is taken or left, never an error: kinds are added in minor releases."""
        known = stream(20)
        strange = (known[-1][0] + 1, known[-1][1], 0, _UNKNOWN_KIND, 0, 1, 2, 3, 4, 5, 6)
        require(_UNKNOWN_KIND not in set(Kind), "the sample's unknown kind has become known")
        self._fed(tmp_path / "one", [known, [strange]])

    @promised
    def test_the_same_stream_gives_the_same_output(self, tmp_path: Path) -> None:
        """Two sinks of one table, given the same records, make the same of them."""
        one, two = (self.output(self._fed(tmp_path / name, [stream(_RECORDS)])) for name in ("one", "two"))
        require(one == two, "two runs over one stream made different output")

    @promised
    def test_a_large_batch_is_quick(self, tmp_path: Path) -> None:
        """A batch of 4,096 records takes little time, because the next step of a backtest waits for it."""
        sink = self._sink(tmp_path / "one")
        records = stream(_BATCH)
        began = time.perf_counter()
        sink.on_batch(records)
        took_s = time.perf_counter() - began
        _close(sink)
        require(took_s <= self.batch_within_s, f"it took {took_s:.2f} s, allowed are {self.batch_within_s:g} s")

    @promised
    def test_closing_twice_is_closing_once(self, tmp_path: Path) -> None:
        """close() may be called twice, and before any record came."""
        self._fed(tmp_path / "none", [])
        sink = self._sink(tmp_path / "twice")
        sink.on_batch(stream(_RECORDS))
        _close(sink)
        once = self.output(tmp_path / "twice")
        _close(sink)
        require(self.output(tmp_path / "twice") == once, "closing again changed the output")

    @promised
    def test_a_reader_of_figures_ends_when_it_is_told(self, tmp_path: Path) -> None:
        """serve() of a sink that reads the segment goes on until stop() says True, and leaves no thread behind."""
        if self.spec().reads != "segment":
            raise not_for(f"the sink {self.spec().name} reads the journal")
        made = self._create(tmp_path)
        if not isinstance(made, SegmentSink):
            raise BrokenPromise("create() must give an object with serve(view, stop)")
        view, before, asked = self.view(tmp_path), set(threading.enumerate()), 0
        raised: list[Exception] = []

        def stop(_timeout_s: float) -> bool:
            nonlocal asked
            asked += 1
            return asked > _TURNS

        def serve() -> None:
            try:
                made.serve(view, stop)
            except Exception as error:  # noqa: BLE001  # told below, in the thread of the test
                raised.append(error)

        working = threading.Thread(target=serve, daemon=True)
        working.start()
        working.join(_END_WITHIN_S)
        require(not working.is_alive(), f"it goes on {_END_WITHIN_S:g} s after it was told to stop, or never asked")
        require(not raised, f"serve() raised {raised and raised[0]!r}")
        require(asked > _TURNS, f"serve() returned after asking {asked} times, before stop() said True")
        require(set(threading.enumerate()) <= before, "it left a thread behind")

    # what the promises are judged on

    def _create(self, folder: Path) -> object:
        return self.spec().create(filled(self.settings(), self.spec().settings), services(folder))

    def _sink(self, folder: Path) -> Sink:
        if self.spec().reads == "segment":
            raise not_for(f"the sink {self.spec().name} reads the segment, no records")
        folder.mkdir()
        made = self._create(folder)
        require(isinstance(made, Sink), "create() must give an object with on_batch(events)")
        return made  # type: ignore[return-value]  # judged the line above

    def _fed(self, folder: Path, batches: Sequence[Records]) -> Path:
        """A fresh sink given these batches and closed; gives its folder."""
        sink = self._sink(folder)
        try:
            for batch in batches:
                sink.on_batch(list(batch))
        finally:
            _close(sink)
        return folder


def _close(sink: Sink) -> None:
    close = getattr(sink, "close", None)
    if callable(close):
        close()
