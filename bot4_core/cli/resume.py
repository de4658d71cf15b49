"""``bot4 resume``: releases a bot's kill latch, for somebody who types the bot's name."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from ..errors import RefusedForSafety
from ..native.latch import Latch, LatchInfo, Mode
from ..state.folder import BotFolder
from .kill import who
from .named import named_bot
from .output import emit, json_option

#: longest answer that is read
_MAX_ANSWER = 1024
_MAX_SHOWN = 80


@click.command()
@click.argument("bot")
@json_option
def resume(bot: str, as_json: bool) -> None:
    """Release the kill latch of BOT, after showing who set it and why.

    The bot's name must be typed out; one line is read from the terminal, or from stdin. Anything else changes nothing
    and ends with code 6.
    """
    folder = named_bot(bot, "resume")
    latch = folder.open_latch()
    try:
        seen, before = latch.word, latch.info()
        if before.mode is Mode.ACTIVE:
            _print(folder, latch, False, [f"{folder.name} is not latched: nothing to release"], as_json)
            return
        for line in _shown(folder, latch):
            click.echo(line, err=True)
        _ask(folder.name)
        latch.release(folder.name, who(), time.time_ns(), seen=seen)
        _print(folder, latch, True, _after(folder, before), as_json)
    finally:
        latch.close()


def _shown(folder: BotFolder, latch: Latch) -> list[str]:
    from .sight import look
    from .status_data import counted
    from .status_text import MEANING, latch_story

    info, sight = latch.info(), look(folder)
    lines = [
        f"{folder.name} is {info.mode.name.replace('_', '-')}: {MEANING[info.mode]}",
        f"  {latch_story(info, time.time_ns())}",
        f"  the bot: {sight.life.value}",
    ]
    now = sight.snapshot
    if now is not None:
        held = sum(1 for one in now.positions if one.lots)
        lines.append(
            f"  when last seen: drawdown {now.drawdown_ppb / 10**7:.2f} %, worst {now.max_drawdown_ppb / 10**7:.2f} %;"
            f" {counted(held, 'position')}, {counted(now.working_orders, 'working order')}"
        )
    return lines


def _ask(name: str) -> None:
    click.echo("type the bot's name to let it trade again: ", err=True, nl=False)
    typed = sys.stdin.buffer.readline(_MAX_ANSWER).decode("utf-8", "replace")
    if not sys.stdin.isatty():
        click.echo(err=True)  # nobody's Enter ended the line
    typed = typed.removesuffix("\n").removesuffix("\r")
    if typed != name:
        shown = repr(typed[:_MAX_SHOWN]) + ("…" if len(typed) > _MAX_SHOWN else "")  # a space too many is seen
        given = f"its name was not typed, but {shown}" if typed else "nothing was typed"
        raise RefusedForSafety(f"{name} stays latched: {given}; nothing was changed")


def _after(folder: BotFolder, before: LatchInfo) -> list[str]:
    lines = [f"{folder.name} is released and may trade again"]
    if not folder.is_running():
        return [*lines, "it is not running: bot4 run starts it"]
    if not before.durable:
        return [*lines, f"its process {folder.holder()} opened the broken latch and stays KILLED: stop and start it"]
    if before.who == "engine":  # the run's own halt, which outlives the latch (the gate's rule)
        return [*lines, f"its process {folder.holder()} halted itself and takes no new risk: stop and start it"]
    return [*lines, f"its process {folder.holder()} reads the latch before every order: from now on it may send again"]


def _print(folder: BotFolder, latch: Latch, released: bool, lines: list[str], as_json: bool) -> None:
    info = latch.info()
    data: dict[str, Any] = {
        "bot": folder.name,
        "released": released,
        "latched": info.mode is not Mode.ACTIVE,
        "mode": info.mode.name,
        "seq": info.seq,
        "who": info.who,
        "ts": info.ts or None,
        "message": "; ".join(lines),
    }
    emit(data, as_json, lambda: click.echo("\n".join(lines)))
