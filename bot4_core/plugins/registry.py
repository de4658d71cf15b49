"""What the plugins of one bot offer."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, TypeVar

from attrs import field, frozen

from ..errors import PluginError, nearest
from .loading import Loaded, import_plugin, judged
from .metadata import DISABLE_VARIABLE, disabled, split_name

if TYPE_CHECKING:
    from ..specs import RunInfo, Spec

_S = TypeVar("_S", bound="Spec")


@frozen
class Registry:
    """What the plugins of one bot offer.

    The core's own plugins need no place in the allowlist: one is imported when :meth:`find` asks for it by name.

    Args:
        loaded: the imported plugins, in the order they were asked for.
        missing: names that were asked for and cannot be had, with the reason.
        installed: every name that is installed, loaded or not.
        own: the core's own entry points by name.
    """

    loaded: tuple[Loaded, ...] = ()
    missing: Mapping[str, str] = field(factory=dict)
    installed: tuple[str, ...] = ()
    own: Mapping[str, EntryPoint] = field(factory=dict, repr=False)
    _fetched: dict[str, Loaded] = field(factory=dict, init=False, repr=False, eq=False)

    @property
    def everything(self) -> tuple[Loaded, ...]:
        """Every plugin imported so far: the named ones, then the core's own that were asked for."""
        return (*self.loaded, *self._fetched.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the authors of these plugins should change, one line each, for the log."""
        return tuple(f"plugin {one.info.name}: {text}" for one in self.everything for text in one.warnings)

    def names(self, kind: str) -> tuple[str, ...]:
        """Names that ``use`` may say in a table of this kind."""
        named = [spec.name for one in self.everything for of, spec in one.specs if of == kind]
        own = [rest for of, rest in map(split_name, self.own) if of == kind and not disabled(f"{of}-{rest}")]
        return tuple(dict.fromkeys([*named, *own]))

    def find(self, spec_type: type[_S], name: str) -> _S | None:
        """The spec of that type and name, or None; :meth:`explain` says why not.

        Raises:
            PluginLoadError: one of the core's own cannot be imported: the installation is damaged.
        """
        for one in self.everything:
            for _, spec in one.specs:
                if isinstance(spec, spec_type) and spec.name == name:
                    return spec
        return self._fetch(spec_type, name)

    def _fetch(self, spec_type: type[_S], name: str) -> _S | None:
        for key, entry in self.own.items():
            kind, rest = split_name(key)
            if rest != name or key in self._fetched or disabled(key) or not _is_of(kind, spec_type):
                continue
            self._fetched[key] = import_plugin(judged([entry]), entry)
            return self.find(spec_type, name)
        return None

    def explain(self, kind: str, name: str) -> str:
        """Why ``find`` gave None, and what to do."""
        plugin = f"{kind}-{name}"
        if plugin in self.own and disabled(plugin):
            return f"{name!r} is switched off by {DISABLE_VARIABLE}"
        if plugin in self.installed and all(plugin != one.info.name for one in self.everything):
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
        answers = [one.tell(hook, **arguments) for one in self.everything]
        return [problem for problem in answers if problem is not None]


def _is_of(kind: str, spec_type: type) -> bool:
    # the names of the classes, so that asking imports none of the other kinds'
    return spec_type.__name__.removesuffix("Spec").lower() == kind
