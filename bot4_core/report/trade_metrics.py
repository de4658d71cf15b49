"""Statistics of closed trades: sums of money stay exact, ratios are floats, what cannot be had says why."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext

from attrs import frozen

from .metrics import Stat
from .trades import Trade

_NO_TRADE = "no closed trade"


@frozen(kw_only=True)
class TradeStats:
    """What the closed trades amount to. Money is in ``asset``; None where there is none to state.

    Args:
        asset: what the amounts are in; empty when trades are in several assets, and then every amount is None.
        count, wins, losses: closed trades, those that gained and those that lost after fees.
        longs, shorts: by direction.
        win_rate: wins over all closed trades.
        gross_profit, gross_loss: sums of the gaining and of the losing trades after fees (the loss is negative).
        profit_factor: gross profit over gross loss.
        expectancy: mean profit per trade.
        average_win, average_loss: means of the gaining and of the losing trades.
        fees: fees of the closed trades.
        fee_share: those fees over the profit before fees of the trades that gained before fees.
        cost_per_trade: fees per closed trade.
        losing_streak: most losing trades in a row.
        holding_ns: mean time from entry to exit.
        bars: mean bars from entry to exit.
    """

    asset: str
    count: int
    wins: int
    losses: int
    longs: int
    shorts: int
    win_rate: Stat
    gross_profit: Decimal | None
    gross_loss: Decimal | None
    profit_factor: Stat
    expectancy: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    fees: Decimal | None
    fee_share: Stat
    cost_per_trade: Decimal | None
    losing_streak: int
    holding_ns: Stat
    bars: Stat


def trade_stats(trades: Sequence[Trade], asset: str) -> TradeStats:
    """The statistics of closed trades.

    Args:
        trades: in the order of their exits.
        asset: what a run without trades is stated in.
    """
    assets = {trade.asset for trade in trades} or {asset}
    one_asset = len(assets) == 1
    wins = [t.pnl for t in trades if t.pnl > 0]
    losses = [t.pnl for t in trades if t.pnl < 0]
    fees = sum((t.fees for t in trades), Decimal(0))
    before_fees = sum((t.gross for t in trades if t.gross > 0), Decimal(0))
    count = len(trades)
    return TradeStats(
        asset=assets.pop() if one_asset else "",
        count=count,
        wins=len(wins),
        losses=len(losses),
        longs=sum(t.side == "long" for t in trades),
        shorts=sum(t.side == "short" for t in trades),
        win_rate=Stat(len(wins) / count) if count else Stat(None, _NO_TRADE),
        gross_profit=_total(wins) if one_asset else None,
        gross_loss=_total(losses) if one_asset else None,
        profit_factor=_quotient(_total(wins), -_total(losses), count, one_asset, "no losing trade"),
        expectancy=_mean([t.pnl for t in trades]) if one_asset else None,
        average_win=_mean(wins) if one_asset else None,
        average_loss=_mean(losses) if one_asset else None,
        fees=fees if one_asset else None,
        fee_share=_quotient(fees, before_fees, count, one_asset, "no trade gained before fees"),
        cost_per_trade=_mean([t.fees for t in trades]) if one_asset else None,
        losing_streak=losing_streak(trades),
        holding_ns=Stat(sum(t.holding_ns for t in trades) / count) if count else Stat(None, _NO_TRADE),
        bars=_mean_bars(trades),
    )


def losing_streak(trades: Sequence[Trade]) -> int:
    """Most trades in a row that lost after fees."""
    longest = current = 0
    for trade in trades:
        current = current + 1 if trade.pnl < 0 else 0
        longest = max(longest, current)
    return longest


def _total(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0))


def _mean(values: Sequence[Decimal]) -> Decimal | None:
    """The mean with 50 digits; None of nothing."""
    if not values:
        return None
    with localcontext() as context:
        context.prec = 50
        return sum(values, Decimal(0)) / len(values)


def _quotient(above: Decimal, below: Decimal, count: int, one_asset: bool, without: str) -> Stat:
    if not count:
        return Stat(None, _NO_TRADE)
    if not one_asset:
        return Stat(None, "trades in several assets")
    return Stat(float(above / below)) if below else Stat(None, without)


def _mean_bars(trades: Sequence[Trade]) -> Stat:
    bars = [t.bars for t in trades if t.bars is not None]
    if not trades:
        return Stat(None, _NO_TRADE)
    return Stat(sum(bars) / len(bars)) if bars else Stat(None, "the run has no bars")
