"""What ``bot4 doctor`` looks at on the machine: Python, native library, clock, state directory, disk, histories."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import shutil
import stat
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from attrs import frozen

from ..errors import one_line
from ..state.folder import state_dir

Status = Literal["ok", "warn", "bad"]

_PYTHONS = ((3, 11), (3, 14))
_MACHINES = ("x86_64", "amd64", "aarch64", "arm64")
_YEAR_2024_S = 1_704_067_200
_FEW_FILES, _SOME_FILES = 128, 1024
_LITTLE_DISK, _SOME_DISK = 256 << 20, 2 << 30
#: locks and shared memory of these do not hold between machines, or at all
_REMOTE = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "fuse.sshfs",
    "fuse.s3fs",
)
_FORGETS = ("tmpfs", "ramfs")
#: struct timex of 64-bit Linux: modes, offset, freq, maxerror, esterror, status; the kernel writes 208 bytes
_TIMEX = struct.Struct("@i4xqqqqi")
_TIMEX_BYTES, _UNSYNCHRONISED = 512, 0x40


@frozen
class Finding:
    """One line of the doctor's.

    Args:
        name: what was looked at.
        status: ``ok``; ``warn``, it works but should be looked at; ``bad``, it does not, or money is at risk.
        message: what was measured, and what to do.
    """

    name: str
    status: Status
    message: str


def python() -> Iterator[Finding]:
    """Version and platform."""
    version, machine = sys.version_info[:2], platform.machine().lower()
    text = f"{sys.implementation.name} {platform.python_version()} on {sys.platform} {machine}"
    low, high = _PYTHONS
    if version < low:
        yield Finding("python", "bad", f"{text}: bot4 needs {low[0]}.{low[1]} or newer")
    elif version > high:
        yield Finding("python", "warn", f"{text}: newer than {high[0]}.{high[1]}, the last that was tried")
    elif not sys.platform.startswith("linux") or machine not in _MACHINES:
        yield Finding("python", "warn", f"{text}: tried on Linux x86_64 and aarch64; elsewhere nobody knows")
    else:
        yield Finding("python", "ok", text)


def native() -> Iterator[Finding]:
    """The library loads, and its counters count."""
    from ..native import ABI
    from ..native.counters import Counters

    counters = Counters(["probe"])
    large = 2**62 + 1
    counters.add(0, large)
    if (got := counters.get(0)) != large:
        yield Finding("native library", "bad", f"ABI {ABI}: a counter of {large} reads {got}: reinstall bot4-core")
    else:
        # src/event.h does not compile where atomics of 64 bits take a lock
        yield Finding("native library", "ok", f"ABI {ABI}; 64-bit atomics are lock-free")


def clock() -> Iterator[Finding]:
    """Wall clock, monotonic clock, and whether somebody keeps the wall clock right."""
    now_s, first = time.time(), time.monotonic_ns()
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s))
    if now_s < _YEAR_2024_S:
        yield Finding("clock", "bad", f"it is {text}? set the clock: orders and journal carry its time")
        return
    if time.monotonic_ns() < first:
        yield Finding("clock", "bad", "the monotonic clock runs backwards: timeouts cannot be trusted on this machine")
        return
    synchronised = _synchronised()
    if synchronised is None:
        yield Finding("clock", "ok", f"{text}; whether it is kept by NTP cannot be read here")
    elif synchronised:
        yield Finding("clock", "ok", f"{text}, kept by NTP")
    else:
        yield Finding("clock", "warn", f"{text}; NTP does not keep it: venues refuse orders of a wrong clock")


def _synchronised() -> bool | None:
    """What the kernel says; None where it says nothing."""
    if not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        return None
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        if ctypes.CDLL(None).adjtimex(buffer) < 0:  # modes 0: only asks
            return None
    except (OSError, AttributeError):
        return None
    return not _TIMEX.unpack_from(buffer.raw)[5] & _UNSYNCHRONISED


def open_files() -> Iterator[Finding]:
    """How many descriptors a process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = "no limit" if soft == resource.RLIM_INFINITY else f"at most {soft}"
    if 0 <= soft < _FEW_FILES:
        yield Finding(
            "open files", "bad", f"{most}: a bot needs {_FEW_FILES}; raise it with `ulimit -n` (up to {hard})"
        )
    elif 0 <= soft < _SOME_FILES:
        yield Finding("open files", "warn", f"{most}: {_SOME_FILES} leave room; raise it with `ulimit -n`")
    else:
        yield Finding("open files", "ok", most)


def state() -> Iterator[Finding]:
    """The state directory: whose it is, who may look, whether it can be written."""
    folder = state_dir()
    name = "state directory"
    if not folder.exists():
        above = next(one for one in folder.parents if one.exists())
        if not os.access(above, os.W_OK | os.X_OK):
            yield Finding(name, "bad", f"{folder} does not exist and cannot be made: {above} is not yours to write")
        else:
            yield Finding(name, "ok", f"{folder}: not there yet; the first run makes it")
        yield from _disk(above)
        return
    yield _owned(name, folder)
    yield _writable(folder)
    yield from _disk(folder)


def _owned(name: str, folder: Path) -> Finding:
    status = folder.stat()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid():
        return Finding(name, "bad", f"{folder} belongs to user {status.st_uid}, not to you ({os.geteuid()}): chown it")
    if mode & 0o022:
        return Finding(name, "bad", f"{folder} has mode {mode:04o}: others may change latch and journal; chmod 700")
    if mode & 0o077:
        return Finding(name, "warn", f"{folder} has mode {mode:04o}: others may look into it; chmod 700")
    return Finding(name, "ok", f"{folder}, mode {mode:04o}")


def _writable(folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"bot4")
            probe.flush()
            began = time.perf_counter()
            os.fsync(probe.fileno())
            took_ms = (time.perf_counter() - began) * 1000
    except OSError as error:
        return Finding("writing", "bad", f"{folder}: nothing can be written there: {error.strerror}")
    return Finding("writing", "ok", f"a small file reaches the disk in {took_ms:.1f} ms")


def _disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < _LITTLE_DISK:
        yield Finding("disk", "bad", f"{text}: a full disk stops every bot; make room")
    elif free < _SOME_DISK:
        yield Finding("disk", "warn", f"{text}: journal and logs grow; make room soon")
    else:
        yield Finding("disk", "ok", text)
    kind = file_system(folder)
    if kind in _REMOTE:
        message = f"{folder} lies on {kind}: locks and shared memory do not hold there; set BOT4_STATE to a local disk"
        yield Finding("file system", "bad", message)
    elif kind in _FORGETS:
        message = f"{folder} lies on {kind}: journal and kill latch are gone after a restart of the machine"
        yield Finding("file system", "warn", message)
    else:
        yield Finding("file system", "ok", kind or "cannot be read here")


def file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of file system a folder lies on, empty where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    here = folder.resolve()
    for line in lines:
        before, separator, after = line.partition(" - ")
        parts = before.split(" ")
        if not separator or len(parts) < 5:
            continue
        point = Path(parts[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        if len(point.parts) >= best and here.is_relative_to(point):  # a later line covers an earlier one
            best, kind = len(point.parts), after.split(" ")[0]
    return kind


def histories() -> Iterator[Finding]:
    """The catalogue of histories."""
    from ..history.catalogue import ENVIRONMENT, Catalogue, Damaged

    catalogue = Catalogue.open()
    if not catalogue.directory.is_dir():
        named = os.environ.get(ENVIRONMENT)
        where = f"{catalogue.directory} is no directory" if named else f"none yet at {catalogue.directory}"
        yield Finding("histories", "warn" if named else "ok", where)
        return
    entries = catalogue.entries()
    damaged = [one for one in entries if isinstance(one, Damaged)]
    for one in damaged:
        message = f"{one.path}: {one_line(one.reason)}; import it again"
        yield Finding("histories", "bad", message)
    if not damaged:
        yield Finding("histories", "ok", f"{len(entries)} in {catalogue.directory}")
