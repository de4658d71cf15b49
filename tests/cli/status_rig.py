"""What the tests of `bot4 status` share: bots in any state, and a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot4_core.cli import main
from bot4_core.state.board import Board, RunState
from bot4_core.state.folder import BotFolder
from tests.state.trader import figures, manifest

BOT4 = [sys.executable, "-P", "-c", "from bot4_core.cli import main; main()"]
NAME = "trend-demo"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def bot4(*args: str) -> Result:
    return CliRunner().invoke(main, args)


def told(*args: str) -> dict[str, Any]:
    done = bot4("status", *args, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def folder_of(name: str = NAME) -> BotFolder:
    folder = BotFolder.of(name)
    folder.prepare()
    return folder


@contextmanager
def board_of(name: str = NAME, *, held: bool = True, **changes: object) -> Iterator[Board]:
    """A bot whose trading process is this one; with ``held`` it runs."""
    folder = folder_of(name)
    board = Board(folder.segment_path, manifest(name, os.getpid(), **changes))
    board.say(RunState.RUNNING)
    figures(board)
    if not held:
        yield board
        return
    with folder.lock():
        yield board


def screen(columns: int, *args: str) -> str:
    """What stands on a terminal so wide."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "FORCE_COLOR")}
    environment = plain | {"NO_COLOR": "1", "TERM": "xterm", "PYTHONUTF8": "1"}
    with subprocess.Popen([*BOT4, *args], stdin=terminal, stdout=terminal, stderr=terminal, env=environment) as process:
        os.close(terminal)
        parts = []
        while True:
            try:
                parts.append(os.read(controller, 1 << 16))
            except OSError:  # the other side was closed: the end on Linux
                break
        os.close(controller)
        assert process.wait(60) == 0
    return b"".join(parts).decode().replace("\r\n", "\n")


def plain(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
