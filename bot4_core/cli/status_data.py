"""What is to be said about a bot: as data for scripts, and in words where a state is not plain."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..domain.instrument import Instrument
from ..domain.money import from_units
from ..native.latch import LatchInfo, Mode
from ..report import wording as w
from ..state.board import Manifest, PositionNow, Snapshot
from .sight import SILENT_NS, Life, Sight

#: drawdowns are counted in billionths
PPB = 10**9
#: a sink that died so often is no accident
_MANY_RESTARTS = 3


def as_json(sight: Sight) -> dict[str, Any]:
    """One bot; what nobody knows is None."""
    manifest, now = sight.manifest, sight.snapshot
    return {
        "bot": sight.name,
        "state": sight.life.value,
        "running": sight.running,
        "pid": sight.pid,
        "heartbeat_age_s": None if sight.beat_age_ns is None else sight.beat_age_ns / 10**9,
        "message": explain(sight),
        "troubles": troubles(sight),
        "kill": kill_as_json(sight.latch),
        "breakers": {},
        **_run_as_json(manifest),
        **(_figures(manifest, now) if manifest is not None and now is not None and now.version else _NO_FIGURES),
    }


def kill_as_json(latch: LatchInfo) -> dict[str, Any]:
    """What a latch says; ``ts`` is None where no note tells."""
    return {
        "mode": latch.mode.name,
        "latched": latch.mode is not Mode.ACTIVE,
        "reason": latch.reason,
        "who": latch.who,
        "ts": latch.ts or None,
        "seq": latch.seq,
    }


def _run_as_json(manifest: Manifest | None) -> dict[str, Any]:
    names = ("run_id", "mode", "source", "journal", "started_ns", "sinks")
    asset = None if manifest is None else manifest.reporting_asset
    return {name: getattr(manifest, name, None) for name in names} | {"asset": asset}


_FIGURES = ("consistent", "loop_lag_s", "market_ns", "events", "wakes", "positions", "orders", "equity", "start_equity",
            "peak_equity", "drawdown", "max_drawdown", "drawdown_limit", "recorder", "sink_restarts", "sinks_lost",
            "latency")  # fmt: skip
_NO_FIGURES = dict.fromkeys(_FIGURES)


def _figures(manifest: Manifest, now: Snapshot) -> dict[str, Any]:
    instruments = {one.symbol: one for one in manifest.instruments}
    return {
        "consistent": now.consistent,
        "loop_lag_s": now.loop_lag_ns / 10**9,
        "market_ns": now.market_ns or None,
        "events": now.events,
        "wakes": now.wakes,
        "positions": [_position(one, instruments[one.symbol]) for one in held(now)],
        "orders": {
            "sent": now.sent,
            "approved": now.approved,
            "denied": now.denied,
            "denied_by_rule": dict(now.denied_by_rule),
            "fills": now.fills,
            "working": now.working_orders,
            "working_entries": now.working_entries,
        },
        "equity": from_units(now.equity_units, manifest.reporting_scale),
        "start_equity": from_units(manifest.start_equity, manifest.reporting_scale),
        "peak_equity": from_units(now.peak_units, manifest.reporting_scale),
        "drawdown": Decimal(now.drawdown_ppb) / PPB,
        "max_drawdown": Decimal(now.max_drawdown_ppb) / PPB,
        "drawdown_limit": manifest.drawdown_limit,
        "recorder": {
            "pid": now.recorder.pid or None,
            "heartbeat_age_s": now.recorder.heartbeat_age_ns / 10**9 if now.recorder.pid else None,
            "next_seq": now.next_seq,
            "durable_seq": now.durable_seq,
            "backlog": backlog(now),
            "records": now.recorder.records,
            "batches": now.recorder.batches,
            "restarts": now.recorder.restarts,
            "store_ok": now.recorder.store_ok,
        },
        "sink_restarts": now.sink_restarts,
        "sinks_lost": now.sinks_lost,
        "latency": {
            stage: {"count": one.count, "p50_ns": one.p50, "p99_ns": one.p99, "max_ns": one.max, "errors": one.errors}
            for stage, one in now.latency.items()
        },
    }


def held(now: Snapshot) -> list[PositionNow]:
    """The positions that are not flat, or not covered."""
    return [one for one in now.positions if one.lots or one.uncovered_lots]


def _position(one: PositionNow, instrument: Instrument) -> dict[str, Any]:
    return {
        "symbol": one.symbol,
        "quantity": one.quantity,
        "entry_price": one.entry_price,
        "mark": instrument.price(one.mark_ticks) if one.mark_ticks else None,
        "unrealised": from_units(one.unrealised_units, instrument.quote_scale),
        "uncovered": instrument.quantity(one.uncovered_lots),
    }


def backlog(now: Snapshot) -> int:
    """Records that the trader wrote and the disk does not have yet."""
    return max(now.next_seq - 1 - now.durable_seq, 0)


def explain(sight: Sight) -> str:
    """What the state means and what to do, where it is not plain; else empty."""
    beat = "before the machine was restarted" if sight.beat_age_ns is None else f"{age(sight.beat_age_ns)} ago"
    process, name = f"process {sight.pid}" if sight.pid is not None else "a process", w.printable(sight.name, 64)
    if sight.life is Life.DIED:
        gone = f"its process {sight.pid} is gone" if sight.pid is not None else "its process is gone"
        return f"died: {gone}; last heartbeat {beat}; `bot4 run` will say what the journal holds"
    if sight.life is Life.SILENT:
        seen = sight.trouble or f"last heartbeat {beat}"
        return f"not responding: {process} holds the lock; {seen}; `bot4 kill {name}` works all the same"
    if sight.life is Life.FAILED:
        waits = backlog(sight.snapshot) if sight.snapshot is not None else 0
        more = f"; {counted(waits, 'record')} not stored yet: `bot4 run` does that first" if waits else ""
        return f"failed: its last run ended with an error; `bot4 runs` and its log tell which{more}"
    if sight.life is Life.NEVER:
        return "no run has left a segment here"
    return sight.trouble


def troubles(sight: Sight) -> list[str]:
    """What an operator must look at although the process may be well, a line each."""
    manifest, now = sight.manifest, sight.snapshot
    if manifest is None or now is None or not now.version:
        return []
    instruments = {one.symbol: one for one in manifest.instruments}
    found = [
        f"{one.symbol}: {w.plain(instruments[one.symbol].quantity(one.uncovered_lots))} held without a live stop"
        for one in held(now)
        if one.uncovered_lots
    ]
    if now.recorder.pid and not now.recorder.store_ok:
        found.append("the journal's database refuses to write: no new risk is taken; see its log and `bot4 doctor`")
    if sight.running and now.recorder.pid and now.recorder.heartbeat_age_ns > SILENT_NS:
        found.append(f"the recorder says nothing for {age(now.recorder.heartbeat_age_ns)}: no intent becomes durable")
    if sight.running:
        found += _sink_troubles(manifest, now)
    return found


def _sink_troubles(manifest: Manifest, now: Snapshot) -> list[str]:
    """What the sinks cannot say themselves; the board counts them together."""
    names = w.printable(", ".join(manifest.sinks), 200)
    which = f"sink {names}" if len(manifest.sinks) == 1 else f"of the sinks {names}"
    if now.sinks_lost:
        lost = which if len(manifest.sinks) == 1 else f"{w.count(now.sinks_lost)} {which}"
        return [f"{lost}: died too often and was given up until the bot is started again; see its log"]
    if now.sink_restarts >= _MANY_RESTARTS:
        again = f"had to be started again {w.count(now.sink_restarts)} times; see its log"
        return [f"{which}: {again}" if len(manifest.sinks) == 1 else f"one {which}: {again}"]
    return []


def counted(number: int, what: str) -> str:
    """``1 record``, ``2 records``; with another ending ``batch/batches``."""
    one, _, many = what.partition("/")
    return f"{w.count(number)} {one if number == 1 else many or one + 's'}"


def age(ns: int | None) -> str:
    """How long ago, with tenths of a second below a minute."""
    if ns is None:
        return "—"
    return f"{max(ns, 0) / 10**9:.1f} s" if ns < 60 * 10**9 else w.duration(ns)
