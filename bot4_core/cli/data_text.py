"""What ``bot4 data`` shows to people: tables on a terminal, aligned text in a pipe, progress on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ..history.catalogue import Catalogue, Damaged
from ..history.checking import Report
from ..history.file import History
from ..history.importing import Imported
from ..history.records import utc_text
from ..history.table import line_of
from ..history.times import interval_text
from .output import console

Progress = Callable[[int], None]
#: Wide enough that a row in a pipe stays one line, for grep and awk.
_PIPE_COLUMNS = 400


@contextmanager
def progress(title: str) -> Iterator[Progress | None]:
    """Rows read so far, on stderr, and only when that is a terminal."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield None
        return
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f} rows", markup=False))
    with Bar(*columns, TimeElapsedColumn(), console=screen, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def advance(rows: int) -> None:
            bar.update(task, completed=rows)

        yield advance


def _table(columns: Mapping[str, str], rows: Iterable[Sequence[str]]) -> None:
    """A table on a terminal, aligned text in a pipe; ``columns`` maps titles to ``left`` or ``right``."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    screen = console()
    if not screen.is_terminal:
        screen.width = _PIPE_COLUMNS
    lines = list(rows)
    table = Table(box=box.SIMPLE_HEAD if screen.is_terminal else None, pad_edge=False, collapse_padding=True)
    for number, (title, justify) in enumerate(columns.items()):
        # the name in the first column may take several lines; a number or a date broken in two misleads
        width = max(len(text) for text in (title, *(line[number] for line in lines))) if number else 8
        side: Literal["left", "right"] = "right" if justify == "right" else "left"
        table.add_column(title, justify=side, overflow="fold", min_width=width)
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    screen.print(table)


def _interval_words(report: Report) -> str:
    if not report.interval_ns:
        return "ticks"
    return ("~" if report.inferred else "") + interval_text(report.interval_ns)


def render_imported(done: Sequence[Imported]) -> None:
    """What an import made, one line per history, then what was left out and how the files were read."""
    columns = {"history": "left", "symbol": "left", "bar": "left", "rows": "right", "from": "left", "to": "left"}
    columns |= {"gaps": "right", "missing": "right"}
    rows = []
    for item in done:
        report = item.report
        cells = (item.history.path.stem, report.symbol, _interval_words(report), f"{report.rows:,}")
        times = (_date(report.from_ns), _date(report.to_ns))
        rows.append((*cells, *times, f"{report.gaps:,}", f"{report.missing:,}"))
    _table(columns, rows)
    if any(item.report.inferred for item in done):
        _say("~ the most frequent step of the data; say --interval to hold them against yours")
    for item in done:
        left_out = ", ".join(f"{number} {kind}" for kind, number in sorted(item.dropped.items()))
        if left_out or item.moved:
            _say(f"{item.history.path.stem}: left out {left_out or 'nothing'}; sorted in {item.moved}")
        if item.report.roundings:
            scale = item.history.instrument.volume_scale
            _say(f"{item.history.path.stem}: {item.report.roundings:,} volumes rounded to {scale} decimals")
        for note in item.report.notes:
            _say(f"{item.history.path.stem}: {note}")
    _say(f"in {done[0].history.path.parent}")


def _date(time_ns: int) -> str:
    """The day alone: a table must fit a terminal, and `check` and `--json` have the rest."""
    return utc_text(time_ns)[:10]


def _s(word: str, number: int) -> str:
    return word if number == 1 else word + "s"


def _bars(number: int) -> str:
    return f"{number:,} {_s('bar', number)}"


def _say(text: str) -> None:
    console().print(text, markup=False, soft_wrap=True)


def render_list(
    home: Catalogue, good: Sequence[History], damaged: Sequence[Damaged], gaps: Mapping[Path, tuple[int, int]]
) -> None:
    if not good and not damaged:
        _say(f"{home.directory} holds no history yet; make one with `bot4 data import` or `bot4 data synth NAME`")
        return
    columns = {"name": "left", "symbol": "left", "holds": "left", "rows": "right", "from": "left", "to": "left"}
    rows = []
    for entry in good:
        kinds = "+".join(kind.name.lower() + "s" for kind in entry.kinds)
        holds = f"{interval_text(entry.interval_ns)} {kinds}" if entry.interval_ns else kinds
        first = _date(entry.first_ts - entry.interval_ns)
        cells = (entry.path.stem, entry.instrument.symbol, holds, f"{entry.rows:,}", first, _date(entry.last_ts))
        rows.append((*cells, f"{gaps[entry.path][1]:,}"))
    _table({**columns, "missing": "right"}, rows)
    for broken in damaged:
        _say(f"damaged: {broken.reason}")
    _say(f"in {home.directory}")


def render_reports(reports: Sequence[Report]) -> None:
    for report in reports:
        percent = report.completeness
        _say(f"{report.source}{'  ' + report.symbol if report.symbol else ''}")
        _say(f"  {report.rows:,} rows, {_interval_words(report)}, {'+'.join(report.kinds).lower()}")
        if report.rows:
            _say(f"  from {utc_text(report.from_ns)} to {utc_text(report.to_ns)}")
        if percent is not None:
            gaps = (
                f"{report.gaps:,} {_s('gap', report.gaps)}, {_bars(report.missing)} missing"
                if report.gaps
                else "no gaps"
            )
            _say(f"  {percent} % complete, {gaps}; {_bars(report.zero_volume)} without volume")
        else:
            _say(f"  longest silence {report.longest_silence_ns / 1e9:,.3f} s")
        for gap in report.first_gaps:
            span = f"{utc_text(gap.after_ts)} to {utc_text(gap.until_ts)}"
            _say(f"  gap before {line_of(gap.row)}: {_bars(gap.missing)} missing, {span}")
        if report.gaps > len(report.first_gaps):
            _say(f"  and {report.gaps - len(report.first_gaps):,} more gaps")
        for problem in report.problems:
            _say(f"  {problem.kind}: {line_of(problem.row)}: {problem.what}")
        more = sum(report.counts.values()) - len(report.problems)
        if more > 0:
            _say(f"  and {more:,} more: {', '.join(f'{n:,} {kind}' for kind, n in sorted(report.counts.items()))}")
        for note in report.notes:
            _say(f"  note: {note}")
        _say("  ok" if report.ok else "  not ok")
