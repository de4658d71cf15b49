"""What happens inside the process that tries out one plugin; the other side is :mod:`bot4_core.plugin_check`.

It loads the plugin as a bot would and judges what can be judged without calling a factory: what the distribution
requires, the hooks, the specs, and whether a config could fill the settings. The answer is one JSON object::

    {"status": "ok", "reason": "", "warnings": [],
     "offers": [{"kind": "exchange", "name": "sim", "summary": "…", "capabilities": ["replay"],
                 "settings": [{"name": "fees", "type": "Fees", "required": false, "default": null, "doc": "…"}]}]}
"""

from __future__ import annotations

import inspect
import json
import math
import os
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from enum import Enum
from importlib.metadata import EntryPoint
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
from cattrs.errors import StructureHandlerNotFoundError

from .config.structure import Problems, structure
from .errors import PluginConflict, PluginError, PluginIncompatible, PluginLoadError, one_line
from .plugins import PluginInfo, describe, entries_by_name, info_of, load
from .plugins.requirements import unmet
from .specs import RESERVED_KEYS, Spec, StrategySpec
from .strategy import Strategy

#: how deep settings may lie in settings; deeper ones are not judged, and no config is written that deep
_MAX_DEPTH = 8
_STATUS = {PluginConflict: "conflict", PluginIncompatible: "incompatible"}
#: whoever started this process ends it in time; no clock in here reaches native code that hangs
_UNLIMITED = 0
_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): *(.*)$")


def main() -> None:
    """Tries out the plugin named by the first argument, writes the answer to the descriptor that the second names."""
    _no_core_file()
    answer = int(sys.argv[2])
    # a child that the plugin leaves behind must not hold the answer open
    os.set_inheritable(answer, False)
    text = json.dumps(report(sys.argv[1]))
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the plugin may have put anything in their place
            stream.flush()
    with open(answer, "w", encoding="utf-8") as stream:
        stream.write(text)
    # a thread the plugin left behind must not keep this process
    os._exit(0)


def _no_core_file() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def report(name: str) -> dict[str, Any]:
    """Loads an installed plugin here and says how it fares, as the module's docstring shows."""
    found: dict[str, Any] = {"status": "ok", "reason": "", "warnings": [], "offers": []}
    try:
        entries = entries_by_name()[name]
        if len(entries) == 1:
            _refuse_unmet(info_of(entries[0]), entries[0])
        registry = load([name], timeout_s=_UNLIMITED)
        found["warnings"] = [text for one in registry.loaded for text in one.warnings]
        for one in registry.loaded:
            for _, spec in one.specs:
                _judge(one.info, spec)
        found["offers"] = [offer(kind, spec) for one in registry.loaded for kind, spec in one.specs]
    except PluginError as error:
        found |= {"status": _STATUS.get(type(error), "broken"), "reason": str(error).removeprefix(f"plugin {name}: ")}
    return found


def _refuse_unmet(info: PluginInfo, entry: EntryPoint) -> None:
    lacking = [str(one) for one in (unmet(info.name, entry.dist) if entry.dist else ())]
    if lacking:
        raise PluginIncompatible(info.name, f"{info.origin} wants {'; and '.join(lacking)}: install what it wants")


def _judge(info: PluginInfo, spec: Spec) -> None:
    """Refuses a spec whose settings no config could fill.

    Raises:
        PluginLoadError: names the field.
    """
    cls = settings_class(spec)
    if isinstance(spec, StrategySpec):
        if not issubclass(cls, Strategy):
            raise PluginLoadError(info.name, f"{cls.__name__} of the strategy {spec.name!r} is no Strategy class")
        taken = sorted(RESERVED_KEYS & {one.name for one in _fields(cls)})
        if taken:
            raise PluginLoadError(info.name, f"{cls.__name__} has the reserved field {taken[0]!r}; rename it")
    for place, why in _unfillable(cls, 0):
        raise PluginLoadError(info.name, f"no config can fill {cls.__name__}.{place}: {why}")


def settings_class(spec: Spec) -> type[Any]:
    """The attrs class that a config table of this spec fills."""
    return spec.strategy if isinstance(spec, StrategySpec) else spec.settings


def _fields(cls: Any) -> tuple[attrs.Attribute[Any], ...]:
    return tuple(attrs.fields(cls))


def _unfillable(cls: type[Any], depth: int) -> Iterator[tuple[str, str]]:
    """Fields that no TOML value can become, as a dotted place with the reason."""
    if depth > _MAX_DEPTH:
        return
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception as error:  # noqa: BLE001  # an annotation is an expression of the stranger's
        yield "__annotations__", f"an annotation cannot be read ({describe(error)})"
        return
    for one in _fields(cls):
        if one.init:
            wanted = hints.get(one.name, Any)
            for inner in _parts(wanted):
                if attrs.has(inner) and isinstance(inner, type):
                    for place, why in _unfillable(inner, depth + 1):
                        yield f"{one.name}.{place}", why
                elif not _has_way(inner):
                    yield one.name, f"it has no way to make {type_name(inner)}; use text, numbers, lists or tables"


def _parts(wanted: Any) -> Iterator[Any]:
    """A type and the types inside it: of a list's entries, of a table's values, of the sides of a union."""
    yield wanted
    origin = get_origin(wanted)
    if origin is Literal:
        return
    inner = [one for one in get_args(wanted) if one is not Ellipsis]
    if origin is Annotated:
        inner = inner[:1]
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        inner = inner[1:]
    for one in inner:
        if one is not type(None):
            yield from _parts(one)


def _has_way(wanted: Any) -> bool:
    try:
        structure(object(), wanted)
    except Problems as problems:
        return not isinstance(problems.__cause__, StructureHandlerNotFoundError)
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError):
        return (
            False  # a conversion that is not ours: a wrong value would end in its words, not in a mistake with a line
        )
    return True


def offer(kind: str, spec: Spec) -> dict[str, Any]:
    """A spec as plain data; no factory is called."""
    cls = settings_class(spec)
    docs = argument_docs(cls)
    hints = typing.get_type_hints(cls)
    settings = [
        {
            "name": one.alias,
            "type": type_name(hints.get(one.name, Any)),
            "required": one.default is attrs.NOTHING,
            "default": _default(one),
            "doc": docs.get(one.name, ""),
        }
        for one in _fields(cls)
        if one.init
    ]
    capabilities = sorted(map(str, getattr(spec, "capabilities", ())))
    summary = one_line(spec.summary)
    return {"kind": kind, "name": spec.name, "summary": summary, "capabilities": capabilities, "settings": settings}


def _default(one: attrs.Attribute[Any]) -> object:
    if one.default is attrs.NOTHING:
        return None
    default: Any = one.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # typed as a function, a class at run time
        if default.takes_self:
            return "computed"
        try:
            default = default.factory()
        except Exception as error:  # noqa: BLE001  # a stranger's function; a default is only shown here
            return describe(error)
    return _plain(default, 0)


def _plain(value: object, depth: int) -> object:
    """A default as JSON can hold it: amounts and whatever has no form of its own as text."""
    if isinstance(value, Enum):
        return _plain(value.value, depth)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal | PurePath):
        return str(value)
    if depth < _MAX_DEPTH:
        if isinstance(value, Mapping):
            return {str(key): _plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [_plain(item, depth + 1) for item in value]
        if isinstance(value, set | frozenset):
            return sorted(str(_plain(item, depth + 1)) for item in value)
        if attrs.has(type(value)):
            shown = [one for one in _fields(type(value)) if one.repr]
            return {one.name: _plain(getattr(value, one.name), depth + 1) for one in shown}
    return one_line(repr(value))


def type_name(wanted: Any) -> str:
    """A type as a person writes it: ``tuple[str, ...]``, ``Decimal | None``, ``"spot" | "margin"``."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if wanted is type(None):
        return "None"
    if wanted is Ellipsis:
        return "..."
    if origin is Literal:
        return " | ".join(json.dumps(one) if isinstance(one, str) else str(one) for one in inner)
    if origin in (Union, types.UnionType):
        return " | ".join(map(type_name, inner))
    if origin is Annotated:
        return type_name(inner[0])
    if origin is not None:
        return f"{type_name(origin)}[{', '.join(map(type_name, inner))}]"
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return " | ".join(json.dumps(one.value) for one in wanted)
    return getattr(wanted, "__name__", None) or one_line(wanted)


def argument_docs(cls: type[Any]) -> dict[str, str]:
    """What the ``Args`` section of a class says about each field; a subclass speaks for itself first."""
    docs: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        names: list[str] = []
        _, _, section = inspect.cleandoc(one.__dict__.get("__doc__") or "").partition("\nArgs:\n")
        for line in section.splitlines():
            if line and not line.startswith(" "):
                break
            if entry := _ENTRY.match(line):
                names = entry[1].split(", ")
                docs |= dict.fromkeys(names, entry[2].strip())
            elif line.strip():
                docs |= {name: f"{docs[name]} {line.strip()}" for name in names}
    return docs
