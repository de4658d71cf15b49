"""The process of a sink: it sees the whole run, ends with its trader, and whatever it does wrong is one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot4_core.domain.event import Kind
from bot4_core.journal.store import Store
from bot4_core.journal.writer import JournalWriter
from bot4_core.sinks import process as module

from .conftest import Rig, info, until

KEEP = """
import json, sys
from pathlib import Path
from decimal import Decimal
from attrs import frozen
from bot4_core.sdk import SinkSpec, hookimpl

@frozen(kw_only=True)
class Settings:
    file: Path
    ratio: Decimal = Decimal(0)

class Keep:
    def __init__(self, settings, services):
        print("printed by a plugin")
        self.file = open(services.base_dir / settings.file, "w", buffering=1)
        self.file.write(json.dumps([str(settings.ratio), services.bot, services.seed]) + "\\n")

    def on_batch(self, events):
        for event in events:
            self.file.write(json.dumps(event) + "\\n")

    def close(self):
        self.file.write('"closed"\\n')

@hookimpl
def bot4_sinks():
    return [SinkSpec(name="keep", settings=Settings, create=Keep)]
"""

#: a sink whose body is filled in
BROKEN = """
import os, sys, time
from attrs import frozen
from bot4_core.sdk import Secret, SinkSpec, hookimpl

@frozen(kw_only=True)
class Settings:
    key: Secret = Secret("nothing to see")

class Broken:
    def __init__(self, settings, services):
        self.key = settings.key.reveal()
        CREATE

    def on_batch(self, events):
        BATCH

    def serve(self, view, stop):
        SERVE

@hookimpl
def bot4_sinks():
    return [SinkSpec(name="broken", settings=Settings, create=Broken, reads="READS")]
"""


def broken(rig: Rig, *, create: str = "pass", batch: str = "pass", serve: str = "pass", reads: str = "journal") -> None:
    source = BROKEN.replace("CREATE", create).replace("BATCH", batch).replace("SERVE", serve).replace("READS", reads)
    rig.plugin("sink-broken", source)


def lines(path: Path) -> list[object]:
    """What the sink has written so far, whole lines only."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def keep(rig: Rig, **changes: object) -> dict[str, object]:
    rig.plugin("sink-keep", KEEP)
    return rig.request("sink-keep", "keep", settings={"file": "kept", **changes})


def seqs(rig: Rig) -> list[int]:
    return [line[0] for line in lines(rig.folder.path / "kept")[1:] if isinstance(line, list)]


def test_every_record_is_seen_once_in_order_from_before_the_journal_is_there_to_its_end(rig: Rig) -> None:
    sink = rig.start(keep(rig))
    kept = rig.folder.path / "kept"
    until(lambda: lines(kept), "the sink does not start")
    with Store.open(rig.journal, mode="paper") as store, JournalWriter(store, info(), batch=2) as writer:
        for n in range(5):
            writer.append(n + 1, 0, Kind.EQUITY, 0, (n, 0, n, n, 0, 0))
        until(lambda: len(seqs(rig)) == 5, "what is stored is not seen")
        writer.flush()
        sink.news()
        until(lambda: len(seqs(rig)) == 6, "news is not heard")
        sink.leave()
        writer.finish({"reason": "finished"})
    assert sink.ended() == (0, ["printed by a plugin"])
    assert seqs(rig) == [0, 1, 2, 3, 4, 5, 6]
    assert lines(kept)[1:4] == [
        [0, info().created_ns, 0, Kind.RUN_START, 0, *lines(kept)[1][5:]],  # type: ignore[index]  # a list
        [1, 1, 0, Kind.EQUITY, 0, 0, 0, 0, 0, 0, 0],
        [2, 2, 0, Kind.EQUITY, 0, 1, 0, 1, 1, 0, 0],
    ]
    assert lines(kept)[-1] == "closed"


def test_a_long_run_is_read_in_batches_and_another_run_is_not_read(rig: Rig) -> None:
    for run_id, count in (("run-1", 10_000), ("run-2", 3)):
        with Store.open(rig.journal, mode="backtest") as store, JournalWriter(store, info(run_id)) as writer:
            for n in range(count):
                writer.append(n + 1, 0, Kind.EQUITY, 0, (n, 0, n, n, 0, 0))
            writer.finish({"reason": "finished"})
    sink = rig.start(keep(rig))
    sink.leave()
    assert sink.ended()[0] == 0
    assert seqs(rig) == list(range(10_002))


@pytest.mark.parametrize("end", [signal.SIGTERM, None])
def test_a_run_without_an_end_is_drained_and_the_sink_is_closed(rig: Rig, end: signal.Signals | None) -> None:
    with Store.open(rig.journal, mode="backtest") as store, JournalWriter(store, info()) as writer:
        writer.append(1, 0, Kind.EQUITY, 0, (1, 0, 1, 1, 0, 0))
        writer.flush()
        sink = rig.start(keep(rig))
        until(lambda: seqs(rig), "the sink does not start")
        os.kill(sink.process.pid, signal.SIGINT)
        if end is None:
            sink.leave()
        else:
            sink.process.send_signal(end)
        assert sink.ended()[0] == 0
    assert seqs(rig) == [0, 1]
    assert lines(rig.folder.path / "kept")[-1] == "closed"


def test_settings_arrive_exactly(rig: Rig) -> None:
    request = json.dumps(keep(rig)).replace('"kept"', '"kept", "ratio": 0.1234567890123456789')
    sink = rig.start(request.encode() + b"\n")
    sink.leave()
    assert sink.ended()[0] == 0
    assert lines(rig.folder.path / "kept")[0] == ["0.1234567890123456789", "trend", 1]


@pytest.mark.parametrize(
    ("parts", "code", "words"),
    [
        ({"create": "raise OSError('no\\ndisk')"}, 5, "plugin broken: create() raised OSError: no disk"),
        ({"create": "sys.exit(0)"}, 5, "plugin broken: create() raised SystemExit: 0"),
        ({"batch": "raise ValueError('bad')"}, 5, "on_batch failed: ValueError: bad; it gets no more"),
        ({"batch": "raise ValueError(self.key)"}, 5, "on_batch failed: ValueError: ***; it gets no more"),
        ({"reads": "segment", "serve": "raise ValueError(self.key[:9] + '…')"}, 5, "serve failed: ValueError: ***…"),
        ({"reads": "segment", "serve": "sys.exit(0)"}, 5, "serve failed: SystemExit: 0"),
        ({"reads": "segment"}, 5, "serve returned before the end of the run"),
        ({"create": "del Broken.on_batch"}, 5, "plugin broken: create() must give an object with on_batch(events)"),
        ({"create": "del Broken.serve", "reads": "segment"}, 5,
         "plugin broken: create() must give an object with serve(view, stop)"),
    ],
)  # fmt: skip
def test_a_sink_that_fails_is_one_line_and_exit_5(rig: Rig, parts: dict[str, str], code: int, words: str) -> None:
    broken(rig, **parts)
    rig.board()
    with Store.open(rig.journal, mode="backtest") as store, JournalWriter(store, info()) as writer:
        writer.flush()
    request = rig.request("sink-broken", "broken", settings={"key": {"env": "PLANTED"}})
    found, said = rig.start(request, PLANTED="hunter2-hunter3-hunter4").ended()
    assert (found, len(said)) == (code, 1)
    assert said[0].startswith(words)
    assert "hunter" not in said[0]


def test_a_sink_that_crashes_takes_only_its_process(rig: Rig) -> None:
    broken(rig, create="os.abort()")
    assert rig.start(rig.request("sink-broken", "broken")).ended()[0] == -signal.SIGABRT


def test_a_thread_that_a_sink_leaves_behind_does_not_keep_the_process(rig: Rig) -> None:
    broken(rig, create="__import__('threading').Thread(target=__import__('threading').Event().wait).start()")
    sink = rig.start(rig.request("sink-broken", "broken"))
    sink.leave()
    assert sink.ended() == (0, [])


@pytest.mark.parametrize(
    ("plugin", "changes", "code", "words"),
    [
        ("sink-none", {}, 5, "plugin keep: plugin 'sink-none' is not installed"),
        ("sink-keep", {"sink": "keeep"}, 5, "plugin keeep: no plugin of this bot offers the sink 'keeep'"),
        (
            {"name": "sink-keep", "version": "9.9", "sha256": None},
            {},
            5,
            "plugin sink-keep: pinned to version 9.9, installed is 1.0",
        ),
        ({"name": "sink-keep", "sha": "0"}, {}, 2, "the request on stdin is none"),
        ("sink-keep", {"settings": {"fiel": "x"}}, 2, "$.fiel: unknown key"),
        ("sink-keep", {"settings": {"file": "no/such/folder"}}, 5, "plugin keep: create() raised FileNotFoundError"),
        (7, {}, 2, "the request on stdin is none: "),
    ],
)
def test_a_request_that_cannot_be_met_is_one_line(
    rig: Rig, plugin: object, changes: dict[str, object], code: int, words: str
) -> None:
    found, said = rig.start({**keep(rig), "plugin": plugin, **changes}).ended()
    said = [line for line in said if line != "printed by a plugin"]
    assert (found, len(said)) == (code, 1), said
    assert said[0].startswith(words)


@pytest.mark.parametrize("line", [b"\n", b"hunter2-hunter3\n", b'{"journal": "postgresql://u:hunter2-hunter3@h/d"}\n'])
def test_a_line_that_is_no_request_is_refused_and_not_repeated(rig: Rig, line: bytes) -> None:
    code, (words,) = rig.start(line).ended()
    assert code == 2
    assert words.startswith("the request on stdin is none: ")
    assert "hunter" not in words


def test_a_trader_that_dies_before_it_asks_ends_the_process(rig: Rig) -> None:
    sink = rig.start(b"")
    sink.leave()
    assert sink.ended()[0] == 2


def test_a_journal_that_stays_away_is_named_once_and_tried_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(module, "say", said.append)
    monkeypatch.setattr(module, "_OUTAGE_S", 0.0)
    request = module.Request(**rig.request(None, "keep"))
    with module._Tail(request) as tail:
        assert tail.read() == tail.read() == []
        assert len(said) == 1
        assert said[0].startswith("cannot read the journal, trying on: there is no journal at ")
        with Store.open(rig.journal, mode="backtest") as store, JournalWriter(store, info()) as writer:
            writer.finish({"reason": "finished"})
        assert [record.seq for record in tail.read()] == [0, 1]
        assert tail.ended


def test_a_sink_that_hangs_after_its_traders_death_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(Exception):
        pass

    def end(code: int) -> None:
        raise Ended(code)

    said: list[str] = []
    monkeypatch.setattr(module, "_GRACE_S", 0.0)
    monkeypatch.setattr(module, "say", said.append)
    monkeypatch.setattr(module.os, "_exit", end)
    reader, writer = os.pipe()
    os.write(writer, b"news")
    os.close(writer)
    with pytest.raises(Ended, match="5"):
        module._end_with_trader(reader)
    os.close(reader)
    assert len(said) == 1


def test_a_sink_of_the_segment_needs_no_database_and_no_terminal() -> None:
    heavy = ("sqlalchemy", "alembic", "loguru", "click", "rich", "jinja2", "prometheus_client")
    source = f"import bot4_core.sinks.process, bot4_core.sinks.metrics, sys; print(set({heavy!r}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"
