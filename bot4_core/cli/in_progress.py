"""Which of a journal's runs go on now: their bot's lock is held, and its segment names them."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import Bot4Error
from ..state.board import BoardView
from ..state.folder import BotFolder, bot_folders


def in_progress(bots: Iterable[str]) -> frozenset[str]:
    """Ids of the runs that bots are at.

    A bot that cannot be looked at (another user's folder, a segment of another version) counts as not running: a list
    of runs is no place to fail for it; ``bot4 status`` names the trouble.

    Args:
        bots: names to look at, of strangers too: only bots that have started here are.
    """
    wanted = set(bots)
    try:
        folders = [folder for folder in bot_folders() if folder.name in wanted] if wanted else []
    except Bot4Error:
        return frozenset()
    return frozenset(run for folder in folders if (run := _run_of(folder)) is not None)


def _run_of(folder: BotFolder) -> str | None:
    try:
        if not folder.is_running():
            return None
        view = BoardView.attach(folder.segment_path)
    except Bot4Error:
        return None
    # between the lock of a new run and its segment, the segment is the last run's
    return view.manifest.run_id if view.segment.owner == folder.holder() else None
