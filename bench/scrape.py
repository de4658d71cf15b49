"""What Prometheus sees of a trading bot, and what being seen costs the bot (SPEC.md R-72).

A paper bot trades a made-up market at a high speed, with the core's metrics sink. First Prometheus scrapes it every
second for a minute: no scrape may fail. Then runs with and without Prometheus take turns: the median of the p99 of the
stage `decide` of the scraped ones may be at most 1.2 times that of the others. Exit 0 when both hold, else 1.

    python bench/scrape.py [--rounds 5] [--seconds 20] [--minute 60] [--json]
    python bench/scrape.py --bot NAME --trader "bot4 run my.toml --for {seconds}s --set sink.0.port={port}"

Needs `prometheus` (Debian: apt-get install prometheus), and a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bot4_core.example import write_example
from bot4_core.native.histogram import Summary
from bot4_core.state.board import BoardView
from bot4_core.state.folder import STATE_VARIABLE, BotFolder

#: the scraped p99 over the unscraped one
LIMIT = 1.2
_START_S = 30.0
_END_S = 60.0
#: a scrape may fall outside the minute at each of its ends
_MISSING = 2

BOT = """
[bot]
name = "scraped"
mode = "paper"
plugins = ["exchange-sim", "risk-default"]

[exchange.main]
use = "sim"
market = { "BTC/USDT" = "30000", "ETH/USDT" = "2000", "SOL/USDT" = "100" }
interval = "1m"
bars = 100000
speed = 30000                  # 500 steps of three bars a second
balances = { USDT = "100000" }
fees = { maker = "0.001", taker = "0.001" }

[[risk]]
use = "default"

[strategy.trend]
use = "./trend.py:Trend"
trade = ["main:BTC/USDT", "main:ETH/USDT", "main:SOL/USDT"]
fast = 12
slow = 48

[[sink]]
use = "metrics"
port = PORT
"""

PROMETHEUS = """
global: { scrape_interval: 1s, scrape_timeout: 900ms }
scrape_configs:
  - job_name: bot4
    static_configs: [{ targets: ["127.0.0.1:PORT"] }]
"""

_T = TypeVar("_T")


def until(what: Callable[[], _T | None], limit_s: float, why: str) -> _T:
    """The first answer that is not None, asked for ten times a second."""
    deadline = time.monotonic() + limit_s
    while (answer := what()) is None:
        if time.monotonic() > deadline:
            sys.exit(f"scrape: {why} within {limit_s:g} s")
        time.sleep(0.1)
    return answer


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped at the end; what it says goes to a file."""
    with open(log, "ab") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env={**os.environ, **environment}
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Prometheus:
    """A real Prometheus that scrapes one port every second."""

    def __init__(self, port: int) -> None:
        self._port = port

    def query(self, expression: str) -> list[dict[str, Any]] | None:
        """The result of an instant query; None while nobody answers."""
        asked = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/query?{asked}", timeout=10) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except OSError:
            return None
        return found

    def values(self, expression: str) -> list[float]:
        """The samples of the one series that a range selects."""
        found = self.query(expression)
        return [float(value) for _, value in found[0]["values"]] if found else []

    def number(self, expression: str) -> float:
        """The one number that an expression gives; NaN for none."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else float("nan")


@contextmanager
def prometheus(target: int, folder: Path) -> Iterator[Prometheus]:
    """Starts Prometheus on a fresh database."""
    port, config, data = free_port(), folder / "prometheus.yml", folder / "tsdb"
    config.write_text(PROMETHEUS.replace("PORT", str(target)))
    shutil.rmtree(data, ignore_errors=True)
    flags = [f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{port}"]
    with running(["prometheus", *flags, "--log.level=warn"], folder / "prometheus.log"):
        server = Prometheus(port)
        until(lambda: server.query("vector(1)"), _START_S, "Prometheus does not answer")
        yield server


class Trader:
    """The bot, by the command that runs it.

    Args:
        command: with ``{port}`` and ``{seconds}`` in it.
        bot: its name.
        folder: of its state, log and all.
        port: where its metrics are.
    """

    def __init__(self, command: str, bot: str, folder: Path, port: int) -> None:
        self._command = command
        self._folder = folder
        self._bot = BotFolder.of(bot)
        self.port = port

    @contextmanager
    def trading(self, seconds: int) -> Iterator[subprocess.Popen[bytes]]:
        """Runs it until it ends by itself."""
        command = shlex.split(self._command.format(port=self.port, seconds=seconds))
        with running(command, self._folder / "trader.log") as process:
            yield process

    def finished(self, process: subprocess.Popen[bytes], seconds: int) -> BoardView:
        """Waits for its end; the figures it left behind."""
        if process.wait(seconds + _END_S):
            sys.exit(f"scrape: the trader failed:\n{(self._folder / 'trader.log').read_text()[-2000:]}")
        return BoardView.attach(self._bot.segment_path)


def watch(trader: Trader, folder: Path, minute: int) -> dict[str, Any]:
    """Scrapes the trading bot for a minute; what Prometheus has of it."""
    with prometheus(trader.port, folder) as server, trader.trading(minute + 20) as process:
        until(lambda: server.query("up == 1") or None, _START_S, "no scrape succeeds")
        time.sleep(minute)
        up = server.values(f"up[{minute}s]")
        found = {
            "scrapes": len(up),
            "failed": len(up) - sum(up),
            "samples_min": server.number(f"min_over_time(scrape_samples_scraped[{minute}s])"),
            "slowest_s": server.number(f"max_over_time(scrape_duration_seconds[{minute}s])"),
            "bot_up_min": server.number(f"min_over_time(bot4_up[{minute}s])"),
            "events": server.number(f"increase(bot4_events_total[{minute}s])"),
            "orders": server.number(f"increase(bot4_orders_sent_total[{minute}s])"),
        }
        trader.finished(process, minute + 20)
    traded = found["events"] > 0 and found["orders"] > 0
    whole = found["scrapes"] >= minute - _MISSING and found["failed"] == 0 and found["bot_up_min"] == 1
    return {**found, "ok": bool(traded and whole)}


def decide(trader: Trader, folder: Path, seconds: int, *, scraped: bool) -> Summary:
    """One run; the latencies of its stage `decide`."""
    if not scraped:
        with trader.trading(seconds) as process:
            return trader.finished(process, seconds).read().latency["decide"]
    with prometheus(trader.port, folder) as server, trader.trading(seconds) as process:
        until(lambda: server.query("up == 1") or None, _START_S, "no scrape succeeds")
        return trader.finished(process, seconds).read().latency["decide"]


def compare(trader: Trader, folder: Path, rounds: int, seconds: int) -> dict[str, Any]:
    """Interleaved runs, each pair in the other order than the one before."""
    p99: dict[bool, list[int]] = {False: [], True: []}
    for number in range(rounds):
        for scraped in (False, True) if number % 2 == 0 else (True, False):
            summary = decide(trader, folder, seconds, scraped=scraped)
            p99[scraped].append(summary.p99)
            kind = "scraped" if scraped else "alone"
            print(f"round {number + 1} {kind:8} n {summary.count:7} p50 {summary.p50 / 1000:8.1f} µs "
                  f"p99 {summary.p99 / 1000:8.1f} µs p99.9 {summary.p999 / 1000:8.1f} µs", file=sys.stderr)  # fmt: skip
    alone, watched = statistics.median(p99[False]), statistics.median(p99[True])
    ratio = watched / alone
    return {"alone_p99_ns": alone, "scraped_p99_ns": watched, "ratio": ratio, "limit": LIMIT, "ok": ratio <= LIMIT}


def own_bot(folder: Path, port: int) -> str:
    """Writes a bot of our own; the command that runs it."""
    write_example(folder / "bot", 7)
    path = folder / "bot" / "scraped.toml"
    path.write_text(BOT.replace("PORT", str(port)))
    run = [sys.executable, "-P", "-c", "from bot4_core.cli import main; main()", "run", str(path)]
    return f"{shlex.join(run)} --for {{seconds}}s"


def main() -> int:
    """Runs both parts and prints what they found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs, alone and scraped; 0 for none")
    parser.add_argument("--seconds", type=int, default=20, help="length of each of them")
    parser.add_argument("--minute", type=int, default=60, help="length of the watched run; 0 for none")
    parser.add_argument("--bot", default="scraped", help="name of the bot that --trader runs")
    parser.add_argument("--trader", help="command that runs a bot with a metrics sink, with {port} and {seconds} in it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    if shutil.which("prometheus") is None:
        sys.exit("scrape: there is no `prometheus`: apt-get install prometheus")
    with tempfile.TemporaryDirectory(prefix="bot4-scrape-") as made:
        folder = Path(made)
        os.environ[STATE_VARIABLE] = str(folder / "state")
        port = free_port()
        trader = Trader(asked.trader or own_bot(folder, port), asked.bot, folder, port)
        found: dict[str, Any] = {}
        if asked.minute:
            found["watched"] = watch(trader, folder, asked.minute)
        if asked.rounds:
            found["compared"] = compare(trader, folder, asked.rounds, asked.seconds)
    if asked.json:
        print(json.dumps(found))
    else:
        for part, figures in found.items():
            print(part, " ".join(f"{key}={value:g}" for key, value in figures.items()))
    return 0 if all(figures["ok"] for figures in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
