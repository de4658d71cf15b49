"""Trying out installed plugins, each in a process of its own.

An import that exits, hangs or crashes the interpreter is a status here and not an accident. What happens in that
process is :mod:`bot4_core.plugin_trial`.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from attrs import evolve, frozen

from .errors import ConfigError, PluginError, nearest, one_line
from .plugins import DISABLE_VARIABLE, PluginInfo, disabled, entries_by_name, info_of
from .plugins.loading import PRINTS
from .plugins.metadata import split_name

CHECK_TIMEOUT_S = 30.0
#: What a plugin may print while it is loaded, both streams together.
OUTPUT_LIMIT_BYTES = 1 << 20
_ANSWER_LIMIT_BYTES = 4 << 20
_CHUNK_BYTES = 1 << 16
#: How often the end of the process is looked for while its pipes are silent.
_POLL_S = 0.05


@frozen(kw_only=True)
class PluginStatus:
    """What ``check`` found out about one plugin.

    Args:
        info: the entry point.
        offers: ``<kind>:<name>`` of each spec.
        status: ``ok``, ``broken``, ``incompatible``, ``conflict`` or ``disabled``.
        reason: one line, empty when ok.
        warnings: what its author should change, one line each; it works all the same.
        details: each offer with its settings, as :mod:`bot4_core.plugin_trial` describes them.
    """

    info: PluginInfo
    offers: tuple[str, ...] = ()
    status: str = "ok"
    reason: str = ""
    warnings: tuple[str, ...] = ()
    details: tuple[Mapping[str, Any], ...] = ()

    @property
    def usable(self) -> bool:
        """Whether nothing is wrong with it; one that is switched off is not judged."""
        return self.status in ("ok", "disabled")


@frozen(kw_only=True)
class _Trial:
    """How one process ended: what it answered and printed, its exit code, and why it was stopped, if it was."""

    answer: bytes
    stdout: bytes
    stderr: bytes
    code: int
    stopped: str


def check(name: str, *, timeout_s: float = CHECK_TIMEOUT_S) -> PluginStatus:
    """Loads one installed plugin in a process of its own and says how it fares. Never raises for what a plugin does.

    Args:
        name: entry-point name.
        timeout_s: how long its import and hooks may take.

    Raises:
        PluginError: no plugin of that name is installed.
    """
    entries = entries_by_name()
    if name not in entries:
        raise PluginError(name, f"not installed; installed: {', '.join(entries) or 'none'}{nearest(name, entries)}")
    info = info_of(entries[name][0])
    if disabled(name):
        return PluginStatus(info=info, status="disabled", reason=f"switched off by {DISABLE_VARIABLE}")
    return _status(info, _try_out(name, timeout_s))


def check_all(names: Sequence[str] = (), *, timeout_s: float = CHECK_TIMEOUT_S) -> tuple[PluginStatus, ...]:
    """:func:`check` of several plugins, as many at once as there are cores.

    Args:
        names: entry-point names; none = every installed plugin.
        timeout_s: for each.

    Returns:
        one status per name in their order; plugins among them that offer one name are in conflict.
    """
    from concurrent.futures import ThreadPoolExecutor

    wanted = list(dict.fromkeys(names)) or list(entries_by_name())
    if not wanted:
        return ()
    with ThreadPoolExecutor(max_workers=min(len(wanted), _cores())) as pool:
        statuses = list(pool.map(lambda name: check(name, timeout_s=timeout_s), wanted))
    owners: dict[str, list[str]] = {}
    for one in statuses:
        for offer in one.offers:
            owners.setdefault(offer, []).append(f"{one.info.name} ({one.info.origin})")
    return tuple(_in_conflict(one, owners) for one in statuses)


def find_name(name: str, *, timeout_s: float = CHECK_TIMEOUT_S) -> str:
    """The entry-point name of a plugin that a person names by that, by its second half, or by what it offers.

    Only a name that looks like none of the installed ones makes the plugins be tried out.

    Raises:
        ConfigError: no plugin, or several, answer to it.
    """
    installed = list(entries_by_name())
    if name in installed:
        return name
    found = [one for one in installed if split_name(one)[1] == name]
    meant = nearest(name, [*installed, *(split_name(one)[1] for one in installed)])
    if not found and not meant:
        tried = check_all(timeout_s=timeout_s)
        found = [one.info.name for one in tried for each in one.offers if each.partition(":")[2] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{name!r} is the name of several plugins: {', '.join(found)}; say which")
    raise ConfigError(f"no plugin {name!r} is installed; installed: {', '.join(installed) or 'none'}{meant}")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_conflict(one: PluginStatus, owners: Mapping[str, Sequence[str]]) -> PluginStatus:
    for offer in one.offers:
        if one.status == "ok" and len(owners[offer]) > 1:
            return evolve(one, status="conflict", reason=f"{offer} is offered by {' and '.join(owners[offer])}")
    return one


def _status(info: PluginInfo, trial: _Trial) -> PluginStatus:
    if trial.stopped:
        return PluginStatus(info=info, status="broken", reason=trial.stopped)
    try:
        found = json.loads(trial.answer)
        details = tuple(found["offers"])
        notes = [one_line(text) for text in found["warnings"]]
        status = PluginStatus(
            info=info,
            offers=tuple(f"{one['kind']}:{one['name']}" for one in details),
            status=str(found["status"]),
            reason=one_line(found["reason"]),
            warnings=tuple(notes if not trial.stdout or PRINTS in notes else [*notes, PRINTS]),
            details=details,
        )
    except (ValueError, KeyError, TypeError):
        lines = trial.stderr.decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        reason = f"it ended its process with {_ending(trial.code)}" + (f": {one_line(last)}" if last else "")
        return PluginStatus(info=info, status="broken", reason=reason)
    return status


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def _try_out(name: str, timeout_s: float) -> _Trial:
    reading, writing = os.pipe()
    # -P: what stands in the current folder must not be able to shadow an installed plugin
    program = "from bot4_core.plugin_trial import main; main()"
    command = [sys.executable, "-P", "-c", program, name, str(writing)]
    with open(reading, "rb", buffering=0) as answer:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                pass_fds=(writing,), start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(writing)
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr:
            streams = (answer, process.stdout, process.stderr)
            try:
                heard, stopped = _listen(process.pid, streams, timeout_s)
            finally:
                # the process is not waited for yet, so its number can be nobody else's; what it started goes too
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
    return _Trial(answer=heard[0], stdout=heard[1], stderr=heard[2], code=code, stopped=stopped)


def _listen(pid: int, streams: Sequence[IO[bytes]], timeout_s: float) -> tuple[list[bytes], str]:
    """Reads answer, stdout and stderr until the process ends, takes too long or says too much."""
    heard = [bytearray() for _ in streams]
    stopped = ""
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        for at, stream in enumerate(streams):
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, at)
        ended = False
        while not stopped and selector.get_map():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                stopped = f"its import took longer than {timeout_s:g} s"
                break
            ready = selector.select(0 if ended else min(left_s, _POLL_S))
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK_BYTES)
                heard[key.data] += chunk
                if not chunk:
                    selector.unregister(key.fileobj)
            if len(heard[1]) + len(heard[2]) > OUTPUT_LIMIT_BYTES:
                stopped = f"it printed more than {OUTPUT_LIMIT_BYTES >> 20} MiB while it was imported"
            elif len(heard[0]) > _ANSWER_LIMIT_BYTES:
                stopped = f"it offers more than {_ANSWER_LIMIT_BYTES >> 20} MiB of descriptions"
            elif ended and not ready:
                break  # a child that was left behind may hold the pipes open
            ended = ended or _has_ended(pid)
    return [bytes(one) for one in heard], stopped


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
