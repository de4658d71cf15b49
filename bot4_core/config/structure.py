"""Plain TOML values to typed objects: strict about types, and every mistake at once.

cattrs picks the hook for a type; the hooks here refuse what it would quietly convert (``"3"`` for 3, true for 1, a
text for a list of letters), read numbers exactly, and keep on after a mistake so that the user sees all of them.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.errors import StructureHandlerNotFoundError

from ..domain.money import parse_decimal
from ..domain.secret import Secret
from ..errors import DomainError, nearest, one_line
from ..plugins import Pin
from .lines import Place
from .secrets import NotFound, SecretReader

#: What reads the secrets while one table is filled; the converter's hooks take no argument of ours.
_SECRETS: ContextVar[SecretReader | None] = ContextVar("secrets", default=None)

_SHOWN = 60
#: A TOML integer is at most 64 bits wide; Python's parser takes any.
INT_MAX = 2**63


class Problems(Exception):
    """Mistakes found below one value: each a place relative to it, and a message."""

    def __init__(self, found: Iterable[tuple[Place, str]]) -> None:
        self.found = tuple(found)
        super().__init__("; ".join(message for _, message in self.found))

    def below(self, *at: str | int) -> list[tuple[Place, str]]:
        """The same mistakes seen from further up."""
        return [((*at, *place), message) for place, message in self.found]


def show(value: object) -> str:
    """A TOML value as a message names it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, Mapping):
        return "a table"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def structure(value: object, wanted: Any, secrets: SecretReader | None = None) -> Any:
    """The value as the wanted type.

    Args:
        value: what tomllib gave, numbers with a point as Decimal.
        wanted: an attrs class, or any type its fields may have.
        secrets: reads what fields of type Secret name; without it those of the surrounding call, else paths are
            relative to the current folder.

    Raises:
        Problems: with every mistake in it.
    """
    if secrets is not None:
        token = _SECRETS.set(secrets)
        try:
            return structure(value, wanted)
        finally:
            _SECRETS.reset(token)
    try:
        return _CONVERTER.structure(value, wanted)
    except StructureHandlerNotFoundError as error:
        raise Problems([((), f"the setting's type {error.type_!r} is none that a config can fill")]) from error


def structure_fields(data: object, cls: type) -> dict[str, Any]:
    """The values of a class's fields that a table gives; fields it leaves out keep their defaults.

    Args:
        data: the table.
        cls: an attrs class, or a class whose public annotations are its fields.

    Returns:
        keyword arguments for the class.

    Raises:
        Problems: unknown keys, missing ones, wrong types, and what the fields' validators refuse.
    """
    if not isinstance(data, Mapping):
        raise Problems([((), f"{show(data)} must be a table")])
    fields = {one.alias: one for one in attrs.fields(cls) if one.init}
    types = hints_of(cls)
    found: list[tuple[Place, str]] = []
    for key in data:
        if key not in fields:
            known = ", ".join(fields) if fields else "none"
            found.append(((key,), f"unknown key; allowed: {known}{nearest(key, fields)}"))
    values: dict[str, Any] = {}
    for key, one in fields.items():
        if key in data:
            try:
                values[key] = structure(data[key], types.get(one.name, Any))
            except Problems as problems:
                found.extend(problems.below(key))
        elif one.default is attrs.NOTHING:
            found.append(((key,), "missing; it has no default"))
    stand_in = SimpleNamespace(**{fields[key].name: value for key, value in values.items()})
    for key, value in values.items():
        message = _refused(fields[key], value, stand_in)
        if message:
            found.append(((key,), message))
    if found:
        raise Problems(found)
    return values


def hints_of(cls: type) -> dict[str, Any]:
    """The annotations of a class's fields, resolved.

    Raises:
        Problems: one of them names what does not exist.
    """
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise Problems([((), f"{cls.__name__} has an annotation that cannot be read: {one_line(error)}")]) from error


def _refused(one: attrs.Attribute[Any], value: object, stand_in: object) -> str:
    """What the field's own converter and validator say against the value, before the object exists."""
    try:
        if one.converter is not None and not isinstance(one.converter, attrs.Converter):
            value = one.converter(value)
        if one.validator is not None:
            one.validator(stand_in, one, value)
    except AttributeError:
        return ""  # it looks at another field that is missing here: building the object will tell
    except Exception as error:  # noqa: BLE001  # a stranger's validator may raise anything
        return _words(error)
    return ""


def _words(error: BaseException) -> str:
    # attrs' own validators put the attribute and the type behind their message
    return one_line(error.args[0] if error.args else type(error).__name__)


def _attrs_hook(value: object, wanted: type) -> Any:
    values = structure_fields(value, wanted)
    try:
        return wanted(**values)
    except Exception as error:  # the class is a stranger's: its validators may raise anything
        raise Problems([((), _words(error))]) from error


def _literal_hook(value: object, wanted: Any) -> object:
    allowed = get_args(wanted)
    for one in allowed:
        if type(one) is type(value) and one == value:
            return one
    hint = nearest(value, [a for a in allowed if isinstance(a, str)]) if isinstance(value, str) else ""
    raise Problems([((), f"{show(value)} is not one of {', '.join(show(a) for a in allowed)}{hint}")])


def _is_value_or_word(wanted: Any) -> bool:
    """True for a type such as ``Decimal | Literal["max"]``: one type, or words instead."""
    parts = get_args(wanted) if get_origin(wanted) in (Union, UnionType) else ()
    words = [one for one in parts if get_origin(one) is Literal]
    return bool(words) and len(parts) == len(words) + 1 and NoneType not in parts


def _value_or_word_hook(value: object, wanted: Any) -> object:
    parts = get_args(wanted)
    words = [word for one in parts if get_origin(one) is Literal for word in get_args(one)]
    if isinstance(value, str) and value in words:
        return value
    try:
        return structure(value, next(one for one in parts if get_origin(one) is not Literal))
    except Problems as problems:
        allowed = " or ".join(show(word) for word in words)
        raise Problems([(at, f"{message}, or {allowed}") for at, message in problems.found]) from problems


def _enum_hook(value: object, wanted: type[Enum]) -> Enum:
    values = {member.value: member for member in wanted}
    return values[_literal_hook(value, Literal[tuple(values)])]


def _bool(value: object, _: Any) -> bool:
    if not isinstance(value, bool):
        raise Problems([((), f"{show(value)} must be true or false")])
    return value


def _int(value: object, _: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Problems([((), f"{show(value)} must be a whole number")])
    if not -INT_MAX <= value < INT_MAX:
        raise Problems([((), f"{show(value)} does not fit 64 bits")])
    return value


def _decimal(value: object, _: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Problems([((), f"{show(value)} must be a number")])
    try:
        return parse_decimal(value)
    except DomainError as error:
        raise Problems([((), _words(error))]) from error


def _float(value: object, _: Any) -> float:
    if isinstance(value, str):
        raise Problems([((), f"{show(value)} must be a number without quotes")])
    number = float(_decimal(value, None))
    if not math.isfinite(number):
        raise Problems([((), f"{show(value)} must be a finite number")])
    return number


def _text(value: object, _: Any) -> str:
    if not isinstance(value, str):
        raise Problems([((), f"{show(value)} must be text in quotes")])
    return value


def _path(value: object, _: Any) -> Path:
    return Path(_text(value, None))


def _secret(value: object, _: Any) -> Secret:
    try:
        return (_SECRETS.get() or SecretReader(Path.cwd())).read(value)
    except NotFound as error:
        raise Problems([(error.at, str(error))]) from error


def _pin(value: object, _: Any) -> Pin:
    if isinstance(value, str):
        return Pin(value)
    if not isinstance(value, Mapping):
        raise Problems([((), f"{show(value)} must be a plugin's name, or {{ name = …, version = …, sha256 = … }}")])
    pin: Pin = _attrs_hook(value, Pin)
    return pin


def _items(value: object, type_of: Callable[[int], Any]) -> list[Any]:
    if not isinstance(value, list):
        raise Problems([((), f"{show(value)} must be a list")])
    return _each(enumerate(value), type_of)


def _each(pairs: Iterable[tuple[Any, object]], type_of: Callable[[Any], Any]) -> list[Any]:
    results: list[Any] = []
    found: list[tuple[Place, str]] = []
    for key, item in pairs:
        try:
            results.append(structure(item, type_of(key)))
        except Problems as problems:
            found.extend(problems.below(key))
    if found:
        raise Problems(found)
    return results


def _sequence_hook(value: object, wanted: Any) -> Any:
    origin, inner = get_origin(wanted) or wanted, get_args(wanted)
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        items = _items(value, lambda at: inner[at] if at < len(inner) else Any)
        if len(items) != len(inner):
            raise Problems([((), f"the list has {len(items)} entries and must have {len(inner)}")])
        return tuple(items)
    items = _items(value, lambda _: inner[0] if inner else Any)
    if origin in (set, frozenset) and len(set(items)) != len(items):
        raise Problems([((), "an entry stands twice")])
    return (origin if origin in (tuple, set, frozenset) else list)(items)


def _mapping_hook(value: object, wanted: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Problems([((), f"{show(value)} must be a table")])
    inner = get_args(wanted)
    return dict(zip(value, _each(value.items(), lambda _: inner[1] if inner else Any), strict=True))


def _is_sequence(wanted: Any) -> bool:
    import collections.abc as abc

    return (get_origin(wanted) or wanted) in (list, tuple, set, frozenset, abc.Sequence)


def _is_mapping(wanted: Any) -> bool:
    return (get_origin(wanted) or wanted) in (dict, Mapping)


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=False)
    hooks: dict[Any, Callable[[object, Any], Any]] = {
        bool: _bool, int: _int, float: _float, str: _text, Decimal: _decimal, Path: _path, Secret: _secret, Pin: _pin,
    }  # fmt: skip
    for wanted, hook in hooks.items():
        converter.register_structure_hook(wanted, hook)
    by_shape: list[tuple[Callable[[Any], bool], Callable[[Any, Any], Any]]] = [
        (lambda t: isinstance(t, type) and attrs.has(t), _attrs_hook),
        (lambda t: isinstance(t, type) and issubclass(t, Enum), _enum_hook),
        (lambda t: get_origin(t) is Literal, _literal_hook),
        (_is_value_or_word, _value_or_word_hook),
        (_is_sequence, _sequence_hook),
        (_is_mapping, _mapping_hook),
    ]
    for predicate, hook in by_shape:
        converter.register_structure_hook_func(predicate, hook)
    return converter


_CONVERTER = _make_converter()
