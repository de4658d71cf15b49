"""What the last run of a bot left behind, completed before the next one starts."""

from __future__ import annotations

from ..errors import NativeError, StoreError, one_line
from ..journal.database import parse_url, show
from ..journal.lost import close_lost_runs
from ..journal.recorder import drain
from ..journal.store import Store
from ..native.segment import State
from ..state.board import BoardView
from ..state.folder import BotFolder


def settle(folder: BotFolder, url: str, now_ns: int) -> list[str]:
    """Stores what a run that died still had on its way to the journal, ends its journal, and says what happened.

    Args:
        folder: of the bot; its lock and its recorder's lock are held.
        url: the journal's.
        now_ns: UTC ns.

    Returns:
        Lines for the log; none when the last run ended in order.

    Raises:
        StoreError: the journal cannot be opened or written, or is not the one that the last run's records belong to.
    """
    with Store.open(url, mode="paper") as store:
        said = _drained(folder, url)
        for lost in close_lost_runs(store, folder.name, now_ns):
            said += str(lost).splitlines()
    return said


def _drained(folder: BotFolder, url: str) -> list[str]:
    if not folder.segment_path.exists():
        return []
    try:
        view = BoardView.attach(folder.segment_path)
    except NativeError as error:
        return [f"the last run's segment cannot be read ({one_line(error)}); only what its journal holds is known"]
    last = view.manifest
    if view.segment.state is State.CLOSED or not len(view.segment.rings["journal"]):
        return []
    if last.journal != show(parse_url(url)):
        raise StoreError(
            f"run {last.run_id} died with records for another journal, {last.journal}: start the bot once with that;"
            f" to give them up, remove {folder.segment_path}"
        )
    said: list[str] = []
    if count := drain(folder.segment_path, url, say=said.append):
        said.append(f"run {last.run_id} died with {count} records that were not durable yet: they are stored now")
    return said
