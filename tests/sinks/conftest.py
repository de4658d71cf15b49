"""A bot that runs as far as its segment shows, and the real process of one of its sinks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from attrs import define, field

from bot4_core.domain.instrument import Instrument
from bot4_core.journal.records import RunInfo
from bot4_core.state.board import Board, Manifest, RunState
from bot4_core.state.folder import STATE_VARIABLE, BotFolder

BTC = Instrument(symbol="BTC/USDT", tick=Decimal("0.01"), lot=Decimal("0.00001"))
ETH = Instrument(symbol="ETH/USDT", tick=Decimal("0.1"), lot=Decimal("0.001"), quote_scale=6)
WAIT_S = 30.0


def manifest(**changes: Any) -> Manifest:
    """What a run says of itself; ``changes`` replace its fields."""
    fields: dict[str, Any] = {
        "run_id": "run-1",
        "bot": "trend",
        "mode": "paper",
        "pid": os.getpid(),
        "source": "/bots/bot.toml",
        "journal": "sqlite:////bots/bot.db",
        "started_ns": 1_700_000_000_000_000_000,
        "instruments": (BTC, ETH),
        "reporting_asset": "USDT",
        "reporting_scale": 8,
        "start_equity": 100_000 * 10**8,
        "rules": ("position", "drawdown"),
        "sinks": ("metrics",),
    }
    return Manifest(**{**fields, **changes})


def info(run_id: str = "run-1") -> RunInfo:
    """What the journal keeps of the same run."""
    return RunInfo(
        run_id=run_id, bot="trend", mode="paper", created_ns=1_700_000_000_000_000_000, seed=1, config="",
        instruments=(BTC, ETH), start_equity=100_000 * 10**8, reporting_asset="USDT",
    )  # fmt: skip


def until(what: Callable[[], Any], why: str) -> Any:
    """The first true answer, asked for again and again within a bound."""
    deadline = time.monotonic() + WAIT_S
    while not (answer := what()):
        assert time.monotonic() < deadline, why
        time.sleep(0.005)
    return answer


def get(url: str, accept: str = "text/plain") -> tuple[int, str]:
    """Status and text of a page."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=WAIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@define
class Sink:
    """The process of a sink, with this test as its trader."""

    process: subprocess.Popen[bytes]
    said: list[str] = field(factory=list)

    def line(self) -> str:
        """The next line it says."""
        assert self.process.stderr is not None
        self.said.append(self.process.stderr.readline().decode().rstrip("\n"))
        return self.said[-1]

    def url(self) -> str:
        """Where its HTTP server listens."""
        line = self.line()
        assert line.startswith("INFO listening on http://"), line
        return line.removeprefix("INFO listening on ").removesuffix("/metrics")

    def news(self) -> None:
        """Tells it that there is something new."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def leave(self) -> None:
        """The trader is gone."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ended(self) -> tuple[int, list[str]]:
        """Waits for its end; exit code and every line it said."""
        code = self.process.wait(timeout=WAIT_S)
        assert self.process.stderr is not None
        self.said += self.process.stderr.read().decode().splitlines()
        return code, self.said


@define
class Rig:
    """A bot's folder, and sinks beside it.

    Attributes:
        folder: of the bot, with an ACTIVE latch.
        site: modules and plugins that the processes can import.
    """

    folder: BotFolder
    site: Path
    started: list[Sink] = field(factory=list)

    @property
    def journal(self) -> str:
        """URL of the bot's journal; nothing is there at first."""
        return f"sqlite:///{self.folder.path / 'journal.db'}"

    def board(self, **changes: Any) -> Board:
        """A fresh segment whose trader lives."""
        board = Board(self.folder.segment_path, manifest(**changes))
        board.say(RunState.RUNNING)
        board.beat(time.monotonic_ns(), 250_000)
        recorder = board.segment.counters["recorder"]
        recorder.set(recorder.index("store_ok"), 1)
        return board

    def plugin(self, entry: str, source: str) -> None:
        """Installs a plugin of one module."""
        module = entry.replace("-", "_")
        (self.site / f"{module}.py").write_text(dedent(source))
        self.entry(entry, module)

    def entry(self, entry: str, target: str) -> None:
        """Installs the entry point alone."""
        info = self.site / f"{entry.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {entry}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[bot4]\n{entry} = {target}\n")

    def request(self, plugin: object, sink: str, **changes: Any) -> dict[str, Any]:
        """What the trader would ask for."""
        return {
            "plugin": plugin,
            "sink": sink,
            "settings": {},
            "base_dir": str(self.folder.path),
            "bot": self.folder.name,
            "seed": 1,
            "segment": str(self.folder.segment_path),
            "journal": self.journal,
            "run_id": "run-1",
            **changes,
        }

    def start(self, request: dict[str, Any] | bytes, **environment: str) -> Sink:
        """Starts the process of a sink."""
        line = request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bot4_core.sinks.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, **environment, "PYTHONPATH": str(self.site)},
        )
        sink = Sink(process)
        self.started.append(sink)
        assert process.stdin is not None
        process.stdin.write(line)
        process.stdin.flush()
        return sink

    def metrics(self, **settings: Any) -> Sink:
        """Starts the core's own sink."""
        return self.start(self.request(None, "metrics", settings={"port": 0, **settings}))


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    folder = BotFolder.of("trend")
    folder.prepare()
    site = tmp_path / "site"
    site.mkdir()
    made = Rig(folder, site)
    yield made
    for sink in made.started:
        if sink.process.poll() is None:
            os.killpg(sink.process.pid, signal.SIGKILL)
        sink.process.wait()
        for stream in (sink.process.stdin, sink.process.stderr):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()
