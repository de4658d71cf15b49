"""Companion processes: they get their settings, are started again when they die, and end when they are told to."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from bot4_core.engine import companion as companion_module
from bot4_core.engine.companion import Companion

PATIENCE_S = 30.0

#: tells what it was told, then waits for the end of stdin
GOOD = """
import sys
print("told " + sys.stdin.readline().strip(), file=sys.stderr, flush=True)
sys.stdin.read()
"""
BAD = "import sys; sys.exit(3)"
DEAF = """
import signal, sys, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", file=sys.stderr, flush=True)
threading.Event().wait()
"""


class Heard:
    """What a companion said and did, and somebody to wait for it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def __call__(self, level: str, line: str) -> None:
        self.lines.append((level, line))
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def count(self, words: str) -> int:
        return sum(words in line for _, line in self.lines)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Makes a module that a companion can run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(source: str) -> str:
        (tmp_path / "beside_the_trader.py").write_text(source, encoding="utf-8")
        return "beside_the_trader"

    return make


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_it_gets_its_settings_exactly_and_ends_with_its_stdin(module: Callable[[str], str]) -> None:
    async def test() -> None:
        from decimal import Decimal

        heard = Heard()
        beside = Companion("beside", module(GOOD), {"a": Decimal("0.10"), "b": "ü"}, heard)
        await beside.start()
        await heard.until(lambda: heard.count("told") == 1)
        assert heard.lines == [("WARNING", 'beside: told {"a":0.10,"b":"ü"}')]
        assert await beside.finish(PATIENCE_S)
        assert beside.restarts == 0

    run(test())


def test_one_that_is_killed_is_started_again_with_the_same_settings(module: Callable[[str], str]) -> None:
    async def test() -> None:
        heard = Heard()
        beside = Companion("beside", module(GOOD), {"n": 1}, heard)
        await beside.start()
        for deaths in (1, 2, 3):
            await heard.until(lambda: heard.count('told {"n":1}') == deaths)  # noqa: B023  # awaited in the same turn
            os.kill(beside.pid, signal.SIGKILL)
        await heard.until(lambda: heard.count("told") == 4)
        assert heard.count("was killed by SIGKILL; it is started again") == 3
        assert beside.restarts == 3
        assert await beside.finish(PATIENCE_S)

    run(test())


def test_one_that_dies_again_and_again_is_given_up_once(
    module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companion_module, "_DELAYS_S", (0.0, 0.0))

    async def test() -> None:
        heard = Heard()
        lost: list[str] = []
        beside = Companion("beside", module(BAD), {}, heard)
        beside.on_lost = lost.append
        await beside.start()
        await heard.until(lambda: beside.is_lost)
        assert lost == ["beside ended with exit code 3"]
        assert beside.restarts == 2
        assert heard.lines[-1] == ("ERROR", "beside ended with exit code 3 again and is given up")
        await beside.finish(PATIENCE_S)

    run(test())


CHATTY = """
import sys
for line in ("INFO all is well", "the port is taken", "the port is taken", "ERROR out of paper"):
    print(line, file=sys.stderr)
sys.stdin.read()
"""


def test_what_it_says_has_the_level_it_names_and_is_no_news_twice(module: Callable[[str], str]) -> None:
    async def test() -> None:
        heard = Heard()
        beside = Companion("beside", module(CHATTY), {}, heard)
        await beside.start()
        await heard.until(lambda: len(heard.lines) == 4)
        assert heard.lines == [
            ("INFO", "beside: all is well"),
            ("WARNING", "beside: the port is taken"),
            ("INFO", "beside: the port is taken"),
            ("ERROR", "beside: out of paper"),
        ]
        await beside.finish(PATIENCE_S)

    run(test())


def test_one_that_does_not_finish_is_killed(module: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companion_module, "_TERMINATE_S", 0.2)

    async def test() -> None:
        heard = Heard()
        beside = Companion("beside", module(DEAF), {}, heard)
        await beside.start()
        await heard.until(lambda: heard.count("deaf") == 1)
        assert not await beside.finish(0.2)
        assert [line for _, line in heard.lines[1:]] == [
            "beside does not finish; it gets SIGTERM",
            "beside does not finish; it gets SIGKILL",
        ]

    run(test())


def test_one_that_was_never_started_is_finished_already() -> None:
    async def test() -> None:
        assert await Companion("beside", "nothing", {}, Heard()).finish(1.0)

    run(test())
