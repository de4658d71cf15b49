"""The histogram against a sorted list."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.errors import NativeError
from bot4_core.native import ffi, lib
from bot4_core.native.histogram import Histogram

from .reference.histogram import Histogram as Reference

latency = st.one_of(st.integers(0, 100), st.integers(0, 10**6), st.integers(0, 2**44 - 1))


@given(st.lists(latency, max_size=200), st.integers(1, 1_000_000), st.integers(0, 5))
def test_it_agrees_with_a_sorted_list(values: list[int], ppm: int, errors: int) -> None:
    native, reference = Histogram(), Reference()
    half = len(values) // 2
    for value in values[:half]:
        native.record(value)
    native.record_batch(np.array(values[half:], np.int64))
    for _ in range(errors):
        native.error()
    reference.values = values

    summary = native.read()

    assert (summary.count, summary.total, summary.max, summary.errors) == (
        len(values),
        sum(values),
        max(values, default=0),
        errors,
    )
    assert native.percentile(ppm) == reference.percentile(ppm)
    assert (summary.p50, summary.p99, summary.p999) == tuple(
        reference.percentile(p) or 0 for p in (500_000, 990_000, 999_000)
    )


@given(latency)
def test_a_percentile_is_never_low_and_at_most_a_thirty_second_high(value: int) -> None:
    histogram = Histogram()
    histogram.record(value)
    histogram.record(2**44 - 1)  # so that the maximum does not cap the answer
    answer = histogram.percentile(500_000)

    assert answer is not None
    assert value <= answer <= value + value / 32


def test_every_power_of_two_and_its_neighbours_keep_their_order() -> None:
    edges = sorted({max(0, 2**k + d) for k in range(44) for d in (-1, 0, 1)})
    answers = []
    for value in edges:
        histogram = Histogram()
        histogram.record_batch(np.array([value, 2**44 - 1], np.int64))
        answers.append(histogram.percentile(1))

    assert answers == sorted(answers)


@pytest.mark.parametrize("ns", [-1, 2**44])
def test_a_latency_that_cannot_be_is_refused_and_not_counted(ns: int) -> None:
    histogram = Histogram()
    with pytest.raises(NativeError, match="check the clock"):
        histogram.record(ns)
    with pytest.raises(NativeError, match="outside its bound"):
        histogram.record_batch(np.array([5, ns, 6], np.int64))

    assert histogram.read().count == 1


def test_an_empty_histogram_has_no_percentile() -> None:
    assert Histogram().percentile(500_000) is None
    for ppm in (0, 1_000_001):
        with pytest.raises(NativeError):
            Histogram().percentile(ppm)


def test_no_record_of_two_threads_is_lost() -> None:
    histogram, values = Histogram(), np.arange(100_000, dtype=np.int64)
    threads = [threading.Thread(target=histogram.record_batch, args=(values,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    summary = histogram.read()
    assert (summary.count, summary.total, summary.max) == (200_000, 2 * int(values.sum()), 99_999)


def test_null_and_other_arrays_are_refused() -> None:
    with pytest.raises(NativeError, match="int64"):
        Histogram().record_batch(np.zeros(3, np.int32))  # type: ignore[arg-type]  # the mistake under test
    assert lib.b4_histogram_record(ffi.NULL, 1) == lib.B4_E_NULL
    assert lib.b4_histogram_error(ffi.NULL) == lib.B4_E_NULL
    histogram = Histogram()
    size = lib.b4_histogram_size()
    assert lib.b4_histogram_check(histogram.cdata, size) == 0
    assert lib.b4_histogram_check(histogram.cdata, size - 1) == lib.B4_E_SIZE
    ffi.cast("uint32_t *", histogram.cdata)[0] += 1
    assert lib.b4_histogram_check(histogram.cdata, size) == lib.B4_E_ABI
