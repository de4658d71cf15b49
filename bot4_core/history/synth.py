"""A seeded market: prices that trend, calm down, storm and jump, the same on every machine.

For demos, tests and benches where no recorded data may be assumed. It is no forecast and no model of any venue.

Why one seed gives the same bytes everywhere: the bits come from PCG64 seeded by SeedSequence, both of which numpy
promises to keep; the distributions are written out here (numpy may change its own between versions); and the only
floating-point operations are + - × / and sqrt, which IEEE 754 rounds correctly. No exp or log, whose last bit
differs between C libraries. A price is rounded to ticks at the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt
from attrs import frozen

from ..domain.event import EVENT_DTYPE, Flag, Kind
from ..domain.instrument import Instrument
from ..domain.money import Rounding, to_units
from ..errors import DomainError
from .records import EARLIEST_NS, LATEST_NS, Events

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Raw = npt.NDArray[np.uint64]

MAX_BARS = 5_000_000
MAX_INSTRUMENTS = 64
#: Steps of the walk inside one bar; open, high, low and close are read off these points.
STEPS = 4
_DAY_NS = 86_400_000_000_000
#: The walk is mirrored at about 7.4 times and 1/7.4 of the start price (e**2), so that a long series stays usable.
_FOLD = 2.0
_REGIME_BARS = 400
_JUMP_EVERY_BARS = 1_500
#: calm, up-trend, down-trend, storm: factor on the volatility, drift per bar in calm standard deviations,
#: factor on the volume, factor on the spread.
_VOLATILITY = np.array([0.52, 0.74, 0.74, 1.63])  # mean square 1
_DRIFT = np.array([0.0, 0.12, -0.12, 0.0])
_VOLUME = np.array([0.6, 1.1, 1.1, 2.5])
_SPREAD = np.array([1, 1, 1, 3], dtype=np.int64)


@frozen(kw_only=True)
class Market:
    """What kind of market to make.

    Args:
        seed: any whole number from 0; the same seed gives the same records.
        start_ns: open of the first bar, UTC nanoseconds.
        bars: number of bars per instrument, at most 5,000,000.
        interval_ns: length of a bar.
        volatility: standard deviation of one day's return, 0.04 = 4 %.
        correlation: of the returns of two instruments, 0 to 1.
        quiet: share of bars without a trade (volume 0, flat at the last close), 0 to 0.5.
    """

    seed: int
    start_ns: int
    bars: int
    interval_ns: int
    volatility: float = 0.04
    correlation: float = 0.7
    quiet: float = 0.002

    def __attrs_post_init__(self) -> None:
        _require(self.seed >= 0, f"seed {self.seed} must not be negative")
        _require(1 <= self.bars <= MAX_BARS, f"bars {self.bars} must be from 1 to {MAX_BARS}")
        _require(self.interval_ns >= STEPS, f"interval of {self.interval_ns} ns is too short")
        end = self.start_ns + (self.bars + 1) * self.interval_ns
        _require(self.start_ns >= EARLIEST_NS and end < LATEST_NS, "start and end must lie within 2009..2100")
        _require(0 < self.volatility <= 1, f"volatility {self.volatility} must be above 0, at most 1")
        _require(0 <= self.correlation <= 1, f"correlation {self.correlation} must be from 0 to 1")
        _require(0 <= self.quiet <= 0.5, f"quiet {self.quiet} must be from 0 to 0.5")


def synth(
    instrument: Instrument,
    *,
    seed: int,
    start_ns: int,
    bars: int,
    interval_ns: int,
    start_price: Decimal,
    kind: str = "bars",
    volume: Decimal = Decimal(10),
    volatility: float = 0.04,
    quiet: float = 0.002,
) -> Events:
    """Records of one made-up market; see :class:`Market` for the arguments not named here.

    Args:
        instrument: whose ticks and volume units to use.
        start_price: price of the first bar's open, in quote.
        kind: ``"bars"``, or ``"ticks"`` for quotes and trades (four quotes and about two trades per bar).
        volume: mean volume of a bar, in base.

    Returns:
        Sorted records of ``EVENT_DTYPE``, instrument index 0.

    Raises:
        DomainError: for an argument out of its bounds.
    """
    market = Market(
        seed=seed, start_ns=start_ns, bars=bars, interval_ns=interval_ns, volatility=volatility, quiet=quiet
    )
    return synth_market([instrument], market, start_prices=[start_price], volumes=[volume], kind=kind)[0]


def synth_market(
    instruments: Sequence[Instrument],
    market: Market,
    *,
    start_prices: Sequence[Decimal],
    volumes: Sequence[Decimal] | None = None,
    kind: str = "bars",
) -> list[Events]:
    """Records of several instruments that move together, one array each, in the order of ``instruments``.

    The regimes are common to all; an instrument's series depends on its place in the list, not on how many follow.

    Args:
        instruments: at most 64.
        market: seed, times and character.
        start_prices: price of each first open, in quote.
        volumes: mean volume of a bar of each, in base; 10 where absent.
        kind: ``"bars"`` or ``"ticks"``.

    Raises:
        DomainError: for an argument out of its bounds, or a start price below 100 ticks.
    """
    places = range(1, len(instruments) + 1)
    return _together(instruments, market, start_prices=start_prices, volumes=volumes, kind=kind, streams=places)


def synth_bars(
    instruments: Sequence[Instrument],
    *,
    seed: int,
    start_ns: int,
    bars: int,
    interval_ns: int,
    start_prices: Sequence[Decimal],
    volumes: Sequence[Decimal],
) -> list[Events]:
    """Bars of several instruments that move together, one array each, in the order of ``instruments``.

    As :func:`synth_market`, but what an instrument does follows from the seed and its symbol alone, wherever it stands
    in the list and whatever stands beside it.

    Args:
        instruments: at most 64.
        seed: any whole number from 0; the same seed gives the same records.
        start_ns: open of the first bar, UTC nanoseconds.
        bars: number of bars per instrument, at most 5,000,000.
        interval_ns: length of a bar.
        start_prices: price of each first open, in quote.
        volumes: mean volume of a bar of each, in base.

    Returns:
        Sorted records of ``EVENT_DTYPE``, instrument index 0.

    Raises:
        DomainError: for an argument out of its bounds, a start price below 100 ticks, or a symbol that stands twice.
    """
    symbols = [each.symbol for each in instruments]
    _require(len(set(symbols)) == len(symbols), "a symbol stands twice")
    market = Market(seed=seed, start_ns=start_ns, bars=bars, interval_ns=interval_ns)
    streams = [int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8], "little") for symbol in symbols]
    return _together(instruments, market, start_prices=start_prices, volumes=volumes, kind="bars", streams=streams)


def _together(
    instruments: Sequence[Instrument],
    market: Market,
    *,
    start_prices: Sequence[Decimal],
    volumes: Sequence[Decimal] | None,
    kind: str,
    streams: Sequence[int],
) -> list[Events]:
    """Records of instruments in one market; ``streams`` numbers each one's own random numbers, 0 are those of all."""
    _require(kind in ("bars", "ticks"), f"kind {kind!r} must be bars or ticks")
    _require(1 <= len(instruments) <= MAX_INSTRUMENTS, f"give 1 to {MAX_INSTRUMENTS} instruments")
    amounts = [Decimal(10)] * len(instruments) if volumes is None else list(volumes)
    _require(len(start_prices) == len(instruments) == len(amounts), "give one start price and volume per instrument")
    common = _Source(market.seed, 0)
    regime = _regimes(common, market.bars)
    shared = common.normal(market.bars * STEPS)
    make = _bars if kind == "bars" else _ticks
    result = []
    for stream, instrument, price, amount in zip(streams, instruments, start_prices, amounts, strict=True):
        own = _Source(market.seed, stream)
        start = to_units(price, instrument.tick, Rounding.HALF_EVEN, f"{instrument.symbol} start price")
        _require(100 <= start < 2**48, f"{instrument.symbol}: start price {price} must be 100 ticks or more")
        mean = to_units(amount, Decimal(1).scaleb(-instrument.volume_scale), Rounding.HALF_EVEN, "volume")
        _require(1 <= mean < 2**52, f"{instrument.symbol}: volume {amount} does not suit its volume scale")
        path = _walk(own, market, regime, shared, start)
        result.append(make(own, market, regime, path, mean))
    return result


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise DomainError(message)


class _Source:
    """Random numbers by explicit algorithms over the raw bits of PCG64."""

    def __init__(self, seed: int, stream: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, stream]))

    def _raw(self, count: int) -> Raw:
        return np.asarray(self._bits.random_raw(count), dtype=np.uint64)

    def uniform(self, count: int) -> Floats:
        """In [0, 1), in steps of 2**-53."""
        return (self._raw(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def normal(self, count: int) -> Floats:
        """Mean 0, variance 1, within ±4.9: the sum of eight 16-bit uniforms (Irwin-Hall), exact in integers."""
        words = self._raw(2 * count).reshape(count, 2)
        total = np.zeros(count, dtype=np.int64)
        for shift in (0, 16, 32, 48):
            fields = (words >> np.uint64(shift)) & np.uint64(0xFFFF)
            total += (fields[:, 0] + fields[:, 1]).astype(np.int64)
        # variance of one field is (2**32 - 1) / 12
        return (total - 8 * 65535 // 2) / float(np.sqrt(8 * (2.0**32 - 1) / 12))


def _regimes(source: _Source, bars: int) -> Ints:
    """Regime number of each bar; a new one is drawn every 400 bars on average."""
    switches = source.uniform(bars) < 1.0 / _REGIME_BARS
    number = np.cumsum(switches)
    drawn = (source.uniform(int(number[-1]) + 1) * len(_VOLATILITY)).astype(np.int64)
    return np.asarray(drawn[number], dtype=np.int64)


def _walk(source: _Source, market: Market, regime: Ints, shared: Floats, start: int) -> Ints:
    """Prices in ticks, shape (bars, STEPS + 1): the open, then the points inside the bar; the last is the close."""
    bars = market.bars
    sigma = market.volatility * float(np.sqrt(market.interval_ns / _DAY_NS))
    weight = float(np.sqrt(market.correlation))
    own_weight = float(np.sqrt(1.0 - market.correlation))
    steps = (shared * weight + source.normal(bars * STEPS) * own_weight).reshape(bars, STEPS)
    steps *= (_VOLATILITY[regime] * (sigma / float(np.sqrt(STEPS))))[:, None]
    steps += (_DRIFT[regime] * (sigma / STEPS))[:, None]
    jumps = np.where(source.uniform(bars) < 1.0 / _JUMP_EVERY_BARS, source.normal(bars) * (6.0 * sigma), 0.0)
    jumps[0] = 0.0  # the first open is the start price
    moves = np.concatenate((jumps[:, None], steps), axis=1)
    # whole billionths: integer sums are the same in any order, float sums are not
    position = np.cumsum(np.rint(moves * 1e9).astype(np.int64).ravel()).astype(np.float64) * 1e-9
    # a triangle wave: the position itself within ±_FOLD, mirrored at the ends
    folded = _FOLD - np.abs(np.mod(position + _FOLD, 4 * _FOLD) - 2 * _FOLD)
    factor = 1.0 + folded * (1.0 / 4096)
    for _ in range(12):  # (1 + x/4096)**4096, near enough to exp(x) and made of products only
        factor *= factor
    ticks = np.maximum(np.rint(factor * start), 2).astype(np.int64)
    return ticks.reshape(bars, STEPS + 1)


def _volumes(source: _Source, regime: Ints, path: Ints, mean: int) -> Ints:
    """Volume of each bar in volume units: larger in storms and when the bar moved."""
    span = ((path.max(axis=1) - path.min(axis=1)) / path[:, 0] * 1e9).astype(np.int64)  # billionths: exact sum
    liveliness = span / max(int(span.sum()) // len(span), 1)
    shape = _VOLUME[regime] * (0.2 + source.uniform(len(regime))) * (0.5 + 0.5 * np.minimum(liveliness, 8.0))
    volume: Ints = np.maximum(np.rint(shape * mean), 1).astype(np.int64)
    return volume


def _bars(source: _Source, market: Market, regime: Ints, path: Ints, mean: int) -> Events:
    volume = _volumes(source, regime, path, mean)
    trades = 1 + (source.uniform(market.bars) * 200.0 * _VOLUME[regime]).astype(np.int64)
    quiet = source.uniform(market.bars) < market.quiet
    quiet[0] = False  # a flat bar repeats a close: the first has none
    index = np.arange(market.bars, dtype=np.int64)
    last_traded = np.maximum.accumulate(np.where(quiet, 0, index))
    events = np.zeros(market.bars, dtype=EVENT_DTYPE)
    events["ts"] = market.start_ns + (index + 1) * market.interval_ns
    events["kind"] = Kind.BAR
    close = path[:, -1][last_traded]
    columns = (path[:, 0], path.max(axis=1), path.min(axis=1), path[:, -1])
    for number, column in enumerate(columns):
        events["v"][:, number] = np.where(quiet, close, column)
    events["v"][:, 4] = np.where(quiet, 0, volume)
    events["v"][:, 5] = np.where(quiet, 0, trades)
    return events


def _ticks(source: _Source, market: Market, regime: Ints, path: Ints, mean: int) -> Events:
    """One quote per step, and a trade at its bid or ask after about half of them."""
    count = market.bars * STEPS
    middle = path[:, 1:].ravel()
    spread = np.repeat(_SPREAD[regime], STEPS) + (source.uniform(count) * 2.0).astype(np.int64)
    bid = np.maximum(middle - spread // 2, 1)
    ask = bid + spread
    size = np.repeat(_volumes(source, regime, path, mean), STEPS) // STEPS + 1
    bid_size = 1 + (size * (0.5 + source.uniform(count))).astype(np.int64)
    ask_size = 1 + (size * (0.5 + source.uniform(count))).astype(np.int64)
    step_ns = market.interval_ns // STEPS
    offset = np.tile(np.arange(STEPS, dtype=np.int64) * step_ns, market.bars)
    opened = market.start_ns + np.repeat(np.arange(market.bars, dtype=np.int64) * market.interval_ns, STEPS)
    quoted = opened + offset + (source.uniform(count) * (step_ns // 2)).astype(np.int64)
    sells = source.uniform(count) < 0.5
    share = source.uniform(count)
    traded = source.uniform(count) < 0.5
    sequence = np.arange(1, count + 1, dtype=np.int64)

    events = np.zeros(2 * count, dtype=EVENT_DTYPE)
    quotes, trades = events[0::2], events[1::2]
    quotes["ts"], quotes["kind"] = quoted, Kind.QUOTE
    for number, column in enumerate((bid, bid_size, ask, ask_size, quoted, sequence)):
        quotes["v"][:, number] = column
    taken = 1 + (share * (np.where(sells, bid_size, ask_size) - 1)).astype(np.int64)
    after = quoted + step_ns // 4
    trades["ts"], trades["kind"] = after, Kind.TRADE
    trades["flags"] = np.where(sells, int(Flag.SELL), 0)
    for number, column in enumerate((np.where(sells, bid, ask), taken, sequence, after)):
        trades["v"][:, number] = column
    keep = np.ones(2 * count, dtype=np.bool_)
    keep[1::2] = traded
    kept: Events = events[keep]
    return kept
