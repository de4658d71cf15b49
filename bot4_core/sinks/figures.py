"""A running bot's figures as Prometheus metrics, read from its segment at each scrape.

Nothing is kept here and nothing is invented: a figure that a run does not have yet is left out or NaN. Names, units
and labels are a contract with dashboards and alert rules (docs/metrics.md). Labels are bounded by the run's manifest:
its rules, its symbols; no order and no run has a series of its own.
"""

from __future__ import annotations

import math
import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from attrs import frozen
from prometheus_client import ProcessCollector
from prometheus_client.core import Metric

from .. import __version__
from ..native.histogram import Summary
from ..native.latch import Latch, Mode
from ..state.board import BoardView, Manifest, RunState, Snapshot
from ..state.folder import BotFolder

#: a trading process that has not said for so long that it lives counts as dead; it says so ten times a second
HEARTBEAT_LIMIT_NS = 2 * 10**9
_SECOND_NS = 10**9
_QUANTILES: tuple[tuple[str, Callable[[Summary], int]], ...] = (
    ("0.5", lambda summary: summary.p50),
    ("0.99", lambda summary: summary.p99),
    ("0.999", lambda summary: summary.p999),
)

#: labels and value of each sample of one metric
Samples = Iterable[tuple[Mapping[str, str], float]]


@frozen(kw_only=True)
class Reading:
    """What one scrape sees.

    Args:
        manifest, now: of the run, from its segment.
        latch: the kill latch's mode as its file says it.
        latch_problem: why the latch cannot be trusted, else empty.
        wall_ns: UTC ns of this machine's clock.
    """

    manifest: Manifest
    now: Snapshot
    latch: Mode
    latch_problem: str
    wall_ns: int

    @property
    def alive(self) -> bool:
        """Whether the trading process works: it has not ended, and said so less than two seconds ago."""
        return not self.now.state.is_over and self.now.heartbeat_age_ns < HEARTBEAT_LIMIT_NS

    @property
    def illness(self) -> str:
        """Why the bot is not healthy, in one line; empty when it is."""
        if self.now.state.is_over:
            return "the run failed: see `bot4 runs`" if self.now.state is RunState.FAILED else "the run has ended"
        if not self.alive:
            return f"the trader has given no sign of life for {self.now.heartbeat_age_ns / _SECOND_NS:.1f} s"
        if not self.now.recorder.store_ok:
            return "the journal's store does not take records: see the bot's log"
        return f"the kill latch is damaged: {self.latch_problem}" if self.latch_problem else ""


@frozen
class Figure:
    """One metric: its name, its type, what it says, and how its samples are read.

    Args:
        name: with the suffix ``_total`` when it is a counter.
        kind: its type; a counter only grows during a run.
        help: one line, for the scrape and docs/metrics.md.
        read: its samples.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    read: Callable[[Reading], Samples]

    def metric(self, reading: Reading) -> Metric:
        """The metric with its samples now."""
        metric = Metric(self.name.removesuffix("_total"), self.help, self.kind)
        for labels, value in self.read(reading):
            metric.add_sample(self.name, dict(labels), value)
        return metric


def _one(value: Callable[[Snapshot], float]) -> Callable[[Reading], Samples]:
    return lambda reading: [({}, value(reading.now))]


def _seconds(ns: Callable[[Snapshot], int]) -> Callable[[Reading], Samples]:
    return lambda reading: [({}, ns(reading.now) / _SECOND_NS)]


def _equity(units: Callable[[Snapshot], int]) -> Callable[[Reading], Samples]:
    return lambda reading: [({}, units(reading.now) / 10**reading.manifest.reporting_scale)]


def _build(reading: Reading) -> Samples:
    return [({"version": __version__, "python": platform.python_version()}, 1)]


def _run(reading: Reading) -> Samples:
    manifest = reading.manifest
    return [({"bot": manifest.bot, "mode": manifest.mode, "asset": manifest.reporting_asset}, 1)]


def _states(reading: Reading) -> Samples:
    return [({"state": each.name.lower()}, each is reading.now.state) for each in RunState]


def _market_lag(reading: Reading) -> Samples:
    market = reading.now.market_ns
    return [({}, (reading.wall_ns - market) / _SECOND_NS)] if market else []


def _denied(reading: Reading) -> Samples:
    return [({"rule": rule}, reading.now.denied_by_rule.get(rule, 0)) for rule in reading.manifest.rules]


def _working(reading: Reading) -> Samples:
    entries = reading.now.working_entries
    return [({"kind": "entry"}, entries), ({"kind": "reducing"}, max(0, reading.now.working_orders - entries))]


def _quantities(reading: Reading) -> Samples:
    return [({"symbol": each.symbol}, float(each.quantity)) for each in reading.now.positions]


def _unrealised(reading: Reading) -> Samples:
    pairs = zip(reading.manifest.instruments, reading.now.positions, strict=True)
    return [({"symbol": at.symbol}, now.unrealised_units / 10**at.quote_scale) for at, now in pairs]


def _uncovered(reading: Reading) -> Samples:
    pairs = zip(reading.manifest.instruments, reading.now.positions, strict=True)
    return [({"symbol": at.symbol}, float(at.quantity(now.uncovered_lots))) for at, now in pairs]


def _modes(reading: Reading) -> Samples:
    return [({"mode": each.name.lower()}, each is reading.latch) for each in Mode]


def _backlog(now: Snapshot) -> int:
    # durable_seq is newer than next_seq by up to a refresh
    return max(0, now.next_seq - 1 - now.durable_seq)


FIGURES: tuple[Figure, ...] = (
    Figure("bot4_build_info", "gauge", "Versions of bot4-core and Python; always 1.", _build),
    Figure("bot4_run_info", "gauge", "The bot, its mode, and the asset that equity is stated in; always 1.", _run),
    Figure("bot4_run_start_time_seconds", "gauge", "When the run started, Unix time.",
           lambda reading: [({}, reading.manifest.started_ns / _SECOND_NS)]),
    Figure("bot4_up", "gauge", "1 while the trading process lives: its heartbeat is younger than 2 s.",
           lambda reading: [({}, reading.alive)]),
    Figure("bot4_run_state", "gauge", "1 for what the trading process last said it does, 0 for the others.", _states),
    Figure("bot4_heartbeat_age_seconds", "gauge", "Time since the trading process last said that it lives.",
           _seconds(lambda now: now.heartbeat_age_ns)),
    Figure("bot4_loop_lag_seconds", "gauge", "How late the trading process was at its last heartbeat.",
           _seconds(lambda now: now.loop_lag_ns)),
    Figure("bot4_market_lag_seconds", "gauge",
           "Wall clock less the time of the newest market event; in a replay the age of the recording.", _market_lag),
    Figure("bot4_events_total", "counter", "Market events processed.", _one(lambda now: now.events)),
    Figure("bot4_wakes_total", "counter", "Steps that the engine was woken for.", _one(lambda now: now.wakes)),
    Figure("bot4_orders_approved_total", "counter", "Orders that the gate approved.", _one(lambda now: now.approved)),
    Figure("bot4_orders_sent_total", "counter", "Orders handed to the exchange.", _one(lambda now: now.sent)),
    Figure("bot4_orders_denied_total", "counter",
           "Denials by rule; other counts rules that the run did not know at its start.", _denied),
    Figure("bot4_fills_total", "counter", "Fills applied to the books.", _one(lambda now: now.fills)),
    Figure("bot4_orders_working", "gauge", "Orders that may still fill: entries, and those that reduce a position.",
           _working),
    Figure("bot4_equity", "gauge", "Equity marked to market, in the reporting asset.",
           _equity(lambda now: now.equity_units)),
    Figure("bot4_equity_peak", "gauge", "Highest equity of the run, in the reporting asset.",
           _equity(lambda now: now.peak_units)),
    Figure("bot4_drawdown_ratio", "gauge", "Distance of equity below its peak, as a ratio of the peak.",
           _one(lambda now: now.drawdown_ppb / 10**9)),
    Figure("bot4_max_drawdown_ratio", "gauge", "Largest drawdown of the run, as a ratio of the peak.",
           _one(lambda now: now.max_drawdown_ppb / 10**9)),
    Figure("bot4_position_quantity", "gauge", "Position in the base asset; negative when short.", _quantities),
    Figure("bot4_position_unrealised", "gauge", "Unrealised profit of the position, in the quote asset.", _unrealised),
    Figure("bot4_position_uncovered", "gauge", "Part of the position without a working stop, in the base asset.",
           _uncovered),
    Figure("bot4_journal_backlog_records", "gauge", "Records written by the trader that are not durable yet.",
           _one(_backlog)),
    Figure("bot4_journal_records_total", "counter", "Records of the run that are durable.",
           _one(lambda now: now.durable_seq + 1)),
    Figure("bot4_recorder_heartbeat_age_seconds", "gauge", "Time since the recorder last said that it lives.",
           _seconds(lambda now: now.recorder.heartbeat_age_ns)),
    Figure("bot4_recorder_restarts_total", "counter", "Times that the recorder had to be started again.",
           _one(lambda now: now.recorder.restarts)),
    Figure("bot4_sink_restarts_total", "counter", "Times that a sink had to be started again.",
           _one(lambda now: now.sink_restarts)),
    Figure("bot4_sinks_lost", "gauge", "Sinks that died too often and were given up.",
           _one(lambda now: now.sinks_lost)),
    Figure("bot4_store_ok", "gauge", "1 while the journal's store takes records.",
           _one(lambda now: now.recorder.store_ok)),
    Figure("bot4_latch_mode", "gauge", "1 for the kill latch's mode, 0 for the others.", _modes),
    Figure("bot4_latch_damaged", "gauge", "1 when the latch file is missing or damaged, which counts as killed.",
           lambda reading: [({}, bool(reading.latch_problem))]),
)  # fmt: skip

#: the one metric with quantiles
STAGE_NAME = "bot4_stage_seconds"
STAGE_HELP = (
    "Latency of a stage: decide = an event or step decided upon, durable = an intent made durable, "
    "send = an order handed over; quantiles since the start of the run, at most 1/32 too high."
)


def stages(latency: Mapping[str, Summary]) -> Metric:
    """The stage latencies as one summary; a quantile of nothing is NaN."""
    metric = Metric(STAGE_NAME, STAGE_HELP, "summary")
    for stage, summary in latency.items():
        for quantile, value in _QUANTILES:
            seconds = value(summary) / _SECOND_NS if summary.count else math.nan
            metric.add_sample(STAGE_NAME, {"stage": stage, "quantile": quantile}, seconds)
        metric.add_sample(f"{STAGE_NAME}_sum", {"stage": stage}, summary.total / _SECOND_NS)
        metric.add_sample(f"{STAGE_NAME}_count", {"stage": stage}, summary.count)
    return metric


class LatchWatch:
    """The kill latch of a bot as its file says it, without the file's lock while the bot may trade.

    Args:
        folder: the bot's.
    """

    def __init__(self, folder: BotFolder) -> None:
        self._folder = folder
        self._latch: Latch = folder.open_latch()
        self._turn = threading.Lock()

    def read(self) -> tuple[Mode, str]:
        """The mode, and why the file cannot be trusted (empty when it can)."""
        with self._turn:
            mode = self._latch.verify()
            if mode is not Mode.KILLED:
                return mode, ""
            if self._latch.info().seq == 0:  # it may have been put right since
                self._latch.close()
                self._latch = self._folder.open_latch()
            info = self._latch.info()
            return info.mode, "" if info.seq else info.reason


class RunCollector:
    """What prometheus_client asks at each scrape; any thread may.

    Args:
        view: of the run's segment.
        latch: of the same bot.
    """

    def __init__(self, view: BoardView, latch: LatchWatch) -> None:
        self._view = view
        self._latch = latch
        pid = str(view.manifest.pid)
        self._trader = ProcessCollector(namespace="bot4_trader", pid=lambda: pid, registry=None)

    def read(self) -> Reading:
        """The figures now.

        Raises:
            NativeError: the segment is damaged.
        """
        mode, problem = self._latch.read()
        return Reading(
            manifest=self._view.manifest,
            now=self._view.read(),
            latch=mode,
            latch_problem=problem,
            wall_ns=time.time_ns(),
        )

    def collect(self) -> Iterator[Metric]:
        """Every metric of the run, and of the trading process while it lives."""
        reading = self.read()
        for figure in FIGURES:
            yield figure.metric(reading)
        yield stages(reading.now.latency)
        if reading.alive:  # the number of a dead process may be somebody else's by now
            yield from self._trader.collect()
