"""Importing one plugin and asking it what it offers; whatever comes out of a stranger's code becomes one error.

Each plugin has a pluggy manager of its own: a bare pluggy call over several plugins stops at the first exception, and
pluggy's loader skips a second plugin of the same name in silence and dies of one broken import.
"""

from __future__ import annotations

import inspect
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import EntryPoint
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

from attrs import field, frozen

from ..errors import (
    Bot4Error,
    PluginConflict,
    PluginError,
    PluginIncompatible,
    PluginLoadError,
    nearest,
    one_line,
)
from .metadata import CORE_DISTRIBUTION, GROUP, HOOK_OF_KIND, PluginInfo, info_of
from .requirements import unmet

if TYPE_CHECKING:
    from pluggy import PluginManager

    from ..specs import Spec

#: A plugin that has not finished loading by then is refused; trying one out has a limit of its own.
LOAD_TIMEOUT_S = 60.0
PRINTS = "it prints to stdout while it is loaded; stdout is for data: log, or print to sys.stderr"

_LIBRARY = re.compile(r"[\w+-][\w.+-]*\.(?:so|dylib)\b[\w.]*")
_T = TypeVar("_T")


@frozen(kw_only=True)
class Loaded:
    """One imported plugin with everything it offers.

    Args:
        info: its entry point.
        manager: where its hooks are registered; no other plugin is.
        specs: kind and spec of each offer.
        warnings: what its author should change before it stops working, one line each.
    """

    info: PluginInfo
    manager: PluginManager
    specs: tuple[tuple[str, Spec], ...]
    warnings: tuple[str, ...] = ()

    def tell(self, hook: str, **arguments: object) -> PluginError | None:
        """Calls one observer hook; what goes wrong in it is the answer, so that one plugin never stops another."""
        try:
            with redirect_stdout(cast(IO[str], _Chatter())):
                getattr(self.manager.hook, hook)(**arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # an observer may raise or exit as it likes; the run goes on
            return PluginError(self.info.name, f"{hook} failed: {describe(error)}")
        return None


def judged(entries: Sequence[EntryPoint]) -> PluginInfo:
    """What can be known of a plugin before its code runs.

    Args:
        entries: the installed entry points of one name.

    Raises:
        PluginConflict: two distributions declare the name.
        PluginLoadError: its name has no kind, or its metadata is malformed.
        PluginIncompatible: it wants another core.
    """
    info = info_of(entries[0])
    if len(entries) > 1:
        both = " and ".join(info_of(entry).origin for entry in entries)
        raise PluginConflict(info.name, f"both {both} declare it; uninstall one")
    if not info.kind:
        kinds = ", ".join(HOOK_OF_KIND)
        raise PluginLoadError(info.name, f"its entry point must be named <kind>-<name>, kind one of {kinds}")
    for one in unmet(info.name, entries[0].dist) if entries[0].dist is not None else ():
        if one.name == CORE_DISTRIBUTION:
            raise PluginIncompatible(info.name, f"{info.origin} wants {one}; install a matching release")
    return info


def import_plugin(info: PluginInfo, entry: EntryPoint, timeout_s: float | None = None) -> Loaded:
    """Imports a plugin, registers its hooks and collects its specs.

    Args:
        info, entry: the plugin.
        timeout_s: how long that may take; None = :data:`LOAD_TIMEOUT_S`. Only the main thread can keep to it.

    Raises:
        PluginLoadError: it cannot be imported, takes too long or offers nonsense.
    """
    chatter = _Chatter()
    limit_s = LOAD_TIMEOUT_S if timeout_s is None else timeout_s
    try:
        with redirect_stdout(cast(IO[str], chatter)), _within(limit_s):
            plugin = _import(info, entry)
            manager, notes = _register(info, plugin)
            specs = _offers(info, manager)
    except _TooLong as error:
        raise PluginLoadError(info.name, f"its import took longer than {limit_s:g} s") from error
    if chatter.said:
        notes = (*notes, PRINTS)
    return Loaded(info=info, manager=manager, specs=specs, warnings=notes)


class _TooLong(BaseException):
    """No Exception: a plugin that catches those in a loop must not catch this one."""


@contextmanager
def _within(limit_s: float) -> Iterator[None]:
    """Raises _TooLong in the main thread after so many seconds, and each second from then on; bytecode hears it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(_signal: int, _frame: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, late)
    try:
        signal.setitimer(signal.ITIMER_REAL, limit_s, 1.0)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@frozen
class _Chatter:
    """Stands in for stdout while a stranger's code runs: sends on to stderr, and remembers that something was said.

    A verb's ``--json`` goes to stdout and must stay one JSON object.
    """

    _heard: list[bool] = field(factory=list, init=False)

    @property
    def said(self) -> bool:
        return bool(self._heard)

    def write(self, text: str) -> int:
        if text and not self._heard:
            self._heard.append(True)
        return sys.stderr.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def _guarded(info: PluginInfo, doing: str, call: Callable[[], _T]) -> _T:
    """Calls into a stranger's module; whatever comes out of it becomes one PluginLoadError."""
    try:
        return call()
    except (KeyboardInterrupt, _TooLong):
        raise
    except SystemExit as error:
        raise PluginLoadError(info.name, f"{doing} calls exit()") from error
    except BaseException as error:  # any class of a stranger's may come out of a stranger's module
        raise PluginLoadError(info.name, f"{doing} failed: {describe(error)}{_remedy(info, error)}") from error


def _remedy(info: PluginInfo, error: BaseException) -> str:
    """What to do when it is a native library, or a part of the plugin itself, that is missing."""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith(f"{info.target.split('.')[0]}."):
        return f"; {error.name} is its own and may be native code not built for this Python: reinstall {info.origin}"
    library = ""
    if isinstance(error, ImportError) and (error.path or "").endswith(tuple(EXTENSION_SUFFIXES)):
        library = PurePath(error.path or "").name
    elif isinstance(error, OSError) and (named := _LIBRARY.search(str(error))):
        library = named[0]
    if not library:
        return ""
    return f"; the native library {library} cannot be loaded: install what it needs, or reinstall {info.origin}"


def _import(info: PluginInfo, entry: EntryPoint) -> object:
    threads = set(threading.enumerate())
    plugin: object = _guarded(info, f"importing {info.target}", entry.load)
    if set(threading.enumerate()) - threads:
        raise PluginLoadError(info.name, "it starts a thread while it is imported; start it in create()")
    return plugin


def _register(info: PluginInfo, plugin: object) -> tuple[PluginManager, tuple[str, ...]]:
    from pluggy import PluginManager, PluginValidationError

    from .. import hookspecs

    manager = PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _guarded(info, "registering its hooks", lambda: _add(manager, plugin, info.name))
        except PluginLoadError as error:
            if not isinstance(error.__cause__, PluginValidationError):
                raise
            raise PluginLoadError(info.name, _unfit(manager, error.__cause__)) from error
    for caller in manager.get_hookcallers(plugin) or ():
        for one in caller.get_hookimpls():
            if inspect.iscoroutinefunction(one.function) or inspect.isasyncgenfunction(one.function):
                raise PluginLoadError(info.name, f"its {caller.name} is async; hooks are plain functions")
            if inspect.isgeneratorfunction(one.function):
                raise PluginLoadError(info.name, f"its {caller.name} yields; hooks return their answer")
    notes = [one_line(one.message) for one in caught if issubclass(one.category, DeprecationWarning)]
    return manager, tuple(dict.fromkeys(notes))


def _add(manager: PluginManager, plugin: object, name: str) -> None:
    manager.register(plugin, name)
    manager.check_pending()


def _unfit(manager: PluginManager, error: BaseException) -> str:
    from .. import hookspecs

    known = [name for name in vars(hookspecs) if name.startswith("bot4_")]
    unknown = [name for name in vars(manager.hook) if name.startswith("bot4_") and name not in known]
    if unknown:
        return f"{unknown[0]!r} is no hook of bot4{nearest(unknown[0], known)}"
    return f"its hook does not fit: {one_line(error)}"


def _offers(info: PluginInfo, manager: PluginManager) -> tuple[tuple[str, Spec], ...]:
    from ..specs import ExchangeSpec, RiskSpec, SinkSpec, StrategySpec

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


def describe(error: BaseException) -> str:
    """A foreign exception in one line: its class and its words."""
    if isinstance(error, Bot4Error):
        return one_line(error)
    text = one_line(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
