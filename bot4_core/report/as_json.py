"""The report for machines: the keys that CLI.md promises, and the rest of the figures."""

from __future__ import annotations

from decimal import Decimal

from ..domain.money import Rounding, quantize
from .model import Report


def to_json(report: Report) -> dict[str, object]:
    """The report as one JSON object: CLI.md's keys, amounts as text, times as UTC ns, null for what cannot be had."""
    stats = report.stats
    return {
        "run_id": report.info.run_id,
        "bot": report.info.bot,
        "mode": report.info.mode,
        "reason": report.reason,
        "first_ts": report.first_ts,
        "last_ts": report.last_ts,
        "instruments": [row.symbol for row in report.instruments],
        "asset": report.asset,
        "events": report.events,
        "wakes": report.wakes,
        "orders": report.orders,
        "attached_orders": report.attached,
        "fills": report.fills,
        "trades": len(report.trades),
        "denied": {denial.rule: denial.count for denial in report.denials},
        "denied_orders": report.denied_orders,
        "start_equity": _text(report.start_equity),
        "end_equity": _text(report.end_equity),
        "last_known_equity": _text(report.last_known.amount) if report.last_known else None,
        "last_known_ts": report.last_known.ts if report.last_known else None,
        "realised_pnl": _text(report.realised),
        "net_pnl": _text(report.net_pnl),
        "net_return": report.net_return.value,
        "fees": _text(report.fee_total),
        "traded": _text(report.traded),
        "turnover": report.turnover.value,
        "max_drawdown": _text(report.max_drawdown),
        "returns_basis": report.ratios.returns.basis,
        "returns_n": len(report.ratios.returns.values),
        "returns_per_year": report.ratios.returns.per_year,
        "yearly_return": report.ratios.yearly.value,
        "sharpe": report.ratios.sharpe.value,
        "sortino": report.ratios.sortino.value,
        "calmar": report.ratios.calmar.value,
        "var95": report.ratios.var95.value,
        "cvar95": report.ratios.cvar95.value,
        "time_under_water": report.water.share if report.water else None,
        "exposure_time": report.exposure.time_share if report.exposure else None,
        "mean_gross_exposure": report.exposure.mean_gross if report.exposure else None,
        "buy_and_hold_return": report.hold.net_return.value if report.hold else None,
        "buy_and_hold_drawdown": report.hold.max_drawdown if report.hold else None,
        "fill_rate": report.fill_rate.value,
        "win_rate": stats.win_rate.value,
        "profit_factor": stats.profit_factor.value,
        "expectancy": _rounded(stats.expectancy, report.info.reporting_scale),
        "losing_streak": stats.losing_streak,
        "open_positions": [
            {
                "symbol": p.symbol,
                "quantity": _text(p.quantity),
                "average_entry": _text(p.average_entry),
                "mark": _text(p.mark),
                "unrealised": _text(p.unrealised),
            }
            for p in report.positions
        ],
        "wall_s": report.wall_s,
        "events_per_s": report.events_per_s,
        "result_hash": report.result_hash,
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _rounded(value: Decimal | None, scale: int) -> str | None:
    """A mean need not end: half-even at the asset's scale."""
    return None if value is None else _text(quantize(value, scale, Rounding.HALF_EVEN))
