"""When market time is due on a clock: a chosen speed from a fixed start, so that no error adds up."""

from __future__ import annotations

from fractions import Fraction

from attrs import field, frozen


def _positive(_: object, __: object, value: Fraction) -> None:
    if value <= 0:
        raise ValueError(f"a speed of {value} leads nowhere")


@frozen(kw_only=True)
class Pace:
    """Market time against a clock, in whole nanoseconds; each of the two answers is the other's exact inverse.

    Args:
        market_ns: the market's time at the start, UTC ns.
        clock_ns: the clock's monotonic time at the start.
        speed: market seconds per second of the clock, above 0.
    """

    market_ns: int
    clock_ns: int
    speed: Fraction = field(validator=_positive)

    def due(self, market_ns: int) -> int:
        """The first moment of the clock at which that market time has come."""
        return self.clock_ns - (self.market_ns - market_ns) * self.speed.denominator // self.speed.numerator

    def market(self, clock_ns: int) -> int:
        """The latest market time that has come by that moment of the clock."""
        return self.market_ns + (clock_ns - self.clock_ns) * self.speed.numerator // self.speed.denominator
