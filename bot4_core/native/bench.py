"""What the native structures cost here, each beside a baseline of the same run, for ``bot4 bench`` (CLI.md).

Only the ratios travel between machines. Each figure is taken over many short chunks; a chunk's time divided by its
operations is one sample, so a percentile is one of chunk averages, and single slow calls inside a chunk are smoothed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, Final, TypedDict

import numpy as np
import numpy.typing as npt

from ._native import ffi, lib
from .counters import Counters
from .histogram import Histogram
from .latch import Latch
from .spsc import Spsc
from .status import check
from .valuation import Valuation


class Row(TypedDict):
    """One figure: ``row`` of SPEC.md, ``where`` "c" or "python", times in ``unit`` per operation."""

    row: str
    name: str
    where: str
    unit: str
    median: float
    p50: float
    p99: float
    p999: float
    n: int
    baseline: str
    ratio: float


_OPS_C: Final = 1000
_BATCH: Final = 256
_RECORD: Final = np.dtype([("ts", "<i8"), ("instrument", "<u4"), ("kind", "<u2"), ("flags", "<u2"), ("v", "<i8", (6,))])

#: SPEC row, name, case of bench.h; the first is the baseline of the others.
_IN_C: Final[tuple[tuple[str, str, int], ...]] = (
    ("R-06", "atomic fetch_add, uncontended", lib.B4_BENCH_FETCH_ADD),
    ("R-03", "ring push and pop", lib.B4_BENCH_SPSC),
    ("R-03", "ring push and pop, drop-oldest", lib.B4_BENCH_SPSC_DROP),
    ("R-09", "histogram record", lib.B4_BENCH_HISTOGRAM),
    ("R-44", "kill latch read", lib.B4_BENCH_LATCH),
    ("R-43", "valuation mark and step", lib.B4_BENCH_VALUATION),
    ("R-06", "counter add", lib.B4_BENCH_COUNTER),
)


def _row(row: str, name: str, where: str, ns: npt.NDArray[np.float64], n: int, base: tuple[str, float] | None) -> Row:
    p50, p99, p999 = (float(np.percentile(ns, p)) for p in (50, 99, 99.9))
    baseline, against = base or (name, p50)
    return Row(
        row=row,
        name=name,
        where=where,
        unit="ns",
        median=p50,
        p50=p50,
        p99=p99,
        p999=p999,
        n=n,
        baseline=baseline,
        ratio=p50 / against if against else 0.0,
    )


def _in_c(chunks: int) -> list[Row]:
    rows: list[Row] = []
    took = np.zeros(chunks, np.int64)
    out = ffi.cast("int64_t *", ffi.from_buffer(took))
    for row, name, case in _IN_C:
        check(lib.b4_bulk_bench_run(case, _OPS_C, out, chunks), f"bench: {name}")
        base = (rows[0]["name"], rows[0]["median"]) if rows else None
        rows.append(_row(row, name, "c", took / _OPS_C, chunks * _OPS_C, base))
    return rows


#: Runs its operation the given number of times.
Loop = Callable[[int], None]


def _calling(function: Callable[..., Any], *args: Any) -> Loop:
    def loop(n: int) -> None:
        for _ in range(n):
            function(*args)

    return loop


def _deque(n: int) -> None:
    queue: deque[int] = deque()
    push, pop = queue.append, queue.popleft
    for k in range(n):
        push(k)
        pop()


def _batches(ring: Spsc) -> Loop:
    events, out = np.zeros(_BATCH, _RECORD), np.zeros(_BATCH, _RECORD)

    def loop(n: int) -> None:
        for _ in range(n // _BATCH):
            ring.push_batch(events)
            ring.pop_batch(out)

    return loop


def _marks() -> Loop:
    valuation = Valuation(1, sample_ns=60 * 10**9, cash_mul=1000)
    valuation.set_cash(10**9)
    valuation.set_position(0, 1000, 1)
    events = np.zeros(1, _RECORD)
    events["ts"], events["kind"], events["v"] = 1, lib.B4_KIND_TRADE, 100
    return _calling(valuation.mark_events, ffi.from_buffer(events), 1)


def _python_cases() -> Sequence[tuple[str, str, Loop]]:
    latch = Latch.memory()
    ring, event = Spsc(1024), ffi.new("b4_event *")
    push, pop, cdata = lib.b4_spsc_push, lib.b4_spsc_pop, ring.cdata

    def one_by_one(n: int, alive: Spsc = ring) -> None:  # the pointer alone would not keep the ring's memory
        for _ in range(n):
            push(cdata, event)
            pop(cdata, event)

    return (
        ("R-06", "empty native call, two integers", _calling(lib.b4_bench_nothing, 1, 2)),
        ("R-03", "deque append and popleft", _deque),
        ("R-03", "ring push and pop, one by one", one_by_one),
        ("R-03", f"ring push and pop, per record of a batch of {_BATCH}", _batches(Spsc(1024))),
        ("R-09", "histogram record", _calling(Histogram().record, 1000)),
        ("R-44", "kill latch read", _calling(lambda: latch.mode)),
        ("R-43", "valuation mark and step", _marks()),
        ("R-06", "counter add", _calling(Counters(("n",)).add, 0)),
    )


def _in_python(chunks: int, ops: int) -> list[Row]:
    cases = _python_cases()
    took = np.zeros((chunks, len(cases)))
    for chunk in range(chunks):  # interleaved, so that a slow moment of the machine hits every case
        for case, (_, _, loop) in enumerate(cases):
            start = perf_counter_ns()
            loop(ops)
            took[chunk, case] = (perf_counter_ns() - start) / ops
    rows: list[Row] = []
    for case, (row, name, _) in enumerate(cases):
        against = rows[1 if row == "R-03" and len(rows) > 1 else 0] if rows else None
        base = (against["name"], against["median"]) if against else None
        rows.append(_row(row, name, "python", took[:, case], chunks * ops, base))
    return rows


def run(*, chunks: int = 400) -> list[Row]:
    """Measures everything once; about a second.

    Args:
        chunks: samples per figure.

    Returns:
        Rows as ``bot4 bench --json`` prints them. In C the baseline is an uncontended atomic addition; from Python
        an empty native call, and a ``deque`` for the ring.
    """
    return _in_c(chunks) + _in_python(chunks, 4 * _BATCH)
