"""What ``bot4 doctor`` looks at of bot4 itself: journal, plugins, a config, and what bots left behind."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Bot4Error, ConfigError, one_line
from ..native.latch import Mode
from ..report.wording import counted
from ..state.folder import BotFolder, state_dir
from .doctor_machine import Finding

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ..config.model import Config

#: SQLite versions in which two connections that reset a WAL at once can corrupt it (RELIABILITY.md section 3)
_WAL_BUG = ((3, 7, 0), (3, 51, 2))
_QUICK_CHECK_S = 20.0
#: steps of SQLite's machine between two looks at the time
_PROGRESS = 100_000
_CONNECT_S = 5
_LARGE_LOG = 1 << 30
_DRAFT = re.compile(r"\.(segment|latch)\.(\d+)")
_FOLDER_DRAFT = re.compile(r"\.(.+)\.(\d+)")


def journal(url: str | None) -> Iterator[Finding]:
    """The journal's database; None is the one in the state directory."""
    from ..journal.database import default_file, parse_url, sqlite_file
    from ..journal.store import default_url

    parsed = parse_url(url or default_url())
    if parsed.get_backend_name() != "sqlite":
        yield _postgres(parsed)
        return
    yield _sqlite_version()
    file = sqlite_file(parsed)
    if file is None:
        yield Finding("journal", "warn", "a database in memory: nothing of it is left when a bot ends")
        return
    if file.parent.is_dir():
        yield _waits_for_the_disk(file.parent)
    elif file.absolute() != default_file():
        yield Finding("journal", "bad", f"{file}: its directory does not exist: make it, or choose another path")
        return
    if not file.is_file():
        yield Finding("journal", "ok", f"{file}: not there yet; the first run makes it")
        return
    yield from _sqlite(parsed, file)


def _sqlite_version() -> Finding:
    low, high = _WAL_BUG
    text = f"SQLite {sqlite3.sqlite_version}"
    if low <= sqlite3.sqlite_version_info <= high:
        message = (
            f"{text}: up to 3.51.2 two processes that reset a WAL at the same time can corrupt it (rare):"
            " leave a running bot's journal to its recorder, keep backups, or use a newer SQLite or PostgreSQL"
        )
        return Finding("sqlite", "warn", message)
    return Finding("sqlite", "ok", text)


def _waits_for_the_disk(folder: Path) -> Finding:
    """WAL and FULL, read back on a database of our own beside the real one."""
    from ..journal.database import connect, one_line, parse_url

    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as own:
        url = parse_url(f"sqlite:///{Path(own) / 'probe.db'}")
        engine = connect(url, "paper")
        try:
            with one_line(url, "opening it"), engine.connect():
                return Finding("journal mode", "ok", "WAL and synchronous FULL hold in this directory")
        finally:
            engine.dispose()


def _sqlite(url: sa.URL, file: Path) -> Iterator[Finding]:
    from ..journal.store import Store

    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o022:
        yield Finding("journal", "bad", f"{file} has mode {mode:04o}: others may change it; chmod 600")
    yield _quick_check(file)  # first: the store that is closed after it tidies up the files of a WAL
    with Store.open(url.render_as_string(hide_password=False), mode="read") as store:
        runs = counted(len(store.runs()), "run")
    yield Finding("journal", "ok", f"schema current, {runs}, {file.stat().st_size / 2**20:.1f} MiB: {file}")


def _quick_check(file: Path) -> Finding:
    name = "journal pages"
    deadline = time.monotonic() + _QUICK_CHECK_S
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=_CONNECT_S)
    try:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _PROGRESS)
        (wal,) = connection.execute("PRAGMA journal_mode").fetchone()
        found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.OperationalError as error:
        if time.monotonic() > deadline:
            return Finding(name, "warn", f"quick_check was not done after {_QUICK_CHECK_S:g} s; run it when bots rest")
        return Finding(name, "bad", f"quick_check: {one_line(error)}")
    except sqlite3.DatabaseError as error:
        return Finding(name, "bad", f"quick_check: {one_line(error)}: {_RESTORE}")
    finally:
        connection.close()
    if found != ["ok"]:
        return Finding(name, "bad", f"quick_check: {one_line('; '.join(found))}: {_RESTORE}")
    if wal != "wal":
        return Finding(name, "warn", f"quick_check ok; its journal mode is {wal}, the next run sets WAL")
    return Finding(name, "ok", "quick_check ok, journal mode WAL")


_RESTORE = "stop the bots, keep the file, and restore a backup beside it"


def _postgres(url: sa.URL) -> Finding:
    from ..journal.database import show
    from ..journal.store import Store

    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": str(_CONNECT_S)})
    with Store.open(url.render_as_string(hide_password=False), mode="paper", create=False) as store:
        runs = len(store.runs())
    shown = show(url.difference_update_query(["connect_timeout"]))
    message = f"schema current, {counted(runs, 'run')}; fsync, full_page_writes and synchronous_commit are on: {shown}"
    return Finding("journal", "ok", message)


def plugins(wanted: frozenset[str]) -> Iterator[Finding]:
    """Each installed plugin, loaded in a process of its own.

    Args:
        wanted: entry-point names that a config allows: these must work.
    """
    from ..plugin_check import check_all

    statuses = check_all()
    for one in statuses:
        name, origin = f"plugin {one.info.name}", one.info.origin
        if one.status == "disabled" and one.info.name in wanted:
            yield Finding(name, "bad", f"{origin}: {one.reason}, and the config wants it")
        elif not one.usable:
            hint = "the config wants it" if one.info.name in wanted else "a bot whose config allows it does not start"
            yield Finding(name, "bad" if one.info.name in wanted else "warn", f"{origin}: {one.reason}; {hint}")
        elif one.warnings:
            yield Finding(name, "warn", f"{origin}: {'; '.join(one.warnings)}")
        else:
            yield Finding(name, "ok", f"{origin}: {', '.join(one.offers) or one.reason}")
    if not statuses:
        yield Finding("plugins", "warn", "none is installed: a bot needs an exchange")


def config(path: str) -> Iterator[Finding]:
    """A bot's config: it assembles, its secrets are found, and what live trading would refuse."""
    from ..config import load_config, resolve
    from ..config.secrets import secrets_of
    from ..engine.assemble import assemble
    from ..native.latch import Latch
    from .check import live_doubts
    from .loading import load_plugins

    try:
        loaded = load_config(path)
        plan = resolve(loaded, load_plugins(loaded.bot.plugins))
        assembly = assemble(plan, Latch.memory(loaded.bot.name))
    except ConfigError as error:
        for mistake in error.mistakes:
            yield Finding("config", "bad", str(mistake))
        return
    secrets = len(list(secrets_of(plan)))
    found = f"; {secrets} secret{'s' if secrets != 1 else ''} found" if secrets else ""
    yield Finding("config", "ok", f"{path}: bot {loaded.bot.name} ({loaded.bot.mode}) assembles{found}")
    yield _config_mode(loaded)
    for doubt in live_doubts(assembly):
        yield Finding("live trading", "warn", str(doubt))


def _config_mode(loaded: Config) -> Finding:
    mode = stat.S_IMODE(loaded.path.stat().st_mode)
    if mode & 0o022:
        return Finding("config file", "warn", f"mode {mode:04o}: others may change what the bot does; chmod 600")
    return Finding("config file", "ok", f"mode {mode:04o}")


def read_config(path: str | None) -> tuple[frozenset[str], str | None]:
    """The plugins that a config allows and its journal's URL; nothing of a config that cannot be read."""
    from ..config import load_config

    if path is None:
        return frozenset(), None
    try:
        loaded = load_config(path)
    except Bot4Error:  # named by the config's own check
        return frozenset(), None
    return frozenset(pin.name for pin in loaded.bot.plugins), loaded.journal_url


def bots() -> Iterator[Finding]:
    """Half-made folders of bots whose first start died."""
    parent = state_dir() / "bots"
    if not parent.is_dir():
        return
    for one in sorted(parent.iterdir()):
        found = _FOLDER_DRAFT.fullmatch(one.name)
        if found and not _alive(int(found[2])):
            message = f"{one} was left by a first start of bot {found[1]} that died: delete it"
            yield Finding("bots", "warn", message)


def bot(folder: BotFolder) -> Iterator[Finding]:
    """One bot's folder: whether it lives, its latch, what lies around, its log."""
    from .sight import Life, look
    from .status_data import explain
    from .status_text import latch_story

    sight = look(folder)
    name = f"bot {folder.name}"
    run = f" (run {sight.manifest.run_id})" if sight.manifest is not None else ""
    if sight.life in (Life.SILENT, Life.DIED, Life.FAILED) or (sight.trouble and sight.life is not Life.NEVER):
        yield Finding(name, "bad" if sight.life is Life.SILENT else "warn", explain(sight) + run)
    else:
        yield Finding(name, "ok", f"{sight.life.value}{run}")
    latch = sight.latch
    if not latch.durable:
        message = f"reads as KILLED: {latch.reason}; `bot4 resume {folder.name}` makes a new one"
        yield Finding(f"{name} latch", "bad", message)
    elif latch.mode is not Mode.ACTIVE:
        message = f"{latch.mode.name} {latch_story(latch, time.time_ns())}; `bot4 resume {folder.name}` releases it"
        yield Finding(f"{name} latch", "warn", message)
    else:
        yield Finding(f"{name} latch", "ok", "ACTIVE")
    yield from _files(name, folder)


def _files(name: str, folder: BotFolder) -> Iterator[Finding]:
    status = folder.path.stat()
    mode = stat.S_IMODE(status.st_mode)
    troubled = False
    if status.st_uid != os.geteuid() or mode & 0o077:
        troubled = True
        message = f"{folder.path} has mode {mode:04o} and belongs to user {status.st_uid}: chown it to you, chmod 700"
        yield Finding(f"{name} files", "bad" if mode & 0o022 else "warn", message)
    for one in sorted(folder.path.iterdir()):
        draft = _DRAFT.fullmatch(one.name)
        if draft and not _alive(int(draft[2])):
            troubled = True
            yield Finding(f"{name} files", "warn", f"{one} was left by a process that died: delete it")
    logs = sum(one.stat().st_size for one in folder.log_path.parent.glob("*") if one.is_file())
    if logs > _LARGE_LOG:
        yield Finding(f"{name} files", "warn", f"{logs / 2**30:.1f} GiB of logs in {folder.log_path.parent}")
    elif not troubled:
        yield Finding(f"{name} files", "ok", f"mode {mode:04o}; logs {logs / 2**20:.1f} MiB")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True
