"""The native library: small C structures with one Python face each.

==================  ==========================================================================
:mod:`.valuation`   equity marked to market, drawdown, equity curve
:mod:`.latch`       the kill latch: one word every process reads before every send
:mod:`.latch_file`  the file behind a latch
:mod:`.spsc`        ring from one producer to one consumer
:mod:`.histogram`   latencies and their percentiles, without locks
:mod:`.counters`    named counters, each on its own cache line
:mod:`.segment`     the memory-mapped file that holds rings, histograms and counters
:mod:`.bench`       what they cost on this machine
==================  ==========================================================================

The module keeps the GIL in every call and releases it in bulk calls (src/gil.h). Structures never allocate after
they are made. Importing this package imports the compiled module and nothing else of bot4.
MEMORY.md argues the memory order of each structure.
"""

from __future__ import annotations

from pathlib import Path

from ._native import ffi, lib

#: Layout number of the public structures; a plugin's own native module compares it with the one it was built with.
ABI: int = lib.B4_ABI


def include_dir() -> str:
    """Directory of the public C headers, for the build of a plugin's own native module."""
    return str(Path(__file__).parent / "src")


__all__ = ["ABI", "ffi", "include_dir", "lib"]
