"""What installed metadata says about plugins; nothing here imports one."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint, entry_points

from attrs import frozen

GROUP = "bot4"
#: What a plugin can be, and the hook that asks for it.
HOOK_OF_KIND = {
    "exchange": "bot4_exchanges",
    "risk": "bot4_risk_checks",
    "strategy": "bot4_strategies",
    "sink": "bot4_sinks",
}
#: The distribution whose own plugins need no place in a config's allowlist: who runs bot4 has allowed it already.
CORE_DISTRIBUTION = "bot4-core"
#: Comma-separated entry-point names that are treated as not installed, ``*`` for all: the way out when a plugin hurts.
DISABLE_VARIABLE = "BOT4_DISABLE_PLUGINS"


@frozen(kw_only=True)
class PluginInfo:
    """One entry point, from metadata alone.

    Args:
        name: ``<kind>-<name>`` as the distribution declares it.
        distribution, version: who ships it.
        target: the module (and attribute) it names.
    """

    name: str
    distribution: str
    version: str
    target: str

    @property
    def kind(self) -> str:
        """``exchange``, ``risk``, ``strategy`` or ``sink``; empty when the name starts with none of them."""
        return split_name(self.name)[0]

    @property
    def origin(self) -> str:
        """Distribution and version, for messages."""
        return f"{self.distribution} {self.version}"


def split_name(name: str) -> tuple[str, str]:
    """Kind and rest of an entry-point name ``<kind>-<name>``; two empty texts for a name that is none."""
    kind, _, rest = name.partition("-")
    return (kind, rest) if rest and kind in HOOK_OF_KIND else ("", "")


def info_of(entry: EntryPoint) -> PluginInfo:
    """What the metadata says about an entry point."""
    # entry_points() attaches the distribution; only entry points built by hand lack it
    name, number = (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "")
    return PluginInfo(name=entry.name, distribution=name, version=number, target=entry.value)


def entries_by_name() -> dict[str, list[EntryPoint]]:
    """Installed entry points of the group; more than one under a name is a conflict."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.dist.name if e.dist else "")):
        found.setdefault(entry.name, []).append(entry)
    return found


def listing() -> tuple[PluginInfo, ...]:
    """Every installed plugin by name, from metadata alone: no plugin is imported."""
    return tuple(info_of(entry) for entries in entries_by_name().values() for entry in entries)


def is_own(entry: EntryPoint) -> bool:
    """Whether the core itself ships this plugin."""
    return entry.dist is not None and normal_name(entry.dist.name) == CORE_DISTRIBUTION


def normal_name(distribution: str) -> str:
    """A distribution's name as names are compared: ``Bot4_Core`` is ``bot4-core``."""
    return distribution.lower().replace("_", "-").replace(".", "-")


def disabled(name: str) -> bool:
    """Whether the environment switches this plugin off."""
    names = {part.strip() for part in os.environ.get(DISABLE_VARIABLE, "").split(",")}
    return "*" in names or name in names
