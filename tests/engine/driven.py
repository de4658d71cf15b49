"""A whole backtest in this process, whatever way it ends: histories in, the journal's run out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attrs import frozen

from bot4_core.domain.event import EVENT_DTYPE, Kind
from bot4_core.domain.instrument import Instrument
from bot4_core.engine.assemble import assemble
from bot4_core.engine.backtest import run_backtest
from bot4_core.errors import Bot4Error
from bot4_core.history.file import write_history
from bot4_core.journal.reading import RunRecord
from bot4_core.journal.store import Store
from bot4_core.native.latch import Latch
from bot4_core.plugins import load
from bot4_core.strategy import Strategy
from bot4_core.testing import strategy as harness

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
#: 2024-01-01 00:00 UTC, a multiple of every bar length; ``bars_from_closes`` opens its first bar then
START = harness._START_NS
#: an instrument, its records, and the length of its bars (0 for ticks)
Market = tuple[Instrument, npt.NDArray[np.void], int]


@frozen
class Driven:
    """How a backtest ended: its run in the journal, and what it raised."""

    record: RunRecord
    error: Exception | None

    @property
    def reason(self) -> str:
        return str(self.record.summary.get("reason", ""))


def trades(instrument: Instrument, times: Sequence[int], prices: Sequence[int]) -> Market:
    """A trade of one lot at each time, prices in ticks."""
    events = np.zeros(len(times), EVENT_DTYPE)
    for place, (ts, price) in enumerate(zip(times, prices, strict=True)):
        events[place] = (ts, 0, Kind.TRADE, 0, (price, 100_000, place + 1, 0, 0, 0))
    return instrument, events, 0


def drive(
    folder: Path,
    strategy: type[Strategy],
    *markets: Market,
    from_ns: int | None = None,
    to_ns: int | None = None,
    exchange: Mapping[str, object] | None = None,
    **settings: object,
) -> Driven:
    """Runs a strategy over histories with 100,000 USDT; what it raises is part of the answer."""
    names, symbols = [], []
    for place, (instrument, events, interval_ns) in enumerate(markets):
        names.append(f"{place}.b4h")
        write_history(folder / names[-1], instrument, events, interval_ns=interval_ns, source="test", roundings=0)
        if instrument.symbol not in symbols:
            symbols.append(instrument.symbol)
    registry = load(["exchange-sim", "risk-default"])
    table = {"history": names, "balances": {"USDT": "100000"}, **(exchange or {})}
    plan = harness._with_strategy(harness._plan(folder, registry, table, {}, 1, False), strategy, settings, symbols)
    error = None
    with Store.open(f"sqlite:///{folder}/journal.db", mode="backtest") as store:
        try:
            run_backtest(
                assemble(plan, Latch.memory()), store, run_id="test", created_ns=START, from_ns=from_ns, to_ns=to_ns
            )
        except Bot4Error as raised:
            error = raised
        return Driven(store.load("test"), error)
