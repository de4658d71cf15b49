"""Equity marked to market, worked out anew each time with fractions: slow, short, and independent of the C."""

from __future__ import annotations

from fractions import Fraction

from bot4_core.domain.event import Kind


class Valuation:
    """What src/valuation.h promises, in plain Python; arguments as in bot4_core.native.valuation."""

    def __init__(self, n_instruments: int, *, sample_ns: int, n_samples: int, cash_mul: int) -> None:
        self.n, self.sample_ns, self.n_samples, self.cash_mul = n_instruments, sample_ns, n_samples, cash_mul
        self.cash = 0
        self.coef = [0] * n_instruments
        self.ticks = [0] * n_instruments
        self.mark_ts = [0] * n_instruments
        self.limit = Fraction(0)
        self.peak: Fraction | None = None
        self.trough = Fraction(0)
        self.falls: list[Fraction] = []
        self.breached = False
        self.bucket: int | None = None
        self.rows: list[list[int]] = []
        self.flushed = False
        self.unjudged = 0
        self.step_ts = 0

    @property
    def exact(self) -> Fraction:
        return self.cash + Fraction(sum(c * t for c, t in zip(self.coef, self.ticks, strict=True)), self.cash_mul)

    @property
    def equity(self) -> int:
        return self.exact.__floor__()

    @property
    def exposure(self) -> int:
        return Fraction(sum(abs(c * t) for c, t in zip(self.coef, self.ticks, strict=True)), self.cash_mul).__floor__()

    @property
    def unmarked(self) -> int:
        return sum(1 for c, t in zip(self.coef, self.ticks, strict=True) if c and not t)

    def _fall(self, low: Fraction) -> Fraction:
        return (
            (self.peak - low) / self.peak
            if self.peak is not None and self.peak > low and self.peak > 0
            else Fraction(0)
        )

    @property
    def drawdown_ppb(self) -> int:
        return min((self._fall(self.exact) * 10**9).__floor__(), 2**63 - 1)  # the header: INT64_MAX beyond 64 bits

    @property
    def max_drawdown_ppb(self) -> int:
        return min((max([*self.falls, self._fall(self.trough)]) * 10**9).__floor__(), 2**63 - 1)

    def restore_peak(self, units: int) -> None:
        self.falls.append(self._fall(self.trough))
        self.peak = self.trough = Fraction(units)
        self.breached = False

    def _end(self, ts: int) -> int:
        return -(-ts // self.sample_ns) * self.sample_ns

    def _sample(self) -> None:
        assert self.bucket is not None
        if self.flushed:
            self.rows.pop()
            self.flushed = False
        if len(self.rows) == self.n_samples:
            while len(self.rows) > self.n_samples - self.n_samples // 4:
                self.sample_ns *= 2
                last = {self._end(row[0]): row for row in self.rows}
                self.rows = [[end, *row[1:]] for end, row in last.items()]
            self.bucket = self._end(self.bucket)
            self.rows = [row for row in self.rows if row[0] != self.bucket]
        self.rows.append([self.bucket, self.equity, self.exposure, *self.ticks])

    def roll(self, ts: int) -> None:
        if self.bucket is None:
            if ts > 0:
                self.bucket = self._end(ts)
            return
        if ts <= self.bucket:
            return
        if not self.unmarked and self.peak is not None:
            self._sample()
            if ts <= self.bucket:
                self.rows.pop()
                return
        self.flushed = False
        self.bucket = self._end(ts)

    def flush(self) -> None:
        if self.bucket is not None and self.peak is not None and not self.unmarked:
            self._sample()
            self.flushed = True

    def mark(self, ts: int, instrument: int, kind: int, v: tuple[int, ...]) -> None:
        price = 0
        if kind == Kind.BAR and v[4] > 0:
            price = v[3]
        elif kind == Kind.TRADE:
            price = v[0]
        elif kind == Kind.QUOTE and v[0] > 0 and v[2] > 0:
            price = (v[0] + v[2]) // 2
        if price and ts >= self.mark_ts[instrument]:
            self.roll(ts)
            self.ticks[instrument] = price
            self.mark_ts[instrument] = ts

    def close_step(self, ts: int) -> int:
        self.roll(ts)
        if self.unmarked:
            self.unjudged += ts > self.step_ts
            self.step_ts = max(self.step_ts, ts)
            return 0
        self.step_ts = max(self.step_ts, ts)
        if self.peak is None or self.exact > self.peak:
            if self.peak is not None:
                self.falls.append(self._fall(self.trough))
            self.peak = self.trough = self.exact
            return 0
        self.trough = min(self.trough, self.exact)
        hit = self.limit > 0 and self.peak > 0 and self.peak - self.exact >= self.limit * self.peak
        self.breached |= hit
        return int(hit)
