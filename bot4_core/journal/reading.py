"""Queries of the journal: the list of runs, one run with everything folded from it, its raw records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from attrs import frozen

from ..errors import StoreError
from . import tables as t
from .records import Record, RunInfo
from .rows import EquityRow, FillRow, OrderRow, PositionRow, RiskEventRow, RoundTripRow, Rows

_Row = TypeVar("_Row", bound=msgspec.Struct)

_CHUNK = 10_000


class UnknownRun(StoreError):
    """No run of a sound journal, or more than one, is meant by what somebody wrote."""


class RunRow(msgspec.Struct, kw_only=True, frozen=True):
    """One line of the list of runs. ``summary`` is what the run was finished with, None for an unfinished run."""

    run_id: str
    bot: str
    mode: str
    created_ns: int
    seed: int
    start_equity: int
    reporting_asset: str
    reporting_scale: int
    unguarded: bool
    finished: bool
    result_hash: str | None
    summary: dict[str, Any] | None


@frozen
class EquityCurve:
    """The account over time, columns of equal length: ts in UTC ns, the rest in units of the reporting asset."""

    ts: npt.NDArray[np.int64]
    equity: npt.NDArray[np.int64]
    exposure: npt.NDArray[np.int64]
    buy_hold: npt.NDArray[np.int64]
    peak: npt.NDArray[np.int64]


@frozen(kw_only=True)
class RunRecord:
    """One run as the report needs it; lists in seq order, fields and units as in rows.py."""

    info: RunInfo
    row: RunRow
    orders: tuple[OrderRow, ...]
    fills: tuple[FillRow, ...]
    round_trips: tuple[RoundTripRow, ...]
    risk_events: tuple[RiskEventRow, ...]
    positions: tuple[PositionRow, ...]
    equity: EquityCurve

    @property
    def summary(self) -> dict[str, Any]:
        """What the run was finished with; empty for an unfinished run."""
        return self.row.summary or {}

    @property
    def denials(self) -> tuple[RiskEventRow, ...]:
        """One row per failed rule of each denied order."""
        return tuple(event for event in self.risk_events if event.action == "denied")


@frozen
class StoredRun:
    """A run as a writer finds it: its key in the database, who ran, and whether it has ended."""

    key: int
    info: RunInfo
    finished: bool


_RUN_COLUMNS = tuple(t.runs.c[field] for field in RunRow.__struct_fields__)
_EQUITY_COLUMNS = (
    t.equity.c.ts,
    t.equity.c.equity_units,
    t.equity.c.exposure_units,
    t.equity.c.buy_hold_units,
    t.equity.c.peak_units,
)


def list_runs(connection: sa.Connection) -> list[RunRow]:
    """Every run, newest first."""
    query = sa.select(*_RUN_COLUMNS).order_by(t.runs.c.created_ns.desc(), t.runs.c.id.desc())
    return [_run_row(row) for row in connection.execute(query).mappings()]


def find_run(connection: sa.Connection, run: str) -> tuple[int, RunRow]:
    """Key and row of a run.

    Args:
        connection: of the journal.
        run: a run id, the beginning of one that no other run shares, or ``latest``.

    Raises:
        UnknownRun: no such run, or several.
        StoreError: the latest of none.
    """
    query = sa.select(t.runs.c.id, *_RUN_COLUMNS)
    newest = query.order_by(t.runs.c.created_ns.desc(), t.runs.c.id.desc())
    if run == "latest":
        found = connection.execute(newest.limit(1)).mappings().all()
    else:
        found = connection.execute(query.where(t.runs.c.run_id == run)).mappings().all()
        if not found and run:
            begins = sa.func.substr(t.runs.c.run_id, 1, len(run)) == run
            found = connection.execute(newest.where(begins).limit(4)).mappings().all()
    if not found and run == "latest":
        raise StoreError("the journal holds no run yet")
    if not found:
        raise UnknownRun(f"no run {run!r}: see bot4 runs")
    if len(found) > 1:
        names = ", ".join(row["run_id"] for row in found[:3]) + (", ..." if len(found) > 3 else "")
        raise UnknownRun(f"several runs begin with {run!r}: {names}; write more of the id")
    return int(found[0]["id"]), _run_row(found[0])


def unfinished_runs(connection: sa.Connection, bot: str) -> list[RunRow]:
    """Paper and live runs of a bot without an end, oldest first."""
    is_open = t.runs.c.finished == sa.literal(False, t.YesNo())
    mine = (t.runs.c.bot == bot) & is_open & t.runs.c.mode.in_(("paper", "live"))
    query = sa.select(*_RUN_COLUMNS).where(mine).order_by(t.runs.c.created_ns, t.runs.c.id)
    return [_run_row(row) for row in connection.execute(query).mappings()]


def stored_run(connection: sa.Connection, run_id: str) -> StoredRun:
    """The run of exactly this id; StoreError when there is none."""
    found = connection.execute(sa.select(t.runs.c.id, t.runs.c.finished).where(t.runs.c.run_id == run_id)).first()
    if found is None:
        raise StoreError(f"no run {run_id!r}: see bot4 runs")
    return StoredRun(int(found.id), read_info(connection, int(found.id)), bool(found.finished))


def last_seq(connection: sa.Connection, run_id: str) -> int | None:
    """Seq of the newest record of the run of exactly this id; None without such a run."""
    newest = sa.select(sa.func.max(t.events.c.seq)).where(t.events.c.run == _key_of(run_id)).scalar_subquery()
    return connection.execute(sa.select(newest)).scalar()


def read_after(connection: sa.Connection, run_id: str, seq: int, limit: int) -> list[Record]:
    """Records of exactly this run id behind ``seq``, at most ``limit``, in seq order."""
    behind = (t.events.c.run == _key_of(run_id)) & (t.events.c.seq > seq)
    query = sa.select(t.events).where(behind).order_by(t.events.c.seq).limit(limit)
    return [
        Record(seq, ts, instrument, kind, flags, (v0, v1, v2, v3, v4, v5), blob)
        for _run, seq, ts, instrument, kind, flags, v0, v1, v2, v3, v4, v5, blob in connection.execute(query)
    ]


def _key_of(run_id: str) -> sa.ScalarSelect[int]:
    return sa.select(t.runs.c.id).where(t.runs.c.run_id == run_id).scalar_subquery()


def read_run(connection: sa.Connection, run: str) -> RunRecord:
    """One run, everything of it; ``run`` and errors as in :func:`find_run`."""
    key, row = find_run(connection, run)
    query = sa.select(*_EQUITY_COLUMNS).where(t.equity.c.run == key).order_by(t.equity.c.seq)
    found = [tuple(sample) for sample in connection.execute(query)]
    samples = np.array(found, dtype=np.int64).reshape(-1, len(_EQUITY_COLUMNS))
    return RunRecord(
        info=read_info(connection, key),
        row=row,
        orders=tuple(_read(connection, t.orders, OrderRow, key)),
        fills=tuple(_read(connection, t.fills, FillRow, key)),
        round_trips=tuple(_read(connection, t.round_trips, RoundTripRow, key)),
        risk_events=tuple(_read(connection, t.risk_events, RiskEventRow, key)),
        positions=tuple(_read(connection, t.positions, PositionRow, key)),
        equity=EquityCurve(*(np.ascontiguousarray(column) for column in samples.T)),
    )


def read_rows(connection: sa.Connection, key: int) -> Rows:
    """The projections of a run as the fold yields them."""
    return Rows(
        orders=_read(connection, t.orders, OrderRow, key),
        fills=_read(connection, t.fills, FillRow, key),
        positions=_read(connection, t.positions, PositionRow, key),
        round_trips=_read(connection, t.round_trips, RoundTripRow, key),
        risk_events=_read(connection, t.risk_events, RiskEventRow, key),
        equity=_read(connection, t.equity, EquityRow, key),
    )


def read_info(connection: sa.Connection, key: int) -> RunInfo:
    """The RunInfo in a run's first record; StoreError when it is not there."""
    first = next(read_records(connection, key, limit=1), None)
    if first is None or first.blob is None:
        raise StoreError("the run has no first record: the journal is damaged, restore it from a backup")
    return RunInfo.from_blob(msgspec.json.decode(first.blob))


def read_records(connection: sa.Connection, key: int, *, limit: int | None = None) -> Iterator[Record]:
    """A run's records in seq order, a chunk in memory at a time."""
    query = sa.select(t.events).where(t.events.c.run == key).order_by(t.events.c.seq).limit(limit)
    with connection.execution_options(yield_per=_CHUNK).execute(query) as result:
        for _run, seq, ts, instrument, kind, flags, v0, v1, v2, v3, v4, v5, blob in result:
            yield Record(seq, ts, instrument, kind, flags, (v0, v1, v2, v3, v4, v5), blob)


def count_denials(connection: sa.Connection, key: int) -> dict[str, int]:
    """How often each rule failed, most often first, then by name."""
    count = sa.func.count()
    rule = t.risk_events.c.rule
    mine = (t.risk_events.c.run == key) & (t.risk_events.c.action == "denied")
    query = sa.select(rule, count).where(mine).group_by(rule).order_by(count.desc(), rule)
    return {str(name): int(times) for name, times in connection.execute(query)}


def _read(connection: sa.Connection, table: sa.Table, kind: type[_Row], key: int) -> list[_Row]:
    columns = [table.c[name] for name in kind.__struct_fields__]
    query = sa.select(*columns).where(table.c.run == key).order_by(*_order(table))
    fields = kind.__struct_fields__
    return [kind(**dict(zip(fields, row, strict=True))) for row in connection.execute(query)]


def _order(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """By seq where rows have one that never changes; positions, whose seq moves, by their key."""
    if table is t.positions:
        return [table.c.exchange, table.c.instrument]
    return [table.c.seq, table.c.n] if table is t.risk_events else [table.c.seq]


def _run_row(row: sa.RowMapping) -> RunRow:
    values = {field: row[field] for field in RunRow.__struct_fields__}
    values["summary"] = None if values["summary"] is None else msgspec.json.decode(values["summary"])
    return RunRow(**values)
