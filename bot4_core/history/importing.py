"""Import: a table of somebody's market data becomes a history file, or is refused with the row that is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import evolve, field, frozen

from ..errors import HistoryError
from .checking import Origin, Report, build_report
from .file import History, write_history
from .findings import Findings, analyse
from .loading import Loaded, OffTick, Progress, Selection, load
from .table import line_of


@frozen(kw_only=True)
class Imported:
    """What an import did.

    Attributes:
        history: the new file.
        report: of the records in it; gaps are reported, not refused (venues leave out minutes without a trade).
        dropped: under ``repair``, rows left out, by the kind of problem.
        moved: under ``repair``, rows that stood before an earlier time and were sorted in.
    """

    history: History = field(repr=False)
    report: Report
    dropped: dict[str, int]
    moved: int

    def to_mapping(self) -> dict[str, object]:
        """JSON-ready: the report, with what was done."""
        return {
            **self.report.to_mapping(),
            "file": str(self.history.path),
            "dropped": self.dropped,
            "moved": self.moved,
        }


def import_file(
    path: Path, target: Path, selection: Selection, *, repair: bool = False, progress: Progress | None = None
) -> Imported:
    """Imports one table as one history.

    Args:
        path: CSV (plain or gzip) or Parquet; it is never changed.
        target: the ``.b4h`` file to write; an existing one is replaced as a whole.
        selection: instrument, rows and reading; prices off the tick are refused whatever it says (D-4).
        repair: leave out rows that cannot be read, cannot be, or repeat an earlier one, and sort; without it
            the first such row ends the import.
        progress: called with the number of rows read.

    Raises:
        HistoryError: naming file and row. Nothing was written then.
    """
    loaded = load(path, evolve(selection, off_tick=OffTick.REFUSE), progress)
    analysis = analyse(loaded.events, loaded.rows, loaded.interval_ns, selection.instrument, loaded.findings)
    if loaded.findings.total and not repair:
        raise _refusal(path, loaded.findings)
    dropped = {kind: number for kind, number in loaded.findings.counts.items() if kind != "reversed"}
    moved = loaded.findings.counts.get("reversed", 0)
    if dropped or moved:
        kept = np.flatnonzero(~analysis.drop)
        if not len(kept):
            raise HistoryError(f"{path}: no row is left after the repair; is the instrument the right one?")
        loaded = _sorted(loaded, kept)
        analysis = analyse(loaded.events, loaded.rows, loaded.interval_ns, selection.instrument, loaded.findings)
    roundings = int(loaded.rounded.sum())
    history = write_history(
        target,
        selection.instrument,
        loaded.events,
        interval_ns=loaded.interval_ns,
        source=path.name,
        roundings=roundings,
    )
    origin = Origin(
        source=str(path),
        symbol=selection.instrument.symbol,
        interval_ns=loaded.interval_ns,
        inferred=loaded.inferred,
        roundings=roundings,
        skipped=loaded.skipped,
        sha256=history.sha256,
        notes=loaded.notes,
    )
    report = build_report(loaded.events, analysis, loaded.findings, origin)
    return Imported(history=history, report=report, dropped=dropped, moved=moved)


def _refusal(path: Path, findings: Findings) -> HistoryError:
    first = findings.problems[0]
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(findings.counts.items()))
    return HistoryError(
        f"{path}: {line_of(first.row)}: {first.what}; wrong rows: {kinds}. "
        "List them with `bot4 data check`, leave them out with --repair"
    )


def _sorted(loaded: Loaded, kept: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Loaded:
    order = kept[np.argsort(loaded.events["ts"][kept], kind="stable")]
    return evolve(
        loaded,
        events=loaded.events[order],
        rows=loaded.rows[order],
        rounded=loaded.rounded[order],
        findings=Findings(),
    )
