"""The report as data: everything that is shown, computed once, for the terminal, the page and JSON alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
from attrs import frozen

from ..domain.instrument import Instrument
from ..domain.money import from_units
from ..journal.reading import EquityCurve, RunRecord
from ..journal.records import RunInfo
from ..journal.rows import FillRow, PositionRow, RiskEventRow
from . import metrics
from .metrics import Exposure, Floats, Ints, Month, Ratios, Stat, UnderWater
from .summary import UNFINISHED, OpenPosition, Summary, read_summary
from .trade_metrics import TradeStats, trade_stats
from .trades import Trade, trades_of


@frozen
class Denial:
    """What one rule refused.

    Args:
        rule: its name.
        count: orders it refused (an order refused by two rules counts in both).
        measured, limit, unit: of the refusal that is shown as an example, the first one.
        symbol: what that order was for.
        ts: when, UTC ns.
    """

    rule: str
    count: int
    measured: str
    limit: str
    unit: str
    symbol: str
    ts: int


@frozen
class Halt:
    """One change of the trading mode by the engine (TRADING.md K-6)."""

    ts: int
    mode: str
    rule: str
    measured: str
    limit: str


@frozen
class InstrumentRow:
    """One instrument's part of the run; amounts in its quote asset.

    Args:
        symbol, asset: the pair and its quote asset.
        orders: orders sent; ``denied`` orders refused by the gate.
        fills, trades: own fills and closed trades.
        win_rate: of its trades.
        pnl: profit of its closed trades after fees.
        fees: fees of all its fills.
        traded: sum of price times quantity over its fills.
    """

    symbol: str
    asset: str
    orders: int
    denied: int
    fills: int
    trades: int
    win_rate: Stat
    pnl: Decimal
    fees: Decimal
    traded: Decimal


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
        reason: how it ended; ``finished`` says whether the journal holds an end.
        first_ts, last_ts: period of the market events, UTC ns.
        events, wakes: market events, and how often the strategy was called.
        attached: orders sent that an entry brought along, its stop and target.
        orders, entries: orders sent, and those of them that raised risk; ``entries_filled`` got at least one fill.
        fills: own fills; ``maker_fills`` of them as maker.
        max_drawdown: deepest drop below the peak, exact, from the engine at every event where it finished.
        fee_total, traded: fees and price times quantity over all fills, in the reporting asset; None when fills
            were paid in several quote assets.
        turnover: ``traded`` over the mean equity.
        ratios: Sharpe and the like, with the returns they are taken from.
        months: return of each calendar month, UTC.
        uncovered: the coverage ledger in words, empty when the engine kept none.
    """

    info: RunInfo
    reason: str
    finished: bool
    first_ts: int
    last_ts: int
    events: int
    wakes: int
    orders: int
    attached: int
    entries: int
    entries_filled: int
    fills: int
    maker_fills: int
    start_equity: Decimal
    end_equity: Decimal
    net_pnl: Decimal
    net_return: Stat
    max_drawdown: Decimal
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


def build(record: RunRecord) -> Report:
    """The report of a run as the journal holds it.

    Raises:
        StoreError: the run's summary cannot be read.
    """
    info, summary = record.info, read_summary(record.summary)
    known = summary or Summary(reason=UNFINISHED)
    samples = record.equity
    curve = _curve(samples)
    start = info.start_equity
    end = _end_units(known, info, curve)
    sent = [o for o in record.orders if o.state != "denied" and o.role != "external"]
    entries = [o for o in sent if o.role == "entry"]
    filled = sum(o.filled_lots > 0 for o in entries)
    trades = trades_of(record.round_trips, info.instruments, record.orders)
    returns = metrics.returns_of(curve.ts, curve.equity, start)
    first_ts = known.first_ts or (int(curve.ts[0]) if len(curve.ts) else info.created_ns)
    last_ts = known.last_ts or (int(curve.ts[-1]) if len(curve.ts) else first_ts)
    yearly = metrics.yearly_return(start, end, last_ts - first_ts)
    drawdown = known.max_drawdown
    if drawdown is None:
        drawdown = _ratio(metrics.deepest_drawdown(curve.equity, start))
    fee_total, traded = _paid(record.fills, info)
    mean_equity = float(curve.equity.mean()) if len(curve.equity) else 0.0
    return Report(
        info=info,
        reason=known.reason,
        finished=record.row.finished,
        first_ts=first_ts,
        last_ts=last_ts,
        events=known.events,
        wakes=known.wakes,
        orders=len(sent),
        attached=sum(o.role in ("stop", "target") for o in sent),
        entries=len(entries),
        entries_filled=filled,
        fills=len(record.fills),
        maker_fills=sum(f.maker for f in record.fills),
        start_equity=from_units(start, info.reporting_scale),
        end_equity=from_units(end, info.reporting_scale),
        net_pnl=from_units(end - start, info.reporting_scale),
        net_return=Stat((end - start) / start) if start > 0 else Stat(None, "no equity at the start"),
        max_drawdown=drawdown,
        fee_total=fee_total,
        traded=traded,
        turnover=_turnover(traded, mean_equity, info.reporting_scale),
        fill_rate=Stat(filled / len(entries)) if entries else Stat(None, "no entry was sent"),
        ratios=metrics.ratios_of(returns, yearly, float(drawdown)),
        water=metrics.under_water(curve.ts, curve.equity, start),
        exposure=metrics.exposure(curve.ts, curve.equity, samples.exposure),
        hold=_hold(curve, info),
        stats=trade_stats(trades, info.reporting_asset),
        trades=tuple(trades),
        denials=_denials(record.risk_events, info.instruments),
        denied_orders=sum(o.state == "denied" for o in record.orders),
        halts=_halts(record.risk_events),
        instruments=_instruments(record, trades),
        positions=known.open_positions if summary else _open_positions(record.positions, info),
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


def _end_units(known: Summary, info: RunInfo, curve: Curve) -> int:
    if known.end_equity is not None:
        return int(known.end_equity.scaleb(info.reporting_scale))
    return int(curve.equity[-1]) if len(curve.equity) else info.start_equity


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


def _turnover(traded: Decimal | None, mean_units: float, scale: int) -> Stat:
    if traded is None:
        return Stat(None, "fills in several assets")
    if mean_units <= 0:
        return Stat(None, "no positive mean equity")
    return Stat(float(traded) / (mean_units / 10**scale))


def _denials(events: Sequence[RiskEventRow], instruments: Sequence[Instrument]) -> tuple[Denial, ...]:
    counts = Counter(e.rule for e in events if e.action == "denied")
    first: dict[str, RiskEventRow] = {}
    for event in events:
        if event.action == "denied":
            first.setdefault(event.rule, event)
    return tuple(
        Denial(rule, count, e.measured, e.limit, e.unit, instruments[e.instrument].symbol, e.ts)
        for rule, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        for e in (first[rule],)
    )


def _halts(events: Sequence[RiskEventRow]) -> tuple[Halt, ...]:
    return tuple(
        Halt(e.ts, e.note.partition(":")[0], e.rule, e.measured, e.limit) for e in events if e.action == "halt"
    )


def _instruments(record: RunRecord, trades: Sequence[Trade]) -> tuple[InstrumentRow, ...]:
    rows = []
    by_symbol: dict[str, list[Trade]] = {}
    for trade in trades:
        by_symbol.setdefault(trade.symbol, []).append(trade)
    for index, instrument in enumerate(record.info.instruments):
        orders = [o for o in record.orders if o.instrument == index]
        fills = [f for f in record.fills if f.instrument == index]
        own = by_symbol.get(instrument.symbol, [])
        denied = sum(o.state == "denied" for o in orders)
        rows.append(
            InstrumentRow(
                instrument.symbol,
                instrument.quote,
                len(orders) - denied,
                denied,
                len(fills),
                len(own),
                Stat(sum(t.pnl > 0 for t in own) / len(own)) if own else Stat(None, "no trade"),
                sum((t.pnl for t in own), Decimal(0)),
                from_units(sum(f.fee_quote_units for f in fills), instrument.quote_scale),
                from_units(sum(f.cost_units for f in fills), instrument.quote_scale),
            )
        )
    return tuple(rows)


def _open_positions(rows: Sequence[PositionRow], info: RunInfo) -> tuple[OpenPosition, ...]:
    """What was open when the journal stops; nobody said at which price."""
    out = []
    for row in rows:
        if row.lots:
            instrument = info.instruments[row.instrument]
            quantity = instrument.quantity(row.lots)
            cost = from_units(row.entry_cost_units, instrument.quote_scale)
            with localcontext() as context:
                context.prec = 28
                average = cost / abs(quantity * instrument.multiplier)
            out.append(OpenPosition(symbol=instrument.symbol, quantity=quantity, average_entry=average))
    return tuple(out)


def _uncovered(known: Summary) -> str:
    ledger = known.uncovered_lot_ns
    if ledger is None:
        return ""
    parts = ledger.items() if isinstance(ledger, Mapping) else [("", ledger)]
    open_parts = [f"{symbol} {int(value) / 1e9:,.0f} lot·s".strip() for symbol, value in parts if int(value)]
    return ", ".join(open_parts) or "none: every open lot had a live stop at all times"
