"""The native valuation against fractions, and its contract at the edges."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot4_core.domain.event import EVENT_DTYPE, Kind
from bot4_core.errors import NativeError
from bot4_core.native import ffi, lib
from bot4_core.native.valuation import Valuation

from .reference.valuation import Valuation as Reference

N = 3
MUL = 1000


def records(rows: list[tuple[int, int, int, tuple[int, ...]]]) -> np.ndarray:
    events = np.zeros(len(rows), EVENT_DTYPE)
    for event, (ts, instrument, kind, v) in zip(events, rows, strict=True):
        event["ts"], event["instrument"], event["kind"] = ts, instrument, kind
        event["v"][: len(v)] = v
    return events


def bar(ts: int, instrument: int, close: int, volume: int = 1) -> tuple[int, int, int, tuple[int, ...]]:
    return ts, instrument, Kind.BAR, (close, close, close, close, volume, 1)


def mark(valuation: Valuation, *rows: tuple[int, int, int, tuple[int, ...]]) -> int:
    events = records(list(rows))
    return valuation.mark_events(ffi.from_buffer(events), len(events))


def new(limit_ppb: int = 0, **changes: int) -> Valuation:
    valuation = Valuation(N, **{"sample_ns": 100, "n_samples": 16, "cash_mul": MUL, **changes})
    valuation.set_limit(limit_ppb)
    return valuation


ticks = st.integers(1, 2**40)
step = st.tuples(
    st.integers(0, 250),  # nanoseconds since the last step
    st.lists(
        st.tuples(st.integers(0, N - 1), st.sampled_from(["bar", "empty bar", "trade", "quote"]), ticks, ticks),
        max_size=4,
    ),
    st.none() | st.tuples(st.integers(0, N - 1), st.integers(-(10**6), 10**6)),
    st.none() | st.integers(-(2**40), 2**50),
    st.sampled_from(["", "", "", "flush", "peak", "again"]),
)


def event_of(ts: int, what: tuple[int, str, int, int]) -> tuple[int, int, int, tuple[int, ...]]:
    instrument, kind, a, b = what
    match kind:
        case "bar":
            return ts, instrument, Kind.BAR, (a, a, a, b, 7, 1)
        case "empty bar":
            return ts, instrument, Kind.BAR, (a, a, a, b, 0, 0)
        case "trade":
            return ts, instrument, Kind.TRADE, (a, b, 0, 0, 0, 0)
        case _:
            return ts, instrument, Kind.QUOTE, (a, 1, b, 1, 0, 0)


@given(st.lists(step, max_size=60), st.integers(1, 10**9), st.sampled_from([4, 5, 16, 64]))
@example(  # a fall of more than 64 bits of parts per billion
    steps=[
        (0, [], None, 1, ""),
        (0, [(0, "bar", 1, 1)], None, None, ""),
        (0, [], (0, -9290), None, ""),
        (0, [(0, "bar", 1, 141_832_571)], None, None, ""),
    ],
    limit_ppb=1,
    n_samples=4,
)
@settings(max_examples=400, deadline=None)
def test_it_agrees_with_fractions_over_any_sequence(
    steps: list[tuple[int, list[tuple[int, str, int, int]], tuple[int, int] | None, int | None, str]],
    limit_ppb: int,
    n_samples: int,
) -> None:
    native = new(limit_ppb, n_samples=n_samples)
    reference = Reference(N, sample_ns=100, n_samples=n_samples, cash_mul=MUL)
    reference.limit = Fraction(limit_ppb, 10**9)
    ts = 10**9
    for gap, marks, position, cash, extra in steps:
        ts += gap
        native.roll(ts)
        reference.roll(ts)
        if position is not None:
            native.set_position(position[0], position[1], 7)
            reference.coef[position[0]] = position[1] * 7
        if cash is not None:
            native.set_cash(cash)
            reference.cash = cash
        rows = [event_of(ts, m) for m in marks]
        hit = mark(native, *rows)
        if extra == "again":
            assert mark(native, *rows) == hit
        expected = 0
        for row in rows:
            reference.mark(*row)
        if rows:
            expected = reference.close_step(ts)
        assert hit == expected
        if extra == "flush":
            native.flush()
            reference.flush()
        elif extra == "peak":
            native.restore_peak(2**45)
            reference.restore_peak(2**45)
        assert (native.equity, native.exposure) == (reference.equity, reference.exposure)
        assert (native.unmarked, native.unjudged) == (reference.unmarked, reference.unjudged)
        assert native.breached == reference.breached
        assert (native.drawdown_ppb, native.max_drawdown_ppb) == (reference.drawdown_ppb, reference.max_drawdown_ppb)
        if reference.peak is not None:
            assert native.peak == reference.peak.__floor__()
        assert native.samples().tolist() == reference.rows
        assert native.sample_ns == reference.sample_ns


@pytest.mark.parametrize(("close", "hit"), [(8501, 0), (8500, 1), (8499, 1)])
def test_a_drawdown_equal_to_the_limit_breaches(close: int, hit: int) -> None:
    valuation = new(150_000_000)
    valuation.set_position(0, 1, MUL)
    mark(valuation, bar(1, 0, 10_000))

    assert mark(valuation, bar(2, 0, close)) == hit
    assert valuation.breached == bool(hit)


def test_the_breach_level_is_exact_where_a_float_is_not() -> None:
    peak = 3 * 10**17 + 1
    valuation = new(333_333_333, cash_mul=1)
    valuation.set_cash(peak)
    valuation.close_step(1)
    level = peak - -(-peak * 333_333_333 // 10**9)

    valuation.set_cash(level + 1)
    assert valuation.close_step(2) == 0
    valuation.set_cash(level)
    assert valuation.close_step(3) == 1


def test_two_marks_of_one_instant_make_no_peak_between_them() -> None:
    valuation = new()
    valuation.set_position(0, 1, MUL)
    valuation.set_position(1, -1, MUL)
    mark(valuation, bar(1, 0, 1000), bar(1, 1, 500))
    mark(valuation, bar(2, 0, 2000), bar(2, 1, 1600))

    assert valuation.peak == 500
    assert valuation.max_drawdown_ppb == 200_000_000


def test_a_bar_without_volume_marks_nothing() -> None:
    valuation = new()
    valuation.set_position(0, 1, MUL)
    mark(valuation, bar(1, 0, 100), bar(2, 0, 1, volume=0))

    assert valuation.mark_of(0) == 100
    assert valuation.equity == 100


def test_only_the_chosen_kinds_mark() -> None:
    valuation = new()
    valuation.set_mark_kinds(0, 1 << Kind.QUOTE)
    mark(valuation, bar(1, 0, 100), (2, 0, Kind.TRADE, (200, 1)), (3, 0, Kind.QUOTE, (300, 1, 303, 1)))

    assert valuation.mark_of(0) == 301


def test_a_one_sided_quote_and_an_event_of_the_past_mark_nothing() -> None:
    valuation = new()
    mark(valuation, bar(5, 0, 100), (6, 0, Kind.QUOTE, (300, 1, 0, 0)), bar(4, 0, 50))

    assert valuation.mark_of(0) == 100


def test_a_position_without_a_mark_is_counted_and_not_judged() -> None:
    valuation = new(10_000_000)
    valuation.set_cash(1000)
    mark(valuation, bar(1, 0, 100))
    valuation.set_position(1, 9, MUL)
    valuation.set_cash(100)

    assert mark(valuation, bar(2, 0, 100)) == 0
    assert (valuation.unmarked, valuation.unjudged, valuation.breached) == (1, 1, False)
    assert mark(valuation, bar(3, 1, 100)) == 0
    assert (valuation.unmarked, valuation.equity, valuation.drawdown_ppb) == (0, 1000, 0)


def test_a_restored_peak_judges_the_first_step() -> None:
    valuation = new(150_000_000)
    valuation.set_cash(850)
    valuation.restore_peak(1000)

    assert valuation.close_step(1) == 1
    valuation.restore_peak(850)
    assert not valuation.breached
    assert valuation.close_step(2) == 0


def test_fills_after_a_roll_belong_to_the_new_bucket() -> None:
    valuation = new()
    valuation.set_cash(1000)
    mark(valuation, bar(50, 0, 1))
    valuation.roll(150)
    valuation.set_cash(1)
    mark(valuation, bar(150, 0, 1))
    valuation.flush()

    assert valuation.samples()[:, :2].tolist() == [[100, 1000], [200, 1]]


def test_a_bar_closing_on_the_boundary_belongs_to_the_bucket_it_ends() -> None:
    valuation = new()
    valuation.set_cash(7)
    mark(valuation, bar(100, 0, 1), bar(101, 0, 2))
    valuation.flush()

    assert valuation.samples()[:, [0, 3]].tolist() == [[100, 1], [200, 2]]


def test_a_full_curve_doubles_its_bucket_and_keeps_the_ends() -> None:
    valuation = new(n_samples=8)
    for k in range(1, 201):
        valuation.roll(100 * k)
        valuation.set_cash(k)
        mark(valuation, bar(100 * k, 0, k))
    valuation.flush()
    rows = valuation.samples()

    assert len(rows) <= 8
    assert valuation.sample_ns > 100
    assert (rows[:, 0] % valuation.sample_ns == 0).all()
    assert rows[:-1, 1].tolist() == (rows[:-1, 0] // 100).tolist()
    assert rows[-1, 1] == 200


def test_an_overflow_is_refused_and_changes_nothing() -> None:
    valuation = new()
    valuation.set_cash(5)
    mark(valuation, bar(1, 0, 2**57))

    with pytest.raises(NativeError, match="does not fit"):
        valuation.set_position(0, 2**62, 2**62)
    assert (valuation.equity, valuation.exposure) == (5, 0)
    valuation.set_position(1, 2**62, 2**20)
    with pytest.raises(NativeError, match="does not fit"):
        mark(valuation, bar(2, 1, 2**57))
    assert (valuation.equity, valuation.unmarked) == (5, 1)


def test_a_wide_position_is_exact() -> None:
    valuation = new(cash_mul=10**18)
    valuation.set_position(0, 10**17, 10**6)
    mark(valuation, bar(1, 0, 123_456_789), bar(2, 0, 123_456_790))

    assert valuation.equity == 123_456_790 * 10**5
    assert valuation.peak == 123_456_790 * 10**5


@pytest.mark.parametrize(
    "changes",
    [{"sample_ns": 0}, {"cash_mul": 0}, {"n_samples": 3}, {"n_samples": 2**20 + 1}, {"sample_ns": 2**61}],
)
def test_arguments_out_of_bounds_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(NativeError, match="bound"):
        new(**changes)


def test_instruments_are_bounds_checked() -> None:
    for count in (0, 4097):
        with pytest.raises(NativeError, match="bound"):
            Valuation(count, sample_ns=1, cash_mul=1)
    valuation = new()
    for call in (
        lambda: valuation.set_position(N, 1, 1),
        lambda: valuation.set_mark_kinds(N, 2),
        lambda: valuation.set_mark_kinds(0, 1 << Kind.FILL),
        lambda: valuation.mark_of(N),
        lambda: valuation.set_limit(10**9 + 1),
        lambda: mark(valuation, bar(1, N, 5)),
        lambda: mark(valuation, bar(1, 0, -5)),
        lambda: mark(valuation, bar(1, 0, 2**58)),
    ):
        with pytest.raises(NativeError):
            call()


def test_null_misaligned_and_foreign_memory_are_refused() -> None:
    null = ffi.NULL
    assert lib.b4_valuation_mark(null, null) == lib.B4_E_NULL
    assert lib.b4_valuation_close_step(null, 1) == lib.B4_E_NULL
    assert lib.b4_valuation_init(null, 0, 1, 4, 1, 1) == lib.B4_E_NULL
    assert lib.b4_valuation_check(null) == lib.B4_E_NULL
    valuation = new()
    assert lib.b4_valuation_check(valuation.cdata) == 0
    assert valuation.address % 64 == 0
    shifted = ffi.cast("b4_valuation *", valuation.address + 8)
    assert lib.b4_valuation_check(shifted) == lib.B4_E_ALIGN
    ffi.cast("uint32_t *", valuation.cdata)[0] += 1
    assert lib.b4_valuation_check(valuation.cdata) == lib.B4_E_ABI
    events = records([bar(1, 0, 1)])
    assert lib.b4_valuation_mark_events(valuation.cdata, ffi.from_buffer(events), 1, 60) == lib.B4_E_ALIGN


def test_a_bulk_call_equals_single_calls() -> None:
    rng = np.random.default_rng(7)
    events = records([bar(10 * (k // 2), k % N, int(rng.integers(1, 1000))) for k in range(5000)])
    whole, single = new(n_samples=64), new(n_samples=64)
    for valuation in (whole, single):
        valuation.set_cash(10**6)
        for i in range(N):
            valuation.set_position(i, (-1) ** i * (i + 1), MUL)
    whole.mark_events(ffi.from_buffer(events), len(events))
    for k in range(0, 5000, 2):
        pair = events[k : k + 2].copy()
        single.mark_events(ffi.from_buffer(pair), 2)

    assert whole.samples().tolist() == single.samples().tolist()
    assert (whole.peak, whole.max_drawdown_ppb) == (single.peak, single.max_drawdown_ppb)


def test_the_range_holds_the_extremes_of_bars_and_trades_since_the_reset() -> None:
    valuation = new(0)
    assert valuation.range_of(0) == (0, 0)
    rows = [
        (1, 0, Kind.BAR, (100, 130, 90, 110, 7, 1)),
        (2, 0, Kind.TRADE, (140, 1, 0, 0, 0, 0)),
        (3, 0, Kind.BAR, (100, 900, 1, 110, 0, 0)),  # no volume: shows nothing (B-7)
        (4, 1, Kind.BAR, (7, 8, 6, 7, 7, 1)),
    ]
    mark(valuation, *rows)
    assert valuation.range_of(0) == (90, 140)
    assert valuation.range_of(1) == (6, 8)
    valuation.reset_range(0)
    assert valuation.range_of(0) == (0, 0)
    mark(valuation, (5, 0, Kind.QUOTE, (50, 1, 60, 1, 0, 0)), (6, 0, Kind.TRADE, (120, 1, 0, 0, 0, 0)))
    assert valuation.range_of(0) == (120, 120)
    for call in (valuation.range_of, valuation.reset_range):
        with pytest.raises(NativeError):
            call(N)
