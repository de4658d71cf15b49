"""Statistics of a run's equity curve: pure functions over exact samples.

Input is what the journal holds: sample times in UTC nanoseconds and amounts as integer units. Money that is
shown as money never passes through here; what comes out are ratios and durations, and a ratio may be a float.
A statistic that the data cannot carry is a :class:`Stat` without a value and with the reason, never a number.

Conventions, stated in every report:

* a return is ``(value - previous) / previous``; the risk-free rate is 0;
* a year has 365 days, because crypto trades on every one of them;
* runs of :data:`DAILY_FROM_DAYS` days or more are measured on daily UTC closes, shorter ones on the equity samples;
* nothing of a run shorter than a day is stretched to a year.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from attrs import frozen

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DAY_NS = 86_400 * 10**9
YEAR_NS = 365 * DAY_NS
#: From this length on, returns are taken from daily closes: 30 of them are enough to speak of a spread.
DAILY_FROM_DAYS = 30
#: Fewest returns for a mean, a spread or a 5 % tail (one observation in the tail).
MIN_RETURNS = 20
#: Shorter runs are not stretched to a year: a good afternoon is no 9,000 % a year.
MIN_YEARLY_NS = DAILY_FROM_DAYS * DAY_NS
_TAIL = 0.05
#: A spread this small against the mean is rounding noise of the division, not risk.
_NO_SPREAD = 1e-12
#: Two ratios of 64-bit integers that are nearer than this may compare wrongly as floats.
_FLOAT_NOISE = 1e-15


@frozen
class Stat:
    """A statistic, or the reason why there is none.

    Args:
        value: the figure, None when it cannot be had.
        note: why it cannot be had; empty with a value.
    """

    value: float | None
    note: str = ""

    def __str__(self) -> str:
        return f"n/a ({self.note})" if self.value is None else repr(self.value)


@frozen(eq=False)
class Returns:
    """Simple returns on one stated basis.

    Args:
        values: one return per period.
        per_year: periods in a year of 365 days.
        basis: what a period is, in words for the reader.
        span_ns: from the first equity sample to the last.
        note: why ``values`` is empty; empty text otherwise.
    """

    values: Floats
    per_year: float
    basis: str
    span_ns: int
    note: str = ""

    @property
    def too_short(self) -> str:
        """Why no statistic can be stated for a year, or empty text."""
        return self.too_few or ("run shorter than a day" if self.span_ns < DAY_NS else "")

    @property
    def too_few(self) -> str:
        """Why no statistic can be taken, or empty text."""
        if self.note:
            return self.note
        n = len(self.values)
        return f"{n} return{'' if n == 1 else 's'}, at least {MIN_RETURNS} needed" if n < MIN_RETURNS else ""


def day_closes(ts: Ints, values: Ints) -> tuple[Ints, Ints]:
    """The last sample of each UTC day; a day without samples carries the one before it.

    Args:
        ts: sample times, UTC ns, ascending; a sample at midnight closes the day that ends there.
        values: one amount per sample, in units.

    Returns:
        Day numbers since 1970-01-01 without a hole between the first and the last, and the closing amounts.
    """
    if not len(ts):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    days = (ts - 1) // DAY_NS
    span = np.arange(days[0], days[-1] + 1, dtype=np.int64)
    last = np.searchsorted(days, span, side="right") - 1
    return span, values[last]


def simple_returns(values: Ints) -> tuple[Floats, str]:
    """Returns between neighbours of a series of amounts.

    Returns:
        The returns, or none of them with a reason when an amount is not positive: a return on nothing has no meaning.
    """
    if len(values) < 2:
        return np.empty(0), "fewer than two equity samples"
    if int(values.min()) <= 0:
        return np.empty(0), "equity fell to zero or below"
    return np.diff(values) / values[:-1].astype(np.float64), ""


def returns_of(ts: Ints, equity: Ints, start: int) -> Returns:
    """The returns that all ratios of the report are taken from.

    Args:
        ts: sample times, UTC ns, ascending.
        equity: equity at each, in units.
        start: equity before the first event, in units; base of the first daily return.

    Returns:
        Daily closes for runs of :data:`DAILY_FROM_DAYS` days or more (the first and the last day may be parts of
        one), else the samples themselves with their mean distance as the period.
    """
    span = int(ts[-1] - ts[0]) if len(ts) else 0
    if span >= DAILY_FROM_DAYS * DAY_NS:
        _, closes = day_closes(ts, equity)
        if ts[0] % DAY_NS == 0:
            closes = closes[1:]  # of the day that ended when the run began
        values, note = simple_returns(np.concatenate([np.array([start], np.int64), closes]))
        return Returns(values, 365.0, "daily UTC closes", span, note)
    values, note = simple_returns(equity)
    if note or span == 0:
        return Returns(np.empty(0), 0.0, "equity samples", span, note or "all equity samples have one time")
    period_ns = span / len(values)
    basis = f"equity samples, one each {period_text(period_ns)} on average"
    return Returns(values, YEAR_NS / period_ns, basis, span)


def period_text(ns: float) -> str:
    """A period in the largest unit that leaves a readable number, as ``5m`` or ``1.2s``."""
    for size, unit in ((DAY_NS, "d"), (3600 * 10**9, "h"), (60 * 10**9, "m"), (10**9, "s"), (10**6, "ms")):
        if ns >= size:
            return f"{ns / size:.3g}{unit}"
    return f"{ns:.0f}ns"


def sharpe(returns: Returns) -> Stat:
    """Annualised mean over sample standard deviation (n - 1), risk-free rate 0.

    Source: W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994).
    """
    if returns.too_short:
        return Stat(None, returns.too_short)
    mean = float(returns.values.mean())
    spread = float(returns.values.std(ddof=1))
    if spread <= _NO_SPREAD * max(abs(mean), _NO_SPREAD):
        return Stat(None, "the returns do not vary")
    return Stat(mean / spread * math.sqrt(returns.per_year))


def sortino(returns: Returns) -> Stat:
    """Annualised mean over the root mean square of the negative returns (over all periods), target 0.

    Source: F. A. Sortino and L. N. Price, "Performance Measurement in a Downside Risk Framework",
    Journal of Investing 3 (1994).
    """
    if returns.too_short:
        return Stat(None, returns.too_short)
    downside = math.sqrt(float(np.square(np.minimum(returns.values, 0.0)).mean()))
    if downside == 0.0:
        return Stat(None, "no negative return")
    return Stat(float(returns.values.mean()) / downside * math.sqrt(returns.per_year))


def value_at_risk(returns: Returns) -> Stat:
    """Historical VaR at 95 %: the loss that 5 % of the periods reach, as a positive ratio of equity.

    The 5 % quantile interpolates linearly between observations; a negative result means even that quantile gained.
    """
    if returns.too_few:
        return Stat(None, returns.too_few)
    return Stat(-float(np.quantile(returns.values, _TAIL)))


def expected_shortfall(returns: Returns) -> Stat:
    """Historical CVaR at 95 %: the mean loss of the periods at or beyond the VaR, as a positive ratio."""
    if returns.too_few:
        return Stat(None, returns.too_few)
    tail = returns.values[returns.values <= np.quantile(returns.values, _TAIL)]
    return Stat(-float(tail.mean()))


def yearly_return(start: int, end: int, span_ns: int) -> Stat:
    """Compound return per 365 days (CAGR).

    Args:
        start, end: equity in units.
        span_ns: time between them.
    """
    if span_ns < MIN_YEARLY_NS:
        return Stat(None, f"run shorter than {DAILY_FROM_DAYS} days")
    if start <= 0 or end <= 0:
        return Stat(None, "equity fell to zero or below")
    try:
        return Stat(math.expm1(math.log(end / start) * YEAR_NS / span_ns))
    except OverflowError:
        return Stat(None, "too large to state")


def calmar(yearly: Stat, max_drawdown: float) -> Stat:
    """Compound yearly return over the deepest drawdown of the run."""
    if yearly.value is None:
        return yearly
    if max_drawdown <= 0:
        return Stat(None, "no drawdown")
    return Stat(yearly.value / max_drawdown)


@frozen
class Ratios:
    """The ratios of a run, all from one series of returns."""

    returns: Returns
    yearly: Stat
    sharpe: Stat
    sortino: Stat
    calmar: Stat
    var95: Stat
    cvar95: Stat


def ratios_of(returns: Returns, yearly: Stat, max_drawdown: float) -> Ratios:
    """Every ratio; ``yearly`` from :func:`yearly_return`, ``max_drawdown`` as a positive ratio."""
    return Ratios(
        returns,
        yearly,
        sharpe(returns),
        sortino(returns),
        calmar(yearly, max_drawdown),
        value_at_risk(returns),
        expected_shortfall(returns),
    )


def drawdowns(equity: Ints, start: int | None = None) -> Floats:
    """Drop below the running peak at each sample, as a positive ratio of the peak (0 where the peak is not positive).

    Args:
        equity: amounts in units.
        start: amount before the first sample; counts as the first peak.
    """
    if not len(equity):
        return np.empty(0)
    peak = np.maximum.accumulate(equity)
    if start is not None:
        peak = np.maximum(peak, start)
    peaks = peak.astype(np.float64)
    drop = peaks - equity.astype(np.float64)
    return np.divide(drop, peaks, out=np.zeros(len(equity)), where=peaks > 0)


def deepest_drawdown(equity: Ints, start: int | None = None) -> Fraction:
    """The largest of :func:`drawdowns`, exactly: floats pick the candidates, integers decide."""
    if not len(equity):
        return Fraction(0)
    peak = np.maximum.accumulate(equity if start is None else np.maximum(equity, start))
    curve = drawdowns(equity, start)
    candidates = np.flatnonzero((equity < peak) & (peak > 0) & (curve >= curve.max() - _FLOAT_NOISE))
    return max((Fraction(int(peak[i]) - int(equity[i]), int(peak[i])) for i in candidates), default=Fraction(0))


@frozen
class UnderWater:
    """Time spent below the last peak.

    Args:
        share: part of the run's time, 0 to 1.
        longest_ns: longest spell, from the peak to the recovery or to the end of the run.
        open_ns: the spell that the run ended in, 0 when it ended at a peak.
    """

    share: float
    longest_ns: int
    open_ns: int


def under_water(ts: Ints, equity: Ints, start: int | None = None) -> UnderWater | None:
    """Spells below the running peak; None without two samples at two times. A sample holds until the next one.

    Args:
        ts: sample times, UTC ns.
        equity: amounts in units.
        start: amount before the first sample, held at its time; counts as the first peak.
    """
    if len(ts) < 2 or ts[-1] == ts[0]:
        return None
    if start is not None:
        ts, equity = np.append(ts[:1], ts), np.append(np.array([start], np.int64), equity)
    below = equity < np.maximum.accumulate(equity)
    held = np.diff(ts)
    share = float(held[below[:-1]].sum() / (ts[-1] - ts[0]))
    at_peak = ts[~below]
    open_ns = int(ts[-1] - at_peak[-1])
    # Between two peak samples there is a spell only if a lower sample lies between them.
    where = np.flatnonzero(~below)
    spells = np.diff(at_peak)[np.diff(where) > 1]
    return UnderWater(share, max(int(spells.max()) if len(spells) else 0, open_ns), open_ns)


@frozen
class Exposure:
    """How much was at risk.

    Args:
        time_share: part of the run's time with any position, 0 to 1.
        mean_gross: time-weighted gross exposure over equity.
        max_gross: largest gross exposure over equity at a sample.
    """

    time_share: float
    mean_gross: float
    max_gross: float


def exposure(ts: Ints, equity: Ints, gross: Ints) -> Exposure | None:
    """Exposure over the run; None without two samples at two times or with equity that is not positive."""
    if len(ts) < 2 or ts[-1] == ts[0] or int(equity.min()) <= 0:
        return None
    held = np.diff(ts).astype(np.float64)
    ratio = gross.astype(np.float64) / equity.astype(np.float64)
    total = float(held.sum())
    return Exposure(
        float(held[gross[:-1] > 0].sum() / total),
        float((ratio[:-1] * held).sum() / total),
        float(ratio.max()),
    )


@frozen
class Month:
    """Return of one calendar month in UTC."""

    year: int
    month: int
    value: float


def monthly_returns(ts: Ints, equity: Ints, start: int) -> list[Month]:
    """Return of each calendar month (UTC) that the run touched; the first and the last may be parts of one.

    Months whose base is not positive are left out.
    """
    days, closes = day_closes(ts, equity)
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    ends = np.flatnonzero(np.append(months[1:] != months[:-1], True)) if len(days) else np.empty(0, np.int64)
    out, base = [], start
    for at in ends:
        close = int(closes[at])
        number = int(months[at].astype(np.int64))
        if base > 0:
            out.append(Month(1970 + number // 12, number % 12 + 1, (close - base) / base))
        base = close
    return out


def thin(count: int, limit: int, *series: Sequence[float] | Floats | Ints) -> Ints:
    """Indices that keep a curve's shape with at most ``limit`` points: ends, and the lows and highs of each stretch.

    Args:
        count: points in each series.
        limit: most indices returned, at least 4.
        series: curves whose extremes must survive.
    """
    if count <= limit:
        return np.arange(count, dtype=np.int64)
    per_stretch = max(2 * len(series), 1)
    edges = np.linspace(0, count, max((limit - 2) // per_stretch, 1) + 1).astype(np.int64)
    keep = {0, count - 1}
    arrays = [np.asarray(s) for s in series]
    for low, high in pairwise(edges):
        for values in arrays:
            keep.add(int(low + values[low:high].argmin()))
            keep.add(int(low + values[low:high].argmax()))
    return np.array(sorted(keep), dtype=np.int64)
