"""Trader, recorder and metrics process are killed in turn, again and again: what was acknowledged is never lost.

A handful of kills in each run of the tests; ``BOT4_KILLS=50`` (``tox run -e crash``) for the whole campaign.
"""

from __future__ import annotations

import os
import random
import select
import signal
from collections import Counter
from pathlib import Path

from bot4_core.journal.verify import verify
from bot4_core.state.board import BoardView, Snapshot
from tests.engine.paper import PaperBot, Running, eventually

KILLS = int(os.environ.get("BOT4_KILLS", "9"))
SINK = '[[sink]]\nuse = "metrics"\nport = 0\n'
VICTIMS = ("trader", "recorder", "metrics")


def children(running: Running) -> set[int]:
    path = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
    return set(map(int, path.read_text("ascii").split()))


class Campaign:
    """One bot through all its deaths."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.bot = PaperBot.write(folder, rest=SINK, bars=100_000)
        self._random = random.Random(seed)
        self.told: Counter[str] = Counter()

    def watch(self, running: Running, events: int) -> Snapshot:
        """Lets the market go on for a while; gives the last figures seen."""
        start = running.until(lambda now: now.fills > 0 and now.recorder.store_ok, "it trades")
        return running.until(lambda now: now.events >= start.events + events, "the market goes on")

    def trade_until_killed(self, victims: list[str]) -> None:
        """Starts the bot, kills companions under it as listed, and at last the bot itself."""
        with self.bot.running() as running:
            for victim in victims:
                before = self.watch(running, self._random.randrange(20, 200))
                self._pause()
                if victim == "trader":
                    running.process.kill()
                    running.process.communicate()
                    self._judge(running.process.pid)
                    return
                self._kill_companion(running, victim, before)

    def _pause(self) -> None:
        """A random part of a millisecond or ten, so that kills fall between any two instructions."""
        select.select([], [], [], self._random.random() * 0.01)

    def _kill_companion(self, running: Running, victim: str, before: Snapshot) -> None:
        recorder = before.recorder.pid
        pid = recorder if victim == "recorder" else next(iter(children(running) - {recorder}), 0)
        if not pid:
            return
        os.kill(pid, signal.SIGKILL)
        self.told[victim] += 1

        def replaced() -> bool | None:
            now = children(running)
            return True if pid not in now and len(now) == 2 else None

        eventually(replaced, f"the {victim} is started again")

    def _judge(self, trader: int) -> None:
        """What the dead trader had been told is durable must be in the journal, and every order it sent."""
        self.told["trader"] += 1
        view = BoardView.attach(self.bot.state / "segment")
        assert view.manifest.pid == trader
        last = view.read()

        def recorder_gone() -> bool | None:
            return None if Path(f"/proc/{last.recorder.pid}").exists() else True

        eventually(recorder_gone, "the recorder stores the rest and ends")
        with self.bot.store() as store:
            run = store.load(view.manifest.run_id)
            records = list(store.records(run.info.run_id))
            assert [record.seq for record in records] == list(range(len(records)))
            assert records[-1].seq >= last.durable_seq
            sent = [order for order in run.orders if order.state != "denied" and order.role in ("entry", "close")]
            assert len(sent) >= last.sent
            assert verify(store, run.info.run_id).same


def test_nothing_acknowledged_is_lost_and_the_next_start_says_what_happened(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, seed=KILLS)
    left = [VICTIMS[turn % len(VICTIMS)] for turn in range(1, KILLS + 1)]
    while left:
        cut = left.index("trader") + 1 if "trader" in left else len(left)
        campaign.trade_until_killed(left[:cut])
        left = left[cut:]
    print(dict(campaign.told))
    assert sum(campaign.told.values()) == KILLS
    done = campaign.bot.command("run", "bot.toml", "--for", "1s")
    assert done.code == 0, done.err
    assert "ended without a clean stop" in done.err
    with campaign.bot.store() as store:
        runs = store.runs()
        assert all(row.finished for row in runs)
        for row in runs:
            assert verify(store, row.run_id).same
    lost = [row for row in runs if (row.summary or {}).get("reason", "").startswith("lost")]
    assert len(lost) >= campaign.told["trader"]
