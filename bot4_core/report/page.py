"""The report as one HTML file: charts inside, nothing loaded from anywhere, every foreign text escaped.

The page's own style and script are allowed by their hashes in its content security policy; an injected script, style
or image would be refused by the browser even if the escaping failed.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, tzinfo
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from . import wording as w
from .figures import (
    annualisation,
    costs,
    key_figures,
    missing,
    open_title,
    period,
    places_of,
    rules_in_force,
    sign_of,
    versions,
)
from .files import write_text
from .model import NO_END, Report
from .page_charts import curve_charts, hover_data, month_table, trade_histogram
from .trades import Trade

#: Rows of the trades table; a page with more is slow to open. The CSV has them all.
MAX_TRADES = 2000
_MAX_TEXT = 200
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: Heading, and whether the column is of numbers.
_TRADE_COLUMNS = (
    ("#", True),
    ("instrument", False),
    ("side", False),
    ("entry", False),
    ("exit", False),
    ("held", True),
    ("quantity", True),
    ("from", True),
    ("to", True),
    ("fees", True),
    ("P&L", True),
    ("return", True),
    ("by", False),
    ("tag", False),
)


def write_html(report: Report, path: Path, zone: tzinfo = UTC) -> None:
    """Writes the page; the file appears whole or not at all.

    Args:
        report: from ``model.build``.
        path: the file to make or replace.
        zone: of the times shown.

    Raises:
        ConfigError: the path cannot be written.
    """
    write_text(path, [render_html(report, zone)])


def render_html(report: Report, zone: tzinfo = UTC) -> str:
    """The page as text."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_asset("template.html"))
    return template.render(policy=policy, style=style, script=script, **_view(report, zone))


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _view(report: Report, zone: tzinfo) -> dict[str, Any]:
    info = report.info
    return {
        "bot": _clean(info.bot),
        "mode": info.mode,
        "ended": "" if report.reason == "finished" else _clean(report.reason),
        "unguarded": info.unguarded,
        "period": period(report, zone, "to"),
        "open_title": open_title(report),
        "symbols": [_clean(row.symbol) for row in report.instruments],
        "run_id": _clean(info.run_id),
        "asset": _clean(report.asset),
        "zone": w.zone_name(zone),
        "samples": w.counted(len(report.curve.ts), "equity sample"),
        "tiles": _tiles(report),
        "charts": curve_charts(report, zone),
        "data": hover_data(report, zone),
        "blocks": key_figures(report, zone),
        "missing": missing(report),
        "month_names": _MONTHS,
        "months": month_table(report.months),
        "histogram": trade_histogram(report.trades),
        "denials": _denials(report, zone),
        "denied_line": f"{w.count(report.denied_orders)} of {w.counted(report.denied_orders + report.orders, 'order')}",
        "halts": [
            {"at": w.clock(h.ts, zone)} | {n: _clean(getattr(h, n)) for n in ("mode", "rule", "measured", "limit")}
            for h in report.halts
        ],
        "instruments": _instruments(report),
        "positions": _positions(report),
        "trade_columns": _TRADE_COLUMNS,
        "trades": [_trade(trade, places_of(report), zone) for trade in report.trades[-MAX_TRADES:]],
        "trades_line": _trades_line(len(report.trades), info.run_id),
        "costs": costs(report),
        "measured": annualisation(report),
        "rules": _clean_pairs(rules_in_force(report)),
        "limits": _clean_pairs(list(info.limits.items())),
        "versions": _clean_pairs(list(versions(report))),
        "run": _clean_pairs(_run(report)),
        "config": info.config,
    }


def _clean(text: str) -> str:
    return w.printable(text, _MAX_TEXT)


def _clean_pairs(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(_clean(name), w.printable(text, 1000)) for name, text in rows]


def _tiles(report: Report) -> list[dict[str, Any]]:
    places, stats = places_of(report), report.stats
    returns = w.counted(len(report.ratios.returns.values), "return")
    tone = sign_of(report.net_pnl)
    hold = f"buy and hold {w.percent(report.hold.net_return.value, sign=True)}" if report.hold else ""
    water = f"under water {w.percent(report.water.share, places=0)} of the time" if report.water else ""
    return [
        {
            "name": "net P&L",
            "text": "n/a" if report.net_pnl is None else w.amount(report.net_pnl, places, sign=True),
            "tone": tone,
            "note": f"{_clean(report.asset)}, after fees" if report.whole else NO_END,
        },
        {"name": "return", "text": w.percent(report.net_return.value, sign=True), "tone": tone, "note": hold},
        {"name": "max drawdown", "text": w.percent(report.max_drawdown), "tone": 0, "note": water},
        {
            "name": "Sharpe",
            "text": "n/a" if report.ratios.sharpe.value is None else w.ratio(report.ratios.sharpe.value),
            "tone": 0,
            "note": report.ratios.sharpe.note or f"{returns}, 365-day year",
        },
        {
            "name": "trades",
            "text": w.count(stats.count),
            "tone": 0,
            "note": "none closed" if stats.win_rate.value is None else f"{w.percent(stats.win_rate.value)} won",
        },
        {
            "name": "fees",
            "text": "n/a" if report.fee_total is None else w.amount(report.fee_total, places),
            "tone": 0,
            "note": w.counted(report.fills, "fill"),
        },
    ]


def _denials(report: Report, zone: tzinfo) -> list[dict[str, Any]]:
    most = max((d.count for d in report.denials), default=1)
    return [
        {
            "rule": _clean(d.rule),
            "count": w.count(d.count),
            "share": f"{100 * d.count / most:.2f}",
            "measured": _clean(f"{d.measured} {d.unit}".strip()),
            "limit": _clean(d.limit),
            "symbol": _clean(d.symbol),
            "at": w.clock(d.ts, zone),
        }
        for d in report.denials
    ]


def _instruments(report: Report) -> list[dict[str, Any]]:
    places = places_of(report)
    return [
        {
            "symbol": _clean(row.symbol),
            "orders": w.count(row.orders),
            "denied": w.count(row.denied),
            "fills": w.count(row.fills),
            "trades": w.count(row.trades),
            "win_rate": "—" if row.win_rate.value is None else w.percent(row.win_rate.value, places=1),
            "pnl": w.amount(row.pnl, places, sign=True),
            "tone": (row.pnl > 0) - (row.pnl < 0),
            "fees": w.amount(row.fees, places),
            "traded": w.amount(row.traded, places),
        }
        for row in report.instruments
    ]


def _positions(report: Report) -> list[dict[str, Any]]:
    rows = []
    for p in report.positions:
        gain = Decimal(0) if p.unrealised is None else p.unrealised
        rows.append(
            {
                "symbol": _clean(p.symbol),
                "quantity": w.significant(p.quantity),
                "entry": w.significant(p.average_entry),
                "mark": w.significant(p.mark),
                "unrealised": "—" if p.unrealised is None else w.amount(gain, places_of(report), sign=True),
                "tone": (gain > 0) - (gain < 0),
            }
        )
    return rows


def _trades_line(count: int, run_id: str) -> str:
    if count <= MAX_TRADES:
        return w.count(count)
    return (
        f"the last {w.count(MAX_TRADES)} of {w.count(count)}; bot4 report {_clean(run_id)} --csv FILE writes them all"
    )


def _trade(trade: Trade, places: int, zone: tzinfo) -> dict[str, Any]:
    """One row; ``_v`` is what the column is sorted by."""
    return {
        "number": trade.number,
        "symbol": _clean(trade.symbol),
        "side": trade.side,
        "entry_at": w.clock(trade.entry_ts, zone),
        "exit_at": w.clock(trade.exit_ts, zone),
        "holding": w.duration(trade.holding_ns),
        "holding_v": trade.holding_ns,
        "quantity": w.significant(trade.quantity),
        "quantity_v": w.plain(trade.quantity),
        "entry": w.significant(trade.entry_price),
        "entry_v": w.plain(trade.entry_price),
        "exit": w.significant(trade.exit_price),
        "exit_v": w.plain(trade.exit_price),
        "fees": w.amount(trade.fees, places),
        "fees_v": w.plain(trade.fees),
        "pnl": w.amount(trade.pnl, places, sign=True),
        "pnl_v": w.plain(trade.pnl),
        "tone": (trade.pnl > 0) - (trade.pnl < 0),
        "result": w.percent(trade.result, sign=True),
        "result_v": w.plain(trade.result),
        "reason": _clean(trade.reason),
        "tag": _clean(trade.tag or trade.exit_tag),
    }


def _run(report: Report) -> list[tuple[str, str]]:
    info = report.info
    rows = [("run id", info.run_id), ("seed", str(info.seed))]
    if report.result_hash:
        rows.append(("result hash", report.result_hash))
    if info.history_hash:
        rows.append(("history hash", info.history_hash))
    rows += [("strategy", f"{name}: {use}") for name, use in info.strategies.items()]
    if report.wall_s is not None and report.events is not None and report.wakes is not None:
        speed = f", {w.count(round(report.events_per_s))} a second" if report.events_per_s else ""
        rows.append(("replayed", f"{w.counted(report.events, 'event')} in {report.wall_s:.2f} s{speed}"))
        rows.append(("strategy calls", w.count(report.wakes)))
    return rows
