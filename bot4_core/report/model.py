"""The report as data: everything that is shown, computed once, for the terminal, the page and JSON alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
from attrs import frozen

from ..domain.money import from_units
from ..journal.reading import EquityCurve, RunRecord
from ..journal.records import RunInfo
from ..journal.rows import FillRow
from . import metrics
from .lists import Denial, Halt, InstrumentRow, denials_of, halts_of, instruments_of, open_positions_of
from .metrics import Exposure, Floats, Ints, Month, Ratios, Stat, UnderWater
from .summary import RUNNING, UNFINISHED, OpenPosition, Summary, read_summary
from .trade_metrics import TradeStats, trade_stats
from .trades import Trade, trades_of

#: Why a figure of the end is missing: the run goes on, was lost, or was cut off.
NO_END = "the journal has no figures of the run's end"


@frozen(eq=False)
class Curve:
    """The curves to draw, one value per equity sample.

    Args:
        ts: UTC ns.
        equity, hold: in units of the reporting asset; ``hold`` is empty when buy-and-hold was not recorded.
        drawdown, exposure: ratios of the peak and of equity.
    """

    ts: Ints
    equity: Ints
    hold: Ints
    drawdown: Floats
    exposure: Floats


@frozen
class KnownEquity:
    """What the account was worth at a moment, UTC ns."""

    ts: int
    amount: Decimal


@frozen
class BuyAndHold:
    """The same money spread over the instruments at the start and left alone; net return and deepest drawdown."""

    end_equity: Decimal
    net_return: Stat
    max_drawdown: float


@frozen(kw_only=True, eq=False)
class Report:
    """Everything a report shows. Amounts are exact and of the reporting asset; ratios are fractions.

    Args:
        info: the run as it was started: id, bot, mode, seed, config text, limits, fill rules, versions.
        reason: how it ended; ``whole`` says whether it gave its own account of that. Without one (it goes on, was cut
            off, or was closed as lost) ``events``, ``wakes``, ``end_equity``, ``net_pnl`` are None, and what else is
            stated follows from the journal's rows.
        first_ts, last_ts: period of the market events, UTC ns; of what is recorded when not ``whole``. None when
            there was no event.
        events, wakes: market events, and how often the strategy was called.
        last_known: the last equity sample of a run that is not ``whole``.
        realised: profit of the closed trades after fees; None when they are not all in the reporting asset.
        attached: orders sent that an entry brought along, its stop and target.
        orders, entries: orders sent, and those of them that raised risk; ``entries_filled`` got at least one fill.
        fills: own fills; ``maker_fills`` of them as maker.
        max_drawdown: deepest drop below the peak, exact, from the engine at every event where it finished, else from
            the samples; None with fewer than two of them.
        fee_total, traded: fees and price times quantity over all fills, in the reporting asset; None when fills
            were paid in several quote assets.
        turnover: ``traded`` over the mean equity.
        ratios: Sharpe and the like, with the returns they are taken from.
        months: return of each calendar month, UTC.
        uncovered: the coverage ledger in words, empty when the engine kept none.
    """

    info: RunInfo
    reason: str
    whole: bool
    first_ts: int | None
    last_ts: int | None
    events: int | None
    wakes: int | None
    orders: int
    attached: int
    entries: int
    entries_filled: int
    fills: int
    maker_fills: int
    start_equity: Decimal
    end_equity: Decimal | None
    last_known: KnownEquity | None
    realised: Decimal | None
    net_pnl: Decimal | None
    net_return: Stat
    max_drawdown: Decimal | None
    fee_total: Decimal | None
    traded: Decimal | None
    turnover: Stat
    fill_rate: Stat
    ratios: Ratios
    water: UnderWater | None
    exposure: Exposure | None
    hold: BuyAndHold | None
    stats: TradeStats
    trades: tuple[Trade, ...]
    denials: tuple[Denial, ...]
    denied_orders: int
    halts: tuple[Halt, ...]
    instruments: tuple[InstrumentRow, ...]
    positions: tuple[OpenPosition, ...]
    months: tuple[Month, ...]
    curve: Curve
    uncovered: str
    wall_s: float | None
    events_per_s: float | None
    result_hash: str

    @property
    def asset(self) -> str:
        """The reporting asset."""
        return self.info.reporting_asset


def build(record: RunRecord, *, running: bool = False) -> Report:
    """The report of a run as the journal holds it.

    Args:
        record: the run.
        running: whether a run without an end is known to go on.

    Raises:
        StoreError: the run's summary cannot be read.
    """
    info, summary = record.info, read_summary(record.summary)
    known = summary or Summary(reason=RUNNING if running else UNFINISHED)
    samples = record.equity
    curve = _curve(samples)
    start = info.start_equity
    end = None if known.end_equity is None else int(known.end_equity.scaleb(info.reporting_scale))
    sent = [o for o in record.orders if o.state != "denied" and o.role != "external"]
    entries = [o for o in sent if o.role == "entry"]
    filled = sum(o.filled_lots > 0 for o in entries)
    trades = trades_of(record.round_trips, info.instruments, record.orders)
    returns = metrics.returns_of(curve.ts, curve.equity, start)
    first_ts, last_ts = _period(known, record)
    drawdown = known.max_drawdown
    if drawdown is None and len(curve.ts) > 1:
        drawdown = _ratio(metrics.deepest_drawdown(curve.equity, start))
    fee_total, traded = _paid(record.fills, info)
    stats = trade_stats(trades, info.reporting_asset)
    return Report(
        info=info,
        reason=known.reason,
        whole=known.whole,
        first_ts=first_ts,
        last_ts=last_ts,
        events=known.events if known.whole else None,
        wakes=known.wakes if known.whole else None,
        orders=len(sent),
        attached=sum(o.role in ("stop", "target") for o in sent),
        entries=len(entries),
        entries_filled=filled,
        fills=len(record.fills),
        maker_fills=sum(f.maker for f in record.fills),
        start_equity=from_units(start, info.reporting_scale),
        end_equity=None if end is None else from_units(end, info.reporting_scale),
        last_known=None if known.whole else _last_known(curve, info),
        realised=sum((t.pnl for t in trades), Decimal(0)) if stats.asset == info.reporting_asset else None,
        net_pnl=None if end is None else from_units(end - start, info.reporting_scale),
        net_return=_net_return(start, end),
        max_drawdown=drawdown,
        fee_total=fee_total,
        traded=traded,
        turnover=_turnover(traded, curve.equity, info.reporting_scale),
        fill_rate=Stat(filled / len(entries)) if entries else Stat(None, "no entry was sent"),
        ratios=metrics.ratios_of(returns, _yearly(start, end, first_ts, last_ts), float(drawdown or 0)),
        water=metrics.under_water(curve.ts, curve.equity, start),
        exposure=metrics.exposure(curve.ts, curve.equity, samples.exposure),
        hold=_hold(curve, info),
        stats=stats,
        trades=tuple(trades),
        denials=denials_of(record.risk_events, info.instruments),
        denied_orders=sum(o.state == "denied" for o in record.orders),
        halts=halts_of(record.risk_events),
        instruments=instruments_of(record, trades),
        positions=open_positions_of(record.positions, info) if known.open_positions is None else known.open_positions,
        months=tuple(metrics.monthly_returns(curve.ts, curve.equity, start)),
        curve=curve,
        uncovered=_uncovered(known),
        wall_s=known.wall_s,
        events_per_s=known.events_per_s,
        result_hash=record.row.result_hash or "",
    )


def _curve(samples: EquityCurve) -> Curve:
    ts = samples.ts
    equity = samples.equity
    gross = samples.exposure.astype(np.float64)
    hold = samples.buy_hold
    value = equity.astype(np.float64)
    return Curve(
        ts,
        equity,
        hold if len(hold) and int(hold.max()) > 0 else np.empty(0, np.int64),
        metrics.drawdowns(equity),
        np.divide(gross, value, out=np.zeros(len(value)), where=value > 0),
    )


def _period(known: Summary, record: RunRecord) -> tuple[int | None, int | None]:
    """First and last time of the market: as the engine said, else of everything that carries one; never the clock's."""
    times = list(_times(record))
    return known.first_ts or min(times, default=None), known.last_ts or max(times, default=None)


def _times(record: RunRecord) -> Iterator[int]:
    for order in record.orders:
        yield from (order.ts, order.updated_ts)
    yield from (row.ts for rows in (record.fills, record.risk_events) for row in rows)
    yield from map(int, record.equity.ts[[0, -1]] if len(record.equity.ts) else ())


def _last_known(curve: Curve, info: RunInfo) -> KnownEquity | None:
    if not len(curve.ts):
        return None
    return KnownEquity(int(curve.ts[-1]), from_units(int(curve.equity[-1]), info.reporting_scale))


def _net_return(start: int, end: int | None) -> Stat:
    if end is None:
        return Stat(None, NO_END)
    return Stat((end - start) / start) if start > 0 else Stat(None, "no equity at the start")


def _yearly(start: int, end: int | None, first_ts: int | None, last_ts: int | None) -> Stat:
    if end is None:
        return Stat(None, NO_END)
    if first_ts is None or last_ts is None:
        return Stat(None, "no market event")
    return metrics.yearly_return(start, end, last_ts - first_ts)


def _ratio(value: Fraction) -> Decimal:
    with localcontext() as context:
        context.prec = 30
        return Decimal(value.numerator) / Decimal(value.denominator)


def _hold(curve: Curve, info: RunInfo) -> BuyAndHold | None:
    if not len(curve.hold):
        return None
    end = int(curve.hold[-1])
    start = info.start_equity
    return BuyAndHold(
        from_units(end, info.reporting_scale),
        Stat((end - start) / start) if start > 0 else Stat(None, "no equity at the start"),
        float(metrics.deepest_drawdown(curve.hold, start)),
    )


def _paid(fills: Sequence[FillRow], info: RunInfo) -> tuple[Decimal | None, Decimal | None]:
    """Fees and traded value, None when they are not all in the reporting asset."""
    fees: dict[int, int] = {}
    cost: dict[int, int] = {}
    for fill in fills:
        instrument = info.instruments[fill.instrument]
        if instrument.quote != info.reporting_asset:
            return None, None
        scale = instrument.quote_scale
        fees[scale] = fees.get(scale, 0) + fill.fee_quote_units
        cost[scale] = cost.get(scale, 0) + fill.cost_units
    return _sum_scaled(fees), _sum_scaled(cost)


def _sum_scaled(by_scale: Mapping[int, int]) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return sum((from_units(units, scale) for scale, units in by_scale.items()), Decimal(0))


def _turnover(traded: Decimal | None, equity: Ints, scale: int) -> Stat:
    if traded is None:
        return Stat(None, "fills in several assets")
    if len(equity) < 2:
        return Stat(None, "fewer than two equity samples")
    mean_units = float(equity.mean())
    if mean_units <= 0:
        return Stat(None, "no positive mean equity")
    return Stat(float(traded) / (mean_units / 10**scale))


def _uncovered(known: Summary) -> str:
    ledger = known.uncovered_lot_ns
    if ledger is None:
        return ""
    parts = ledger.items() if isinstance(ledger, Mapping) else [("", ledger)]
    open_parts = [f"{symbol} {int(value) / 1e9:,.0f} lot·s".strip() for symbol, value in parts if int(value)]
    return ", ".join(open_parts) or "none: every open lot had a live stop at all times"
