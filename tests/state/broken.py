"""Every way a latch file can be broken, and processes for which file modes hold."""

from __future__ import annotations

import ctypes
import os
import random
from collections.abc import Callable
from pathlib import Path

_PR_CAPBSET_DROP = 24
_OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def _cut(path: Path) -> None:
    os.truncate(path, 100)


def _zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _random(path: Path) -> None:
    path.write_bytes(random.Random(7).randbytes(path.stat().st_size))


def _replaced(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _unreadable(path: Path) -> None:
    path.chmod(0)


BREAKAGES: dict[str, Callable[[Path], None]] = {
    "cut": _cut,
    "zeroed": _zeroed,
    "random bytes": _random,
    "deleted": Path.unlink,
    "a directory": _replaced,
    "unreadable": _unreadable,
}


def obey_modes() -> None:
    """Before an exec: makes file modes hold for root too, as they do for everybody else."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in _OVERRIDES:
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
