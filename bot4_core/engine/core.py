"""The engine: a deterministic state machine without sockets, clocks, threads or randomness of its own.

A driver feeds it steps (all events of one time with the order reports that belong to them) and takes out commands.
Within a step the order is fixed (DECISIONS.md D-5): reports and their fills, the market marks, the events by
instrument, the timers, and last the orders that result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..domain.event import EVENT, EVENT_SIZE, Kind
from ..domain.money import Rounding, ratio_text
from ..domain.order import Order, Role
from ..errors import NativeError
from ..native.latch import Mode
from ..native.memory import pointer_to
from ..protocols import RunStatus
from ..strategy import Strategy
from .context import StrategyContext
from .desk import Desk
from .dispatch import Dispatch
from .indicators import Row
from .protection import Coverage
from .reducing import MAX_CLOSES
from .reports import apply_report
from .series import Feed, ignore
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
        self._handlers: list[dict[int, Callable[[Row], None]]] = []
        self._waiting: set[int] = set()
        self._dust: set[int] = set()
        self._smallest = [max(1, each.lots(each.min_quantity, Rounding.CEILING)) for each in self.account.instruments]
        desk.withdrawn = self.dispatch.tell_order

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
        for length in sorted({length for feed in self.feeds for length in feed.built_intervals}):
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
        handlers, waiting = [feed.handlers() for feed in self.feeds], self._waiting
        self._handlers = handlers
        desk, timers, outbox, unpack = self.desk, self.timers, self.desk.outbox, EVENT.unpack
        pointer, first = pointer_to(events), events[:EVENT_SIZE]

        def advance(pull: Pull) -> int:
            for _ in range(_STEPS_AT_ONCE):
                status = pull()
                if status == _MARKED_EVENT:
                    row = unpack(first)
                    desk.now = row[0]
                    handlers[row[1]][row[2]](row)
                    if timers.next_ns <= row[0]:
                        self.run_timers(row[0])
                    if waiting and row[1] in waiting:
                        self._resume([row[1]])
                        self._check_coverage()
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
            if waiting:
                self._resume([row[1] for row in EVENT.iter_unpack(events[: n_events * EVENT_SIZE])])
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
            if self._touched:
                self._check_coverage()

        return advance

    def _apply(self, reports: memoryview) -> None:
        self.dispatch.hold()
        for row in EVENT.iter_unpack(reports):
            self.desk.now = row[0]
            apply_report(self, row)
            self._touched.add(row[1])
            self._changed.add(row[1])
        self.dispatch.tell_all()

    def ignore_market(self) -> None:
        """From here on only order reports count: events still mark positions, but nobody is told of them."""
        self.timers.clear()
        for handlers in self._handlers:
            handlers.update(dict.fromkeys(handlers, ignore))

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

    def may_cancel(self, order: Order) -> bool:
        """False for a protective stop that a guarded run still needs (P-1)."""
        return not self._guarded or order.role is not Role.STOP or not self.coverage.needs(order)

    def back_off(self, index: int) -> None:
        """A close ended undone: the venue is asked again at the instrument's next event, never at the same instant."""
        self._waiting.add(index)

    def _resume(self, indices: Sequence[int]) -> None:
        """Instruments with an event may be closed again."""
        self._touched.update(self._waiting.intersection(indices))
        self._waiting.difference_update(indices)

    def _check_coverage(self) -> None:
        """Keeps the ledger, and closes what stands without a stop (P-2), once the step's reports are known."""
        touched, self._touched = self._touched, set()
        for index in sorted(touched):
            uncovered = self.coverage.update(index, self.desk.now)
            if index in self._waiting:
                continue
            if self.halted:  # an entry that was on its way fills after the flattening (K-7)
                self._close(index, abs(self.account.position_lots(index)), "halt")
            elif self._guarded:
                far = self.coverage.too_far(index)
                tag = "stop too far from the fill (P-1)" if far else "no live stop (P-2)"
                self._close(index, uncovered + far, tag)

    def _close(self, index: int, wanted: int, tag: str) -> None:
        """Closes so many lots, less what closes are working on; never less than the venue's smallest quantity.

        A position below that cannot be closed: the gate's denial says so once, and it is left.
        """
        desk = self.desk
        lots = wanted - desk.closing_lots(index)
        if lots <= 0 or desk.orders.open_closes(index, "") >= MAX_CLOSES:
            self._dust.discard(index)
            return
        lots = max(lots, min(self._smallest[index], desk.closable_lots(index)))
        if lots < self._smallest[index]:
            if index in self._dust:
                return
            self._dust.add(index)
        desk.close_position(index, lots, "", self.dispatch.exchange_of(index), tag)

    def _halt_on_drawdown(self) -> None:
        measured = ratio_text(self.account.valuation.drawdown_ppb, 10**9)
        self.halt("drawdown", measured, str(self.desk.gate.limits.drawdown))

    def halt(self, rule: str, measured: str, limit: str) -> None:
        """The kill plan (K-3, K-7): latch, cancel entries, flatten; stops stay until the venue says flat."""
        desk, reason = self.desk, f"{rule} {measured} reached {limit}"
        self.halted = desk.gate.halted = reason
        desk.latch.set(Mode.KILLED, reason, "engine", desk.now)
        blob = {"mode": "killed", "reason": reason, "rule": rule, "measured": measured, "limit": limit}
        desk.journal(desk.now, 0, Kind.HALT, 0, (int(Mode.KILLED), 0, 0, 0, 0, 0), blob)
        desk.cancel_entries()
        self.flatten(f"halt: {rule}")

    def heed(self, mode: Mode, who: str, reason: str) -> None:
        """The latch was moved from outside: it is journaled, and entries end unless it is ACTIVE again (K-6).

        Args:
            mode: the latch's mode now.
            who, reason: as its note says.
        """
        desk = self.desk
        blob = {
            "mode": mode.name.lower(),
            "reason": f"{reason} (by {who})" if who else reason,
            "rule": "latch",
            "measured": mode.name,
            "limit": Mode.ACTIVE.name,
        }
        desk.journal(desk.now, 0, Kind.HALT, 0, (int(mode), 0, 0, 0, 0, 0), blob)
        if mode is not Mode.ACTIVE:
            desk.cancel_entries()

    def flatten(self, tag: str) -> None:
        """Closes every position at market."""
        for index in range(len(self.feeds)):
            self._close(index, abs(self.account.position_lots(index)), tag)

    def stop(self) -> None:
        """Ends the run: strategies hear of it, orders are no longer taken."""
        self.desk.accepting = False
        self.coverage.advance(self.desk.now)
        self.dispatch.stop()
