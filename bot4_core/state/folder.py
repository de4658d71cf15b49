"""The folder of one bot in the state directory: its lock, its kill latch, its segment, its log (DECISIONS.md D-8)."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from attrs import frozen

from ..errors import AlreadyRunning, Bot4Error, ConfigError, nearest
from ..native.latch import Latch
from ..native.latch_file import sync_folder, take_turn

#: Names another state directory; tests and several installations on one machine use it.
STATE_VARIABLE = "BOT4_STATE"

#: a process that only asks whether the bot runs holds the lock for a moment: a start waits for it at most so long
_LOCK_S = 0.4
_FOREIGN = f"chown and chmod 700 it, or set {STATE_VARIABLE}"


def state_dir() -> Path:
    """The state directory: ``$BOT4_STATE``, or the platform's (``~/.local/state/bot4`` on Linux). It may not exist.

    A relative one would be another directory for each command: a bot started in one folder could not be killed from
    the next.

    Raises:
        ConfigError: it is not absolute, or something else than a directory.
        Bot4Error: it is another user's.
    """
    named = os.environ.get(STATE_VARIABLE)
    path = Path(named or platformdirs.user_state_dir("bot4", appauthor=False))
    if not path.is_absolute():
        variable = STATE_VARIABLE if named else "XDG_STATE_HOME"
        raise ConfigError(f"{variable} names {str(path)!r}, another directory in each folder: make it absolute")
    try:
        if path.is_dir():
            if not os.access(path, os.R_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        elif path.exists() or any(one.is_file() for one in path.parents):
            raise ConfigError(f"{path} is no directory: move it away, or set {STATE_VARIABLE}")
    except OSError as error:
        raise Bot4Error(f"{path}: cannot be looked into: {error.strerror}: {_FOREIGN}") from error
    return path


@frozen
class BotFolder:
    """Where one bot keeps what outlives its process. Make it with :meth:`of`.

    Args:
        name: the bot's name.
        path: the folder, mode 0700.
    """

    name: str
    path: Path

    @classmethod
    def of(cls, name: str) -> BotFolder:
        """The folder of the bot of that name; nothing is made.

        Raises:
            ConfigError: as :func:`state_dir`.
        """
        return cls(name, state_dir() / "bots" / name)

    @property
    def lock_path(self) -> Path:
        """Held (flock) by the trading process as long as it lives; holds its process id."""
        return self.path / "lock"

    @property
    def latch_path(self) -> Path:
        """The kill latch."""
        return self.path / "latch"

    @property
    def segment_path(self) -> Path:
        """The segment of the present or last run."""
        return self.path / "segment"

    @property
    def log_path(self) -> Path:
        """The newest log file, JSON lines; older ones stand beside it."""
        return self.path / "log" / "bot4.jsonl"

    def exists(self) -> bool:
        """Whether the bot has ever started here.

        Raises:
            Bot4Error: the state directory cannot be looked into.
        """
        try:
            return self.path.is_dir()
        except OSError as error:
            raise Bot4Error(f"{self.path}: cannot be looked at: {error.strerror}: {_FOREIGN}") from error

    def prepare(self) -> None:
        """Makes the folder of a bot that starts for the first time, with an ACTIVE latch in it.

        The folder gets its name when its latch is durable. In a folder that is there nothing is made: when its latch
        is missing, somebody took it away, and the bot is latched.

        Raises:
            Bot4Error: the folder cannot be made.
        """
        if self.exists():
            return
        draft = self.path.with_name(f".{self.name}.{os.getpid()}")
        try:
            for each in (self.path.parent.parent, self.path.parent):  # the mode of parents=True is the umask's
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.rmtree(draft, ignore_errors=True)  # of a process with our number that died in the middle of this
            draft.mkdir(mode=0o700)
            Latch.create(draft / self.latch_path.name, self.name, who="first start", ts=time.time_ns()).close()
            os.rename(draft, self.path)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if self.exists():  # another process was quicker
                return
            raise Bot4Error(f"{self.path}: the bot's folder cannot be made: {error.strerror}: {_FOREIGN}") from error
        sync_folder(self.path.parent)

    def open_latch(self) -> Latch:
        """The bot's kill latch; a missing or damaged file reads as KILLED."""
        return Latch.open(self.latch_path, self.name)

    @contextmanager
    def lock(self) -> Iterator[Callable[[], bool]]:
        """Holds the bot's lock: one trading process per bot.

        Yields:
            ``still_mine``: whether the file of that name is still the one that is held. When it is not, somebody took
            it away and a second trading process may start: the first must stop. A system call or two; it never raises.

        Raises:
            AlreadyRunning: another process holds it.
            Bot4Error: the lock file cannot be used.
        """
        try:
            fd = os.open(self.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise Bot4Error(f"{self.lock_path}: cannot be opened: {error.strerror}") from error
        try:
            if not take_turn(fd, _LOCK_S):
                holder = self.holder() or "unknown"
                raise AlreadyRunning(f"bot {self.name} is running already (process {holder}): stop that one first")
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
            if not _is_at(fd, self.lock_path):
                raise Bot4Error(f"{self.lock_path}: was taken away while it was being locked: start again")
            yield lambda: _is_at(fd, self.lock_path)
        finally:
            os.close(fd)  # gives the lock back

    @contextmanager
    def recorder_lock(self, timeout_s: float) -> Iterator[int]:
        """The lock of the bot's recorder, which inherits it: it is free once the recorder of the last run has ended.

        Args:
            timeout_s: how long that one is waited for.

        Yields:
            The file descriptor to hand on to the recorder.

        Raises:
            AlreadyRunning: it still works on the last run's records.
            Bot4Error: the lock file cannot be used.
        """
        path = self.path / "recorder.lock"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise Bot4Error(f"{path}: cannot be opened: {error.strerror}") from error
        try:
            if not take_turn(fd, timeout_s):
                raise AlreadyRunning(f"the recorder of {self.name}'s last run is still at work: wait, or end it")
            yield fd
        finally:
            os.close(fd)

    def is_running(self) -> bool:
        """Whether a trading process holds the lock now.

        Raises:
            Bot4Error: nobody can say, because the lock file cannot be opened.
        """
        try:
            fd = os.open(self.lock_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise Bot4Error(f"{self.lock_path}: cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def holder(self) -> int | None:
        """Process id in the lock file: of who holds the lock, or held it last; None when it cannot be read."""
        try:
            fd = os.open(self.lock_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            text = os.read(fd, 32).strip()
        except OSError:
            return None
        finally:
            os.close(fd)
        return int(text) if text.isdigit() else None


def bot_folder(name: str) -> BotFolder:
    """The folder of a bot that has started here before.

    Raises:
        ConfigError: there is none; the message names those that are.
        Bot4Error: the state directory cannot be read.
    """
    known = [one.name for one in bot_folders()]
    if name not in known:
        named = ", ".join(known) or "none"
        # difflib takes letters of another case for other letters
        twins = [one for one in known if one.casefold() == name.casefold()]
        hint = f"; did you mean {twins[0]!r}?" if twins else nearest(name, known)
        raise ConfigError(f"no bot named {name!r} has started here ({state_dir()}); known: {named}{hint}")
    return BotFolder.of(name)


def bot_folders() -> list[BotFolder]:
    """Every bot that has started here, by name.

    Raises:
        Bot4Error: the state directory cannot be read.
    """
    try:
        names = sorted(one.name for one in os.scandir(state_dir() / "bots") if one.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Bot4Error(f"{state_dir()}: the bots cannot be listed: {error.strerror}: {_FOREIGN}") from error
    return [BotFolder.of(name) for name in names if not name.startswith(".")]


def _is_at(fd: int, path: Path) -> bool:
    held = os.fstat(fd)
    try:
        there = os.stat(path, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # nobody gets past it then, so nobody else can lock it
        return True
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
