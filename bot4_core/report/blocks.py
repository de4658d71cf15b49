"""Curves and bars out of text characters, for the terminal.

Unicode block elements; :data:`TO_ASCII` turns them, and the signs that the report uses, into what every terminal has.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Eight fillings of a cell from below; index 0 is empty.
BLOCKS = " ▁▂▃▄▅▆▇█"
_LEFT_BLOCKS = " ▏▎▍▌▋▊▉█"
#: For ``str.translate``, where the terminal's encoding has no such characters.
TO_ASCII = str.maketrans(
    dict(zip("▁▂▃▄▅▆▇█▏▎▍▌▋▊▉·×−–—▲▼\u00a0", ".:-=+*#@||||||| x---^v ", strict=True)) | {"…": "...", "→": "->"}
)


def resample(values: Sequence[float], width: int) -> list[float]:
    """The values at ``width`` evenly spaced places: the last value of each stretch, and the first when it is alone."""
    count = len(values)
    if count <= width:
        return list(values)
    return [values[(i + 1) * count // width - 1] for i in range(width)]


def resample_extreme(values: Sequence[float], width: int) -> list[float]:
    """As :func:`resample`, but the largest value of each stretch: for drawdown and exposure no peak may vanish."""
    count = len(values)
    if count <= width:
        return list(values)
    return [max(values[i * count // width : (i + 1) * count // width]) for i in range(width)]


def sparkline(values: Sequence[float], width: int, *, low: float | None = None, high: float | None = None) -> str:
    """One line of blocks.

    Args:
        values: the curve; not a number counts as the lowest value.
        width: most characters; fewer values give fewer characters.
        low, high: ends of the scale; the curve's own when None. A flat curve is drawn at the lowest level.
    """
    return "".join(block_rows(resample(values, width), 1, low=low, high=high))


def block_rows(values: Sequence[float], rows: int, *, low: float | None = None, high: float | None = None) -> list[str]:
    """A chart of one column per value and eight levels per row, top row first.

    The lowest level is always visible, so that a curve at the bottom of its scale can be told from no curve.
    """
    if not values:
        return [""] * rows
    numbers = np.asarray(values, dtype=np.float64)
    bottom = float(np.nanmin(numbers)) if low is None else low
    top = float(np.nanmax(numbers)) if high is None else high
    span = top - bottom
    share = (numbers - bottom) / span if span > 0 else np.zeros(len(numbers))
    steps = rows * 8
    filled = np.clip(np.nan_to_num(1 + np.round(share * (steps - 1)), nan=1), 1, steps).astype(int)
    return ["".join(BLOCKS[min(8, max(0, f - 8 * row))] for f in filled) for row in reversed(range(rows))]


def bar(share: float, width: int) -> str:
    """A horizontal bar of ``share`` (0 to 1) of ``width`` cells, drawn in eighths; a share above 0 is never empty."""
    eighths = min(max(round(share * width * 8), 1 if share > 0 else 0), width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_LEFT_BLOCKS[rest] if rest else "")
