"""What the page draws: the curves, the months and the histogram, as paths and labels for the template."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import Any

import numpy as np
from attrs import frozen

from . import wording as w
from .charts import Scale, Tick, area_path, histogram, line_path, nice_steps, rug_path, scale_of, time_ticks
from .figures import places_of
from .metrics import Floats, Ints, Month, thin
from .model import Report
from .trades import Trade

#: Points per curve: more than the page has pixels.
MAX_POINTS = 2400
#: Strokes of the strip of trades; beyond, neighbours cover each other anyway.
_MAX_STROKES = 4000
_Y_LABELS = 5
_X_LABELS = 8
#: Equity is drawn on one scale with buy-and-hold at first when it fills at least this part of it.
_JOINT_FROM = 0.25


@frozen
class Path:
    """One path and its class in the style sheet."""

    kind: str
    d: str


@frozen
class Chart:
    """One chart: its class, its description for those who cannot see it, labels, areas below lines."""

    kind: str
    label: str
    ticks: list[Tick]
    areas: list[Path]
    lines: list[Path]


def _points(report: Report) -> Ints:
    curve = report.curve
    series: list[Ints | Floats] = [curve.equity, curve.drawdown, curve.exposure]
    if len(curve.hold):
        series.append(curve.hold)
    return thin(len(curve.ts), MAX_POINTS, *series)


def curve_charts(report: Report, zone: tzinfo) -> dict[str, Any] | None:
    """The charts over time; None with fewer than two samples at two times."""
    curve = report.curve
    if len(curve.ts) < 2 or curve.ts[0] == curve.ts[-1]:
        return None
    at = _points(report)
    ts = curve.ts[at]
    unit = 10**report.info.reporting_scale
    equity = curve.equity[at] / unit
    first, last = int(ts[0]), int(ts[-1])
    alone = scale_of(equity)
    charts: dict[str, Any] = {
        "equity": _money_chart("main alone", "equity over time", alone, ts, equity, None),
        "joint": None,
        "joint_first": False,
        "drawdown": _ratio_chart("drawdown", ts, -curve.drawdown[at], Scale(-_room(curve.drawdown), 0.0)),
        "exposure": _ratio_chart("exposure", ts, curve.exposure[at], Scale(0.0, _room(curve.exposure))),
        "times": time_ticks(first, last, _X_LABELS, zone),
        "rug": _rug(report.trades, first, last),
    }
    if len(curve.hold):
        hold = curve.hold[at] / unit
        joint = scale_of(equity, hold)
        charts["joint"] = _money_chart("main joint", "equity and buy and hold over time", joint, ts, equity, hold)
        charts["joint_first"] = np.ptp(equity) >= _JOINT_FROM * (joint.high - joint.low)
    return charts


def _room(values: Floats) -> float:
    most = float(values.max())
    return most * 1.05 if most > 0 else 0.01


def _money_chart(kind: str, label: str, scale: Scale, ts: Ints, equity: Floats, hold: Floats | None) -> Chart:
    steps = nice_steps(scale, _Y_LABELS)
    ticks = [Tick(scale.place(v), _short(v, steps)) for v in steps]
    lines = [Path("hold", line_path(ts, hold, scale))] if hold is not None else []
    lines.append(Path("equity", line_path(ts, equity, scale)))
    areas = [] if hold is not None else [Path("fill equity", area_path(ts, equity, scale))]
    return Chart(kind, label, ticks, areas, lines)


def _ratio_chart(name: str, ts: Ints, values: Floats, scale: Scale) -> Chart:
    steps = nice_steps(scale, 3)
    gap = abs(steps[1] - steps[0]) * 100 if len(steps) > 1 else 1.0
    places = next((p for p in range(6) if round(gap, p) == round(gap, 10)), 6)
    ticks = [Tick(scale.place(v), w.percent(v, places=places)) for v in steps]
    return Chart(
        "small",
        f"{name} over time",
        ticks,
        [Path(f"fill {name}", area_path(ts, values, scale))],
        [Path(name, line_path(ts, values, scale))],
    )


def _short(value: float, steps: Sequence[float]) -> str:
    """An axis label that is as exact as the distance of its neighbours wants."""
    gap = Decimal(str(abs(steps[1] - steps[0]))) if len(steps) > 1 else Decimal(1)
    for size, letter in ((Decimal(10) ** 12, "T"), (Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M")):
        if abs(value) >= size:
            places = max(0, -(gap / size).adjusted())
            return f"{w.amount(Decimal(repr(value)) / size, places)}{letter}"
    return w.amount(Decimal(repr(value)), max(0, -gap.adjusted()))


def _rug(trades: Sequence[Trade], first: int, last: int) -> dict[str, str] | None:
    if not trades:
        return None
    shown = [t for t in trades if first <= t.exit_ts <= last][-_MAX_STROKES:]
    return {
        "gains": rug_path([t.exit_ts for t in shown if t.pnl > 0], first, last),
        "losses": rug_path([t.exit_ts for t in shown if t.pnl < 0], first, last),
    }


def hover_data(report: Report, zone: tzinfo) -> dict[str, list[Any]]:
    """What the page says under the pointer, as text; ``x`` in per mille of the plot."""
    curve = report.curve
    at = _points(report)
    span = int(curve.ts[-1] - curve.ts[0]) if len(curve.ts) else 0
    if not span:
        return {"x": [], "time": [], "equity": [], "hold": [], "drawdown": [], "exposure": []}
    places, scale = places_of(report), report.info.reporting_scale

    def money(units: Ints) -> list[str]:
        return [w.amount(Decimal(int(u)).scaleb(-scale), places) for u in units]

    return {
        "x": [round(1000 * int(t - curve.ts[0]) / span, 2) for t in curve.ts[at]],
        "time": [w.clock(int(t), zone) for t in curve.ts[at]],
        "equity": money(curve.equity[at]),
        "hold": money(curve.hold[at]) if len(curve.hold) else [],
        "drawdown": [w.percent(float(v)) for v in curve.drawdown[at]],
        "exposure": [w.percent(float(v)) for v in curve.exposure[at]],
    }


def month_table(months: Sequence[Month]) -> list[dict[str, Any]]:
    """One row per year: twelve cells with their shade, and the year's compound return."""
    most = max((abs(m.value) for m in months), default=0.0)
    rows = []
    for year in sorted({m.year for m in months}):
        own = {m.month: m.value for m in months if m.year == year}
        total = float(np.prod([1 + v for v in own.values()])) - 1
        cells = [_month_cell(own.get(month), most) for month in range(1, 13)]
        rows.append({"name": year, "cells": cells, "total": w.percent(total, sign=True), "tone": _sign(total)})
    return rows


def _month_cell(value: float | None, most: float) -> dict[str, str]:
    if value is None:
        return {"text": "", "heat": ""}
    shade = min(int(4 * abs(value) / most) + 1, 4) if most and value else 0
    heat = f"{'p' if value > 0 else 'm'}{shade}" if shade else ""
    return {"text": w.percent(value, sign=True), "heat": heat}


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def trade_histogram(trades: Sequence[Trade]) -> dict[str, Any] | None:
    """How many trades ended with which return; None without trades."""
    bins = histogram([float(t.result) for t in trades])
    if not bins:
        return None
    tallest = max(b.count for b in bins)
    scale = Scale(0.0, float(tallest))
    step = bins[0].high - bins[0].low
    places = next((p for p in range(8) if abs(round(step * 100, p) - step * 100) < 1e-9), 8)
    every = max(1, -(-len(bins) // 6))
    edges = [
        Tick(b.left, w.percent(b.low, places=places)) for k, b in enumerate(bins) if round(b.low / step) % every == 0
    ]
    whole = [v for v in nice_steps(scale, 4) if v == int(v)]
    return {
        "step": w.percent(step, places=places),
        "ticks": [Tick(scale.place(v), w.count(int(v))) for v in whole],
        "edges": edges,
        "bins": [
            {
                "left": b.left,
                "width": b.width,
                "top": b.top,
                "height": b.height,
                "gain": b.gain,
                "text": f"{w.percent(b.low, places=places)} to {w.percent(b.high, places=places)}: {w.count(b.count)}",
            }
            for b in bins
        ],
    }
