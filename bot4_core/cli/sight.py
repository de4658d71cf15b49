"""What can be seen of a bot from outside: its lock, its latch and its segment, nothing else.

Looking costs the trader nothing and works when it hangs, died, or never ran.
"""

from __future__ import annotations

import time
from enum import StrEnum

from attrs import frozen

from ..errors import Bot4Error, NativeError
from ..native.latch import LatchInfo
from ..native.segment import State
from ..state.board import BoardView, Manifest, RunState, Snapshot
from ..state.folder import BotFolder

#: a trader that holds the lock and says nothing for longer hangs; it beats ten times a second
SILENT_NS = 2 * 10**9
#: the same while it starts: histories are loaded then
SILENT_START_NS = 30 * 10**9
#: the clock may have been set by so much since the machine started
_CLOCK_STEP_NS = 60 * 10**9


class Life(StrEnum):
    """Whether a bot lives."""

    NEVER = "never ran"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SILENT = "not responding"
    STOPPED = "stopped"
    FAILED = "failed"
    DIED = "died"


@frozen(kw_only=True)
class Sight:
    """One look at a bot.

    Args:
        name: the bot.
        life: whether it lives.
        running: whether a process holds its lock.
        pid: that process, or the one of the last run; None where nobody says.
        latch: what its latch says.
        trouble: why the segment shows nothing, one line; empty when it does.
        manifest, snapshot: from the segment: of this run, or of the last one. None without a segment.
        beat_age_ns: since its last heartbeat; None without a segment, and when the machine was restarted since.
    """

    name: str
    life: Life
    running: bool
    pid: int | None
    latch: LatchInfo
    trouble: str
    manifest: Manifest | None
    snapshot: Snapshot | None
    beat_age_ns: int | None


def look(folder: BotFolder) -> Sight:
    """Looks at a bot that has a folder.

    Raises:
        Bot4Error: its lock cannot be looked at.
    """
    latch = folder.open_latch()
    try:
        info = latch.info()
    finally:
        latch.close()
    sight = _look(folder, info)
    if sight.life is Life.DIED and folder.is_running():  # the next run began between our two looks
        sight = _look(folder, info)
    return sight


def _look(folder: BotFolder, latch: LatchInfo) -> Sight:
    running, holder = folder.is_running(), folder.holder()
    trouble = ""
    view: BoardView | None = None
    snapshot: Snapshot | None = None
    try:
        view = BoardView.attach(folder.segment_path)
        snapshot = view.read()
    except NativeError as error:
        trouble = str(error)
    manifest = view.manifest if view is not None else None
    age = _beat_age(manifest, snapshot)
    if running:
        own = view is not None and snapshot is not None and (holder is None or view.segment.owner == holder)
        life = _alive(snapshot, age) if own else _without_segment(folder)
        if manifest is not None and not own:
            trouble = trouble or f"what its segment shows is the run before ({manifest.run_id})"
    elif view is None:
        life = Life.STOPPED if folder.segment_path.exists() else Life.NEVER
    else:
        life = _gone(view, snapshot)
    return Sight(
        name=folder.name,
        life=life,
        running=running,
        pid=holder if running else manifest.pid if manifest is not None else None,
        latch=latch,
        trouble=trouble,
        manifest=manifest,
        snapshot=snapshot,
        beat_age_ns=age,
    )


def _beat_age(manifest: Manifest | None, snapshot: Snapshot | None) -> int | None:
    """The heartbeat is on a clock that begins anew when the machine does."""
    if manifest is None or snapshot is None or snapshot.heartbeat_age_ns < 0:
        return None
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    booted_ns = time.time_ns() - time.clock_gettime_ns(clock)
    return snapshot.heartbeat_age_ns if manifest.started_ns > booted_ns - _CLOCK_STEP_NS else None


def _gone(view: BoardView, snapshot: Snapshot | None) -> Life:
    """How a run ended whose process is gone; a segment stays open when its last records still wait in it."""
    if snapshot is not None and snapshot.state.is_over:
        return Life.FAILED if snapshot.state is RunState.FAILED else Life.STOPPED
    return Life.STOPPED if view.segment.state is State.CLOSED else Life.DIED


def _alive(snapshot: Snapshot | None, age: int | None) -> Life:
    state = snapshot.state if snapshot is not None else RunState.STARTING
    patience = SILENT_START_NS if state is RunState.STARTING else SILENT_NS
    if age is None or age > patience:
        return Life.SILENT
    return {RunState.STARTING: Life.STARTING, RunState.RUNNING: Life.RUNNING}.get(state, Life.STOPPING)


def _without_segment(folder: BotFolder) -> Life:
    """The lock is taken some moments before the segment is made."""
    try:
        age_ns = time.time_ns() - folder.lock_path.stat().st_mtime_ns
    except OSError as error:
        raise Bot4Error(f"{folder.lock_path}: cannot be looked at: {error.strerror}") from error
    return Life.STARTING if age_ns < SILENT_START_NS else Life.SILENT
