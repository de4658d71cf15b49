"""A trader in this process, over bars made in a test: its disk answers when the test says so, its sends are listed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from bot4_core.domain.event import Kind
from bot4_core.domain.order import Order
from bot4_core.engine.assemble import Assembly, assemble
from bot4_core.engine.clock import SystemClock
from bot4_core.engine.durability import Durability
from bot4_core.engine.live import Trader
from bot4_core.history.file import write_history
from bot4_core.native.latch import Latch, Mode
from bot4_core.plugins import load
from bot4_core.protocols import Streaming
from bot4_core.state.board import Board, Manifest
from bot4_core.strategy import Strategy
from bot4_core.testing import bars_from_closes
from bot4_core.testing import strategy as harness

#: the longest that a run here may take
PATIENCE_S = 30.0


class Live:
    """One run. Make it, then ``await live.run()``.

    Args:
        folder: for the history and the segment.
        strategy: the class.
        closes: of the bars of BTC/USDT, a minute each.
        exchange: settings of the simulated exchange.
        flatten: as of the trader.
        unguarded: switches the immutable limits off.
        disk: as the attribute.
        risk: settings of the default risk policy.

    Attributes:
        disk: whether records become durable as soon as they are pushed; False until :meth:`disk_answers`.
        happened: what was journaled (``INTENT 1``), what the exchange was told (``submit 1``) and what the log was
            (``said ...``), in order.
        when: told of each of them; a test acts there.
        said: lines of the log.
        astray: entries that the exchange was told although the latch was set or a stop had been asked for.
    """

    def __init__(
        self,
        folder: Path,
        strategy: type[Strategy],
        closes: Sequence[int],
        *,
        exchange: Mapping[str, object] | None = None,
        flatten: bool = False,
        unguarded: bool = False,
        disk: bool = True,
        **risk: object,
    ) -> None:
        self.disk = disk
        self.happened: list[str] = []
        self.when: Callable[[str], object] = lambda what: None
        self.said: list[str] = []
        self.astray: list[int] = []
        self.assembly = _assembled(folder, strategy, closes, exchange or {}, unguarded, risk)
        self.board = _board(folder, self.assembly)
        self.latch = self.assembly.latch
        self.journal = Durability(self.board)
        self.journal.start(self.assembly.run_info("r", 1, "paper"))
        self.engine = self.assembly.engine(self._append, fresh_ids=True)
        self.trader = Trader(
            self.assembly, self.engine, self.journal, self.board, SystemClock(), self._log, flatten=flatten
        )
        self._spy()

    def _append(self, ts: int, index: int, kind: int, flags: int, v: Sequence[int], blob: object) -> int:
        seq = self.journal.append(ts, index, kind, flags, v, blob)  # type: ignore[arg-type]  # as the engine gives it
        if kind in (Kind.INTENT, Kind.CANCEL, Kind.CANCELLED, Kind.DENIED, Kind.HALT, Kind.FILL):
            self._tell(f"{Kind(kind).name} {v[0]}")
        return seq

    def _log(self, level: str, line: str) -> None:
        self.said.append(line)
        self._tell(f"said {line}")

    def _tell(self, what: str) -> None:
        self.happened.append(what)
        self.when(what)

    def _spy(self) -> None:
        exchange = self.assembly.exchange
        assert isinstance(exchange, Streaming)
        submit, cancel = exchange.submit, exchange.cancel

        def on_submit(order: Order) -> None:
            if order.raises_risk and (self.latch.mode is not Mode.ACTIVE or self.trader._stop.done()):
                self.astray.append(order.order_id)
            submit(order)
            self._tell(f"submit {order.order_id}")

        def on_cancel(order: Order) -> None:
            cancel(order)
            self._tell(f"cancel {order.order_id}")

        exchange.submit, exchange.cancel = on_submit, on_cancel  # type: ignore[method-assign]  # listened to

    def disk_answers(self) -> None:
        """What was pushed is durable now, and what comes is at once."""
        self.disk = True
        self._answer()

    def _answer(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.journal.wake_fd, 4096)
        if self.disk:
            counters = self.board.segment.counters["recorder"]
            counters.set(counters.index("durable_seq"), self.journal.next_seq - 1)
            ring = self.board.segment.rings["journal"]
            ring.release(len(ring))
            os.write(self.journal.notify_fd, b"\1")

    async def run(self) -> str:
        """Trades to the end; gives the reason."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.journal.wake_fd, self._answer)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.trader.run(self.assembly.exchange.first_ns)
        finally:
            loop.remove_reader(self.journal.wake_fd)
            self.journal.close()

    def after(self, what: str) -> list[str]:
        """What happened behind the first ``what``."""
        return self.happened[self.happened.index(what) + 1 :]


def _assembled(
    folder: Path,
    strategy: type[Strategy],
    closes: Sequence[int],
    exchange: Mapping[str, object],
    unguarded: bool,
    risk: Mapping[str, object],
) -> Assembly:
    instrument, events = bars_from_closes([Decimal(each) for each in closes])
    write_history(folder / "0.b4h", instrument, events, interval_ns=60 * 10**9, source="test", roundings=0)
    table = {"history": ["0.b4h"], "balances": {"USDT": "100000"}, "speed": "max", **exchange}
    plan = harness._plan(folder, load(["exchange-sim", "risk-default"]), table, risk, 1, unguarded)
    plan = harness._with_strategy(plan, strategy, {}, [instrument.symbol])
    return assemble(plan, Latch.create(folder / "latch", "test"))


def _board(folder: Path, assembly: Assembly) -> Board:
    account = assembly.account
    manifest = Manifest(
        run_id="r", bot="test", mode="paper", pid=os.getpid(), source="test", journal="none", started_ns=1,
        instruments=account.instruments, reporting_asset=account.reporting, reporting_scale=account.scale,
        start_equity=account.portfolio.own[account.reporting], rules=("latch",),
    )  # fmt: skip
    return Board(folder / "segment", manifest)
