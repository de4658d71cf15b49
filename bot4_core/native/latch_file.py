"""The latch's page and its file: texts in it, taking turns at it, making one, raising one that was damaged in use."""

from __future__ import annotations

import fcntl
import mmap
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..errors import NativeError
from ._native import ffi, lib
from .status import check

#: So long a turn is waited for, with such pauses: whoever holds it may be a process that was stopped with it.
_TURN_S: Final = 1.0
_PAUSE_S: Final = 0.01


def text_field(text: str, size: int) -> bytes:
    """UTF-8 cut to a field at a whole character: a kill never fails because its reason is long."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore").encode("utf-8")


def bot_name(bot: str) -> bytes:
    """The name as the page holds it.

    Raises:
        NativeError: it is empty or too long.
    """
    raw = bot.encode("utf-8")
    if not 1 <= len(raw) <= lib.B4_LATCH_BOT:
        raise NativeError(f"latch: the bot's name must have 1 to {lib.B4_LATCH_BOT} bytes, not {len(raw)}")
    return raw


def take_turn(fd: int, wait_s: float = _TURN_S) -> bool:
    """Takes the exclusive lock of an open file; False when another process keeps it for so long."""
    tries = max(1, round(wait_s / _PAUSE_S))
    for attempt in range(tries):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if attempt < tries - 1:
                time.sleep(_PAUSE_S)
    return False


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time puts a new latch in the place of a broken one: a release must not replace a kill's.

    Raises:
        NativeError: another process keeps the folder's lock.
        OSError: the folder cannot be opened.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not take_turn(fd):
            raise NativeError(f"{folder}: another process is making a latch and does not end: is it stopped?")
        yield
    finally:
        os.close(fd)


def raise_damaged(path: Path) -> None:
    """Raises the word of a file that was damaged under a running process, which still goes by that word."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:  # missing, a directory, another user's: whether that matters shows when it is replaced
        return
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and status.st_size == lib.B4_LATCH_SIZE:
            with mmap.mmap(fd, lib.B4_LATCH_SIZE) as page:
                owner = ffi.from_buffer(page, require_writable=True)
                check(lib.b4_latch_raise(ffi.cast("b4_latch *", owner), lib.B4_MODE_KILLED), "latch")
                ffi.release(owner)
    finally:
        os.close(fd)


def write_new(path: Path, page: bytes, *, replace: bool) -> None:
    """Writes a whole new file beside its place, makes it durable, then gives it its name.

    Args:
        path: its place.
        page: what it holds.
        replace: whether it may take the place of a file that is there.

    Raises:
        OSError: the disk refused; FileExistsError for a file that may not be replaced.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, page)
        os.fsync(fd)
        if replace:
            os.replace(draft, path)
        else:
            os.link(draft, path)  # unlike a rename, refuses to take the place of an existing file
            os.unlink(draft)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    sync_folder(path.parent)
