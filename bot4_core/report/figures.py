"""What the report says in words and figures: the same text for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from decimal import Decimal

from attrs import frozen

from . import wording as w
from .metrics import Stat, period_text
from .model import NO_END, Report

#: TRADING.md B-9: what a simulator does not state about its universe is not known.
_SURVIVORSHIP = "survivorship"


@frozen
class Figure:
    """One figure with its name. ``tone`` is 1 for good, -1 for bad, 0 for neither; ``note`` says why there is none."""

    name: str
    text: str
    tone: int = 0
    note: str = ""


def period(report: Report, zone: tzinfo, to: str) -> str:
    """From when to when, and how long that is: of the market, or of what is recorded of a run without an end.

    Args:
        report: of the run.
        zone: of the times.
        to: what stands between them.
    """
    info = report.info
    bars = f"bars of {w.duration(info.interval_ns)}" if info.interval_ns else ""
    if report.first_ts is None or report.last_ts is None:
        return "no event of the market is recorded" + (f" ({bars})" if bars else "")
    first, last = w.clock(report.first_ts, zone), w.clock(report.last_ts, zone)
    if report.first_ts == report.last_ts:
        text, facts = f"{first} {w.zone_name(zone)}", [bars]
    else:
        text = f"{first} {to} {last} {w.zone_name(zone)}"
        facts = [w.days_text(report.first_ts, report.last_ts), bars]
    known = ", ".join(filter(None, facts))
    return ("" if report.whole else "recorded: ") + text + (f" ({known})" if known else "")


def open_title(report: Report) -> str:
    """The heading of the open positions; the journal of a run without an end knows no end."""
    return "Open at the end" if report.whole else "Open at the last record"


def key_figures(report: Report, zone: tzinfo = UTC) -> tuple[tuple[str, tuple[Figure, ...]], ...]:
    """The key figures in three blocks: result, risk, trades; ``zone`` is of the times in them."""
    return (
        (f"Result in {w.printable(report.asset, 10)}", _result(report, zone)),
        ("Risk", _risk(report)),
        ("Trading", _trading(report)),
    )


def _result(report: Report, zone: tzinfo) -> tuple[Figure, ...]:
    places = places_of(report)
    figures = [
        Figure("start", w.amount(report.start_equity, places)),
        _money("end", report.end_equity, places, without=NO_END),
    ]
    if not report.whole:
        figures += _known(report, places, zone)
    figures += [
        _money("net P&L", report.net_pnl, places, signed=True, without=NO_END),
        _ratio("return", report.net_return, percent=True, sign=True, tone=sign_of(report.net_pnl)),
        _ratio("a year", report.ratios.yearly, percent=True, sign=True),
    ]
    if report.hold is not None:
        figures.append(_ratio("buy and hold", report.hold.net_return, percent=True, sign=True))
        figures.append(Figure("its drawdown", w.percent(report.hold.max_drawdown)))
    figures.append(_money("fees", report.fee_total, places))
    if report.turnover.value is None:
        figures.append(_ratio("turnover", report.turnover))
    else:
        figures.append(Figure("turnover", f"{w.ratio(report.turnover.value, 1)} ×"))
    return tuple(figures)


def _known(report: Report, places: int, zone: tzinfo) -> list[Figure]:
    """What stands in for the figures of the end."""
    figures = [_money("realised", report.realised, places, signed=True, without="trades in several assets")]
    if report.last_known is None:
        return figures
    known = Figure("last known", w.amount(report.last_known.amount, places))
    return [known, Figure("known at", w.short_clock(report.last_known.ts, zone)), *figures]


def _risk(report: Report) -> tuple[Figure, ...]:
    drawdown = Figure("max drawdown", w.percent(report.max_drawdown))
    if report.max_drawdown is None:
        drawdown = Figure("max drawdown", "n/a", 0, "fewer than two equity samples")
    figures = [drawdown]
    if report.water is not None:
        figures.append(Figure("under water", w.percent(report.water.share, places=0)))
        figures.append(Figure("longest", w.duration(report.water.longest_ns)))
    figures += [
        _ratio("Sharpe", report.ratios.sharpe),
        _ratio("Sortino", report.ratios.sortino),
        _ratio("Calmar", report.ratios.calmar),
        _ratio("VaR 95", report.ratios.var95, percent=True),
        _ratio("CVaR 95", report.ratios.cvar95, percent=True),
    ]
    if report.exposure is not None:
        figures.append(Figure("in the market", w.percent(report.exposure.time_share, places=0)))
        figures.append(Figure("mean exposure", w.percent(report.exposure.mean_gross)))
    return tuple(figures)


def _trading(report: Report) -> tuple[Figure, ...]:
    stats, places = report.stats, places_of(report)
    if stats.holding_ns.value is None:
        holding = _ratio("mean holding", stats.holding_ns)
    else:
        holding = Figure("mean holding", w.duration(stats.holding_ns.value))
    return (
        Figure("trades", w.count(stats.count)),
        Figure("long / short", f"{w.count(stats.longs)} / {w.count(stats.shorts)}"),
        _ratio("win rate", stats.win_rate, percent=True),
        _ratio("profit factor", stats.profit_factor),
        _money("expectancy", stats.expectancy, places, signed=True),
        _money("mean win", stats.average_win, places, signed=True),
        _money("mean loss", stats.average_loss, places, signed=True),
        Figure("losing streak", w.count(stats.losing_streak)),
        holding,
        _ratio("fill rate", report.fill_rate, percent=True),
    )


def places_of(report: Report) -> int:
    """Decimals that amounts of this run are shown with."""
    return w.places_for(report.start_equity, report.info.reporting_scale)


def _ratio(name: str, value: Stat, *, percent: bool = False, sign: bool = False, tone: int = 0) -> Figure:
    if value.value is None:
        return Figure(name, "n/a", 0, value.note)
    return Figure(name, w.percent(value.value, sign=sign) if percent else w.ratio(value.value), tone)


def _money(
    name: str, value: Decimal | None, places: int, *, signed: bool = False, without: str = "there is none"
) -> Figure:
    if value is None:
        return Figure(name, "n/a", 0, without)
    return Figure(name, w.amount(value, places, sign=signed), sign_of(value) if signed else 0)


def missing(report: Report) -> list[str]:
    """Which figures could not be had, grouped by reason: ``Sharpe, Sortino: 3 returns, at least 20 needed``."""
    reasons: dict[str, list[str]] = {}
    for _, figures in key_figures(report):
        for figure in figures:
            if figure.note:
                reasons.setdefault(figure.note, []).append(figure.name)
    return [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]


def costs(report: Report) -> list[tuple[str, str]]:
    """What trading cost, name and text."""
    stats, places, asset = report.stats, places_of(report), report.asset
    if report.fee_total is None or report.traded is None:
        return [("fees", "paid in several assets: see the instruments")]
    share = report.fee_total / report.start_equity if report.start_equity > 0 else None
    rows = [
        ("fees", f"{w.amount(report.fee_total, places)} {asset}, {w.percent(share)} of the starting equity"),
        (
            "traded",
            f"{w.amount(report.traded, places)} {asset} in {w.counted(report.fills, 'fill')}, "
            f"{w.count(report.maker_fills)} of them as maker",
        ),
    ]
    if stats.cost_per_trade is not None:
        rows.append(("fees per trade", f"{w.amount(stats.cost_per_trade, places)} {asset}"))
    note = w.stat(stats.fee_share, as_percent=True, places=1)
    rows.append(("fees of gross profit", note if stats.fee_share.value is None else f"{note} of what winners made"))
    return rows


def rules_in_force(report: Report) -> list[tuple[str, str]]:
    """The simulator's fill rules; none outside a simulation."""
    rules = list(report.info.fill_rules.items())
    if rules and not any(_SURVIVORSHIP in text for rule in rules for text in rule):
        rules.append((_SURVIVORSHIP, "unknown: filters, fees and listings are not as of each date"))
    return rules


def annualisation(report: Report) -> list[tuple[str, str]]:
    """On what the ratios stand."""
    returns = report.ratios.returns
    rows: list[tuple[str, str]] = []
    if len(returns.values):
        yearly = f"{w.count(round(returns.per_year))} a year (365 days, crypto trades on each), risk-free rate 0"
        stretched = "the run is too short to annualise them" if returns.too_short else f"annualised with {yearly}"
        rows.append(("ratios", f"{w.counted(len(returns.values), 'return')} on {returns.basis}, {stretched}"))
        rows.append(("VaR, CVaR", "historical, 95 %, one period ahead, as a share of equity"))
    if not report.whole:
        text = "unknown; what is shown follows from the records of the journal, the curve's figures from its samples"
        rows.append(("the end", text))
    drawdown = "at every event" if report.whole else "from the equity samples"
    rows.append(("drawdown", f"below the highest equity so far, marked to market, {drawdown}"))
    if report.water is not None:
        span = float(report.curve.ts[-1] - report.curve.ts[0]) / (len(report.curve.ts) - 1)
        rows.append(("exposure, under water", f"from equity samples, one each {period_text(span)} on average"))
    if report.hold is not None:
        text = f"the starting equity spread over the instruments quoted in {report.asset}, each held from its price in "
        rows.append(("buy and hold", f"{text}the first equity sample that has one, no fees"))
    rows.append(("fill rate", f"{w.count(report.entries_filled)} of {w.count(report.entries)} entries sent got a fill"))
    if report.uncovered:
        rows.append(("without a stop", report.uncovered))
    return rows


def versions(report: Report) -> Sequence[tuple[str, str]]:
    """Distribution and version of everything that took part."""
    return tuple(sorted(report.info.versions.items()))


def sign_of(value: Decimal | None) -> int:
    """1 for a gain, -1 for a loss, 0 for neither and for what is not known."""
    return 0 if value is None else (value > 0) - (value < 0)
