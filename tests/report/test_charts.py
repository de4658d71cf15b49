"""Geometry: ticks are round and inside, paths start and end at the edges, bins hold every trade once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.report import charts as c
from bot4_core.report import wording as w
from bot4_core.report.blocks import BLOCKS, bar, block_rows, resample, resample_extreme, sparkline
from bot4_core.report.metrics import DAY_NS, Month
from bot4_core.report.page_charts import month_table

from .builder import START_NS


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12), st.integers(1, 10))
def test_steps_are_few_and_inside(low: float, span: float, most: int) -> None:
    scale = c.Scale(low, low + span)
    if scale.high - scale.low <= abs(low) * 1e-12:
        return
    steps = c.nice_steps(scale, most)
    assert len(steps) <= most + 1
    slack = (scale.high - scale.low) * 1e-6
    assert all(scale.low - slack <= s <= scale.high + slack for s in steps)


def test_steps_are_round() -> None:
    assert c.nice_steps(c.Scale(0, 100), 5) == [0, 20, 40, 60, 80, 100]
    assert c.nice_steps(c.Scale(0.0, 0.03), 3) == pytest.approx([0, 0.01, 0.02, 0.03])
    assert c.nice_steps(c.Scale(5, 5), 3) == []


@pytest.mark.parametrize("days", [0.0001, 0.01, 0.3, 1, 3, 10, 40, 90, 212, 800, 4000, 40_000])
@pytest.mark.parametrize("zone", [UTC, ZoneInfo("America/New_York")])
def test_time_labels_are_few_ordered_and_inside(days: float, zone: ZoneInfo) -> None:
    ticks = c.time_ticks(START_NS, START_NS + int(days * DAY_NS), 8, zone)
    assert 1 <= len(ticks) <= 9
    places = [t.at for t in ticks]
    assert places == sorted(places)
    assert 0 <= places[0] <= places[-1] <= 1000


def test_month_labels_stand_at_the_first_of_a_month() -> None:
    ticks = c.time_ticks(START_NS, START_NS + 212 * DAY_NS, 8)
    assert [t.text for t in ticks][:3] == ["Aug 2022", "Sep 2022", "Oct 2022"]
    assert ticks[1].at == pytest.approx(1000 * 31 / 212)
    assert c.time_ticks(5, 5, 8) == []


def test_a_path_runs_from_edge_to_edge() -> None:
    ts = np.array([0, 10, 40], dtype=np.int64)
    scale = c.Scale(0.0, 10.0)
    assert c.line_path(ts, [0.0, 10.0, 5.0], scale) == "M0.0 1000.0L250.0 0.0L1000.0 500.0"
    assert c.area_path(ts, [0.0, 10.0, 5.0], scale).endswith("V1000.0H0Z")
    assert c.line_path(ts[:1], [5.0], scale) == "M0 500.0H1000"
    assert c.line_path(ts[:0], [], scale) == ""
    assert c.rug_path([0, 20], 0, 40) == "M0.0 0V1000M500.0 0V1000"


@given(st.lists(st.floats(-0.9, 5.0), min_size=1, max_size=300))
def test_bins_hold_every_trade_once_and_do_not_mix_gains_with_losses(values: list[float]) -> None:
    bins = c.histogram(values)
    assert sum(b.count for b in bins) == len(values)
    assert len(bins) <= 90
    assert sum(b.count for b in bins if b.gain) == sum(v >= 0 for v in values)
    assert all(b.gain == (b.low >= 0) for b in bins)


def test_a_histogram_of_nothing_is_nothing() -> None:
    assert c.histogram([]) == []
    assert sum(b.count for b in c.histogram([0.0, 0.0])) == 2


def test_a_sparkline_shows_the_shape() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == BLOCKS[1:]
    assert sparkline([3, 3, 3], 8) == "▁▁▁"
    assert sparkline([], 8) == ""
    assert len(sparkline(list(range(1000)), 40)) == 40
    assert block_rows([0, 15], 2) == [" █", "▁█"]


def test_resampling_keeps_the_last_value_or_the_largest() -> None:
    assert resample([1, 9, 2, 3], 2) == [9, 3]
    assert resample_extreme([9, 1, 2, 3], 2) == [9, 3]
    assert resample([1, 2], 5) == [1, 2]


def test_a_bar_is_never_empty_for_something() -> None:
    assert bar(0, 10) == ""
    assert bar(0.0001, 10) == "▏"
    assert bar(1, 10) == "█" * 10
    assert bar(5, 10) == "█" * 10


def test_months_stand_in_their_years() -> None:
    rows = month_table([Month(2022, 12, 0.1), Month(2023, 1, -0.05)])
    assert [row["name"] for row in rows] == [2022, 2023]
    assert rows[0]["cells"][11] == {"text": "+10.00 %", "heat": "p4"}
    assert rows[1]["cells"][0]["heat"] == "m3"
    assert rows[1]["cells"][1] == {"text": "", "heat": ""}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1234.5"), "1,234.50"),
        (Decimal("-0.001"), "0.00"),
        (Decimal("-1.005"), "\N{MINUS SIGN}1.00"),
        (Decimal("80000000000.129"), "80,000,000,000.13"),
    ],
)
def test_amounts_are_rounded_for_the_eye(value: Decimal, text: str) -> None:
    assert w.amount(value, 2) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("23012.123456"), "23,012.12"),
        (Decimal("0.00001234567891"), "0.00001234568"),
        (Decimal("-1.5"), "\N{MINUS SIGN}1.5"),
        (Decimal(0), "0"),
        (Decimal("123456789.5"), "123,456,790"),
        (None, "—"),
    ],
)
def test_prices_keep_seven_digits(value: Decimal | None, text: str) -> None:
    assert w.significant(value) == text


def test_times_and_durations_read_well() -> None:
    assert w.clock(START_NS + 61 * 10**9, UTC) == "2022-08-01 00:01:01"
    assert w.iso_utc(START_NS + 7) == "2022-08-01T00:00:00.000000007Z"
    assert w.moment(START_NS, UTC) == datetime(2022, 8, 1, tzinfo=UTC)
    minute = 60 * 10**9
    texts = [w.duration(n) for n in (0, 5 * 10**8, 59 * 10**9, 5 * minute, 65 * minute, 30 * 60 * minute, 65 * DAY_NS)]
    assert texts == ["0 s", "500 ms", "59 s", "5 m", "1 h 05 m", "1 d 6 h", "65 d"]
    assert w.percent(-0.00001) == "0.00 %"
    assert w.percent(12.5, sign=True) == "+1,250.00 %"
