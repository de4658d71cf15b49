"""The operator's page works as written: bots are started, watched, killed, released, crashed and backed up."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot4_core.cli import main
from bot4_core.cli.sight import Life, look
from bot4_core.errors import Bot4Error
from bot4_core.state.board import Board
from bot4_core.state.folder import BotFolder
from tests.state.trader import figures, manifest

from .blocks import ROOT, blocks, run_session
from .test_cli import SECTIONS, _keys

PAGE = ROOT / "docs" / "operator.md"
TEXT = PAGE.read_text(encoding="utf-8")
_START_S = 60.0


@pytest.fixture
def folder(desk: Path) -> Iterator[BotFolder]:
    """The bot that the page starts; nothing of it runs on after the test."""
    bot = BotFolder.of("trend-demo")
    yield bot
    pid = bot.holder()
    if pid is not None and bot.is_running():
        os.kill(pid, signal.SIGKILL)


def wait_until_it_runs(bot: BotFolder) -> None:
    """A reader needs some seconds from one block to the next; so long a start takes."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        try:
            if bot.exists() and look(bot).life is Life.RUNNING:
                return
        except Bot4Error:
            pass  # it is being made
        time.sleep(0.05)
    pytest.fail(f"{bot.name} did not start: {look(bot)}")


def test_the_page_runs_from_top_to_bottom(desk: Path, folder: BotFolder) -> None:
    here, sessions = desk, 0
    for block in blocks(PAGE):
        if block.language != "console":
            continue
        run_session(block, here)
        sessions += 1
        if (desk / "mybot").is_dir():
            here = desk / "mybot"
        if block.text.endswith("&"):
            wait_until_it_runs(folder)
    assert sessions >= 15


def test_every_state_is_explained() -> None:
    assert set(
        re.findall(r"^\| `([a-z ]+)` \| ", TEXT.partition("## Watching")[2].partition("## Stopping")[0], re.M)
    ) == {one.value for one in Life}


def test_every_file_of_a_bots_folder_is_explained(desk: Path, folder: BotFolder) -> None:
    told = TEXT.partition("## What lies in the state directory")[2].partition("## Logs")[0]
    for path in (folder.lock_path, folder.latch_path, folder.segment_path, folder.log_path):
        assert f"`bots/NAME/{path.relative_to(folder.path)}`" in told


def test_every_exit_code_of_a_run_is_explained() -> None:
    from bot4_core import errors

    tree = [errors.Bot4Error]
    for one in tree:
        tree += one.__subclasses__()
    told = set(re.findall(r"^\| (\d+)", TEXT.partition("## Exit codes")[2], re.MULTILINE))
    assert {str(one.exit_code) for one in tree} | {"0", "130"} == told


def test_the_json_keys_of_an_operators_verbs_are_those_stated(
    folder: BotFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot4_core.plugin_check.check_all", lambda: ())
    folder.prepare()
    figures(Board(folder.segment_path, manifest(folder.name, os.getpid())))
    found = {}
    for verb in ("status", "kill", "resume", "doctor"):
        args = [verb, "--json"] + ([folder.name] if verb != "doctor" else [])
        done = CliRunner().invoke(main, args, input=f"{folder.name}\n")
        found[verb] = json.loads(done.stdout)
        assert set(found[verb]) == _keys(f"bot4 {verb}"), verb
    text = SECTIONS["bot4 status"]
    status = found["status"]
    inner = [status["kill"], status["positions"][0], status["orders"], status["recorder"], status["latency"]["send"]]
    assert {key for part in inner for key in part if f"`{key}`" not in text} == set()
