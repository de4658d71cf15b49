"""The engine: a deterministic state machine without sockets, clocks, threads or randomness of its own.

A driver feeds it steps (all events of one time with the order reports that belong to them) and takes out commands.
Within a step the order is fixed (DECISIONS.md D-5): reports and their fills, the market marks, the events by
instrument, the timers, and last the orders that result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..domain.event import EVENT, EVENT_SIZE, Kind
from ..errors import NativeError
from ..native.latch import Mode
from ..native.memory import pointer_to
from ..protocols import RunStatus
from ..strategy import Strategy
from .context import StrategyContext
from .desk import Desk
from .dispatch import Dispatch
from .protection import Coverage
from .reports import apply_report
from .rules import ratio_text
from .series import Feed
from .timers import Timers

_BUCKET_TIMER = "close-buckets"
_MARKED_EVENT = RunStatus.MARKED | 1
#: after so many steps the driver looks at signals and progress
_STEPS_AT_ONCE = 4096

#: ``pull()`` gives the next step as a packed ``RunStatus``: ``Replay.run``, or its sibling ``run_on``
Pull = Callable[[], int]


class Engine:
    """The state of one run.

    Args:
        desk: books, orders, gate and journal.
        feeds: one per instrument.
        guarded: whether the immutable rules of R-41 are in force.
    """

    def __init__(self, desk: Desk, feeds: Sequence[Feed], *, guarded: bool) -> None:
        self.desk = desk
        self.account = desk.account
        self.feeds = tuple(feeds)
        self.dispatch = Dispatch(self.feeds)
        self.timers = Timers()
        self.coverage = Coverage(desk.account, desk.orders)
        self.fills = 0
        self.round_trips = 0
        self.halted = ""
        self._guarded = guarded
        self._touched: set[int] = set()
        self._changed: set[int] = set()

    def add_strategy(self, strategy: Strategy, name: str, exchange: str, indices: Sequence[int]) -> None:
        """Takes in a strategy; its ``on_*`` methods become its subscriptions."""
        self.dispatch.add(StrategyContext(self, strategy, name, exchange, indices), strategy)

    def start(self, ts: int, trading_from: int = 0) -> None:
        """Calls every strategy's ``on_start`` and wires its wakes.

        Args:
            ts: time the run starts at, UTC ns.
            trading_from: events before it only warm up.
        """
        self.desk.now = self.timers.start_ns = ts
        self.dispatch.start(trading_from)
        for length in sorted({length for feed in self.feeds for length in feed.tick_intervals}):
            self.timers.repeat(length, _BUCKET_TIMER, None)

    def connect(self, events: memoryview, reports: memoryview) -> Callable[[Pull], int]:
        """Names the memory that steps are read from; call it after :meth:`start`.

        Args:
            events: rows of the present step.
            reports: rows of its order reports, in the venue's order.

        Returns:
            ``advance(pull)``: pulls steps and processes them until the driver is needed, and gives the last status:
            commands wait, there were reports, there was no step, or a bounded number of steps is done. It is a
            closure with everything at hand because its loop runs once per wake.
        """
        handlers = [feed.handlers() for feed in self.feeds]
        desk, timers, outbox, unpack = self.desk, self.timers, self.desk.outbox, EVENT.unpack_from
        pointer = pointer_to(events)

        def advance(pull: Pull) -> int:
            for _ in range(_STEPS_AT_ONCE):
                status = pull()
                if status == _MARKED_EVENT:
                    row = unpack(events, 0)
                    desk.now = row[0]
                    handlers[row[1]][row[2]](row)
                    if timers.next_ns <= row[0]:
                        self.run_timers(row[0])
                    if outbox:
                        break
                else:
                    if status < 0:
                        raise NativeError(f"the replay cannot go on (code {status}): are the histories intact?")
                    if not status & RunStatus.NO_STEP:
                        process(status)
                    break
            return status

        def process(status: int) -> None:
            n_events, n_reports = status & RunStatus.EVENTS, status >> RunStatus.REPORTS_SHIFT & RunStatus.EVENTS
            self._apply(reports[: n_reports * EVENT_SIZE])
            breach = bool(status & RunStatus.BREACH)
            if n_events and not status & RunStatus.MARKED:
                breach = self.account.valuation.mark_events(pointer, n_events) > 0
            for row in EVENT.iter_unpack(events[: n_events * EVENT_SIZE]):
                desk.now = row[0]
                handlers[row[1]][row[2]](row)
            if breach and not self.halted:
                self._halt_on_drawdown()
            if timers.next_ns <= desk.now:
                self.run_timers(desk.now)
            if self._touched and self._guarded:
                self._check_coverage()

        return advance

    def _apply(self, reports: memoryview) -> None:
        for row in EVENT.iter_unpack(reports):
            self.desk.now = row[0]
            apply_report(self, row)
            self._touched.add(row[1])
            self._changed.add(row[1])

    def take_changed(self) -> list[int]:
        """Instruments that had reports since the last call, in order."""
        changed = sorted(self._changed)
        self._changed.clear()
        return changed

    def run_timers(self, ts: int) -> None:
        """Runs the timers due at or before ``ts``."""
        self.desk.now = ts
        for timer, owner in self.timers.due(ts):
            if owner is None:
                for feed in self.feeds:
                    feed.close_buckets(ts)
            else:
                self.dispatch.tell_timer(owner, timer)

    # protection

    def _check_coverage(self) -> None:
        """Closes what stands without a stop (P-2), once the step's reports are known."""
        touched, self._touched = self._touched, set()
        for index in sorted(touched):
            uncovered = self.coverage.update(index, self.desk.now)
            if self.halted:  # an entry that was on its way fills after the flattening (K-7)
                self._close(index, self.desk.closable_lots(index), "halt")
            else:
                self._close(index, uncovered, "no live stop (P-2)")

    def _close(self, index: int, lots: int, tag: str) -> None:
        lots = min(lots, self.desk.closable_lots(index))
        if lots > 0:
            self.desk.close_position(index, lots, "", self.dispatch.exchange_of(index), tag)

    def _halt_on_drawdown(self) -> None:
        measured = ratio_text(self.account.valuation.drawdown_ppb, 10**9)
        self.halt("drawdown", measured, str(self.desk.gate.limits.drawdown))

    def halt(self, rule: str, measured: str, limit: str) -> None:
        """The kill plan (K-3, K-7): latch, cancel entries, flatten; stops stay until the venue says flat."""
        desk, reason = self.desk, f"{rule} {measured} reached {limit}"
        self.halted = reason
        desk.latch.set(Mode.KILLED, reason, "engine", desk.now)
        blob = {"mode": "killed", "reason": reason, "rule": rule, "measured": measured, "limit": limit}
        desk.journal(desk.now, 0, Kind.HALT, 0, (int(Mode.KILLED), 0, 0, 0, 0, 0), blob)
        desk.cancel_entries()
        self.flatten(f"halt: {rule}")

    def flatten(self, tag: str) -> None:
        """Closes every position at market."""
        for index in range(len(self.feeds)):
            self._close(index, self.desk.closable_lots(index), tag)

    def stop(self) -> None:
        """Ends the run: strategies hear of it, orders are no longer taken."""
        self.desk.accepting = False
        self.coverage.advance(self.desk.now)
        self.dispatch.stop()
