"""What the last run of a bot left behind, completed before the next one starts."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Bot4Error, NativeError, one_line
from ..journal.database import parse_url, show
from ..journal.lost import close_lost_runs
from ..journal.recorder import Recorder
from ..journal.store import Store
from ..native.segment import State
from ..state.board import BoardView
from ..state.folder import BotFolder


def settle(folder: BotFolder, url: str, now_ns: int) -> Iterator[str]:
    """Stores what a run that died still had on its way to the journal, ends its journal, and says what happened.

    Args:
        folder: of the bot; its lock and its recorder's lock are held.
        url: the journal's.
        now_ns: UTC ns.

    Yields:
        Lines for the log; none when the last run ended in order.

    Raises:
        StoreError: the journal cannot be written.
    """
    yield from _drained(folder, url)
    with Store.open(url, mode="paper") as store:
        for lost in close_lost_runs(store, folder.name, now_ns):
            yield from str(lost).splitlines()


def _drained(folder: BotFolder, url: str) -> Iterator[str]:
    if not folder.segment_path.exists():
        return
    try:
        view = BoardView.attach(folder.segment_path)
    except NativeError as error:
        yield f"the last run's segment cannot be read ({one_line(error)}); only what its journal holds is known"
        return
    last = view.manifest
    waiting = len(view.segment.rings["journal"])
    if view.segment.state is State.CLOSED or not waiting:
        return
    if last.journal != show(parse_url(url)):
        yield f"run {last.run_id} died with records for another journal ({last.journal}): start it with that one once"
        return
    recorder = Recorder(view.segment, lambda: Store.open(url, mode="paper"))
    try:
        count = recorder.drain()
        yield f"run {last.run_id} died with {count} records that were not durable yet: they are stored now"
    except Bot4Error as error:
        yield f"what run {last.run_id} had not stored yet cannot be stored: {one_line(error)}"
    finally:
        recorder.close()
