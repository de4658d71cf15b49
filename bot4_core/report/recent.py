"""The list of runs: what each came to, with a small equity curve, without loading a whole run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa
from attrs import frozen
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..domain.money import from_units
from ..journal import tables as t
from ..journal.database import connect, one_line
from ..journal.reading import RunRow
from ..journal.store import Store
from . import wording as w
from .blocks import sparkline
from .summary import RUNNING, UNFINISHED, Summary, read_summary
from .terminal import add_row, print_plainly

#: Points of the small curve, and the most runs of one list.
SPARK_POINTS = 24
MAX_RUNS = 1000

_GAP = 2
_BOT_LEAST = 8
#: What a narrow terminal does without, first things first: the run id begins with the time, and the report has it all.
_DROPPED = ("started", "equity", "mode", "drawdown", "bot", "return", "")
_RIGHT = frozenset({"return", "drawdown"})


@frozen
class RecentRun:
    """One line of the list.

    Args:
        row: the run as the journal lists it.
        summary: the engine's account of it, None for a run that never ended.
        spark: about :data:`SPARK_POINTS` equity samples over the run, units.
        running: whether a run without an end goes on now.
    """

    row: RunRow
    summary: Summary | None
    spark: tuple[int, ...]
    running: bool = False

    @property
    def end_equity(self) -> Decimal | None:
        """Equity at the end, or at the last sample of a run that never ended."""
        if self.summary is not None and self.summary.end_equity is not None:
            return self.summary.end_equity
        return from_units(self.spark[-1], self.row.reporting_scale) if self.spark else None

    @property
    def net_pnl(self) -> Decimal | None:
        """End less start."""
        start = from_units(self.row.start_equity, self.row.reporting_scale)
        return None if self.end_equity is None else self.end_equity - start

    @property
    def net_return(self) -> float | None:
        """Profit over the starting equity."""
        if self.net_pnl is None or self.row.start_equity <= 0:
            return None
        return float(self.net_pnl / from_units(self.row.start_equity, self.row.reporting_scale))

    @property
    def reason(self) -> str:
        """How it ended, or that it goes on."""
        if self.summary is not None:
            return self.summary.reason
        return RUNNING if self.running else UNFINISHED


def recent_runs(
    store: Store, limit: int, in_progress: Callable[[Iterable[str]], Collection[str]] = lambda bots: ()
) -> list[RecentRun]:
    """The newest runs, newest first.

    Args:
        store: the open journal.
        limit: most runs, 1 to :data:`MAX_RUNS`.
        in_progress: from names of bots to the ids of the runs that they are at; asked of bots with a run without end.
    """
    rows = store.runs()[: min(limit, MAX_RUNS)]
    sparks = _sparks(store, [row.run_id for row in rows])
    running = in_progress({row.bot for row in rows if not row.finished})
    return [
        RecentRun(
            row,
            read_summary(row.summary),
            sparks.get(row.run_id, ()),
            running=not row.finished and row.run_id in running,
        )
        for row in rows
    ]


def _sparks(store: Store, run_ids: list[str]) -> dict[str, tuple[int, ...]]:
    """Every n-th equity sample and the last one of each run, picked by the database."""
    place = sa.func.row_number().over(partition_by=t.equity.c.run, order_by=t.equity.c.seq)
    total = sa.func.count().over(partition_by=t.equity.c.run)
    wanted = sa.select(t.runs.c.id, t.runs.c.run_id).where(t.runs.c.run_id.in_(run_ids)).subquery()
    inner = (
        sa.select(wanted.c.run_id, t.equity.c.seq, t.equity.c.equity_units, place.label("place"), total.label("total"))
        .join(wanted, wanted.c.id == t.equity.c.run)
        .subquery()
    )
    step = sa.case((inner.c.total > SPARK_POINTS, inner.c.total / SPARK_POINTS), else_=1)
    picked = (inner.c.place % sa.cast(step, sa.Integer) == 0) | (inner.c.place == inner.c.total)
    query = sa.select(inner.c.run_id, inner.c.equity_units).where(picked).order_by(inner.c.run_id, inner.c.seq)
    engine = connect(store.url, "read")
    sparks: dict[str, list[int]] = {}
    try:
        with one_line(store.url, "reading equity curves"), engine.connect() as connection:
            for run_id, units in connection.execute(query):
                sparks.setdefault(run_id, []).append(int(units))
    finally:
        engine.dispose()
    return {run_id: tuple(units) for run_id, units in sparks.items()}


def runs_as_json(runs: list[RecentRun]) -> dict[str, Any]:
    """The list for machines: amounts as text, times as UTC ns."""
    return {
        "runs": [
            {
                "run_id": run.row.run_id,
                "bot": run.row.bot,
                "mode": run.row.mode,
                "created_ns": run.row.created_ns,
                "finished": run.row.finished,
                "reason": run.reason,
                "asset": run.row.reporting_asset,
                "start_equity": from_units(run.row.start_equity, run.row.reporting_scale),
                "end_equity": run.end_equity,
                "net_pnl": run.net_pnl,
                "max_drawdown": run.summary.max_drawdown if run.summary else None,
                "result_hash": run.row.result_hash,
            }
            for run in runs
        ]
    }


def render_runs(runs: list[RecentRun], console: Console, zone: tzinfo = UTC) -> None:
    """Prints the list as a table; a narrow terminal gets fewer columns, and every run id on one line in any case."""
    if not runs:
        print_plainly(console, Text("no run yet: try bot4 demo"))
        return
    rows = [_cells(run, zone) for run in runs]
    widths = {name: max(cell_len(name), *(cell_len(row[name].plain) for row in rows)) for name in rows[0]}
    widths = _fitting(widths, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for name, width in widths.items():
        justify: Literal["left", "right"] = "right" if name in _RIGHT else "left"
        table.add_column(name, justify=justify, width=width, no_wrap=True, overflow="ellipsis")
    for row in rows:
        add_row(table, *(row[name] for name in widths))
    print_plainly(console, table, max(console.width, _total(widths)))


def _cells(run: RecentRun, zone: tzinfo) -> Mapping[str, Text]:
    gain = run.net_pnl or Decimal(0)
    tone = "green" if gain > 0 else "red" if gain < 0 else ""
    worst = run.summary.max_drawdown if run.summary else None
    ended = "" if run.reason == "finished" else w.printable(run.reason.partition(":")[0], 30)
    return {
        "run": Text(w.printable(run.row.run_id, len(run.row.run_id)), style="bold"),
        "bot": Text(w.printable(run.row.bot, 24)),
        "mode": Text(run.row.mode),
        "started": Text(w.short_clock(run.row.created_ns, zone)),
        "equity": Text(sparkline(run.spark, 12), style="cyan"),
        "return": Text(w.percent(run.net_return, sign=True), style=tone),
        "drawdown": Text(w.percent(worst)),
        "": Text(ended, style="green" if run.running else "yellow"),
    }


def _fitting(widths: Mapping[str, int], room: int) -> dict[str, int]:
    """Columns that fit: :data:`_DROPPED` go in their order; from "equity" on a bot's name is cut first if that does."""
    kept = dict(widths)
    for name in _DROPPED:
        over = _total(kept) - room
        if over <= 0:
            break
        if "equity" not in kept and "bot" in kept and kept["bot"] - over >= _BOT_LEAST:
            kept["bot"] -= over
            break
        del kept[name]
    return kept


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)
