"""The list of runs: what each came to, with a small equity curve, without loading a whole run."""

from __future__ import annotations

from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from attrs import frozen
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
from .summary import UNFINISHED, Summary, read_summary
from .terminal import add_row, print_plainly

#: Points of the small curve, and the most runs of one list.
SPARK_POINTS = 24
MAX_RUNS = 1000


@frozen
class RecentRun:
    """One line of the list.

    Args:
        row: the run as the journal lists it.
        summary: the engine's account of it, None for a run that never ended.
        spark: about :data:`SPARK_POINTS` equity samples over the run, units.
    """

    row: RunRow
    summary: Summary | None
    spark: tuple[int, ...]

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
        """How it ended."""
        return UNFINISHED if self.summary is None else self.summary.reason


def recent_runs(store: Store, limit: int) -> list[RecentRun]:
    """The newest runs, newest first.

    Args:
        store: the open journal.
        limit: most runs, 1 to :data:`MAX_RUNS`.
    """
    rows = store.runs()[: min(limit, MAX_RUNS)]
    sparks = _sparks(store, [row.run_id for row in rows])
    return [RecentRun(row, read_summary(row.summary), sparks.get(row.run_id, ())) for row in rows]


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
    """Prints the list as a table."""
    if not runs:
        print_plainly(console, Text("no run yet: try bot4 demo"))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("run", "bot", "mode", "started"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "started")
    table.add_column("equity", no_wrap=True)
    table.add_column("return", justify="right", no_wrap=True)
    table.add_column("drawdown", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for run in runs:
        gain = run.net_pnl or Decimal(0)
        tone = "green" if gain > 0 else "red" if gain < 0 else ""
        worst = run.summary.max_drawdown if run.summary else None
        add_row(
            table,
            Text(w.printable(run.row.run_id, 40), style="bold"),
            Text(w.printable(run.row.bot, 24)),
            run.row.mode,
            w.short_clock(run.row.created_ns, zone),
            Text(sparkline(run.spark, 12), style="cyan"),
            Text(w.percent(run.net_return, sign=True), style=tone),
            w.percent(worst),
            Text("" if run.reason == "finished" else w.printable(run.reason.partition(":")[0], 30), style="yellow"),
        )
    print_plainly(console, table)
