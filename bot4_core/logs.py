"""The log of a running bot: one JSON object per line, without secrets, in files of bounded size.

What is said through loguru or the standard library's logging is made into a line by the thread that says it, and
written by a thread that does nothing else. So a disk that is slow, full or gone costs the trading process nothing: at
most a bounded number of lines wait, the rest is counted and named once lines can be written again. Nothing between an
event and its order logs at all (tests/architecture). A process that is killed loses the lines of the last moment.

One process writes a log: the trader. Its companions write to stderr, which the trader reads.
"""

from __future__ import annotations

import atexit
import fcntl
import itertools
import logging
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import msgspec
from loguru import logger

from .domain.redaction import HIDDEN, hide, is_secret, without_secrets
from .errors import one_line
from .replacing import not_replaceable

if TYPE_CHECKING:
    from loguru import Message, Record

#: lines that may wait for the disk
_MAX_WAITING = 10_000
#: longest text of one field; a line has at most _MAX_FIELDS fields of the caller's own
_MAX_TEXT = 16_384
_MAX_FIELDS = 64
_MAX_DEPTH = 4
#: after a failure the disk is tried again so often
_RETRY_S = 1.0
_CLOSE_S = 5.0
_OWN_FIELDS = ("ts", "level", "module", "line", "message", "exception")
#: libraries whose every statement is news to them; their warnings are taken
_CHATTY = ("sqlalchemy", "alembic", "asyncio")
_encode = msgspec.json.Encoder().encode


class _Stop:
    """The last thing that the writing thread takes."""


_STOP: Final = _Stop()


class LogFile:
    """A log file, its older ones beside it as ``NAME.1`` (the newest) to ``NAME.<keep>``. Make it with :func:`set_up`.

    A context manager: leaving it closes it.

    Args:
        path: the newest file; its folder is made when missing.
        rotate_bytes: a file that would grow beyond it is closed and a new one begun.
        keep: closed files that are kept.
    """

    def __init__(self, path: Path, *, rotate_bytes: int, keep: int) -> None:
        #: lines that found no place, counted by those who log; that could not be written, and that were told of
        self._dropped, self._failed, self._told = 0, 0, 0
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._lines: queue.Queue[bytes | threading.Event | _Stop] = queue.Queue(_MAX_WAITING)
        self._fd = -1
        self._size = 0
        self._broken = False
        self._retry_at = 0.0
        self._handler = -1
        self._library: logging.Handler | None = None
        self._library_level = logging.WARNING
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # for a process that ends by an error

    @property
    def lost(self) -> int:
        """Lines that could not be written and are not yet told of in the log."""
        return self._dropped + self._failed - self._told

    def take(self, message: Message) -> None:
        """What loguru calls: makes the line and leaves it to the writing thread; never waits and never raises."""
        try:
            self._lines.put_nowait(line_of(message.record))
        except queue.Full:
            self._dropped += 1  # loguru calls one at a time
        except Exception as error:  # noqa: BLE001  # a value that cannot be shown must not end the code that logs it
            self._dropped += 1
            self._complain(f"a log line cannot be made: {type(error).__name__}")

    def flush(self, timeout_s: float = _CLOSE_S) -> bool:
        """Waits until what was said so far is written or given up; whether that was in time."""
        written = threading.Event()
        try:
            self._lines.put(written, timeout=timeout_s)
        except queue.Full:
            return False
        return written.wait(timeout_s)

    def close(self) -> None:
        """Writes what is left, within bounds, and lets the file go."""
        if self._handler >= 0:
            with suppress(ValueError):  # somebody has removed every handler
                logger.remove(self._handler)
            self._handler = -1
        if self._library is not None:
            logging.getLogger().removeHandler(self._library)
            logging.getLogger().setLevel(self._library_level)
            self._library = None
        with suppress(queue.Full):
            self._lines.put(_STOP, timeout=_CLOSE_S)
        self._thread.join(_CLOSE_S)
        atexit.unregister(self.close)

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # ---- the writing thread ----

    def _work(self) -> None:
        while True:
            match self._lines.get():
                case bytes() as line:
                    self._write(line)
                case threading.Event() as written:
                    written.set()
                case _:
                    self._forget()
                    return

    def _write(self, line: bytes) -> None:
        try:
            if self._broken and time.monotonic() < self._retry_at:
                self._failed += 1
                return
            self._make_room(len(line))
            if lost := self.lost:
                self._put(_lost_line(lost))
                self._told += lost
            self._put(line)
            self._broken = False
        except OSError as error:
            self._failed += 1
            self._forget()
            self._retry_at = time.monotonic() + _RETRY_S
            if not self._broken:
                self._broken = True
                self._complain(f"log {self._path}: {error.strerror or error}; lines are lost until it can be written")

    def _make_room(self, size: int) -> None:
        if self._fd >= 0 and self._size and self._size + size > self._rotate_bytes:
            self._forget()
            self._rotate()
        if self._fd < 0:
            self._open()
            if self._size and self._size + size > self._rotate_bytes:  # as another process left it
                self._forget()
                self._rotate()
                self._open()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if reason := not_replaceable(self._path):
            raise OSError(0, reason)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self._path, flags, 0o600)
        try:
            os.fchmod(fd, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OSError(0, "another process writes it") from error
            self._size = os.fstat(fd).st_size
            if self._size and not _ends_whole(self._path):
                self._size += os.write(fd, b"\n")  # the line that a full disk or a kill cut short stays one line
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def _put(self, line: bytes) -> None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)  # no half line is left of a disk that was full
            raise
        self._size += len(line)

    def _rotate(self) -> None:
        older = [self._path.with_name(f"{self._path.name}.{number}") for number in range(1, self._keep + 1)]
        names = [self._path, *older]
        for newer, older_one in reversed(list(itertools.pairwise(names))):
            with suppress(FileNotFoundError):
                os.replace(newer, older_one)

    def _forget(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _complain(self, text: str) -> None:
        with suppress(OSError, ValueError):  # stderr may be gone too
            print(hide(one_line(text)), file=sys.stderr, flush=True)


def _ends_whole(path: Path) -> bool:
    with open(path, "rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


class _FromLibraries(logging.Handler):
    """Hands what is said through the standard library's logging to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception as error:  # noqa: BLE001  # its arguments do not fit; the library would print them to stderr
            text = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
            message = f"{text} (its arguments do not fit: {type(error).__name__})"
        level: str | int = record.levelname if record.levelname in _LEVELS else record.levelno

        def named(entry: Record) -> None:
            entry["name"], entry["line"] = record.name, record.lineno

        logger.patch(named).opt(exception=record.exc_info).log(level, "{}", message)


_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def set_up(path: Path, *, level: str = "INFO", rotate_mb: int = 10, keep: int = 5) -> LogFile:
    """Sends this process's log to a file; what goes to stderr for people stays as it is.

    Args:
        path: the file; it gets mode 0600, its folder 0700 when it has to be made.
        level: the least serious message that is kept.
        rotate_mb: a new file is begun at so many megabytes (10**6 bytes).
        keep: closed files that are kept, at least 1.

    Returns:
        The file. Close it at the end of the run; a log that cannot be written raises nowhere.
    """
    file = LogFile(path, rotate_bytes=rotate_mb * 10**6, keep=max(1, keep))
    # diagnose would put the values of variables into tracebacks; we format them ourselves in any case
    file._handler = logger.add(file.take, level=level, format="{message}", backtrace=False, diagnose=False, catch=False)
    file._library = _FromLibraries()
    root = logging.getLogger()
    file._library_level = root.level
    root.addHandler(file._library)
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    return file


def line_of(record: Record) -> bytes:
    """A log record as one line: a flat JSON object without secrets.

    The caller's own fields (``logger.bind``) stand beside ours; one with the name of ours is called ``extra_NAME``.
    """
    fields: dict[str, object] = {
        "ts": record["time"].astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "level": record["level"].name,
        "module": _text(record["name"] or ""),
        "line": record["line"],
        "message": _text(record["message"]),
    }
    for key, value in list(record["extra"].items())[:_MAX_FIELDS]:
        name = _text(str(key))
        fields[f"extra_{name}" if name in _OWN_FIELDS else name] = HIDDEN if is_secret(str(key)) else _plain(value)
    if record["exception"] is not None:
        kind, error, trace = record["exception"]
        told = without_secrets("".join(traceback.format_exception(kind, error, trace)))
        # the end of a traceback says what happened
        fields["exception"] = _utf8(told if len(told) <= _MAX_TEXT else f"…{told[1 - _MAX_TEXT :]}")
    return _encode(fields) + b"\n"


def _lost_line(count: int) -> bytes:
    now = time.time_ns()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + f".{now // 1000 % 10**6:06d}Z"
    message = f"{count} lines before this one were lost: the log could not be written"
    return _encode({"ts": stamp, "level": "WARNING", "module": __name__, "line": 0, "message": message}) + b"\n"


def _text(text: str) -> str:
    clean = without_secrets(text)
    return _utf8(clean if len(clean) <= _MAX_TEXT else clean[: _MAX_TEXT - 1] + "…")


def _utf8(text: str) -> str:
    """The text with halves of surrogate pairs, which UTF-8 has not, escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _plain(value: object, depth: int = 0) -> object:
    """A value as JSON has it, without secrets; what JSON has not becomes text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and hide(str(value)) == str(value):
        return value if isinstance(value, float) or -(2**63) <= value < 2**63 else str(value)
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        pairs = list(value.items())[:_MAX_FIELDS]
        return {_text(str(k)): HIDDEN if is_secret(str(k)) else _plain(v, depth + 1) for k, v in pairs}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in list(value)[:_MAX_FIELDS]]
    try:
        return _text(str(value))
    except Exception as error:  # noqa: BLE001  # a stranger's __str__ may raise anything
        return f"({type(value).__name__} that cannot be shown: {type(error).__name__})"
