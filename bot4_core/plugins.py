"""The plugin host: finds plugins and loads the ones a bot names.

``listing()`` reads installed metadata and imports nothing. ``load(names)`` imports exactly those names and gives a
:class:`Registry` of what they offer. Trying out a plugin that may exit, hang or crash is :mod:`bot4_core.plugin_check`.

Each plugin has a pluggy manager of its own: a bare pluggy call over several plugins stops at the first exception, and
pluggy's loader skips a second plugin of the same name in silence and dies of one broken import.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import Distribution, EntryPoint, entry_points, version
from typing import TYPE_CHECKING, TypeVar

from attrs import Attribute, field, frozen

from .errors import (
    Bot4Error,
    DomainError,
    PluginChanged,
    PluginConflict,
    PluginError,
    PluginIncompatible,
    PluginLoadError,
    nearest,
    one_line,
)
from .plugin_files import digest

if TYPE_CHECKING:
    from pluggy import PluginManager

    from .specs import RunInfo, Spec

GROUP = "bot4"
#: What a plugin can be, and the hook that asks for it.
HOOK_OF_KIND = {
    "exchange": "bot4_exchanges",
    "risk": "bot4_risk_checks",
    "strategy": "bot4_strategies",
    "sink": "bot4_sinks",
}
#: Comma-separated entry-point names that are treated as not installed, ``*`` for all: the way out when a plugin hurts.
DISABLE_VARIABLE = "BOT4_DISABLE_PLUGINS"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]{0,99}")

_S = TypeVar("_S", bound="Spec")
_T = TypeVar("_T")


def _valid_version(_pin: object, _attribute: Attribute[str | None], value: str | None) -> None:
    if value is not None and not _VERSION.fullmatch(value):
        raise DomainError(f"{value!r} is no version; as 0.1.0")


def _valid_sha256(_pin: object, _attribute: Attribute[str | None], value: str | None) -> None:
    if value is not None and not _SHA256.fullmatch(value):
        raise DomainError(f"{value!r} must be 64 of 0-9 a-f, as `bot4 plugins show NAME` prints it")


@frozen
class Pin:
    """One entry of ``[bot] plugins``: a plugin that may be imported, and what it must be.

    Args:
        name: entry-point name.
        version: the distribution's version, to the letter; None = any.
        sha256: digest over the distribution's files (:func:`bot4_core.plugin_files.digest`); None = any.

    Raises:
        DomainError: a version or digest that cannot be one.
    """

    name: str
    version: str | None = field(default=None, validator=_valid_version)
    sha256: str | None = field(default=None, validator=_valid_sha256)


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
        kind, dash, rest = self.name.partition("-")
        return kind if dash and rest and kind in HOOK_OF_KIND else ""

    @property
    def origin(self) -> str:
        """Distribution and version, for messages."""
        return f"{self.distribution} {self.version}"


@frozen(kw_only=True)
class Loaded:
    """One imported plugin with everything it offers."""

    info: PluginInfo
    manager: PluginManager
    specs: tuple[tuple[str, Spec], ...]


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


def disabled(name: str) -> bool:
    """Whether the environment switches this plugin off."""
    names = {part.strip() for part in os.environ.get(DISABLE_VARIABLE, "").split(",")}
    return "*" in names or name in names


@frozen
class Registry:
    """What the plugins of one bot offer.

    Args:
        loaded: the imported plugins, in the order they were asked for.
        missing: names that were asked for and cannot be had, with the reason.
        installed: every name that is installed, loaded or not.
    """

    loaded: tuple[Loaded, ...] = ()
    missing: Mapping[str, str] = field(factory=dict)
    installed: tuple[str, ...] = ()

    def names(self, kind: str) -> tuple[str, ...]:
        """Names that ``use`` may say in a table of this kind."""
        return tuple(spec.name for one in self.loaded for of, spec in one.specs if of == kind)

    def find(self, spec_type: type[_S], name: str) -> _S | None:
        """The spec of that type and name, or None; :meth:`explain` says why not."""
        for one in self.loaded:
            for _, spec in one.specs:
                if isinstance(spec, spec_type) and spec.name == name:
                    return spec
        return None

    def explain(self, kind: str, name: str) -> str:
        """Why ``find`` gave None, and what to do."""
        plugin = f"{kind}-{name}"
        if plugin in self.installed and all(plugin != one.info.name for one in self.loaded):
            return f"{name!r} is not loaded: add {plugin!r} to [bot] plugins"
        names = self.names(kind)
        offered = ", ".join(names) if names else "none"
        return f"no plugin of this bot offers the {kind} {name!r}; offered: {offered}{nearest(name, names)}"

    def starting(self, run: RunInfo) -> list[PluginError]:
        """Tells every plugin that the run starts; gives what went wrong in them, one error per plugin."""
        return self._observe("bot4_starting", run=run)

    def stopping(self, run: RunInfo, reason: str) -> list[PluginError]:
        """Tells every plugin that the run ends; gives what went wrong in them, one error per plugin."""
        return self._observe("bot4_stopping", run=run, reason=reason)

    def _observe(self, hook: str, **arguments: object) -> list[PluginError]:
        problems: list[PluginError] = []
        for one in self.loaded:
            try:
                getattr(one.manager.hook, hook)(**arguments)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # an observer may raise anything; the run goes on
                problems.append(PluginError(one.info.name, f"{hook} failed: {describe(error)}"))
        return problems


def load(names: Iterable[str | Pin]) -> Registry:
    """Imports exactly the named plugins and asks each what it offers.

    A pinned version or digest is compared before anything of the plugin is imported.

    A name that is not installed or is switched off is no error here: it stands in ``missing`` with the reason, so
    that a config can report it beside its other mistakes.

    Raises:
        PluginLoadError: a named plugin cannot be imported or offers nonsense.
        PluginIncompatible: it wants another core.
        PluginChanged: it is not the version, or has not the files, that the config pins.
        PluginConflict: two plugins offer one name; the message names both.
    """
    entries = entries_by_name()
    loaded: list[Loaded] = []
    missing: dict[str, str] = {}
    for name, pins in _allowed(names).items():
        if name not in entries:
            known = ", ".join(entries) if entries else "none"
            missing[name] = f"plugin {name!r} is not installed; installed: {known}{nearest(name, entries)}"
        elif disabled(name):
            missing[name] = f"plugin {name!r} is switched off by {DISABLE_VARIABLE}"
        else:
            loaded.append(_load_one(entries[name], pins))
    _refuse_conflicts(loaded)
    return Registry(tuple(loaded), missing, tuple(entries))


def _allowed(names: Iterable[str | Pin]) -> dict[str, list[Pin]]:
    """The allowlist by name, in its order; a plugin that stands in it twice must fit both entries."""
    allowed: dict[str, list[Pin]] = {}
    for one in names:
        pin = Pin(one) if isinstance(one, str) else one
        allowed.setdefault(pin.name, []).append(pin)
    return allowed


def _refuse_unpinned(info: PluginInfo, entry: EntryPoint, pins: Iterable[Pin]) -> None:
    """Compares what is installed with what the config pins; imports nothing of the plugin."""
    anew = f"if the change is meant, pin it anew: `bot4 plugins show {info.name}` prints the line"
    for pin in pins:
        if pin.version not in (None, info.version):
            raise PluginChanged(info.name, f"pinned to version {pin.version}, installed is {info.version}; {anew}")
        if pin.sha256 is not None and (found := digest(entry)) != pin.sha256:
            wanted = f"the config pins sha256 {pin.sha256}, the installed files have {found}"
            raise PluginChanged(info.name, f"{wanted}; {anew}")


def _load_one(entries: Sequence[EntryPoint], pins: Iterable[Pin]) -> Loaded:
    info = info_of(entries[0])
    if len(entries) > 1:
        both = " and ".join(info_of(entry).origin for entry in entries)
        raise PluginConflict(info.name, f"both {both} declare it; uninstall one")
    if not info.kind:
        kinds = ", ".join(HOOK_OF_KIND)
        raise PluginLoadError(info.name, f"its entry point must be named <kind>-<name>, kind one of {kinds}")
    if entries[0].dist is not None:
        _refuse_other_core(info, entries[0].dist)
    _refuse_unpinned(info, entries[0], pins)
    manager = _register(info, _import(info, entries[0]))
    return Loaded(info=info, manager=manager, specs=_offers(info, manager))


def _refuse_other_core(info: PluginInfo, distribution: Distribution) -> None:
    from packaging.requirements import InvalidRequirement, Requirement

    core = version("bot4-core")
    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise PluginLoadError(info.name, f"its metadata is malformed: {one_line(error)}") from error
        wanted = requirement.name.lower().replace("_", "-") == "bot4-core" and (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        )
        if wanted and not requirement.specifier.contains(core, prereleases=True):
            wants = f"{info.origin} wants bot4-core{requirement.specifier}, this is {core}"
            raise PluginIncompatible(info.name, f"{wants}; install a matching release")


def _guarded(info: PluginInfo, doing: str, call: Callable[[], _T]) -> _T:
    """Calls into a stranger's module; whatever comes out of it becomes one PluginLoadError."""
    try:
        return call()
    except KeyboardInterrupt:
        raise
    except SystemExit as error:
        raise PluginLoadError(info.name, f"{doing} calls exit()") from error
    except BaseException as error:  # any class of a stranger's may come out of a stranger's module
        raise PluginLoadError(info.name, f"{doing} failed: {describe(error)}") from error


def _import(info: PluginInfo, entry: EntryPoint) -> object:
    threads = set(threading.enumerate())
    plugin: object = _guarded(info, f"importing {info.target}", entry.load)
    if set(threading.enumerate()) - threads:
        raise PluginLoadError(info.name, "it starts a thread while it is imported; start it in create()")
    return plugin


def _register(info: PluginInfo, plugin: object) -> PluginManager:
    from pluggy import PluginManager, PluginValidationError

    from . import hookspecs

    manager = PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, info.name)
        manager.check_pending()
    except PluginValidationError as error:
        known = [name for name in vars(hookspecs) if name.startswith("bot4_")]
        unknown = [name for name in vars(manager.hook) if name.startswith("bot4_") and name not in known]
        if unknown:
            reason = f"{unknown[0]!r} is no hook of bot4{nearest(unknown[0], known)}"
        else:
            reason = f"its hook does not fit: {one_line(error)}"
        raise PluginLoadError(info.name, reason) from error
    return manager


def _offers(info: PluginInfo, manager: PluginManager) -> tuple[tuple[str, Spec], ...]:
    from .specs import ExchangeSpec, RiskSpec, SinkSpec, StrategySpec

    types: dict[str, type[Spec]] = {
        "exchange": ExchangeSpec,
        "risk": RiskSpec,
        "strategy": StrategySpec,
        "sink": SinkSpec,
    }
    offers: list[tuple[str, Spec]] = []
    for kind, hook in HOOK_OF_KIND.items():
        for answer in _guarded(info, hook, getattr(manager.hook, hook)):
            if not isinstance(answer, list | tuple):
                raise PluginLoadError(info.name, f"{hook} must return a list, not {type(answer).__name__}")
            for spec in answer:
                if not isinstance(spec, types[kind]):
                    wanted = types[kind].__name__
                    raise PluginLoadError(info.name, f"{hook} must return {wanted}, not {type(spec).__name__}")
                offers.append((kind, spec))
    if not offers:
        raise PluginLoadError(info.name, f"{info.target} offers nothing: are its hooks marked @hookimpl?")
    return tuple(offers)


def _refuse_conflicts(loaded: Sequence[Loaded]) -> None:
    owners: dict[tuple[str, str], PluginInfo] = {}
    for one in loaded:
        for kind, spec in one.specs:
            owner = owners.setdefault((kind, spec.name), one.info)
            if owner is not one.info or sum(s.name == spec.name and k == kind for k, s in one.specs) > 1:
                both = f"{owner.name} ({owner.origin}) and {one.info.name} ({one.info.origin})"
                raise PluginConflict(one.info.name, f"the {kind} {spec.name!r} is offered by both {both}; keep one")


def describe(error: BaseException) -> str:
    """A foreign exception in one line: its class and its words."""
    if isinstance(error, Bot4Error):
        return one_line(error)
    text = one_line(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
