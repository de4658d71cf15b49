"""What a running bot shows of itself in its segment: written by the trading process, read by all others.

The trader's figures are plain counters; a version counter that is odd while they are being written makes a reading
consistent without a lock, so watching a bot costs it nothing (the segment as Aeron's counters file).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import IntEnum
from typing import Any

import msgspec
from attrs import evolve, frozen

from ..domain.instrument import Instrument
from ..domain.portfolio import average_price
from ..errors import DomainError, NativeError
from ..native.counters import Counters
from ..native.histogram import Summary
from ..native.segment import CountersSection, HistogramSection, RingSection, Segment, TextSection

#: slots of 64 bytes between trader and recorder
JOURNAL_SLOTS = 65_536
#: instruments of one bot; each has five counters
MAX_INSTRUMENTS = 500
#: the stages whose latencies are kept: an event or step decided upon; an intent made durable; an order handed over
STAGES = ("decide", "durable", "send")
#: rule names that denials are counted by are cut to this
_RULE_BYTES = 56
#: denials by rules that were not known at the start (a policy's own) are counted together
OTHER_RULES = "other"

RECORDER_COUNTERS = ("pid", "heartbeat_ns", "durable_seq", "records", "batches", "store_ok", "failures")
_RUN = (
    "version", "state", "heartbeat_ns", "loop_lag_ns", "market_ns", "events", "wakes", "sent", "approved", "denied",
    "fills", "working_orders", "working_entries", "equity_units", "peak_units", "drawdown_ppb", "max_drawdown_ppb",
    "next_seq", "recorder_restarts", "sink_restarts", "sinks_lost",
)  # fmt: skip
_POSITION = ("lots", "entry_cost", "mark_ticks", "unrealised_units", "uncovered_lots")
#: so often, and with such pauses, a reader waits for a writer that is in the middle of a set
_READS = 50
_READ_AGAIN_S = 0.0005


class RunState(IntEnum):
    """What the trading process last said of itself; a process that died says nothing more.

    ``FAILED`` is an end with an error that the process itself told: of the strategy, the exchange, the journal.
    """

    STARTING = 0
    RUNNING = 1
    STOPPING = 2
    ENDED = 3
    FAILED = 4

    @property
    def is_over(self) -> bool:
        """Whether nothing is traded any more."""
        return self in (RunState.ENDED, RunState.FAILED)


@frozen(kw_only=True)
class Manifest:
    """What does not change during a run; holds no secret.

    Args:
        run_id, bot, mode: as in the journal.
        pid: of the trading process.
        source: the config file, absolute.
        journal: the journal's URL without its password.
        started_ns: UTC ns.
        instruments: the run's instruments.
        reporting_asset, reporting_scale: what equity is stated in, and its decimals.
        start_equity: units.
        rules: names that denials are counted by.
        sinks: names of the sinks in the config.
        drawdown_limit: the limit in force, a share of the peak as decimal text; None without one.
    """

    run_id: str
    bot: str
    mode: str
    pid: int
    source: str
    journal: str
    started_ns: int
    instruments: tuple[Instrument, ...]
    reporting_asset: str
    reporting_scale: int
    start_equity: int
    rules: tuple[str, ...]
    sinks: tuple[str, ...] = ()
    drawdown_limit: str | None = None

    def to_json(self) -> bytes:
        """The manifest as the segment holds it."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in _MANIFEST}
        plain["instruments"] = [each.to_mapping() for each in self.instruments]
        return msgspec.json.encode(plain)

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Reads :meth:`to_json` back; NativeError when it is something else."""
        try:
            plain = msgspec.json.decode(text)
            plain["instruments"] = tuple(Instrument.from_mapping(row) for row in plain["instruments"])
            for name in ("rules", "sinks"):
                plain[name] = tuple(plain[name])
            Decimal(plain.get("drawdown_limit") or 0)
            return cls(**plain)
        except (msgspec.MsgspecError, DomainError, ArithmeticError, KeyError, TypeError, ValueError) as error:
            raise NativeError(f"segment: its manifest cannot be read ({error}): is it of another version?") from error


_MANIFEST = tuple(a.name for a in Manifest.__attrs_attrs__)


@frozen(kw_only=True)
class PositionNow:
    """One instrument's position; entry price None when flat, the rest in ticks, lots and quote units."""

    symbol: str
    lots: int
    quantity: Decimal
    entry_price: Decimal | None
    mark_ticks: int
    unrealised_units: int
    uncovered_lots: int


@frozen(kw_only=True)
class RecorderNow:
    """The recorder as it last said; ``restarts`` counts how often the trader had to start it again."""

    pid: int
    heartbeat_age_ns: int
    records: int
    batches: int
    restarts: int
    store_ok: bool


@frozen(kw_only=True)
class Snapshot:
    """A reading of a board. Ages in ns, ``market_ns`` in UTC ns, equity in units of the reporting asset.

    ``consistent`` is False when the writer was in the middle of a set each time we looked, which one that died or was
    stopped there is for good: the figures may then belong to two moments. ``version`` grows with each set; before the
    first, when it is 0, the figures say nothing. ``sinks_lost`` counts the sinks that died too often and were given up.
    """

    consistent: bool
    version: int
    state: RunState
    heartbeat_age_ns: int
    loop_lag_ns: int
    market_ns: int
    events: int
    wakes: int
    sent: int
    approved: int
    denied: int
    denied_by_rule: Mapping[str, int]
    fills: int
    working_orders: int
    working_entries: int
    equity_units: int
    peak_units: int
    drawdown_ppb: int
    max_drawdown_ppb: int
    next_seq: int
    durable_seq: int
    sink_restarts: int
    sinks_lost: int
    recorder: RecorderNow
    positions: tuple[PositionNow, ...]
    latency: Mapping[str, Summary]


_PLAIN = tuple(a.name for a in Snapshot.__attrs_attrs__ if a.name in _RUN and a.name != "state")


def _rule(name: str) -> str:
    return name.encode()[:_RULE_BYTES].decode("utf-8", "ignore")


class Board:
    """The trader's side: makes the segment and writes its figures.

    Args:
        path: where the segment goes; its folder exists.
        manifest: of the run; ``other`` is added to its rules.

    Raises:
        NativeError: the segment cannot be made, or there are more instruments than :data:`MAX_INSTRUMENTS`.
    """

    def __init__(self, path: str | os.PathLike[str], manifest: Manifest) -> None:
        if (wanted := len(manifest.instruments)) > MAX_INSTRUMENTS:
            raise NativeError(f"{wanted} instruments: one bot may have {MAX_INSTRUMENTS}; make two of it")
        rules = tuple(dict.fromkeys(map(_rule, (*manifest.rules, OTHER_RULES))))
        self.manifest = evolve(manifest, rules=rules)
        names = [f"{index}.{what}" for index in range(len(manifest.instruments)) for what in _POSITION]
        self.segment = Segment.create(
            path,
            {
                "manifest": TextSection(self.manifest.to_json()),
                "run": CountersSection(_RUN),
                "recorder": CountersSection(RECORDER_COUNTERS),
                "positions": CountersSection(names),
                "denied": CountersSection(rules),
                **{stage: HistogramSection() for stage in STAGES},
                "journal": RingSection(JOURNAL_SLOTS),
            },
        )
        self._run, self._positions = self.segment.counters["run"], self.segment.counters["positions"]
        self._denied = self.segment.counters["denied"]
        self._index = {name: self._run.index(name) for name in _RUN}
        self._version = 0
        recorder = self.segment.counters["recorder"]
        recorder.set(recorder.index("durable_seq"), -1)
        self.beat(time.monotonic_ns(), 0)
        self.latency = {stage: self.segment.histograms[stage] for stage in STAGES}

    def beat(self, monotonic_ns: int, lag_ns: int) -> None:
        """Says that the trader lives, and by how much its loop was late."""
        self._run.set(self._index["loop_lag_ns"], lag_ns)
        self._run.set(self._index["heartbeat_ns"], monotonic_ns)

    def say(self, state: RunState) -> None:
        """Says what the trader is doing."""
        self._run.set(self._index["state"], state)

    def count(self, name: str, value: int) -> None:
        """Sets one figure at once, such as ``sent``, which must be right even after a kill."""
        self._run.set(self._index[name], value)

    def write(
        self, run: Mapping[str, int], denied: Mapping[str, int], positions: Sequence[tuple[int, int, int, int, int]]
    ) -> None:
        """Writes a set of figures that belong together.

        Args:
            run: counters by name.
            denied: denials by rule; a rule that was not known at the start counts as ``other``.
            positions: lots, entry cost, mark, unrealised profit and uncovered lots of each instrument.
        """
        version = self._index["version"]
        self._version += 1
        self._run.set(version, self._version)
        for name, value in run.items():
            self._run.set(self._index[name], value)
        for rule, count in self._by_rule(denied).items():
            self._denied.set(self._denied.index(rule), count)
        for at, value in enumerate(value for position in positions for value in position):
            self._positions.set(at, value)
        self._version += 1
        self._run.set(version, self._version)

    def _by_rule(self, denied: Mapping[str, int]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for rule, count in denied.items():
            known = _rule(rule) if _rule(rule) in self.manifest.rules else OTHER_RULES
            counts[known] = counts.get(known, 0) + count
        return counts

    @property
    def durable_seq(self) -> int:
        """The newest record that the recorder has made durable; -1 before the first."""
        recorder = self.segment.counters["recorder"]
        return recorder.get(recorder.index("durable_seq"))


class BoardView:
    """The side of everybody else. Make it with :meth:`attach`.

    Attributes:
        manifest: what the run is.
        segment: the mapping itself.
    """

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.manifest = Manifest.from_json(segment.texts.get("manifest", b""))
        have = {f"{group}.{name}" for group, counters in segment.counters.items() for name in counters.names}
        wanted = [f"run.{name}" for name in _RUN] + [f"recorder.{name}" for name in RECORDER_COUNTERS]
        missing = {name for name in wanted if name not in have} | {"positions", "denied"} - set(segment.counters)
        if missing:
            raise NativeError(f"{segment.path}: the segment has no {min(missing)}: it is of another version")

    @classmethod
    def attach(cls, path: str | os.PathLike[str]) -> BoardView:
        """Maps the segment of a run.

        Raises:
            NativeError: there is none, or it is damaged or of another version.
        """
        return cls(Segment.attach(path))

    def read(self) -> Snapshot:
        """The figures now; :class:`Snapshot` says whether they are of one moment.

        Raises:
            NativeError: a figure is none that a trader writes; the segment is damaged.
        """
        run = self.segment.counters["run"]
        version = run.index("version")
        for _ in range(_READS):
            before = run.get(version)
            snapshot = self._read(before % 2 == 0)
            if snapshot.consistent and run.get(version) == before:
                return snapshot
            time.sleep(_READ_AGAIN_S)
        return evolve(snapshot, consistent=False)

    def _read(self, consistent: bool) -> Snapshot:
        counters, now = self.segment.counters, time.monotonic_ns()
        run, recorder, denied = (counters[name].read() for name in ("run", "recorder", "denied"))
        plain: dict[str, Any] = {name: run[name] for name in _PLAIN}
        return Snapshot(
            **plain,
            consistent=consistent,
            state=self._state(run["state"]),
            heartbeat_age_ns=now - run["heartbeat_ns"],
            denied_by_rule={rule: count for rule, count in denied.items() if count},
            durable_seq=recorder["durable_seq"],
            recorder=RecorderNow(
                pid=recorder["pid"],
                heartbeat_age_ns=now - recorder["heartbeat_ns"],
                records=recorder["records"],
                batches=recorder["batches"],
                restarts=run["recorder_restarts"],
                store_ok=bool(recorder["store_ok"]),
            ),
            positions=tuple(self._position(index, counters["positions"]) for index in range(self._instruments)),
            latency={name: histogram.read() for name, histogram in self.segment.histograms.items()},
        )

    def _state(self, number: int) -> RunState:
        try:
            return RunState(number)
        except ValueError as error:
            raise NativeError(f"{self.segment.path}: the run has the state {number}: the segment is damaged") from error

    @property
    def _instruments(self) -> int:
        return len(self.manifest.instruments)

    def _position(self, index: int, counters: Counters) -> PositionNow:
        instrument = self.manifest.instruments[index]
        first = index * len(_POSITION)
        lots, cost, mark, unrealised, uncovered = (counters.get(first + at) for at in range(len(_POSITION)))
        return PositionNow(
            symbol=instrument.symbol,
            lots=lots,
            quantity=instrument.quantity(lots),
            entry_price=average_price(instrument, lots, cost),
            mark_ticks=mark,
            unrealised_units=unrealised,
            uncovered_lots=uncovered,
        )
