"""The kill latch: a small fsynced file that every process of a bot maps and reads before every send (D-8, R-44).

Setting is word first, then note, then disk: every process sees the mode before this call even waits for the disk,
and when the call returns it is durable. A missing, damaged or unreadable file counts as KILLED. Only
:meth:`Latch.release` makes trading possible again, and only for someone who types the bot's name.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from ..errors import NativeError, RefusedForSafety
from ..replacing import not_replaceable
from ._native import ffi, lib
from .latch_file import alone, bot_name, raise_damaged, take_turn, text_field, write_new
from .memory import aligned
from .status import check


class Mode(IntEnum):
    """What the latch allows; each mode allows less than the one before."""

    ACTIVE = lib.B4_MODE_ACTIVE
    """Everything."""
    REDUCE_ONLY = lib.B4_MODE_REDUCE_ONLY
    """Only orders that shrink a position, and cancels."""
    CANCEL_ONLY = lib.B4_MODE_CANCEL_ONLY
    """Only cancels."""
    KILLED = lib.B4_MODE_KILLED
    """Nothing but the kill plan itself."""


_MODES: Final[tuple[Mode, ...]] = tuple(Mode)
_SET_AGAIN = "the latch was set again, or released by somebody else, meanwhile; look at it again"


@frozen
class LatchInfo:
    """Who set the present mode, when and why.

    Attributes:
        bot: name that a release must repeat; empty where the file cannot say.
        mode: mode now.
        seq: number of the note, counted over the life of the latch; 0 where there is none.
        ts: time of the note, UTC nanoseconds, from the clock of whoever set it.
        who: person or component.
        reason: cause in words.
        durable: False for a latch in memory and for a file that is missing or damaged.
    """

    bot: str
    mode: Mode
    seq: int
    ts: int
    who: str
    reason: str
    durable: bool


class Latch:
    """One bot's kill latch. Make it with :meth:`create`, :meth:`open` or :meth:`memory`.

    Any thread may read :attr:`mode`; :meth:`set` and :meth:`release` may come from any process.
    """

    __slots__ = ("_broken", "_fd", "_map", "_mode", "_owner", "_turn", "bot", "cdata", "path")

    def __init__(self, bot: str, path: Path | None, broken: str) -> None:
        self.bot = bot
        self.path = path
        self._broken = broken
        self._fd = -1
        self._map: mmap.mmap | None = None
        self._owner: Any = None
        self._turn = threading.RLock()
        self.cdata: Any = ffi.NULL
        self._mode = lib.b4_latch_mode

    @classmethod
    def memory(cls, bot: str = "memory", ts: int = 0) -> Latch:
        """A latch without a file, ACTIVE, for a backtest: its life is the process's.

        Raises:
            NativeError: the name is empty or too long.
        """
        return cls._blank(bot, "", ts)

    @classmethod
    def _blank(cls, bot: str, who: str, ts: int) -> Latch:
        latch = cls(bot, None, "")
        name, who_raw = bot_name(bot), text_field(who, lib.B4_LATCH_WHO)
        latch._owner, memory = aligned(lib.B4_LATCH_SIZE, "latch")
        check(lib.b4_latch_init(memory, lib.B4_LATCH_SIZE, name, len(name), ts, who_raw, len(who_raw)), "latch")
        latch.cdata = ffi.cast("b4_latch *", memory)
        return latch

    def _page(self) -> bytes:
        return bytes(ffi.buffer(ffi.cast("void *", self.cdata), lib.B4_LATCH_SIZE))

    @classmethod
    def create(cls, path: str | os.PathLike[str], bot: str, *, who: str = "", ts: int = 0) -> Latch:
        """Makes the file of a new bot, ACTIVE and durable, and opens it.

        Args:
            path: the file; its directory exists.
            bot: name that a release must repeat, at most 200 bytes.
            who: who created it.
            ts: UTC nanoseconds.

        Raises:
            NativeError: the file exists (open it instead), or the disk refused.
        """
        target = Path(path)
        try:
            write_new(target, cls._blank(bot, who, ts)._page(), replace=False)
        except FileExistsError as error:
            raise NativeError(f"{target}: the latch exists; open it, or release it by the bot's name") from error
        except OSError as error:
            raise NativeError(f"{target}: the latch cannot be created: {error.strerror}") from error
        return cls.open(target, bot)

    @classmethod
    def open(cls, path: str | os.PathLike[str], bot: str | None = None) -> Latch:
        """Opens a latch; never fails, because whatever is wrong with the file means KILLED.

        Args:
            path: the file.
            bot: the name it must carry; another name counts as damage. None takes the file's word.

        Returns:
            The latch. With a missing, damaged or unreadable file its mode is KILLED and :meth:`info` says why.
        """
        target = Path(path)
        latch = cls(bot or "", target, "")
        try:
            latch._attach(target, bot)
        except OSError as error:
            latch._detach(f"latch file {target} cannot be read: {error.strerror}")
        except NativeError as error:
            latch._detach(f"latch file {target}: {error}")
        return latch

    def _attach(self, target: Path, bot: str | None) -> None:
        self._fd = os.open(target, os.O_RDWR | os.O_CLOEXEC)
        if os.fstat(self._fd).st_size != lib.B4_LATCH_SIZE:
            raise NativeError(f"damaged: it has {os.fstat(self._fd).st_size} bytes instead of {lib.B4_LATCH_SIZE}")
        self._map = mmap.mmap(self._fd, lib.B4_LATCH_SIZE)
        self._owner = ffi.from_buffer(self._map, require_writable=True)
        self.cdata = ffi.cast("b4_latch *", self._owner)
        check(lib.b4_latch_check(self.cdata), "header")
        out = ffi.new("char[]", lib.B4_LATCH_BOT)
        name = bytes(ffi.buffer(out, check(lib.b4_latch_bot(self.cdata, out), "name"))).decode("utf-8", "replace")
        if bot is not None and name != bot:
            raise NativeError(f"it belongs to bot {name!r}, not to {bot!r}")
        self.bot = name
        with self._lock() as turn:
            # A crash can have kept only the word or only the note: the stricter one holds. Out of turn a readable note
            # may be older than a release that was just made, and says nothing.
            note = self._note()
            kept = Mode.KILLED if note is None else _MODES[note.mode] if turn else Mode.ACTIVE
            if kept > self.mode:
                check(lib.b4_latch_raise(self.cdata, kept), "latch")

    def _detach(self, reason: str) -> None:
        """Goes on as KILLED without a file; a mapping that others use is left as it is."""
        self._broken = reason
        self.close()

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        """One writer of notes at a time: among this object's threads by a lock, among processes by the file's.

        Gives False when another process kept the file's lock for a second: it may have been stopped with it, and a
        kill must not wait for that one.
        """
        with self._turn:
            fd = self._fd
            turn = fd < 0 or take_turn(fd)
            try:
                yield turn
            finally:
                if fd >= 0 and turn:
                    fcntl.flock(fd, fcntl.LOCK_UN)

    def _note(self) -> Any:
        note = ffi.new("b4_latch_note *")
        return note if lib.b4_latch_read_note(self.cdata, note) == 0 else None

    def _write(self, mode: Mode, reason: str, who: str, ts: int) -> None:
        who_raw, why = text_field(who, lib.B4_LATCH_WHO), text_field(reason, lib.B4_LATCH_REASON)
        check(lib.b4_latch_write_note(self.cdata, mode, ts, who_raw, len(who_raw), why, len(why)), "latch note")

    def _sync(self) -> None:
        if self._map is not None:
            self._map.flush()
            os.fsync(self._fd)

    @property
    def mode(self) -> Mode:
        """Mode now, as every process sees it; one load in C."""
        mode: int = self._mode(self.cdata)
        return _MODES[mode]

    @property
    def address(self) -> int:
        """Address of the structure for another native module, 0 when there is none (which reads as KILLED)."""
        return int(ffi.cast("uintptr_t", self.cdata))

    def set(self, mode: Mode, reason: str, who: str, ts: int) -> LatchInfo:
        """Restricts trading, at once for every process, and durably when the call returns.

        A mode that is not stricter than the present one changes nothing: the first cause stays on record. In place of
        a missing or damaged file, which reads as KILLED, a KILLED one with this cause is made.

        Args:
            mode: REDUCE_ONLY, CANCEL_ONLY or KILLED.
            reason: cause in words, cut to 400 bytes.
            who: person or component, cut to 64 bytes.
            ts: UTC nanoseconds.

        Returns:
            What holds now.

        Raises:
            RefusedForSafety: ``mode`` is ACTIVE; only :meth:`release` allows that.
            NativeError: the disk refused. The mode holds in every running process all the same, but a restart of
                the machine could forget it. With a missing or damaged file: it reads as KILLED all the same, but a
                process that opened it when it was whole may go by what it read.
        """
        if mode == Mode.ACTIVE:
            raise RefusedForSafety("the latch is released with the bot's name, never set to ACTIVE")
        if self._broken:
            return self._set_broken(reason, who, ts)
        check(lib.b4_latch_raise(self.cdata, mode), "latch")
        try:
            with self._lock() as turn:
                note = self._note()
                if turn and (note is None or note.mode < mode):
                    self._write(mode, reason, who, ts)
                # Again: a release that began before the first raise may have finished since.
                check(lib.b4_latch_raise(self.cdata, mode), "latch")
                self._sync()
        except OSError as error:
            raise NativeError(f"{self.path}: latched as {mode.name}, but not durably: {error.strerror}") from error
        return self.info()

    def _set_broken(self, reason: str, who: str, ts: int) -> LatchInfo:
        """Puts a KILLED file in the place of a missing or damaged one, so that a release under way sees the kill."""
        path = self.path
        if path is None or not self.bot:
            return self.info()
        killed = Latch._blank(self.bot, who, ts)
        killed.set(Mode.KILLED, reason, who, ts)
        try:
            raise_damaged(path)
            with alone(path.parent):
                if self._still_broken() and not not_replaceable(path):
                    write_new(path, killed._page(), replace=True)
        except OSError as error:
            raise NativeError(
                f"{path}: it reads as KILLED to whoever opens it, but the reason cannot be kept, and a process that"
                f" opened it before may not see it ({error.strerror}): make sure that the bot's process ends"
            ) from error
        now = Latch.open(path, self.bot)
        try:
            return now.info() if now._broken else now.set(Mode.KILLED, reason, who, ts)
        finally:
            now.close()

    def _still_broken(self) -> bool:
        assert self.path is not None  # only a file can be broken
        there = Latch.open(self.path, self.bot)
        there.close()
        return bool(there._broken)

    @property
    def word(self) -> int:
        """Changes with every set and release: what :meth:`release` takes as ``seen``. 0 for a file that is broken."""
        return 0 if self._broken else int(lib.b4_latch_word(self.cdata))

    def release(self, bot_name_typed: str, who: str, ts: int, *, seen: int | None = None) -> LatchInfo:
        """Allows trading again.

        Args:
            bot_name_typed: the bot's name as a person typed it.
            who: the approver, cut to 64 bytes.
            ts: UTC nanoseconds.
            seen: :attr:`word` when the approver was shown what holds; a set since then, even one that changed nothing
                else, refuses the release. None: as it is now.

        Returns:
            What holds now.

        Raises:
            RefusedForSafety: the name is not the bot's, or is not known because the file cannot be read, or the
                latch was set again meanwhile.
            NativeError: the disk refused; the latch stays set.
        """
        if not self.bot:
            raise RefusedForSafety(f"{self._broken}; name the bot when opening it to release it")
        if bot_name_typed != self.bot:
            raise RefusedForSafety(f"release needs the bot's name, {self.bot!r}, not {bot_name_typed!r}")
        try:
            if self._broken:
                self._renew(who, ts)
            elif self.verify() is Mode.KILLED and self._broken:
                raise RefusedForSafety(f"{self._broken}; look at it again")
            else:
                self._lower(who, ts, self.word if seen is None else seen)
        except OSError as error:
            raise NativeError(f"{self.path}: the latch stays set: {error.strerror}") from error
        return self.info()

    def _lower(self, who: str, ts: int, observed: int) -> None:
        with self._lock() as turn:
            if not turn:
                raise RefusedForSafety("another process is writing the latch and does not end: is it stopped?")
            if self.word != observed:  # before the note of whoever set it is overwritten
                raise RefusedForSafety(_SET_AGAIN)
            self._write(Mode.ACTIVE, "released", who, ts)
            self._sync()
            if lib.b4_latch_lower(self.cdata, observed) == lib.B4_E_STATE:
                raise RefusedForSafety(_SET_AGAIN)
            self._sync()

    def _renew(self, who: str, ts: int) -> None:
        """Puts a new file in place of a missing or damaged one; processes that map the old one stay latched."""
        assert self.path is not None  # only a file can be broken
        if reason := not_replaceable(self.path):
            raise NativeError(f"{self.path}: the latch stays set: {reason}; put it right by hand")
        with alone(self.path.parent):
            if not self._still_broken():
                raise RefusedForSafety(_SET_AGAIN)
            write_new(self.path, Latch._blank(self.bot, who, ts)._page(), replace=True)
        if self._fd >= 0:
            os.close(self._fd)  # the old mapping stays for those who still read it, KILLED for good
        self._attach(self.path, self.bot)
        self._broken = ""

    def verify(self) -> Mode:
        """Latches when the file is gone or was replaced since it was opened; call it now and then.

        A process that maps a deleted file would not see a kill written to a new one.

        Returns:
            The mode now.
        """
        if self._fd >= 0 and self.path is not None and not self._broken:
            held = os.fstat(self._fd)
            try:
                there: os.stat_result | None = os.stat(self.path)
            except OSError:
                there = None
            if held.st_size != lib.B4_LATCH_SIZE:
                self._detach(f"latch file {self.path} was cut while in use")  # the page is gone: do not touch it
            elif lib.b4_latch_check(self.cdata) != 0:
                check(lib.b4_latch_raise(self.cdata, Mode.KILLED), "latch")
                self._broken = f"latch file {self.path} was damaged while in use"
            elif there is None or (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino):
                check(lib.b4_latch_raise(self.cdata, Mode.KILLED), "latch")
                self._broken = f"latch file {self.path} was removed or replaced while in use"
        return self.mode

    def info(self) -> LatchInfo:
        """Mode, time, person and reason; takes the file lock, so it is not for the hot path."""
        if self._broken:
            return LatchInfo(self.bot, Mode.KILLED, 0, 0, "", self._broken, False)
        with self._lock():
            mode, note = self.mode, self._note()
        durable = self._map is not None
        if note is None:
            return LatchInfo(self.bot, mode, 0, 0, "", "both notes are damaged", durable)
        who = bytes(ffi.buffer(note.who, note.who_size)).decode("utf-8", "replace")
        reason = bytes(ffi.buffer(note.reason, note.reason_size)).decode("utf-8", "replace")
        if note.mode != mode:
            reason = f"raised to {mode.name} without a note (interrupted); before that: {reason}"
        return LatchInfo(self.bot, mode, note.seq, note.ts, who, reason, durable)

    def close(self) -> None:
        """Lets the file go; the mode of this object then reads KILLED."""
        self.cdata = ffi.NULL
        if self._map is not None:
            ffi.release(self._owner)
            self._map.close()
            self._map = None
        self._owner = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
