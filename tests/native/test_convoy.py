"""With another Python thread busy, a call that keeps the GIL costs what it costs alone; a stock cffi call does not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
import pytest

from bot4_core.native import ffi, lib
from bot4_core.native.latch import Latch
from bot4_core.native.spsc import Spsc
from bot4_core.native.valuation import Valuation

BUILD_STOCK = """
import sys
from cffi import FFI
ffi = FFI()
ffi.cdef("int nothing(int a, int b);")
ffi.set_source("stock", "static int nothing(int a, int b) { return a + b; }")
print(ffi.compile(tmpdir=sys.argv[1]))
"""


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory, compiler: str) -> Callable[[int, int], int]:
    """The same empty call as b4_bench_nothing, in a module built by cffi as it comes: it releases the GIL."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("stock")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD_STOCK, folder], capture_output=True, text=True, check=True
    )
    spec = importlib.util.spec_from_file_location("stock", Path(done.stdout.splitlines()[-1]))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    nothing: Callable[[int, int], int] = module.lib.nothing
    return nothing


@contextmanager
def busy_thread() -> Iterator[None]:
    stop = threading.Event()

    def compute() -> None:
        x = 0
        while not stop.is_set():
            for k in range(1000):
                x ^= k

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def cost_ns(function: Callable[..., Any], args: tuple[Any, ...]) -> float:
    """Mean time of a call over a stretch of several switch intervals (5 ms each).

    The mean is what a trading loop feels: it holds the fair share of the GIL that the other thread takes (about half
    the time) and the waits after each release, if there are releases.
    """
    calls, start = 0, perf_counter_ns()
    while (took := perf_counter_ns() - start) < 25_000_000:
        for _ in range(20):
            function(*args)
        calls += 20
    return took / calls


def hot_calls() -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    latch, ring, valuation = Latch.memory(), Spsc(64), Valuation(1, sample_ns=1000, cash_mul=1)
    events = np.zeros(8, np.uint64)
    calls: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "empty call": (lib.b4_bench_nothing, (1, 2)),
        "latch mode": (lib.b4_latch_mode, (latch.cdata,)),
        "ring push": (lib.b4_spsc_push, (ring.cdata, ffi.new("b4_event *"))),
        "valuation mark": (valuation.mark_events, (ffi.from_buffer(events), 1)),
    }
    keep = (latch, ring, valuation, events)
    return {name: (lambda *a, _f=f, _keep=keep: _f(*a), args) for name, (f, args) in calls.items()}


def test_hot_calls_cost_at_most_five_times_as_much_beside_a_busy_thread(
    stock: Callable[[int, int], int], capsys: pytest.CaptureFixture[str]
) -> None:
    calls = {**hot_calls(), "stock cffi": (stock, (1, 2))}
    quiet, busy = dict.fromkeys(calls, float("inf")), dict.fromkeys(calls, float("inf"))
    worst = dict.fromkeys(calls, 0.0)
    # Quiet and busy in turns, the least disturbed of each: other work on the machine comes and goes, while a convoy
    # would be there in every round.
    for _ in range(8):
        for name, (function, args) in calls.items():
            quiet[name] = min(quiet[name], cost_ns(function, args))
            with busy_thread():
                took = cost_ns(function, args)
            busy[name], worst[name] = min(busy[name], took), max(worst[name], took)

    with capsys.disabled():
        print()
        for name in calls:
            print(
                f"{name:16} quiet {quiet[name]:7.0f} ns   busy {busy[name]:9.0f} ns   x{busy[name] / quiet[name]:.1f}"
            )
    for name in hot_calls():
        assert busy[name] <= 5 * quiet[name], name


@contextmanager
def thread_that_runs_only_when_let() -> Iterator[list[int]]:
    """Counts its turns. With an endless switch interval it gets one only when somebody else releases the GIL."""
    turns, stop = [0], threading.Event()

    def take_turns() -> None:
        while not stop.is_set():
            turns[0] += 1
            time.sleep(0)  # gives the GIL back: not a wait

    thread = threading.Thread(target=take_turns)
    thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        before = turns[0]
        while turns[0] < before + 2:  # it may still be waiting with the old interval; its next wait has the new one
            time.sleep(0)
        yield turns
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()


@pytest.mark.parametrize("name", hot_calls())
def test_a_hot_call_never_lets_go_of_the_gil(name: str) -> None:
    function, args = hot_calls()[name]
    with thread_that_runs_only_when_let() as turns:
        function(*args)
        before = turns[0]
        for _ in range(100_000):
            function(*args)
        assert turns[0] == before


def test_a_stock_call_does_let_go_of_it(stock: Callable[[int, int], int]) -> None:
    with thread_that_runs_only_when_let() as turns:
        before, calls = turns[0], 0
        while turns[0] == before and calls < 50_000_000:
            stock(1, 2)
            calls += 1
        assert turns[0] > before


def test_a_bulk_call_lets_other_python_threads_run() -> None:
    """From 1024 items on the GIL is free; the other thread's count moves during one single call."""
    ticks = [0]
    stop = threading.Event()

    def count() -> None:
        while not stop.is_set():
            ticks[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    took = np.zeros(200, np.int64)
    out = ffi.cast("int64_t *", ffi.from_buffer(took))
    before = ticks[0]
    lib.b4_bulk_bench_run(lib.B4_BENCH_FETCH_ADD, 1_000_000, out, 200)
    during = ticks[0] - before
    stop.set()
    thread.join()

    # Without the release the other thread runs only in the moment around the call: a switch interval or two.
    assert took.sum() > 50_000_000
    assert during > 100_000
