"""``bot4 kill``: sets a bot's kill latch from another process.

It asks nothing of the bot: the latch is a file that the bot maps and reads before every send. So it works on a bot
that hangs, was stopped, or does not run. Light imports only, because somebody is in a hurry.
"""

from __future__ import annotations

import os
import pwd
import time
from typing import TYPE_CHECKING

import click

from ..errors import Bot4Error, one_line
from ..native.latch import LatchInfo, Mode
from ..state.folder import BotFolder
from .named import named_bot
from .output import emit, json_option

if TYPE_CHECKING:
    from collections.abc import Iterable

_MODES = {"killed": Mode.KILLED, "cancel-only": Mode.CANCEL_ONLY, "reduce-only": Mode.REDUCE_ONLY}
#: a trader beats ten times a second
_SILENT_S = 2.0
_NO_REASON = "by hand"


@click.command()
@click.argument("bot")
@click.option("--reason", default=_NO_REASON, show_default=True, help="Why; kept with the latch.")
@click.option(
    "--mode",
    type=click.Choice(list(_MODES)),
    default="killed",
    show_default=True,
    help="reduce-only allows orders that shrink positions and cancels, cancel-only cancels, killed neither.",
)
@json_option
def kill(bot: str, reason: str, mode: str, as_json: bool) -> None:
    """Set the kill latch of BOT: it sends nothing that raises risk any more, at once and after every restart.

    Works on a bot that hangs or does not run. A stricter latch stays as it is. `bot4 resume BOT` releases it.
    """
    folder = named_bot(bot, "kill")
    before, info = _set(folder, _MODES[mode], reason if reason.strip() else _NO_REASON)
    running = _running(folder)
    lines = list(_story(folder, before, info, running))
    answer = {
        "bot": folder.name,
        "latched": info.mode is not Mode.ACTIVE,
        "mode": info.mode.name,
        "seq": info.seq,
        "who": info.who,
        "reason": info.reason,
        "ts": info.ts or None,
        "running": running,
        "message": "; ".join(lines),
    }
    try:
        emit(answer, as_json, lambda: click.echo("\n".join(lines)))
    except Bot4Error as error:  # on a full disk nobody may think that the kill failed
        raise Bot4Error(f"{error}; {lines[0]}") from error


def _set(folder: BotFolder, mode: Mode, reason: str) -> tuple[LatchInfo, LatchInfo]:
    """What held, and what holds."""
    latch = folder.open_latch()
    try:
        return latch.info(), latch.set(mode, reason, who(), time.time_ns())
    finally:
        latch.close()


def who() -> str:
    """Who asks, as ``user@terminal/process``."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{_terminal()}/{os.getpid()}"


def _terminal() -> str:
    for fd in (0, 2, 1):
        try:
            return os.ttyname(fd).removeprefix("/dev/")
        except OSError:
            continue
    return "no-terminal"


def _running(folder: BotFolder) -> bool | None:
    try:
        return folder.is_running()
    except Bot4Error:  # the latch holds whether or not we may look at the lock
        return None


def _story(folder: BotFolder, before: LatchInfo, info: LatchInfo, running: bool | None) -> Iterable[str]:
    mode = info.mode.name.replace("_", "-")
    if not info.ts:
        yield f"{folder.name} reads as {mode} already: {one_line(info.reason)}"
    elif before.mode >= info.mode and before.ts:
        yield f"{folder.name} is {mode} already, {_note(info)}; that stays on record"
    else:
        if not before.ts:
            yield f"{folder.name} read as KILLED already: {one_line(before.reason)}; a new latch keeps your reason"
        yield f"{folder.name} is {mode}, {_note(info)}"
    yield _next(folder, info.mode, running)
    yield f"see: bot4 status {folder.name}; release: bot4 resume {folder.name}"


def _note(info: LatchInfo) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(info.ts // 10**9))
    return f"set by {one_line(info.who) or 'nobody named'} at {at} UTC: {one_line(info.reason)}"


def _next(folder: BotFolder, mode: Mode, running: bool | None) -> str:
    if running is None:
        return "whether it runs cannot be seen; if it does, it sends nothing that raises risk from now on"
    if not running:
        return "it is not running; the latch outlives restarts: it does not start until the latch is released"
    process, silent = f"process {folder.holder()}", _silent_s(folder)
    if silent is not None and silent > _SILENT_S:
        return (
            f"it is running ({process}) but NOT RESPONDING for {silent:.0f} s: no order passes the latch, but its"
            " working entries stay at the exchange until it wakes or you cancel them there; positions and stops stay"
        )
    what = "sends only orders that shrink positions" if mode is Mode.REDUCE_ONLY else "sends nothing that raises risk"
    return f"it is running ({process}): it {what} from now on and cancels its entries; stops and positions stay"


def _silent_s(folder: BotFolder) -> float | None:
    """Seconds since the trader's heartbeat; None where its segment does not say."""
    from ..native.segment import Segment

    try:
        counters = Segment.attach(folder.segment_path).counters["run"]
        beat = counters.get(counters.index("heartbeat_ns"))
    except (Bot4Error, KeyError):
        return None
    return (time.monotonic_ns() - beat) / 10**9
