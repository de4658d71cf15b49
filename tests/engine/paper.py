"""A bot that really runs, for tests: `bot4 run` in a process of its own, in a state directory of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

from bot4_core.errors import NativeError
from bot4_core.journal.store import Store
from bot4_core.state.board import BoardView, Snapshot

BOT4 = str(Path(sys.executable).with_name("bot4"))
#: the longest that anything here is waited for
PATIENCE_S = 60.0
_POLL_S = 0.01

STRATEGY = '''
from decimal import Decimal

from bot4_core.sdk import Bar, Context, Strategy


class Busy(Strategy):
    """Buys and closes by turns, and keeps a limit entry far below the market."""

    fraction: Decimal = Decimal("0.01")

    def on_start(self, ctx: Context) -> None:
        self.bars = {}

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        turn = self.bars[bar.instrument] = self.bars.get(bar.instrument, 0) + 1
        if turn % 4 == 1:
            ctx.buy(bar.instrument, fraction=self.fraction, stop="0.02")
        elif turn % 4 == 3:
            ctx.close(bar.instrument)
        elif turn % 4 == 2:
            far = bar.instrument.price(bar.close_ticks * 9 // 10)
            ctx.buy(bar.instrument, fraction="0.001", stop="0.02", limit=far)
'''

BOT = """
[bot]
name = "paper"
plugins = ["exchange-sim", "risk-default"]
seed = 7

[journal]
url = "sqlite:///paper.db"

[exchange.main]
use = "sim"
market = {{ {market} }}
interval = "1m"
bars = {bars}
balances = {{ USDT = "100000" }}
speed = {speed}
{exchange}

[[risk]]
use = "default"

[strategy.busy]
use = "./busy.py:Busy"
trade = [{trade}]
{rest}
"""

_T = TypeVar("_T")


@frozen(kw_only=True)
class PaperBot:
    """A bot's files. Make it with :meth:`write`.

    Args:
        folder: holds bot.toml, its strategy, its journal and its state directory.
    """

    folder: Path

    @classmethod
    def write(
        cls,
        folder: Path,
        *,
        speed: str = "6000",
        bars: int = 50_000,
        symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT"),
        strategy: str = STRATEGY,
        exchange: str = "",
        rest: str = "",
    ) -> PaperBot:
        """Writes it; 6000 is 100 minutes of the market per second."""
        text = BOT.format(
            market=", ".join(f'"{symbol}" = "{30_000 // (place + 1)}"' for place, symbol in enumerate(symbols)),
            trade=", ".join(f'"main:{symbol}"' for symbol in symbols),
            speed=speed, bars=bars, exchange=exchange, rest=rest,
        )  # fmt: skip
        (folder / "bot.toml").write_text(text, encoding="utf-8")
        (folder / "busy.py").write_text(strategy, encoding="utf-8")
        return cls(folder=folder)

    @property
    def state(self) -> Path:
        """What the bot keeps in its state directory."""
        return self.folder / "state" / "bots" / "paper"

    def command(self, *arguments: str, stdin: str | None = None, timeout_s: float = PATIENCE_S) -> Done:
        """Runs the command line to its end."""
        done = subprocess.run(
            [BOT4, *arguments], cwd=self.folder, env=self.environment(), input=stdin or "", capture_output=True,
            text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def environment(self) -> dict[str, str]:
        """Of every process of it."""
        return {**os.environ, "BOT4_STATE": str(self.folder / "state")}

    @contextmanager
    def running(self, *arguments: str, program: Sequence[str] = (BOT4,)) -> Iterator[Running]:
        """``bot4 run bot.toml --json`` from its first figures on; killed in the end if it still runs."""
        process = subprocess.Popen(
            [*program, "run", "bot.toml", "--json", *arguments], cwd=self.folder, env=self.environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        running = Running(bot=self, process=process)
        try:
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def store(self) -> Store:
        """Its journal, for reading."""
        return Store.open(f"sqlite:///{self.folder}/paper.db", mode="read")


@frozen(kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its answer with ``--json``."""
        return json.loads(self.out)


@frozen(kw_only=True)
class Running:
    """A bot that runs."""

    bot: PaperBot
    process: subprocess.Popen[str]

    def view(self) -> BoardView:
        """The board of this very run."""

        def mine() -> BoardView | None:
            self._require_alive()
            try:
                view = BoardView.attach(self.bot.state / "segment")
            except NativeError:
                return None
            return view if view.manifest.pid == self.process.pid else None

        return eventually(mine, "the run has a segment")

    def until(self, condition: Callable[[Snapshot], object], what: str) -> Snapshot:
        """Waits for its figures to be so."""
        view = self.view()

        def met() -> Snapshot | None:
            now = view.read()
            if condition(now):
                return now
            self._require_alive()
            return None

        return eventually(met, what)

    def _require_alive(self) -> None:
        if self.process.poll() is not None:
            out, err = self.process.communicate()
            raise AssertionError(f"the bot ended with {self.process.returncode}: {out} {err}")

    def stop(self, number: int = signal.SIGTERM) -> Done:
        """Sends a signal and waits for the end."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> Done:
        """Waits for the end."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return Done(code=self.process.returncode, out=out, err=err)


def eventually(ask: Callable[[], _T | None], what: str) -> _T:
    """Asks until there is an answer."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answer = ask()
        if answer is not None:
            return answer
        select.select([], [], [], _POLL_S)
    raise AssertionError(f"not within {PATIENCE_S:g} s: {what}")
