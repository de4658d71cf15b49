"""The statistics against golden values of quantstats, independent formulas, and cases worked by hand."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.report import metrics as m

DAY = m.DAY_NS
#: 2022-08-01T00:00:00Z; a midnight.
MIDNIGHT = 19_205 * DAY


def lcg_series(count: int) -> list[int]:
    """A curve from a small generator, so that the golden values can be had again anywhere."""
    state, out, value = 12345, [], 10_000_000
    for _ in range(count):
        state = (1103515245 * state + 12345) % 2**31
        value += value * (state % 4001 - 1960) // 100_000
        out.append(value)
    return out


def returns_of(values: list[int]) -> m.Returns:
    series = np.array(values, dtype=np.int64)
    ts = MIDNIGHT + DAY * np.arange(len(values), dtype=np.int64)
    return m.returns_of(ts, series, values[0])


def ints(*values: int) -> m.Ints:
    return np.array(values, dtype=np.int64)


# quantstats 0.0.86 on pandas, 365 periods, once: sharpe(), sortino(), max_drawdown(), cagr(), calmar();
# VaR and CVaR from pandas' quantile and mean (quantstats' own assume a normal distribution)
def test_ratios_of_a_fixed_curve_equal_quantstats() -> None:
    values = lcg_series(120)
    returns = returns_of(values)
    assert len(returns.values) == 119
    assert m.sharpe(returns).value == pytest.approx(-0.4459011734228702, rel=1e-12)
    assert m.sortino(returns).value == pytest.approx(-0.6220072336387703, rel=1e-12)
    assert m.value_at_risk(returns).value == pytest.approx(0.018502050704353103, rel=1e-12)
    assert m.expected_shortfall(returns).value == pytest.approx(0.019090023613271945, rel=1e-12)
    depth = m.deepest_drawdown(np.array(values))
    assert float(depth) == pytest.approx(0.180066266303325, rel=1e-12)
    yearly = m.yearly_return(values[0], values[-1], 119 * DAY)
    assert yearly.value is not None
    # quantstats counts 119 returns over 365, and so do we
    assert yearly.value == pytest.approx((9475347 / values[0]) ** (365 / 119) - 1, rel=1e-12)
    assert m.calmar(yearly, float(depth)).value == pytest.approx(yearly.value / 0.180066266303325, rel=1e-12)


@given(st.lists(st.integers(-900, 1000), min_size=40, max_size=120).filter(lambda steps: len(set(steps)) > 1))
def test_sharpe_and_sortino_follow_their_definitions_for_any_curve(steps: list[int]) -> None:
    values = [10**12]
    for step in steps:
        values.append(values[-1] * (10_000 + step) // 10_000)
    plain = [(b - a) / a for a, b in pairwise(values)]
    returns = returns_of(values)
    assert m.sharpe(returns).value == pytest.approx(
        statistics.fmean(plain) / statistics.stdev(plain) * math.sqrt(365), rel=1e-9, abs=1e-9
    )
    losses = math.sqrt(math.fsum(min(r, 0.0) ** 2 for r in plain) / len(plain))
    if losses:
        expected = statistics.fmean(plain) / losses * math.sqrt(365)
        assert m.sortino(returns).value == pytest.approx(expected, rel=1e-9, abs=1e-9)
    else:
        assert m.sortino(returns) == m.Stat(None, "no negative return")


def test_a_better_curve_has_a_better_sharpe() -> None:
    good = [10**9 + k * 10**6 + (k % 3) * 10**5 for k in range(60)]
    bad = [10**9 - k * 10**6 + (k % 3) * 10**5 for k in range(60)]
    high, low = m.sharpe(returns_of(good)).value, m.sharpe(returns_of(bad)).value
    assert high is not None
    assert low is not None
    assert high > 5 > -5 > low


def test_too_few_returns_give_no_statistic_and_say_why() -> None:
    returns = m.returns_of(ints(0, 1, 2), ints(5, 6, 7), 5)
    for statistic in (m.sharpe, m.sortino, m.value_at_risk, m.expected_shortfall):
        assert statistic(returns) == m.Stat(None, "2 returns, at least 20 needed")


@pytest.mark.parametrize(("seconds", "short"), [(86_400 - 60, True), (86_400, False)])
def test_what_a_run_made_in_less_than_a_day_is_not_stretched_to_a_year(seconds: int, short: bool) -> None:
    ts = MIDNIGHT + 60 * 10**9 * np.arange(seconds // 60 + 1, dtype=np.int64)
    values = np.array(lcg_series(len(ts)), dtype=np.int64)
    returns = m.returns_of(ts, values, int(values[0]))
    for statistic in (m.sharpe, m.sortino):
        assert (statistic(returns) == m.Stat(None, "run shorter than a day")) is short
    assert m.value_at_risk(returns).value is not None
    assert m.expected_shortfall(returns).value is not None


@pytest.mark.parametrize("values", [[10**9] * 60, [10**9 * 2**k for k in range(33)]])
def test_returns_that_do_not_vary_have_no_sharpe(values: list[int]) -> None:
    assert m.sharpe(returns_of(values)) == m.Stat(None, "the returns do not vary")


def test_a_curve_through_zero_has_no_returns() -> None:
    returns = returns_of([5, 3, -1] * 20)
    assert returns.note == "equity fell to zero or below"
    assert m.sharpe(returns).value is None
    assert m.yearly_return(5, -1, 60 * DAY).value is None


def test_short_runs_are_measured_per_sample_and_annualised_by_their_mean_distance() -> None:
    five_minutes = 300 * 10**9
    ts = MIDNIGHT + five_minutes * np.arange(1000, dtype=np.int64)
    values = np.array(lcg_series(1000), dtype=np.int64)
    returns = m.returns_of(ts, values, int(values[0]))
    assert len(returns.values) == 999
    assert returns.per_year == pytest.approx(365 * 288)
    assert "5m" in returns.basis


def test_long_runs_are_measured_on_daily_closes() -> None:
    hour = DAY // 24
    ts = MIDNIGHT + hour * np.arange(1, 24 * 40 + 1, dtype=np.int64)
    values = np.array(lcg_series(24 * 40), dtype=np.int64)
    returns = m.returns_of(ts, values, 10_000_000)
    closes = [10_000_000, *values[23::24].tolist()]
    expected = [(b - a) / a for a, b in pairwise(closes)]
    assert returns.basis == "daily UTC closes"
    assert returns.per_year == 365
    assert returns.values.tolist() == pytest.approx(expected, rel=1e-12)


def test_a_run_that_begins_at_midnight_has_no_return_for_the_day_before() -> None:
    ts = MIDNIGHT + DAY * np.arange(40, dtype=np.int64)
    assert len(m.returns_of(ts, np.arange(100, 140, dtype=np.int64), 100).values) == 39


def test_a_day_without_samples_carries_the_close_before_it() -> None:
    ts = ints(MIDNIGHT + 5, MIDNIGHT + DAY - 1, MIDNIGHT + 3 * DAY + 7)
    days, closes = m.day_closes(ts, ints(10, 20, 30))
    assert days.tolist() == [19_205, 19_206, 19_207, 19_208]
    assert closes.tolist() == [20, 20, 20, 30]


def test_midnight_closes_the_day_that_ends_there() -> None:
    days, closes = m.day_closes(ints(MIDNIGHT, MIDNIGHT + 1), ints(1, 2))
    assert days.tolist() == [19_204, 19_205]
    assert closes.tolist() == [1, 2]


def test_value_at_risk_is_the_loss_of_the_worst_twentieth() -> None:
    values = [10**9]
    for percent in range(-10, 11):  # 21 returns, one per cent apart
        values.append(values[-1] * (100 + percent) // 100)
    ts = MIDNIGHT + 10**9 * np.arange(22, dtype=np.int64)
    returns = m.returns_of(ts, np.array(values), values[0])
    assert m.value_at_risk(returns).value == pytest.approx(0.09, abs=1e-8)
    assert m.expected_shortfall(returns).value == pytest.approx(0.095, abs=1e-8)


def test_the_deepest_drawdown_is_exact() -> None:
    assert m.deepest_drawdown(ints(100, 300, 200, 290, 199, 400)) == Fraction(101, 300)
    assert m.deepest_drawdown(ints(100, 90, 95), start=120) == Fraction(30, 120)
    assert m.deepest_drawdown(ints(1, 2, 3)) == 0
    assert m.deepest_drawdown(ints()) == 0
    huge = 9 * 10**18
    assert m.deepest_drawdown(ints(huge, huge - 3)) == Fraction(3, huge)


def test_negative_equity_is_a_drawdown_of_more_than_the_whole() -> None:
    assert m.deepest_drawdown(ints(100, -50)) == Fraction(3, 2)


@given(st.lists(st.integers(1, 10**15), min_size=1, max_size=50))
def test_drawdowns_are_ratios_and_zero_at_each_new_peak(values: list[int]) -> None:
    curve = m.drawdowns(np.array(values, dtype=np.int64))
    assert ((curve >= 0) & (curve < 1)).all()
    peak = 0
    for value, drop in zip(values, curve, strict=True):
        if value >= peak:
            assert drop == 0
        peak = max(peak, value)


def test_time_under_water_counts_from_peak_to_recovery() -> None:
    ts, equity = ints(0, 10, 20, 30, 40, 50), ints(100, 110, 105, 104, 110, 120)
    water = m.under_water(ts, equity)
    assert water == m.UnderWater(share=0.4, longest_ns=30, open_ns=0)


def test_a_run_that_ends_under_water_says_since_when() -> None:
    water = m.under_water(ints(0, 10, 40), ints(100, 90, 95))
    assert water == m.UnderWater(share=0.75, longest_ns=40, open_ns=40)
    assert m.under_water(ints(0, 10), ints(90, 95), start=100) == m.UnderWater(share=1.0, longest_ns=10, open_ns=10)
    assert m.under_water(ints(5), ints(1)) is None


def test_exposure_is_weighted_by_time() -> None:
    found = m.exposure(ints(0, 10, 40, 100), ints(100, 100, 100, 100), ints(0, 50, 0, 30))
    assert found == m.Exposure(time_share=0.3, mean_gross=0.15, max_gross=0.5)
    assert m.exposure(ints(0, 10), ints(100, -1), ints(0, 0)) is None


def test_short_runs_are_not_stretched_to_a_year() -> None:
    assert m.yearly_return(100, 120, 29 * DAY).note == "run shorter than 30 days"
    assert m.yearly_return(100, 121, 730 * DAY).value == pytest.approx(0.1)
    assert m.yearly_return(1, 10**18, 30 * DAY).value is not None
    assert m.calmar(m.Stat(0.2), 0.0) == m.Stat(None, "no drawdown")
    assert m.calmar(m.Stat(0.2), 0.1).value == pytest.approx(2.0)


def test_months_compound_to_the_whole() -> None:
    ts = MIDNIGHT + DAY * np.arange(1, 93, dtype=np.int64)  # closes of August 1st to October 31st
    values = np.array(lcg_series(92), dtype=np.int64)
    months = m.monthly_returns(ts, values, 10_000_000)
    assert [(x.year, x.month) for x in months] == [(2022, 8), (2022, 9), (2022, 10)]
    assert math.prod(1 + x.value for x in months) == pytest.approx(int(values[-1]) / 10_000_000, rel=1e-12)
    assert months[0].value == pytest.approx(int(values[30]) / 10_000_000 - 1, rel=1e-12)


def test_thinning_keeps_ends_highs_and_lows() -> None:
    values = np.array(lcg_series(10_000), dtype=np.int64)
    kept = m.thin(len(values), 400, values)
    assert len(kept) <= 400
    assert {0, len(values) - 1, int(values.argmin()), int(values.argmax())} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()
    assert m.thin(5, 400, values[:5]).tolist() == [0, 1, 2, 3, 4]
