"""What plugin objects must be able to do. Narrow protocols; everything beyond them is a declared capability."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol, runtime_checkable

from .domain.instrument import Instrument
from .domain.order import Failure, Order


class RunStatus:
    """What :meth:`Replay.run` returns: counts in the low bits, reasons above; and what an :class:`Arrival` is.

    ``events = status & EVENTS``; ``reports = (status >> REPORTS_SHIFT) & EVENTS``.
    """

    EVENTS = 0xFFFF
    REPORTS_SHIFT = 16
    TIMER = 1 << 32
    """No event is due up to ``wake_at``: the timer goes first. Nothing was consumed."""
    FINISHED = 1 << 33
    """The history is exhausted; nothing was consumed."""
    BREACH = 1 << 34
    """The valuation's drawdown limit was reached at this step."""
    MARKED = 1 << 35
    """The valuation has this step's marks already; it does where the step has no reports."""
    MORE = 1 << 36
    """The budget of this call is spent and nobody wanted to wake: go on with ``run_on``."""
    STEP = 1 << 37
    """Of an :class:`Arrival` only: with this piece the step is complete."""
    NO_STEP = TIMER | FINISHED | MORE
    """Any of the reasons for which there is no step to process."""


@runtime_checkable
class Trading(Protocol):
    """An exchange that takes orders. Only the engine calls it, after the gate."""

    def submit(self, order: Order) -> None:
        """Sends the order; the outcome comes back as reports, never as a return value.

        An entry with ``stop_id``/``target_id`` brings its protective orders along (capability ATTACHED_ORDERS).
        """
        ...

    def cancel(self, order: Order) -> None:
        """Asks for the order's end; the answer is a CANCELLED or CANCEL_REJECTED report."""
        ...


@runtime_checkable
class Venue(Trading, Protocol):
    """What every driver asks of an exchange, however its events come: at once in a backtest, over time on paper.

    Attributes:
        instruments: the run's instruments; the index is ``instrument`` of every event.
        intervals_ns: bar length of each instrument's data, 0 for ticks.
        history_hash: SHA-256 hex over all histories in instrument order.
        rules: the fill rules in force, name to text, for the report (TRADING.md section 4).
        shorting: whether positions below zero are possible on this account.
        leverage: gross exposure over equity that the account allows; 1 on spot.
        taker_fee: fee of a taker fill as a ratio of its cost, for the buying-power rule.
    """

    instruments: Sequence[Instrument]
    intervals_ns: Sequence[int]
    history_hash: str
    rules: Mapping[str, str]
    shorting: bool
    leverage: Decimal
    taker_fee: Decimal

    def starting_balances(self) -> Mapping[str, int]:
        """Balances before the first order, asset to units."""
        ...

    def balances(self) -> Mapping[str, int]:
        """The exchange's balances now, asset to units; our books must agree with them."""
        ...

    def kinds(self, index: int) -> int:
        """Event kinds the data of one instrument hold, as a mask of ``1 << kind``."""
        ...

    def wake_at(self, ns: int) -> None:
        """Names the time of the next timer, UTC ns of the market; later events are left until it is moved on."""
        ...


@runtime_checkable
class Replay(Venue, Protocol):
    """A simulated exchange that replays history against resting orders and wakes the engine when asked.

    Attributes:
        first_ns, last_ns: first and last event time, UTC ns.
        total_events: events in the whole history.
        step: the events of the step that woke the engine, ``EVENT_DTYPE`` rows, valid until the next ``run``.
        reports: the order reports of that step, same layout.
    """

    first_ns: int
    last_ns: int
    total_events: int
    step: memoryview
    reports: memoryview

    def attach(self, valuation: object) -> None:
        """Hands over the engine's native valuation: skipped steps mark it, and its breach wakes the engine.

        Args:
            valuation: ``bot4_core.native.valuation.Valuation``.
        """
        ...

    def wake_on(self, index: int, kinds: int) -> None:
        """Names the event kinds of the instrument ``index`` that wake the engine, as a mask of ``1 << kind``."""
        ...

    def run(self) -> int:
        """Replays up to the next step that somebody wants.

        A step is all events of one time. Resting orders are matched first; the step wakes the engine when it has
        reports, a kind that was asked for, or a breach.

        Returns:
            A packed :class:`RunStatus`; MORE after a bounded number of events that nobody wanted; negative when the
            replay cannot go on.
        """
        ...

    def run_on(self) -> int:
        """As :meth:`run` with a far larger budget, for stretches that nobody wants; other threads may run meanwhile."""
        ...

    def seek(self, from_ns: int) -> None:
        """Starts at the first event at or after ``from_ns``; only before the first ``run``."""
        ...

    def limit(self, to_ns: int) -> None:
        """Ends with the last event at or before ``to_ns``; only before the first ``run``."""
        ...

    def processed(self) -> int:
        """Events consumed so far."""
        ...


class Clock(Protocol):
    """Time as a driver and an exchange see it: the machine's, or a test's own."""

    def now_ns(self) -> int:
        """Wall time, UTC ns; it may be set back or forward."""
        ...

    def monotonic_ns(self) -> int:
        """Time since some fixed moment, ns; it never goes back."""
        ...

    async def sleep_until(self, monotonic_ns: int) -> None:
        """Returns once :meth:`monotonic_ns` has reached that time, and at once when it has passed.

        The event loop has a turn in any case, so that a caller who is always late starves nobody.
        """
        ...


class Arrival(NamedTuple):
    """What came from an exchange at one moment: a piece of a step, or news without records.

    A step is all events of one market time with the order reports that belong to them: exactly what
    :meth:`Replay.run` gives over the same history with every kind wanted. It comes in one or more pieces, cut
    anywhere between two records. Market events of different instruments may come in any order, those of one
    instrument keep theirs, and so do the order reports among themselves. So a stable sort of the step's market events
    (kinds below 16) by ``instrument``, and its reports (kinds from 16) as they came, are the step.

    Attributes:
        records: whole 64-byte records of ``EVENT_DTYPE``; valid until the first piece of the next step is asked for.
        status: 0 when more of this step is on its way; else one of :class:`RunStatus`:
            STEP: the step is complete with this piece;
            TIMER: no event is due up to ``wake_at``, whose time has come: run the timers, move it on, ask again;
            FINISHED: there will be no event any more, whatever is asked. With TIMER and FINISHED come no records.
    """

    records: memoryview | bytes
    status: int


@runtime_checkable
class Streaming(Venue, Protocol):
    """An exchange whose events arrive over time (capability STREAM)."""

    def stream(self, clock: Clock) -> AsyncIterator[Arrival]:
        """What arrives, piece by piece, each when it is due by ``clock``.

        The next step begins when the next arrival after a completed step is asked for. So what the bot sends in answer
        to a step is at the exchange before the step that follows, as in a backtest, however long the answer took; a
        bot that is late gets what it missed in order, without waiting.

        While the iterator waits, ``submit``, ``cancel`` and ``wake_at`` may be called from the same event loop; a
        waiting iterator takes them into account at once.

        Every event is given, so nothing is asked for by kind, and the caller marks its own valuation. There is one
        stream at a time.

        Args:
            clock: the time that the events are due by.

        Raises:
            ExchangeError: a stream of this exchange is under way already.
            NativeError: the data cannot be read on.
        """
        ...


class Wish(Protocol):
    """What a risk policy sees of an order before it is an intent; it reads, never changes."""

    @property
    def order(self) -> Order:
        """The order."""
        ...

    @property
    def mark_ticks(self) -> int:
        """The price that marks its instrument now, ticks; 0 before the first."""
        ...

    @property
    def worst_ticks(self) -> int:
        """The worst fill price that is assumed, ticks."""
        ...

    @property
    def ts(self) -> int:
        """Time of the decision, UTC ns."""
        ...


class Account(Protocol):
    """What a risk policy sees of the account."""

    def equity_units(self) -> int:
        """Equity marked to market, in units of the reporting asset."""
        ...

    def position_lots(self, index: int) -> int:
        """Net position in an instrument, in lots."""
        ...

    def open_orders(self, index: int | None = None) -> int:
        """Working orders, of one instrument or of all."""
        ...


@runtime_checkable
class RiskPolicy(Protocol):
    """A risk policy: declarative limits that tighten the core's (``bot4_core.sdk.Limits`` names them).

    Attributes:
        limits: limit name to value, None for what the policy leaves as it is.
    """

    limits: Mapping[str, object]


@runtime_checkable
class RiskCheck(RiskPolicy, Protocol):
    """A risk policy that also judges each risk-raising order in code of its own, after the declarative limits."""

    def check(self, wish: Wish, account: Account) -> Failure | None:
        """None, or the rule that failed. A value vetoes, and an exception vetoes too.

        Args:
            wish: the order, and what it is judged by.
            account: what stands in the books now.

        The rule ``hours`` of the policy ``night`` stands in the journal as ``policy.night.hours``; ``policy.night``
        alone means that the check raised or gave no answer.
        """
        ...


@runtime_checkable
class Sink(Protocol):
    """Reads the journal's stream. A sink that has a method ``close()`` too is closed when the run ends.

    It is called between two steps of a run, so it should be quick. What it raises is reported once and ends its feed,
    never the run.
    """

    def on_batch(self, events: Sequence[tuple[int, ...]]) -> None:
        """A batch of journal records as ``(seq, ts, instrument, kind, flags, v0..v5)``, after it was stored.

        Records come once each, in order of ``seq``; the first of a run is its RUN_START. ``bot4_core.sdk.Kind`` names
        the kinds, and ``domain/event.py`` says what the words mean.
        """
        ...


class SegmentView(Protocol):
    """A running bot's figures as another process sees them: a ``bot4_core.state.board.BoardView``.

    Reading costs the trading process nothing and takes no lock.
    """

    @property
    def manifest(self) -> Any:
        """What does not change during the run: ``run_id``, ``bot``, ``mode``, ``instruments``, ``reporting_asset``."""
        ...

    def read(self) -> Any:
        """The figures now, all of one moment: ``state``, ``equity_units``, ``positions``, ``denied_by_rule``."""
        ...


@runtime_checkable
class SegmentSink(Protocol):
    """Shows a running bot's figures elsewhere. Its spec says ``reads="segment"``.

    It has a process of its own, which ends when the trading process does. What it raises is logged and ends that
    process, never the bot.
    """

    def serve(self, view: SegmentView, stop: Callable[[float], bool]) -> None:
        """Works until it is told to stop; called once.

        Args:
            view: the figures; read them as often as they are wanted.
            stop: ``stop(timeout_s)`` waits for the end of the run, at most so many seconds, and says whether it came.
                Return soon after it is True.
        """
        ...
