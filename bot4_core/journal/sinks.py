"""Handing what the journal stored to the sinks of a bot; nothing a sink does can end or change a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

from ..protocols import Sink
from .records import Record

_MAX_REASON = 300


class SinkFeed:
    """Calls sinks with each batch once it is in the database. A context manager: leaving it closes them.

    A sink that raises is reported once, gets no more records, and is closed like the others.

    Args:
        report: called with one line for each sink that fails.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._sinks: list[tuple[str, Sink]] = []
        self._live: dict[int, Sink] = {}

    def add(self, name: str, sink: Sink) -> None:
        """Takes a sink in; ``name`` is what a failure is reported under."""
        self._live[len(self._sinks)] = sink
        self._sinks.append((name, sink))

    def __call__(self, records: Sequence[Record]) -> None:
        """Hands over a batch, in seq order (``Store.follow``)."""
        if not self._live:
            return
        batch = [(seq, ts, instrument, kind, flags, *v) for seq, ts, instrument, kind, flags, v, _ in records]
        for place, sink in list(self._live.items()):
            if not self._guarded(place, "on_batch", sink.on_batch, batch):
                del self._live[place]

    def __enter__(self) -> SinkFeed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._live.clear()
        for place, (_, sink) in enumerate(self._sinks):
            close = getattr(sink, "close", None)
            if callable(close):
                self._guarded(place, "close", close)
        self._sinks.clear()

    def _guarded(self, place: int, doing: str, call: Callable[..., object], *arguments: object) -> bool:
        try:
            call(*arguments)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's sink may raise anything; the run goes on
            words = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_REASON]
            lost = "; it gets no more records of this run" if doing == "on_batch" else ""
            self._report(f"sink {self._sinks[place][0]}: {doing} failed: {words}{lost}")
            return False
        return True
