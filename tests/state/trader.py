"""A bot's trading process without the trading: it holds the lock, shows a board, and watches the latch.

``python trader.py NAME`` takes orders on stdin, one word a line, and answers each with a line on stdout:

=========  =====================================================================================
show       writes the second set of figures
hammer     writes sets whose figures all carry one number, again and again, until the next order
quiet      stops beating, as a process that hangs in Python does
end        ends in order, as a run that finished
=========  =====================================================================================

``latched MODE`` comes by itself when it sees its latch rise. At the end of stdin it exits without a word to anybody.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from attrs import frozen

from bot4_core.domain.instrument import Instrument
from bot4_core.native.latch import Latch
from bot4_core.state.board import Board, Manifest, RunState
from bot4_core.state.folder import BotFolder

INSTRUMENTS = (
    Instrument(symbol="BTC/USDT", tick=Decimal("0.01"), lot=Decimal("0.00001")),
    Instrument(symbol="ETH/USDT", tick=Decimal("0.01"), lot=Decimal("0.0001")),
    Instrument(symbol="DOGE/USDT", tick=Decimal("0.00001"), lot=Decimal(1)),
)
_BEAT_S = 0.1
_ANSWER_S = 30.0
#: what the figures of a hammering writer are; each name that is not here is left alone
HAMMERED = ("events", "wakes", "sent", "approved", "denied", "fills", "working_orders", "equity_units", "next_seq")


def manifest(name: str, pid: int, **changes: object) -> Manifest:
    """What the rig's board says of its run."""
    plain: dict[str, object] = {
        "run_id": "20260101-000000-abc123",
        "bot": name,
        "mode": "paper",
        "pid": pid,
        "source": "/home/operator/bot.toml",
        "journal": "sqlite:////home/operator/journal.db",
        "started_ns": time.time_ns(),
        "instruments": INSTRUMENTS,
        "reporting_asset": "USDT",
        "reporting_scale": 8,
        "start_equity": 100_000 * 10**8,
        "rules": ("position", "order_rate", "latch"),
        "sinks": ("metrics",),
    }
    return Manifest(**{**plain, **changes})  # type: ignore[arg-type]  # the fields have many types


def figures(board: Board, scale: int = 1) -> None:
    """A set as a run in its middle has it."""
    board.write(
        {
            "market_ns": 1_660_000_000 * 10**9,
            "events": 12_345 * scale,
            "wakes": 1_234,
            "sent": 42,
            "approved": 45,
            "denied": 11,
            "fills": 40,
            "working_orders": 3,
            "working_entries": 1,
            "equity_units": 98_765 * 10**8 + 43_210_000,
            "peak_units": 101_000 * 10**8,
            "drawdown_ppb": 22_124_430,
            "max_drawdown_ppb": 31_000_000,
            "next_seq": 501,
        },
        {"position": 6, "order_rate": 3, "a_policy_of_mine": 2},
        [
            (6_000, 120_000_000_000, 2_010_000, 60_000_000, 0),
            (-5_000, 100_000_000_000, 199_000, 500_000_000, 5_000),
            (0, 0, 0, 0, 0),
        ],
    )
    recorder = board.segment.counters["recorder"]
    recorded = {"pid": 4242, "heartbeat_ns": time.monotonic_ns(), "durable_seq": 498, "records": 499, "batches": 40,
                "store_ok": 1}  # fmt: skip
    for name, value in recorded.items():
        recorder.set(recorder.index(name), value)
    for stage, latencies in (("decide", (800, 900, 12_000)), ("durable", (150_000, 700_000)), ("send", (9_000,))):
        for ns in latencies:
            board.latency[stage].record(ns)


def _hammer(board: Board, number: int) -> None:
    run = dict.fromkeys(HAMMERED, number)
    board.write(run, {"position": number}, [(number, number, number, number, number)] * len(INSTRUMENTS))


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def _orders() -> Iterator[str | None]:
    """Each order, None between them; ends with stdin."""
    waiting = b""
    while True:
        if not select.select([0], [], [], _BEAT_S)[0]:
            yield None
            continue
        part = os.read(0, 4096)
        if not part:
            return
        *lines, waiting = (waiting + part).split(b"\n")
        yield from (line.decode() for line in lines)


def _serve(board: Board, latch: Latch) -> None:
    doing, seen, number = "", latch.mode, 0
    _say("ready")  # what the latch does from now on is told
    for order in _orders():
        if order:
            doing = order
            if order == "show":
                figures(board)
            elif order == "end":
                board.say(RunState.ENDED)
                board.segment.close()
            _say(f"did {order}")
            if order == "end":
                return
        if doing == "hammer":
            for _ in range(20):
                number += 1
                _hammer(board, number)
                time.sleep(0.001)
        if doing != "quiet":
            board.beat(time.monotonic_ns(), 250_000)
        if latch.verify() > seen:
            seen = latch.mode
            _say(f"latched {seen.name}")


def main(name: str) -> None:
    """The process."""
    folder = BotFolder.of(name)
    folder.prepare()
    with folder.lock():
        latch = folder.open_latch()
        board = Board(folder.segment_path, manifest(name, os.getpid()))
        board.say(RunState.RUNNING)
        _serve(board, latch)


@frozen
class Trader:
    """The rig from the test's side.

    Attributes:
        process: the trading process.
        folder: the bot's.
    """

    process: subprocess.Popen[bytes]
    folder: BotFolder

    def order(self, word: str) -> None:
        """Gives an order and waits until it is done."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())
        self.process.stdin.flush()
        self.wait_for(f"did {word}")

    def wait_for(self, line: str) -> None:
        """Waits until the process says this; fails when it says nothing for long, or ended."""
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        said = b""
        while f"{line}\n".encode() not in said:
            assert select.select([fd], [], [], _ANSWER_S)[0], f"{line!r} did not come, but {said!r}"
            part = os.read(fd, 4096)
            assert part, f"the trader ended with {self.process.wait(_ANSWER_S)}: {said!r}"
            said += part


@contextmanager
def trader(name: str = "trend-demo", state: Path | None = None) -> Iterator[Trader]:
    """Starts the rig; at the end it is killed, if it still lives.

    Args:
        name: the bot's.
        state: the state directory; else the environment's.
    """
    environment = os.environ | ({"BOT4_STATE": str(state)} if state is not None else {})
    command = [sys.executable, "-P", __file__, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        try:
            folder = BotFolder(name, Path(environment["BOT4_STATE"]).absolute() / "bots" / name)
            rig = Trader(process, folder)
            rig.wait_for("ready")
            yield rig
        finally:
            process.kill()


if __name__ == "__main__":
    main(sys.argv[1])
