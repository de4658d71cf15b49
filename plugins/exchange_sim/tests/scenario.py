"""Building small histories and playing orders against the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import define, field
from bot4_exchange_sim.exchange import SimExchange
from bot4_exchange_sim.settings import SimSettings

from bot4_core.sdk import EVENT, EVENT_DTYPE, Flag, Instrument, Kind, Order, OrderType, RunStatus, Services, Side
from bot4_core.testing import write_history

INTERVAL = 60_000_000_000
#: open of the first bar; a full minute, 2020-09-13
START = 1_600_000_020_000_000_000
FOREVER = 2**63 - 1

#: tick 0.01, lot 0.001, volume in lots: one tick times one lot is 1000 quote units
BTC = Instrument(symbol="BTC/USDT", tick=Decimal("0.01"), lot=Decimal("0.001"), volume_scale=3)
ETH = Instrument(symbol="ETH/USDT", tick=Decimal("0.01"), lot=Decimal("0.001"), volume_scale=3)

Records = npt.NDArray[np.void]
#: (ts, instrument, kind, sell, maker, order id, v1..v5)
Report = tuple[int, ...]


def close_of(bar: int) -> int:
    """Close time of the bar of that number, counted from 0."""
    return START + (bar + 1) * INTERVAL


def bars(rows: Iterable[Sequence[int]], *, first: int = 0, interval: int = INTERVAL) -> Records:
    """Bars one after the other: (open, high, low, close, volume in lots), the volume 1000000 where left out."""
    listed = [(*row, 1_000_000)[:5] for row in rows]
    events = np.zeros(len(listed), EVENT_DTYPE)
    for place, row in enumerate(listed):
        events[place] = (START + (first + place + 1) * interval, 0, Kind.BAR, 0, (*row, 0))
    return events


def ticks(rows: Iterable[tuple[int, int, Sequence[int], int]]) -> Records:
    """Trades and quotes: (ts offset ns, kind, words, flags)."""
    listed = list(rows)
    events = np.zeros(len(listed), EVENT_DTYPE)
    for place, (offset, kind, words, flags) in enumerate(listed):
        events[place] = (START + offset, 0, kind, flags, (*words, *([0] * (6 - len(words)))))
    return events


def flat(count: int, price: int = 10_000) -> list[tuple[int, int, int, int]]:
    """Bars that do not move."""
    return [(price, price, price, price)] * count


@define
class Sim:
    """A simulator over files in a folder, with the reports it gave so far.

    Args:
        folder: where the history files are written.
        histories: (instrument, records, interval) of each file.
        settings: settings besides ``history``; money as text.
        seed: the bot's.
    """

    folder: Path
    histories: Sequence[tuple[Instrument, Records, int]]
    settings: dict[str, Any] = field(factory=dict)
    seed: int = 1
    exchange: SimExchange = field(init=False)
    reports: list[Report] = field(factory=list, init=False)
    steps: list[tuple[int, ...]] = field(factory=list, init=False)
    wakes: int = field(default=0, init=False)
    _next: int = field(default=1, init=False)

    def __attrs_post_init__(self) -> None:
        names = []
        for place, (instrument, records, interval) in enumerate(self.histories):
            names.append(f"{place}.b4h")
            write_history(
                self.folder / names[-1], instrument, records, interval_ns=interval, source="test", roundings=0
            )
        given = {"balances": {"USDT": Decimal(1_000_000)}, **self.settings}
        self.exchange = SimExchange(SimSettings(history=names, **given), services(self.folder, self.seed))

    def order(self, side: Side, type: OrderType, lots: int, **more: Any) -> Order:
        """An order with the next free id; ``stop`` and ``target`` are prices of attached orders."""
        index = more.pop("index", 0)
        stop, target = more.pop("stop", 0), more.pop("target", 0)
        if "order_id" not in more:
            more["order_id"] = self._take_id()
        return Order(
            client_id="c", strategy="s", exchange="e", instrument=self.exchange.instruments[index], index=index,
            side=side, type=type, quantity_lots=lots, stop_ticks=stop, target_ticks=target,
            stop_id=self._take_id() if stop else 0, target_id=self._take_id() if target else 0, **more,
        )

    def _take_id(self) -> int:
        self._next += 1
        return self._next - 1

    def send(self, side: Side, type: OrderType, lots: int, **more: Any) -> Order:
        """Makes an order and submits it."""
        order = self.order(side, type, lots, **more)
        self.exchange.submit(order)
        return order

    def run(self, until: int = FOREVER) -> int:
        """One native call: the packed status."""
        self.exchange.wake_at(until)
        return self.exchange.run()

    def until(self, ts: int) -> list[Report]:
        """Plays up to a time, included; gives the reports of that stretch."""
        before = len(self.reports)
        while True:
            status = self.run(ts)
            while status & RunStatus.MORE:
                status = self.exchange.run_on()
            assert status >= 0
            if status & (RunStatus.TIMER | RunStatus.FINISHED):
                return self.reports[before:]
            self.wakes += 1
            self._collect(status)

    def after_bar(self, bar: int) -> list[Report]:
        """Plays up to the close of a bar."""
        return self.until(close_of(bar))

    def finish(self) -> list[Report]:
        """Plays to the end."""
        return self.until(FOREVER)

    def _collect(self, status: int) -> None:
        for n in range(status & RunStatus.EVENTS):
            self.steps.append(EVENT.unpack_from(self.exchange.step, n * 64))
        for n in range(status >> RunStatus.REPORTS_SHIFT & RunStatus.EVENTS):
            ts, index, kind, flags, *v = EVENT.unpack_from(self.exchange.reports, n * 64)
            self.reports.append((ts, index, kind, int(bool(flags & Flag.SELL)), int(bool(flags & Flag.MAKER)), *v))


def services(folder: Path, seed: int = 1) -> Services:
    """Services that find histories in one folder."""
    return Services(base_dir=folder, resolve_history=lambda name: folder / name, seed=seed, bot="test")


def fills(reports: Iterable[Report], order: Order | int | None = None) -> list[tuple[int, int]]:
    """(price, lots) of the fills, of all orders or of one."""
    wanted = order.order_id if isinstance(order, Order) else order
    return [(r[6], r[7]) for r in reports if r[2] == Kind.FILL and wanted in (None, r[5])]


def outline(reports: Iterable[Report]) -> list[tuple[int, Kind, int]]:
    """(order id, kind, reason or 0 for fills) in order: what a reader wants to see."""
    return [(r[5], Kind(r[2]), 0 if r[2] == Kind.FILL else r[7]) for r in reports]


Make = Callable[..., Sim]
