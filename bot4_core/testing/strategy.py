"""Running a strategy in a test: a few bars in, orders, fills and trades out, through the real engine and gate.

::

    def test_it_buys_the_breakout():
        run = run_strategy(Breakout, bars_from_closes([100] * 20 + [101, 103]), length=20)
        assert run.fills[0].side == "buy"

It needs the plugins ``bot4-exchange-sim`` and ``bot4-risk-default``, as a backtest does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from attrs import frozen

from ..config.model import BotConfig, Config, JournalConfig, Market, Part, Plan, Table, show_path
from ..config.structure import Problems, structure
from ..domain.event import EVENT_DTYPE, Kind
from ..domain.instrument import Instrument
from ..domain.money import Rounding, parse_decimal
from ..engine.assemble import assemble
from ..engine.backtest import run_backtest
from ..errors import ConfigError, Mistake, StoreError
from ..history.file import write_history
from ..journal.reading import RunRecord
from ..journal.rows import FillRow, OrderRow, RoundTripRow
from ..journal.store import Store
from ..native.latch import Latch
from ..plugins import Registry, load
from ..report.model import Report, build
from ..specs import ExchangeSpec, RiskSpec, StrategySpec
from ..strategy import Number, Strategy

_MINUTE_NS = 60 * 10**9
#: 2024-01-01 00:00 UTC, the open of the first bar
_START_NS = 1_704_067_200 * 10**9
#: an instrument and its records of ``EVENT_DTYPE``
MarketBars = tuple[Instrument, npt.NDArray[np.void]]
_EXCHANGE = "sim"
_RISK = "default"


@frozen
class StrategyRun:
    """What a strategy did.

    Args:
        report: everything the report shows.
        record: the run's rows in the journal.
    """

    report: Report
    record: RunRecord

    @property
    def orders(self) -> Sequence[OrderRow]:
        """Every order, denied ones included, in the order of their ids."""
        return self.record.orders

    @property
    def fills(self) -> Sequence[FillRow]:
        """Every fill."""
        return self.record.fills

    @property
    def trades(self) -> Sequence[RoundTripRow]:
        """Every closed trade."""
        return self.record.round_trips

    @property
    def denied(self) -> dict[str, int]:
        """Denials by rule."""
        return {each.rule: each.count for each in self.report.denials}

    @property
    def end_equity(self) -> Decimal:
        """Equity at the end, in the reporting asset; StoreError when the run did not come to its end."""
        if self.report.end_equity is None:
            raise StoreError(f"the run has no equity at its end: {self.report.reason}")
        return self.report.end_equity


def bars_from_closes(
    closes: Sequence[Number],
    *,
    instrument: Instrument | None = None,
    interval_ns: int = _MINUTE_NS,
    volume: Number = 1_000_000,
) -> MarketBars:
    """Bars that open at the last close and reach just from open to close.

    Args:
        closes: price of each bar's end; off-tick prices are rounded half-even.
        instrument: BTC/USDT with a tick of 0.01 and a lot of 0.00001 when None.
        interval_ns: length of a bar.
        volume: of every bar, in base.

    Returns:
        The instrument and records of ``EVENT_DTYPE``, for :func:`run_strategy`.
    """
    made = instrument or Instrument(symbol="BTC/USDT", tick=Decimal("0.01"), lot=Decimal("0.00001"), volume_scale=5)
    ticks = [made.ticks(parse_decimal(each), Rounding.HALF_EVEN) for each in closes]
    units = int(parse_decimal(volume) * 10**made.volume_scale)
    events = np.zeros(len(ticks), dtype=EVENT_DTYPE)
    before = [ticks[0], *ticks[:-1]]
    for i, (start, end) in enumerate(zip(before, ticks, strict=True)):
        words = (start, max(start, end), min(start, end), end, units, 1)
        events[i] = (_START_NS + (i + 1) * interval_ns, 0, Kind.BAR, 0, words)
    return made, events


def run_strategy(
    strategy: type[Strategy],
    bars: MarketBars | Sequence[MarketBars],
    *,
    exchange: Mapping[str, object] | None = None,
    risk: Mapping[str, object] | None = None,
    trade: Sequence[str] | None = None,
    seed: int = 1,
    unguarded: bool = False,
    **settings: object,
) -> StrategyRun:
    """Backtests a strategy class over bars made in the test.

    Args:
        strategy: the class.
        bars: from :func:`bars_from_closes`, of one instrument or of several.
        exchange: settings of the simulated exchange, over its defaults and 100,000 of the first quote asset.
        risk: settings of the default risk policy.
        trade: symbols the strategy trades; all of ``bars`` when None.
        seed: of the run.
        unguarded: switches the immutable limits off.
        settings: the strategy's own.

    Raises:
        ConfigError: a setting of strategy, exchange or risk is wrong; with every mistake.
        Bot4Error: as a backtest does.
    """
    several = _markets(bars)
    registry = load([f"exchange-{_EXCHANGE}", f"risk-{_RISK}"])
    with tempfile.TemporaryDirectory(prefix="bot4-test-") as folder:
        names = [_write(Path(folder), each) for each in several]
        table = {"history": names, "balances": {several[0][0].quote: "100000"}, **(exchange or {})}
        symbols = [instrument.symbol for instrument, _ in several] if trade is None else list(trade)
        plan = _plan(Path(folder), registry, table, risk or {}, seed, unguarded)
        plan = _with_strategy(plan, strategy, settings, symbols)
        with Store.open(f"sqlite:///{folder}/journal.db", mode="backtest") as store:
            run_backtest(assemble(plan, Latch.memory()), store, run_id="test", created_ns=_START_NS)
            record = store.load("test")
        return StrategyRun(build(record), record)


def _markets(bars: MarketBars | Sequence[MarketBars]) -> list[MarketBars]:
    """One instrument's bars or several, as a list."""
    if isinstance(bars, tuple) and isinstance(bars[0], Instrument):
        return [cast(MarketBars, bars)]
    return list(cast(Sequence[MarketBars], bars))


def _write(folder: Path, bars: MarketBars) -> str:
    instrument, events = bars
    interval = int(events["ts"][1] - events["ts"][0]) if len(events) > 1 else _MINUTE_NS
    path = folder / f"{instrument.symbol.replace('/', '').lower()}.b4h"
    write_history(path, instrument, events, interval_ns=interval, source="test", roundings=0)
    return path.name


def _plan(
    folder: Path,
    registry: Registry,
    exchange: Mapping[str, object],
    risk: Mapping[str, object],
    seed: int,
    unguarded: bool,
) -> Plan:
    venue, policy = registry.find(ExchangeSpec, _EXCHANGE), registry.find(RiskSpec, _RISK)
    assert venue is not None and policy is not None  # load() raised otherwise
    table = Table(kind="exchange", name="main", use=_EXCHANGE, settings=exchange, at=("exchange", "main"))
    rules = Table(kind="risk", name="0", use=_RISK, settings=risk, at=("risk", 0))
    config = Config(
        bot=BotConfig(name="test", seed=seed, unguarded=unguarded),
        journal=JournalConfig(),
        exchanges={"main": table},
        risk=(rules,),
        strategies={},
        sinks=(),
        path=folder / "bot.toml",
        source="test",
        text="",
        lines={},
    )
    return Plan(
        config=config,
        exchanges={"main": Part(table=table, spec=venue, settings=_filled(table, venue.settings))},
        risk=(Part(table=rules, spec=policy, settings=_filled(rules, policy.settings)),),
        strategies={},
        sinks=(),
    )


def _filled(table: Table, cls: type) -> Any:
    """A table's settings as their class; what is wrong with them as a config's mistakes."""
    try:
        return structure(table.settings, cls)
    except Problems as problems:
        found = [Mistake(show_path(at), text, None, "run_strategy") for at, text in problems.below(*table.at)]
        raise ConfigError(found) from problems


def _with_strategy(plan: Plan, strategy: type[Strategy], settings: Mapping[str, object], symbols: list[str]) -> Plan:
    import attrs

    markets = tuple(Market("main", symbol) for symbol in symbols)
    at = ("strategy", "test")
    table = Table(kind="strategy", name="test", use=strategy.__name__, settings=settings, at=at, trade=markets)
    spec = StrategySpec(name="test", strategy=strategy)
    part = Part(table=table, spec=spec, settings=_filled(table, strategy))
    return attrs.evolve(plan, strategies={"test": part})
