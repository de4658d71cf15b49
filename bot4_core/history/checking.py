"""The quality report of a history or a table: what is there, what is missing, what is wrong, with row numbers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
from attrs import frozen

from ..domain.event import EVENT_DTYPE, Kind
from ..domain.instrument import Instrument
from ..errors import HistoryError
from .decimals import Ints
from .file import MAGIC, History, record_hash
from .findings import Analysis, Findings, Gap, Problem, analyse
from .loading import OffTick, Progress, Selection, load
from .records import Events, kinds_of

#: A table is checked without an instrument in these terms: prices and volumes to 12 and 8 decimals.
_UNLISTED = Instrument(symbol="BASE/QUOTE", tick=Decimal("1e-12"), lot=Decimal("1e-8"))


@frozen(kw_only=True)
class Report:
    """What a check found.

    Attributes:
        source: the file.
        symbol: the instrument's symbol; empty when the table was checked without one.
        kinds: the kinds of record.
        rows: readable rows.
        from_ns, to_ns: open of the first bar and close of the last; for ticks the first and last time. 0 without rows.
        interval_ns: length of a bar, 0 for ticks.
        inferred: the interval was read off the data.
        gaps, missing: number of gaps, and of bars missing in them.
        first_gaps: the first 20 gaps.
        counts: problems by kind.
        high_below_low: bars whose high is below their low (counted under ``impossible``).
        problems: the first 20 problems, by row.
        zero_volume: bars without volume.
        roundings: volumes rounded to the instrument's volume scale.
        longest_silence_ns: longest time between two records.
        skipped: rows of other symbols or markets.
        sha256: hex digest of the records; empty for a table.
        notes: how the file was read.
    """

    source: str
    symbol: str
    kinds: tuple[str, ...]
    rows: int
    from_ns: int
    to_ns: int
    interval_ns: int
    inferred: bool
    gaps: int
    missing: int
    first_gaps: tuple[Gap, ...]
    counts: dict[str, int]
    high_below_low: int
    problems: tuple[Problem, ...]
    zero_volume: int
    roundings: int
    longest_silence_ns: int
    skipped: int
    sha256: str
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing is wrong and no bar is missing."""
        return not self.counts and not self.gaps

    @property
    def completeness(self) -> Decimal | None:
        """Share of the expected bars that is there, in percent with two decimals, never rounded up; None for ticks."""
        if not self.interval_ns:
            return None
        expected = self.rows + self.missing
        return Decimal(self.rows * 10_000 // expected).scaleb(-2) if expected else Decimal(0)

    def to_mapping(self) -> dict[str, object]:
        """JSON-ready; times in UTC nanoseconds, percent as text."""
        percent = self.completeness
        return {
            "source": self.source,
            "symbol": self.symbol,
            "kinds": list(self.kinds),
            "rows": self.rows,
            "from": self.from_ns,
            "to": self.to_ns,
            "interval_ns": self.interval_ns,
            "interval_inferred": self.inferred,
            "gaps": self.gaps,
            "missing": self.missing,
            "first_gaps": [
                {"row": gap.row, "from": gap.after_ts, "to": gap.until_ts, "missing": gap.missing}
                for gap in self.first_gaps
            ],
            "duplicates": self.counts.get("duplicate", 0),
            "reversed": self.counts.get("reversed", 0),
            "impossible": self.counts.get("impossible", 0),
            "high_below_low": self.high_below_low,
            "off_grid": self.counts.get("off grid", 0),
            "off_tick": self.counts.get("off tick", 0),
            "unreadable": self.counts.get("unreadable", 0),
            "problems": [{"row": item.row, "kind": item.kind, "what": item.what} for item in self.problems],
            "zero_volume": self.zero_volume,
            "roundings": self.roundings,
            "completeness_percent": None if percent is None else str(percent),
            "longest_silence_ns": self.longest_silence_ns,
            "skipped": self.skipped,
            "sha256": self.sha256,
            "notes": list(self.notes),
            "ok": self.ok,
        }


@frozen(kw_only=True, eq=False)
class Origin:
    """What a report says about where its records came from."""

    source: str
    symbol: str
    interval_ns: int
    inferred: bool = False
    roundings: int = 0
    skipped: int = 0
    sha256: str = ""
    notes: tuple[str, ...] = ()


def build_report(events: Events, analysis: Analysis, findings: Findings, origin: Origin) -> Report:
    """The report of analysed records.

    Args:
        events: the records that were analysed.
        analysis, findings: what :func:`analyse` found in them.
        origin: where they came from.
    """
    ts = events["ts"]
    bars = events["kind"] == Kind.BAR
    below = bars & (events["v"][:, 1] < events["v"][:, 2])
    steps = np.diff(np.sort(ts)) if len(events) > 1 else np.zeros(1, dtype=np.int64)
    return Report(
        source=origin.source,
        symbol=origin.symbol,
        kinds=tuple(kind.name for kind in kinds_of(events)),
        rows=len(events),
        from_ns=int(ts.min()) - origin.interval_ns if len(events) else 0,
        to_ns=int(ts.max()) if len(events) else 0,
        interval_ns=origin.interval_ns,
        inferred=origin.inferred,
        gaps=analysis.gap_count,
        missing=analysis.missing,
        first_gaps=analysis.gaps,
        counts=dict(findings.counts),
        high_below_low=int(below.sum()),
        problems=findings.problems,
        zero_volume=analysis.zero_volume,
        roundings=origin.roundings,
        longest_silence_ns=int(steps.max()),
        skipped=origin.skipped,
        sha256=origin.sha256,
        notes=origin.notes,
    )


def check_file(
    path: Path,
    *,
    now_ns: int,
    instrument: Instrument | None = None,
    ticker: str = "",
    market_type: str = "",
    interval_ns: int = 0,
    bar_time: str = "",
    progress: Progress | None = None,
) -> Report:
    """Checks a history file, or a CSV or Parquet table.

    Args:
        path: the file.
        now_ns: the present, UTC nanoseconds.
        instrument: for a table: also say which prices are off its tick; without it prices are not judged.
        ticker, market_type: for a table: which rows, as in :class:`Selection`.
        interval_ns: for a table: length of a bar; 0: the most frequent step.
        bar_time: for a table: ``open`` or ``close``.
        progress: called with the number of rows read.

    Returns:
        The report; problems are in it, not raised.

    Raises:
        HistoryError: when the file cannot be read at all: missing, cut, a damaged header, a wrong hash.
    """
    if is_history(path):
        return check_history(path)
    selection = Selection(
        instrument=instrument or _UNLISTED,
        now_ns=now_ns,
        ticker=ticker,
        any_symbol=instrument is None and not ticker,
        market_type=market_type,
        interval_ns=interval_ns,
        bar_time=bar_time,
        off_tick=OffTick.LIST if instrument else OffTick.ROUND,
    )
    loaded = load(path, selection, progress)
    findings = loaded.findings
    analysis = analyse(loaded.events, loaded.rows, loaded.interval_ns, selection.instrument, findings)
    origin = Origin(
        source=str(path),
        symbol=instrument.symbol if instrument else "",
        interval_ns=loaded.interval_ns,
        inferred=loaded.inferred,
        roundings=int(loaded.rounded.sum()) if instrument else 0,
        skipped=loaded.skipped,
        notes=loaded.notes,
    )
    return build_report(loaded.events, analysis, findings, origin)


def check_history(path: Path) -> Report:
    """Checks a history file record by record.

    Raises:
        HistoryError: when header, size or hash are wrong: then the records mean nothing.
    """
    history = History.open(path, verify=False)
    if record_hash(history.events) != history.sha256:
        raise HistoryError(f"{path}: records do not match their sha256: the file is damaged; import it again")
    findings = Findings()
    rows: Ints = np.arange(1, history.rows + 1, dtype=np.int64)
    events: Events = np.asarray(history.events).view(EVENT_DTYPE)
    analysis = analyse(events, rows, history.interval_ns, history.instrument, findings)
    origin = Origin(
        source=str(path),
        symbol=history.instrument.symbol,
        interval_ns=history.interval_ns,
        roundings=history.roundings,
        sha256=history.sha256,
    )
    return build_report(events, analysis, findings, origin)


def is_history(path: Path) -> bool:
    """Whether a file begins like a history, whatever its name; HistoryError when it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(MAGIC))[:6] == MAGIC[:6]
    except OSError as error:
        raise HistoryError(f"{path}: cannot be read: {error.strerror}") from error
