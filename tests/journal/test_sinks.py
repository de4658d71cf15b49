"""Sinks see every record once, after it is stored, and cannot hurt a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bot4_core.domain.event import Kind
from bot4_core.journal.sinks import SinkFeed
from bot4_core.journal.store import Store
from bot4_core.journal.writer import JournalWriter

from .build import info


class Kept:
    """A sink that keeps what it sees, and how much of it the database had by then."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[tuple[int, ...]] = []
        self.stored: list[int] = []
        self.closed = 0

    def on_batch(self, events: Sequence[tuple[int, ...]]) -> None:
        self.seen += events
        with Store.open(self.url, mode="read") as store:
            self.stored.append(sum(1 for _ in store.records("latest")))

    def close(self) -> None:
        self.closed += 1


class Broken:
    """A sink that raises in everything."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.calls: list[str] = []

    def on_batch(self, events: Sequence[tuple[int, ...]]) -> None:
        self.calls.append("on_batch")
        raise self.error

    def close(self) -> None:
        self.calls.append("close")
        raise self.error


class Bare:
    """A sink without ``close``."""

    def on_batch(self, events: Sequence[tuple[int, ...]]) -> None:
        pass


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.db'}"


def write(url: str, feed: SinkFeed, count: int = 5) -> None:
    """A run of that many equity samples, in batches of two."""
    with Store.open(url, mode="backtest") as store:
        store.follow(feed)
        with JournalWriter(store, info(), batch=2) as writer:
            for n in range(count):
                writer.append(n + 1, 0, Kind.EQUITY, 0, (n, 0, n, n, 0, 0))
            writer.finish({"reason": "finished"})


def test_every_record_is_seen_once_in_order_and_is_stored_by_then(url: str) -> None:
    sink = Kept(url)
    problems: list[str] = []
    with SinkFeed(problems.append) as feed:
        feed.add("kept", sink)
        feed.add("bare", Bare())
        write(url, feed)
        assert sink.closed == 0
    assert [record[0] for record in sink.seen] == [0, 1, 2, 3, 4, 5, 6]
    assert [record[3] for record in sink.seen] == [Kind.RUN_START, *[Kind.EQUITY] * 5, Kind.RUN_END]
    assert sink.seen[3] == (3, 3, 0, Kind.EQUITY, 0, 2, 0, 2, 2, 0, 0)
    assert sink.stored == [1, 3, 5, 7]
    assert sink.closed == 1
    assert problems == []


@pytest.mark.parametrize("error", [OSError("disk\nfull"), SystemExit(3), AssertionError()])
def test_a_sink_that_raises_is_reported_once_and_ends_only_its_own_feed(url: str, error: BaseException) -> None:
    broken, sink = Broken(error), Kept(url)
    problems: list[str] = []
    with SinkFeed(problems.append) as feed:
        feed.add("broken", broken)
        feed.add("kept", sink)
        write(url, feed)
    assert len(sink.seen) == 7
    assert broken.calls == ["on_batch", "close"]
    assert [problem.split(":")[0:2] for problem in problems] == [
        ["sink broken", " on_batch failed"],
        ["sink broken", " close failed"],
    ]
    assert "no more records" in problems[0]
    assert "\n" not in problems[0]


def test_sinks_are_closed_when_the_run_fails(url: str) -> None:
    sink = Kept(url)
    with pytest.raises(RuntimeError), SinkFeed(pytest.fail) as feed:
        feed.add("kept", sink)
        raise RuntimeError
    assert sink.closed == 1
