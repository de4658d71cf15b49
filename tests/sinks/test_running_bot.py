"""Sinks beside a bot that really trades: they see it, and nothing they do reaches it."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.engine.paper import PaperBot, Running, eventually

from .conftest import get
from .test_metrics import value
from .test_process import KEEP

BAD = """
import time
from attrs import frozen
from bot4_core.sdk import SinkSpec, hookimpl

@frozen(kw_only=True)
class Settings:
    pass

class Raising:
    def __init__(self, settings, services): pass
    def on_batch(self, events): raise ValueError("bad sink")

class Hanging(Raising):
    def on_batch(self, events): time.sleep(3600)

@hookimpl
def bot4_sinks():
    return [SinkSpec(name=one.__name__.lower(), settings=Settings, create=one) for one in (Raising, Hanging)]
"""


def log_lines(bot: PaperBot) -> list[str]:
    path = bot.state / "log" / "bot4.jsonl"
    if not path.exists():
        return []
    whole = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return [json.loads(line)["message"] for line in whole]


def metrics_urls(bot: PaperBot) -> list[str]:
    """Where the metrics sink has listened so far, oldest first."""
    found = [re.fullmatch(r"sink metrics: listening on (http://\S+)/metrics", line) for line in log_lines(bot)]
    return [one[1] for one in found if one]


def sink_processes(running: Running) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parts = (entry / "cmdline").read_bytes().split(b"\0")
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if b"bot4_core.sinks.process" in parts and int(parent) == running.process.pid:
            found.append(int(entry.name))
    return found


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, **plugins: str) -> None:
    """Makes plugins that every process of the test can import."""
    for name, source in plugins.items():
        (folder / f"sink_{name}.py").write_text(source)
        info = folder / f"sink_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sink-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[bot4]\nsink-{name} = sink_{name}\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_a_scrape_follows_the_bot_and_a_killed_sink_comes_back_while_it_trades(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path, rest='[[sink]]\nuse = "metrics"\nport = 0\n')
    with bot.running() as running:
        first = running.until(lambda now: now.fills > 0, "it trades")
        (url,) = eventually(lambda: metrics_urls(bot) or None, "the sink listens")
        _, text = get(f"{url}/metrics")
        assert value(text, "bot4_fills_total") >= first.fills
        assert value(text, "bot4_up") == 1
        assert get(f"{url}/health") == (200, "ok\n")
        (process,) = sink_processes(running)
        os.kill(process, signal.SIGKILL)
        again = eventually(lambda: metrics_urls(bot)[1:] or None, "the sink comes back")[0]
        assert value(get(f"{again}/metrics")[1], "bot4_up") == 1
        eventually(lambda: value(get(f"{again}/metrics")[1], "bot4_sink_restarts_total") == 1 or None, "counted")
        assert value(get(f"{again}/metrics")[1], "bot4_events_total") > first.events
        assert running.stop().code == 143
        assert not Path(f"/proc/{process}").exists()


def test_a_killed_trader_takes_its_sinks_along(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path, rest='[[sink]]\nuse = "metrics"\nport = 0\n')
    with bot.running() as running:
        running.until(lambda now: now.fills > 0, "it trades")
        eventually(lambda: metrics_urls(bot) or None, "the sink listens")
        (process,) = sink_processes(running)
        running.process.kill()
        eventually(lambda: not Path(f"/proc/{process}").exists() or None, "the sink ends")


def test_a_sink_sees_every_record_though_others_raise_and_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    install(site, monkeypatch, keep=KEEP, bad=BAD)
    sinks = (
        '[[sink]]\nuse = "keep"\nfile = "kept"\nratio = 0.25\n[[sink]]\nuse = "raising"\n[[sink]]\nuse = "hanging"\n'
    )
    bot = PaperBot.write(tmp_path, rest=sinks)
    path = tmp_path / "bot.toml"
    path.write_text(path.read_text().replace('"risk-default"', '"risk-default", "sink-keep", { name = "sink-bad" }'))
    with bot.running() as running:
        running.until(lambda now: now.fills > 20, "it trades")
        done = running.stop()
    assert done.code == 143
    with bot.store() as store:
        stored = [record.seq for record in store.records("latest")]
        assert store.runs()[0].finished
    header, *records, closed = [json.loads(line) for line in (tmp_path / "kept").read_text().splitlines()]
    assert header == ["0.25", "paper", 7]
    assert [record[0] for record in records] == stored == list(range(len(stored)))
    assert closed == "closed"
    said = log_lines(bot)
    assert "sink raising: on_batch failed: ValueError: bad sink; it gets no more records of this run" in said
    assert any(line.startswith("sink hanging does not finish; it gets SIG") for line in said)
