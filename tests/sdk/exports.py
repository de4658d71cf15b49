"""What the doors give out, one line for each name and each thing one can do with it.

``python -m tests.sdk.exports`` writes ``exports.txt`` anew: do that once a change of the doors is decided.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, ForwardRef, Protocol, get_origin

import attrs
import msgspec

import bot4_core.sdk
import bot4_core.testing

DOORS = (bot4_core.sdk, bot4_core.testing)
GOLDEN = Path(__file__).with_name("exports.txt")


def kind_of(value: Any) -> str:
    """What sort of thing a name is, such as a protocol or a constant."""
    if get_origin(value) is not None:
        return "alias"
    if not isinstance(value, type):
        return "function" if inspect.isroutine(value) else "constant"
    if issubclass(value, BaseException):
        return "error"
    if issubclass(value, Enum):
        return "enum"
    if Protocol in value.__mro__ and getattr(value, "_is_protocol", False):
        return "protocol"
    if issubclass(value, msgspec.Struct):
        return "struct"
    if issubclass(value, tuple):
        return "named tuple"
    return "attrs class" if attrs.has(value) else "class"


def members(value: Any) -> Iterator[str]:
    """What a class has that its users may rely on, one line each, bases of ours included."""
    bases = [base for base in reversed(value.__mro__) if base.__module__.startswith("bot4_core")]
    found: dict[str, str] = {}
    for base in bases:
        for name, note in vars(base).get("__annotations__", {}).items():
            if not name.startswith("_"):
                found[name] = f"{name}: {_note(note)}"
        for name, member in vars(base).items():
            if not name.startswith("_") and (line := _member(name, member)):
                found[name] = line
    yield from (found[name] for name in sorted(found))


def _member(name: str, member: Any) -> str:
    if isinstance(member, property):
        return f"{name} -> {member.fget.__annotations__.get('return', '?')}"
    plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
    if inspect.isfunction(plain):
        how = "async " if inspect.iscoroutinefunction(plain) else "class " * isinstance(member, classmethod)
        return f"{how}{name}{_signature(plain)}"
    return f"{name} = {member}" if isinstance(member, int | str) else ""


def _signature(function: Any) -> str:
    """The signature with annotations as they are written, whatever Python shows it."""
    parts: list[str] = []
    for one in inspect.signature(function).parameters.values():
        if one.kind is one.KEYWORD_ONLY and not any(part.startswith("*") for part in parts):
            parts.append("*")
        stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        note = "" if one.annotation is one.empty else f": {_note(one.annotation)}"
        parts.append(f"{stars}{one.name}{note}" + ("" if one.default is one.empty else f" = {one.default!r}"))
    answer = inspect.signature(function).return_annotation
    return f"({', '.join(parts)})" + ("" if answer is inspect.Signature.empty else f" -> {_note(answer)}")


def _note(annotation: Any) -> str:
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def lines(door: ModuleType) -> Iterator[str]:
    """The whole surface of a door."""
    for name in sorted(door.__all__):
        value = getattr(door, name)
        kind = kind_of(value)
        if kind == "enum":
            yield f"{name} enum({', '.join(base.__name__ for base in value.__mro__[1:2])})"
            yield from (f"    {one.name} = {one.value!r}" for one in value)
        elif kind == "constant":
            yield f"{name} constant {type(value).__name__}"
        elif kind == "alias":
            yield f"{name} alias {value}"
        elif kind == "function":
            yield f"{name} function{_signature(value)}"
        else:
            own = [base.__name__ for base in value.__bases__ if base.__module__.startswith("bot4_core")]
            yield f"{name} {kind}" + (f" of {own[0]}" if own else "") + _made(value, kind)
            yield from (f"    {line}" for line in members(value))


def _made(value: Any, kind: str) -> str:
    """How one makes it; protocols are not made, errors are raised with what their class says."""
    if kind == "class":
        return _signature(value.__init__) if inspect.isfunction(value.__init__) else "()"
    if kind == "named tuple":
        return f"({', '.join(value._fields)})"
    return _fields(value) if kind in ("struct", "attrs class") else ""


def _fields(value: Any) -> str:
    """The arguments that make an attrs class or a struct: names, and which have a default."""
    if issubclass(value, msgspec.Struct):
        given = [(one.name, one.required) for one in msgspec.structs.fields(value)]
    else:
        given = [(one.alias or one.name, one.default is attrs.NOTHING) for one in attrs.fields(value) if one.init]
    return "(" + ", ".join(name if required else f"{name}=…" for name, required in given) + ")"


def text() -> str:
    """The golden file's text."""
    return "\n".join("\n".join([door.__name__, *lines(door), ""]) for door in DOORS)


if __name__ == "__main__":
    GOLDEN.write_text(text(), encoding="utf-8")
