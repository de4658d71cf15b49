"""The metrics sink as its own process: what a scrape gets, whatever becomes of the trader and of the clients."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from bot4_core.state.board import RunState

from .conftest import Rig, get, until


def value(text: str, name: str) -> float:
    (found,) = [one.value for family in text_string_to_metric_families(text) for one in family.samples
                if one.name == name]  # fmt: skip
    return found


def test_a_scrape_follows_the_segment(rig: Rig) -> None:
    board = rig.board()
    url = rig.metrics().url()
    for fills in (3, 4):
        board.write({"fills": fills}, {}, [])
        status, text = get(f"{url}/metrics")
        assert (status, value(text, "bot4_fills_total")) == (200, fills)
    board.say(RunState.ENDED)
    assert value(get(f"{url}/metrics")[1], "bot4_up") == 0


def test_prometheus_may_ask_for_openmetrics(rig: Rig) -> None:
    rig.board()
    _, text = get(f"{rig.metrics().url()}/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    names = {family.name for family in openmetrics(text)}
    assert {"bot4_up", "bot4_fills", "bot4_stage_seconds"} <= names


def test_nobody_takes_the_sinks_own_process_for_the_trader(rig: Rig) -> None:
    rig.board()
    _, text = get(f"{rig.metrics().url()}/metrics")
    names = set(re.findall("^# TYPE ([a-z0-9_]+)", text, re.M))
    assert {"bot4_metrics_process_cpu_seconds_total", "bot4_trader_process_cpu_seconds_total"} <= names
    assert {name for name in names if not name.startswith("bot4_")} == set()


def test_health_says_ok_or_why_not(rig: Rig) -> None:
    board = rig.board()
    url = f"{rig.metrics().url()}/health"
    assert get(url) == (200, "ok\n")
    recorder = board.segment.counters["recorder"]
    recorder.set(recorder.index("store_ok"), 0)
    assert get(url) == (503, "the journal's store does not take records: see the bot's log\n")
    recorder.set(recorder.index("store_ok"), 1)
    rig.folder.latch_path.unlink()
    status, text = get(url)
    assert status == 503
    assert text.startswith("the kill latch is damaged: latch file")
    assert text.count("\n") == 1


def test_other_pages_and_methods_are_refused(rig: Rig) -> None:
    rig.board()
    url = rig.metrics().url()
    assert get(f"{url}/")[0] == 404
    for path in ("/metrics", "/health"):
        with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=30) as client:
            client.sendall(f"POST {path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n".encode())
            assert client.recv(12) == b"HTTP/1.0 405"


TRADER = """
import json, sys, threading, time
sys.path.insert(0, sys.argv[2])
from sinks_rig import manifest
from bot4_core.state.board import Board, RunState
board = Board(sys.argv[1], manifest())
board.say(RunState.RUNNING)
print("ready", flush=True)
while True:
    board.beat(time.monotonic_ns(), 0)
    time.sleep(0.05)
"""


def test_a_trader_that_was_killed_is_down_and_its_scrape_does_not_hang(rig: Rig) -> None:
    (rig.site / "sinks_rig.py").write_bytes((rig.site / __file__).with_name("conftest.py").read_bytes())
    with subprocess.Popen(
        [sys.executable, "-c", TRADER, str(rig.folder.segment_path), str(rig.site)], stdout=subprocess.PIPE
    ) as trader:
        assert trader.stdout is not None
        assert trader.stdout.readline() == b"ready\n"
        sink = rig.metrics()
        url = sink.url()
        assert value(get(f"{url}/metrics")[1], "bot4_up") == 1
        trader.kill()
    text = until(lambda: (text := get(f"{url}/metrics")[1]) and value(text, "bot4_up") == 0 and text, "still up")
    assert value(text, "bot4_heartbeat_age_seconds") >= 2
    status, why = get(f"{url}/health")
    assert status == 503
    assert why.startswith("the trader has given no sign of life for ")
    sink.leave()
    assert sink.ended()[0] == 0


def test_a_port_that_is_taken_is_one_line(rig: Rig) -> None:
    rig.board()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = rig.metrics(port=port).ended()
    assert code == 1
    assert said == [f"127.0.0.1 port {port} is taken: give the metrics sink another port, or 0 for any free one"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"port": 65_536}, "$.port: 65536 must be from 0 (any free port) to 65535"),
        ({"host": ""}, "$.host: '' is no host name or address; as 127.0.0.1"),
        ({"prot": 1}, "$.prot: unknown key; allowed: host, port; did you mean 'port'?"),
    ],
)
def test_settings_that_cannot_be_are_one_line(rig: Rig, settings: dict[str, object], words: str) -> None:
    rig.board()
    assert rig.metrics(**settings).ended() == (2, [words])


def test_an_address_that_is_not_ours_is_one_line(rig: Rig) -> None:
    rig.board()
    code, (line,) = rig.metrics(host="192.0.2.1").ended()
    assert code == 1
    assert line.startswith("cannot listen on 192.0.2.1 port 0: ")


def test_without_a_segment_it_says_so(rig: Rig) -> None:
    code, (line,) = rig.metrics().ended()
    assert code == 1
    assert "no segment to attach to" in line


def test_a_segment_that_is_damaged_while_it_is_watched_is_one_line_per_scrape(rig: Rig) -> None:
    board = rig.board()
    sink = rig.metrics()
    url = sink.url()
    board.count("state", 77)
    for path in ("/metrics", "/health"):
        status, text = get(f"{url}{path}")
        assert status == 500
        assert text.startswith("NativeError: ")
        assert sink.line().startswith(f"{path} failed: NativeError: ")
    board.count("state", RunState.RUNNING)
    assert get(f"{url}/health") == (200, "ok\n")


def test_clients_that_hang_take_a_bounded_number_of_places(rig: Rig) -> None:
    rig.board()
    url = rig.metrics().url()
    address = (urlsplit(url).hostname, urlsplit(url).port)
    hanging = [socket.create_connection(address, timeout=30) for _ in range(16)]
    try:
        with socket.create_connection(address, timeout=30) as late:
            assert late.recv(1) == b""
        hanging.pop().close()

        def scraped() -> bool:
            try:
                return get(f"{url}/health") == (200, "ok\n")
            except OSError:
                return False

        until(scraped, "no place was freed")
    finally:
        for client in hanging:
            client.close()


def test_a_client_that_leaves_is_no_news(rig: Rig) -> None:
    rig.board()
    sink = rig.metrics()
    url = sink.url()
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=30) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(b"GET /metrics HTTP/1.0\r\n")
    assert get(f"{url}/health") == (200, "ok\n")
    sink.leave()
    assert sink.ended() == (0, sink.said[:1])


def test_it_ends_with_its_trader_and_at_sigterm_and_not_at_ctrl_c(rig: Rig) -> None:
    rig.board()
    leaving, terminated = rig.metrics(), rig.metrics()
    urls = [leaving.url(), terminated.url()]
    for sink, url in zip((leaving, terminated), urls, strict=True):
        os.kill(sink.process.pid, signal.SIGINT)
        assert get(f"{url}/health") == (200, "ok\n")
    leaving.leave()
    assert leaving.ended()[0] == 0
    terminated.process.terminate()
    assert terminated.ended()[0] == 0
