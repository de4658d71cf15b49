"""Fenced blocks of a Markdown page, and running them as a reader would."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parents[2]
#: Columns of the terminal that the pages show.
COLUMNS = 90
_FENCE = re.compile(r"^```(\w*) *(.*)$")
_FILE = re.compile(r"^# (\S+\.(?:py|toml|csv))$")
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_COMMAND_TIMEOUT_S = 120


@frozen
class Block:
    """One fenced block.

    Attributes:
        language, info: the words behind the fence.
        text: its lines.
        line: where it stands, for messages.
    """

    language: str
    info: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that the first line names, as ``# trend.py``."""
        found = _FILE.match(self.text.split("\n", 1)[0])
        return found[1] if found else None


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    found: list[Block] = []
    opened: tuple[str, str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if fence is None:
            lines.append(line)
        elif opened is None:
            opened, lines = (fence[1], fence[2], number), []
        else:
            found.append(Block(opened[0], opened[1], "\n".join(lines), opened[2]))
            opened = None
    assert opened is None, f"{page.name}: the block of line {opened and opened[2]} has no end"
    return found


@frozen
class Answer:
    """What a command answered: its exit code, what stood on the screen, and its stderr."""

    code: int
    screen: str
    errors: str


def on_terminal(command: str, folder: Path, own: Path = Path(sys.executable).parent) -> Answer:
    """Runs a shell command in a terminal of :data:`COLUMNS` columns, with the programs of ``own`` first on the path."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    environment = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "FORCE_COLOR")
    } | {"PATH": f"{own}:{os.environ['PATH']}", "TERM": "xterm", "NO_COLOR": "1", "PYTHONUTF8": "1"}
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=subprocess.PIPE,
    )
    os.close(terminal)
    screen = b"".join(_read(controller))
    os.close(controller)
    errors = process.communicate(timeout=_COMMAND_TIMEOUT_S)[1]
    text = _ESCAPE.sub("", screen.decode()).replace("\r\n", "\n")
    return Answer(process.returncode, text, errors.decode())


def _read(controller: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(controller, 1 << 16)
        except OSError:  # the terminal's other side was closed: the end on Linux
            return
        if not part:
            return
        yield part


def first_missing(shown: str, answer: str) -> str | None:
    """The first line a page shows that the answer does not hold, in order; None when all are there.

    A line of ``…`` stands for any lines, ``…`` inside a line for any text. Runs of blanks count as one.
    """
    lines = iter([" ".join(line.split()) for line in answer.splitlines()])
    for wanted in shown.splitlines():
        words = " ".join(wanted.split())
        if words in ("", "…"):
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in words.split("…")))
        if not any(pattern.fullmatch(line) for line in lines):
            return wanted
    return None


def run_session(block: Block, folder: Path, own: Path = Path(sys.executable).parent) -> None:
    """Runs a ``console`` block: after each ``$ command`` come lines of its output.

    ``exit=N`` behind the fence says how the last command ends; the others end well. ``cd`` moves later commands.
    """
    here = folder
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert parts[0] == "", f"line {block.line}: a console block starts with a command"
    for place, part in enumerate(parts[1:]):
        command, _, shown = part.partition("\n")
        words = shlex.split(command)
        if words[0] == "cd":
            here = here / words[1]
            continue
        answer = on_terminal(command, here, own)
        last = place == len(parts) - 2
        code = int(block.info.removeprefix("exit=") or 0) if last and block.info.startswith("exit=") else 0
        told = f"line {block.line}: $ {command}\n{answer.screen}{answer.errors}"
        assert answer.code == code, f"exit {answer.code}, not {code}; {told}"
        missing = first_missing(shown, answer.screen + answer.errors)
        assert missing is None, f"not shown: {missing!r}; {told}"
