"""Trying out installed plugins, each in a process of its own.

An import that exits, hangs or crashes the interpreter is a status here and not an accident.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from attrs import frozen

from .errors import PluginConflict, PluginError, PluginIncompatible, nearest, one_line
from .plugins import DISABLE_VARIABLE, PluginInfo, disabled, entries_by_name, info_of, load

CHECK_TIMEOUT_S = 30.0


@frozen(kw_only=True)
class PluginStatus:
    """What ``check`` found out about one plugin.

    Args:
        info: the entry point.
        offers: ``<kind>:<name>`` of each spec.
        status: ``ok``, ``broken``, ``incompatible``, ``conflict`` or ``disabled``.
        reason: one line, empty when ok.
    """

    info: PluginInfo
    offers: tuple[str, ...] = ()
    status: str = "ok"
    reason: str = ""


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
    # -P: what stands in the current folder must not be able to shadow an installed plugin
    command = [sys.executable, "-P", "-c", "from bot4_core.plugin_check import _report; _report()", name]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        answer, complaint = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return PluginStatus(info=info, status="broken", reason=f"its import took longer than {timeout_s:g} s")
    try:
        found = json.loads(answer)
        return PluginStatus(
            info=info, offers=tuple(found["offers"]), status=found["status"], reason=one_line(found["reason"])
        )
    except (ValueError, KeyError, TypeError):
        lines = complaint.decode(errors="replace").splitlines()
        ending = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
        reason = f"it ended its process with {ending}" + (f": {one_line(lines[-1])}" if lines else "")
        return PluginStatus(info=info, status="broken", reason=reason)


def check_all(*, timeout_s: float = CHECK_TIMEOUT_S) -> tuple[PluginStatus, ...]:
    """:func:`check` of every installed plugin, two at a time; a name offered twice marks both as in conflict."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=2) as pool:
        statuses = list(pool.map(lambda name: check(name, timeout_s=timeout_s), entries_by_name()))
    owners: dict[str, list[str]] = {}
    for one in statuses:
        for offer in one.offers:
            owners.setdefault(offer, []).append(f"{one.info.name} ({one.info.origin})")
    return tuple(_in_conflict(one, owners) for one in statuses)


def _in_conflict(one: PluginStatus, owners: Mapping[str, Sequence[str]]) -> PluginStatus:
    for offer in one.offers:
        if one.status == "ok" and len(owners[offer]) > 1:
            reason = f"{offer} is offered by {' and '.join(owners[offer])}"
            return PluginStatus(info=one.info, offers=one.offers, status="conflict", reason=reason)
    return one


def _report() -> None:
    """The child process of :func:`check`: one JSON object on the original stdout, whatever the plugin prints."""
    answer = os.dup(1)
    os.dup2(2, 1)
    found: dict[str, object] = {"offers": [], "status": "ok", "reason": ""}
    try:
        registry = load([sys.argv[1]])
        found["offers"] = [f"{kind}:{spec.name}" for one in registry.loaded for kind, spec in one.specs]
    except PluginConflict as error:
        found |= {"status": "conflict", "reason": str(error)}
    except PluginIncompatible as error:
        found |= {"status": "incompatible", "reason": str(error)}
    except PluginError as error:
        found |= {"status": "broken", "reason": str(error)}
    with open(answer, "w", encoding="utf-8") as stream:
        json.dump(found, stream)
    # a thread the plugin left behind must not keep this process
    os._exit(0)
