"""The command as tests run it: in this process, in one of its own, and one that waits for an answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from attrs import frozen
from click.testing import CliRunner

from bot4_core.cli import main
from bot4_core.native.latch import Mode
from bot4_core.state.folder import BotFolder
from tests.state.broken import obey_modes

BOT4 = [sys.executable, "-P", "-c", "from bot4_core.cli import main; main()"]
NAME = "trend-demo"
QUESTION = "type the bot's name to let it trade again: "


@frozen
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def bot4(*args: str, answer: str = "") -> Done:
    """Runs a command in this process: quick."""
    result = CliRunner().invoke(main, args, input=answer)
    return Done(result.exit_code, result.stdout, result.stderr)


def as_process(*args: str, answer: str = "") -> Done:
    """Runs a command in a process of its own, for which file modes hold."""
    done = subprocess.run(
        [*BOT4, *args], capture_output=True, text=True, check=False, timeout=60, input=answer, preexec_fn=obey_modes
    )
    return Done(done.returncode, done.stdout, done.stderr)


def caller(how: str) -> Callable[..., Done]:
    return as_process if how == "unreadable" else bot4


def told(done: Done) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def mode(folder: BotFolder) -> Mode:
    return folder.open_latch().mode


class asked:
    """``bot4 resume`` that has shown what holds and waits for the name."""

    def __enter__(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([*BOT4, "resume", NAME], stdin=pipe, stdout=pipe, stderr=pipe)
        assert self._process.stderr is not None
        said = b""
        while not said.endswith(QUESTION.encode()):
            part = os.read(self._process.stderr.fileno(), 4096)
            assert part, said
            said += part
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def typed(process: subprocess.Popen[bytes]) -> int:
    process.communicate(f"{NAME}\n".encode(), timeout=60)
    return process.returncode
