"""The histogram as a sorted list; only the width of a bucket is shared with the C, and worked out another way."""

from __future__ import annotations


def top_of_bucket(value: int) -> int:
    """Highest value that cannot be told from ``value``: five significant bits below the leading one are kept."""
    drop = max(value.bit_length() - 6, 0)
    return (value >> drop << drop) + (1 << drop) - 1


class Histogram:
    def __init__(self) -> None:
        self.values: list[int] = []
        self.errors = 0

    def percentile(self, ppm: int) -> int | None:
        if not self.values:
            return None
        rank = -(-len(self.values) * ppm // 1_000_000)
        return min(top_of_bucket(sorted(self.values)[rank - 1]), max(self.values))
