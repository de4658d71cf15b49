"""``bot4 status``: what bots do now, from their segments; the trader does not notice."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from ..state.folder import BotFolder, bot_folders
from .named import named_bot
from .output import console, emit, json_option

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_TICK_S = 0.5


@click.command()
@click.argument("bot", required=False)
@click.option("--watch", is_flag=True, help="Show it again each half second until Ctrl-C.")
@click.option("--for", "seconds", type=click.FloatRange(0), metavar="S", help="End --watch after so many seconds.")
@json_option
def status(bot: str | None, watch: bool, seconds: float | None, as_json: bool) -> None:
    """Show what BOT does now, or one line for each bot that has started here.

    Only the segment, the lock and the kill latch are read: it works whatever the bot does, and disturbs it in nothing.
    """
    if seconds is not None and not watch:
        raise click.UsageError("--for goes with --watch")
    folder = named_bot(bot, "status") if bot is not None else None
    if not watch:
        _once(folder, as_json)
        return
    try:
        _watch(folder, as_json, seconds)
    except KeyboardInterrupt:  # how a watch ends
        return


def _once(folder: BotFolder | None, as_json: bool) -> None:
    data, draw = _picture(folder)
    out = console()
    emit(data, as_json, lambda: _print(out, draw(out.width)))


def _watch(folder: BotFolder | None, as_json: bool, seconds: float | None) -> None:
    out = console()
    ticks = _ticks(seconds)
    if as_json or not out.is_terminal:
        for number in ticks:
            data, draw = _picture(folder)
            if number and not as_json:
                click.echo()
            emit(data, as_json, lambda draw=draw: _print(out, draw(out.width)))  # type: ignore[misc]  # called at once
            sys.stdout.flush()
        return
    from rich.live import Live

    with Live(console=out, auto_refresh=False, vertical_overflow="crop") as live:
        for _ in ticks:
            live.update(_picture(folder)[1](out.width), refresh=True)


def _ticks(seconds: float | None) -> Iterator[int]:
    """Numbers from 0, half a second apart, until the time is over; 0 in any case."""
    start, number = time.monotonic(), 0
    while not number or seconds is None or time.monotonic() - start < seconds:
        yield number
        number += 1
        pause = start + number * _TICK_S - time.monotonic()
        if seconds is not None:
            pause = min(pause, start + seconds - time.monotonic())
        time.sleep(max(pause, 0))


def _picture(folder: BotFolder | None) -> tuple[dict[str, Any], Callable[[int], RenderableType]]:
    """What scripts get, and what draws the same for people."""
    from .sight import look
    from .status_data import as_json
    from .status_text import render_list, render_one

    if folder is not None:
        sight = look(folder)
        return as_json(sight), lambda width: render_one(sight, time.time_ns())
    sights = [look(one) for one in bot_folders()]
    return {"bots": [as_json(one) for one in sights]}, lambda width: render_list(sights, width)


def _print(out: Console, body: RenderableType) -> None:
    from ..report.terminal import print_plainly

    print_plainly(out, body)
