"""The plugins a bot names: each compared with its pin, imported, and refused when it does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint

from attrs import Attribute, field, frozen

from ..errors import DomainError, PluginChanged, PluginConflict, nearest
from .files import digest
from .loading import Loaded, import_plugin, judged
from .metadata import DISABLE_VARIABLE, PluginInfo, disabled, entries_by_name, is_own, split_name
from .registry import Registry

_SHA256 = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]{0,99}")


def _valid_version(_pin: object, _attribute: Attribute[str | None], value: str | None) -> None:
    if value is not None and not _VERSION.fullmatch(value):
        raise DomainError(f"{value!r} is no version; as 0.1.0")


def _valid_sha256(_pin: object, _attribute: Attribute[str | None], value: str | None) -> None:
    if value is not None and not _SHA256.fullmatch(value):
        raise DomainError(f"{value!r} must be 64 of 0-9 a-f, as `bot4 plugins show NAME` prints it")


#: what an editor may know of them, for ``bot4 config schema``
_valid_version.json_schema = {"pattern": f"^(?:{_VERSION.pattern})$"}  # type: ignore[attr-defined]  # on a function
_valid_sha256.json_schema = {"pattern": f"^(?:{_SHA256.pattern})$"}  # type: ignore[attr-defined]  # on a function


@frozen
class Pin:
    """One entry of ``[bot] plugins``: a plugin that may be imported, and what it must be.

    Args:
        name: entry-point name.
        version: the distribution's version, to the letter; any without it.
        sha256: digest over its files, as ``bot4 plugins show NAME`` prints it; any without it.

    Raises:
        DomainError: a version or digest that cannot be one.
    """

    name: str
    version: str | None = field(default=None, validator=_valid_version)
    sha256: str | None = field(default=None, validator=_valid_sha256)

    def as_toml(self) -> str:
        """The entry as a config writes it."""
        parts = {"name": self.name, "version": self.version, "sha256": self.sha256}
        return "{ " + ", ".join(f'{key} = "{value}"' for key, value in parts.items() if value is not None) + " }"


def load(names: Iterable[str | Pin], *, timeout_s: float | None = None) -> Registry:
    """Imports exactly the named plugins and asks each what it offers.

    A pinned version or digest is compared before anything of the plugin is imported. A name that is not installed or
    is switched off is no error here: it stands in ``missing`` with the reason, so that a config can report it beside
    its other mistakes.

    Args:
        names: the allowlist.
        timeout_s: how long each plugin may take to load; None = :data:`bot4_core.plugins.loading.LOAD_TIMEOUT_S`.

    Raises:
        PluginLoadError: a named plugin cannot be imported, takes too long or offers nonsense.
        PluginIncompatible: it wants another core.
        PluginChanged: it is not the version, or has not the files, that the config pins.
        PluginConflict: two plugins offer one name; the message names both.
    """
    entries = entries_by_name()
    own = {name: one for name, several in entries.items() for one in several if is_own(one)}
    loaded: list[Loaded] = []
    missing: dict[str, str] = {}
    for name, pins in _allowed(names).items():
        if name not in entries:
            known = ", ".join(entries) if entries else "none"
            missing[name] = f"plugin {name!r} is not installed; installed: {known}{nearest(name, entries)}"
        elif disabled(name):
            missing[name] = f"plugin {name!r} is switched off by {DISABLE_VARIABLE}"
        else:
            info = judged(entries[name])
            refuse_changed(info, entries[name][0], pins)
            loaded.append(import_plugin(info, entries[name][0], timeout_s))
    _refuse_conflicts(loaded, own)
    return Registry(tuple(loaded), missing, tuple(entries), own)


def _allowed(names: Iterable[str | Pin]) -> dict[str, list[Pin]]:
    """The allowlist by name, in its order; a plugin that stands in it twice must fit both entries."""
    allowed: dict[str, list[Pin]] = {}
    for one in names:
        pin = Pin(one) if isinstance(one, str) else one
        allowed.setdefault(pin.name, []).append(pin)
    return allowed


def refuse_changed(info: PluginInfo, entry: EntryPoint, pins: Iterable[Pin]) -> None:
    """Compares what is installed with what a config pins; imports nothing of the plugin.

    Raises:
        PluginChanged: they differ.
        PluginLoadError: a file cannot be read.
    """
    anew = f"if the change is meant, pin it anew: `bot4 plugins show {info.name}` prints the line"
    for pin in pins:
        if pin.version not in (None, info.version):
            raise PluginChanged(info.name, f"pinned to version {pin.version}, installed is {info.version}; {anew}")
        if pin.sha256 is not None and (found := digest(entry)) != pin.sha256:
            wanted = f"the config pins sha256 {pin.sha256}, the installed files have {found}"
            raise PluginChanged(info.name, f"{wanted}; {anew}")


def _refuse_conflicts(loaded: Sequence[Loaded], own: Mapping[str, EntryPoint]) -> None:
    owners: dict[tuple[str, str], str] = {split_name(name): f"bot4 itself ({name})" for name in own}
    for one in loaded:
        here = f"{one.info.name} ({one.info.origin})"
        offers = [(kind, spec.name) for kind, spec in one.specs]
        for offer in offers:
            owner = owners.get(offer, here) if one.info.name not in own else here
            if owner != here or offers.count(offer) > 1:
                both = f"{owner} and {here}"
                raise PluginConflict(one.info.name, f"the {offer[0]} {offer[1]!r} is offered by both {both}; keep one")
            owners[offer] = here
