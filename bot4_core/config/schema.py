"""A JSON Schema of bot.toml for editors, made from the settings classes of the core and of loaded plugins.

It says what the classes say: keys, types, choices, ranges of one value. What needs more than one value, a file, a
plugin or the environment is judged by ``bot4 check`` alone; so is the range of a number that is written as text.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs

from ..domain.secret import MAX_SECRET_BYTES, Secret
from ..plugins import Pin
from ..specs import Spec, StrategySpec
from ..strategy import Strategy
from .describe import Setting, plain, settings_of, summary_of
from .load import MARKET, MAX_TABLES, TABLE_NAME
from .model import BotConfig, JournalConfig, LogConfig
from .structure import INT_MAX, Problems

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

#: text that is read as an exact number (``domain.money.parse_decimal``)
_NUMBER_TEXT = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$"
_FILE_USE = r"\.py:[^:]*$"
_KINDS = ("exchange", "risk", "strategy", "sink")


def schema(offers: Sequence[tuple[str, Spec]]) -> Schema:
    """The schema of a bot.toml whose tables may name these.

    Args:
        offers: kind and spec of everything that ``use`` may say, as ``Loaded.specs`` of each plugin.

    Returns:
        JSON-ready; ``$defs`` holds one table per settings class.
    """
    definitions: Schema = {}
    tables = {kind: _tables(kind, [spec for of, spec in offers if of == kind], definitions) for kind in _KINDS}
    named = {"propertyNames": {"pattern": f"^(?:{TABLE_NAME})$"}, "minProperties": 1, "maxProperties": MAX_TABLES}
    bot = _table(BotConfig, definitions)
    bot["not"] = {"properties": {"mode": {"const": "live"}, "unguarded": {"const": True}},
                  "required": ["mode", "unguarded"]}  # fmt: skip
    return {
        "$schema": DIALECT,
        "title": "bot.toml of bot4",
        "type": "object",
        "additionalProperties": False,
        "required": ["bot", "exchange", "strategy"],
        "properties": {
            "bot": bot,
            "journal": _table(JournalConfig, definitions),
            "log": _table(LogConfig, definitions),
            "exchange": {"type": "object", "additionalProperties": tables["exchange"], **named},
            "risk": {"type": "array", "items": tables["risk"], "maxItems": MAX_TABLES},
            "strategy": {"type": "object", "additionalProperties": tables["strategy"], **named},
            "sink": {"type": "array", "items": tables["sink"], "maxItems": MAX_TABLES},
        },
        "$defs": definitions,
    }


def _tables(kind: str, specs: Sequence[Spec], definitions: Schema) -> Schema:
    """One table of a kind: what ``use`` says decides which settings it has."""
    choices = []
    for spec in specs:
        cls = spec.strategy if isinstance(spec, StrategySpec) else spec.settings
        table = _table(cls, definitions)
        table["properties"] = {"use": {"const": spec.name}, **_trade(kind), **table["properties"]}
        table["required"] = ["use", *_trade(kind), *table.get("required", ())]
        if spec.summary:
            table["description"] = spec.summary
        definitions[f"{kind}-{spec.name}"] = table
        choices.append({"$ref": f"#/$defs/{kind}-{spec.name}"})
    if kind == "strategy":
        own = _table(Strategy, definitions)
        own["properties"] = {"use": {"type": "string", "pattern": _FILE_USE}, **_trade(kind), **own["properties"]}
        words = "A strategy in a file of your own; its settings are known to that file alone."
        own |= {"required": ["use", "trade"], "additionalProperties": True, "description": words}
        definitions["strategy-file"] = own
        choices.append({"$ref": "#/$defs/strategy-file"})
    return {"type": "object", "required": ["use"], "oneOf": choices} if choices else {"not": {}}


def _trade(kind: str) -> Schema:
    if kind != "strategy":
        return {}
    market = {"type": "string", "pattern": f"^(?:{MARKET})$"}
    words = "Markets, each EXCHANGE:BASE/QUOTE, the exchange as its table is named here."
    return {"trade": {"type": "array", "items": market, "minItems": 1, "uniqueItems": True, "description": words}}


def _table(cls: type, definitions: Schema) -> Schema:
    """The object that a settings class is filled from."""
    try:
        settings = settings_of(cls)
    except Problems:
        return {"type": "object", "properties": {}}  # its own annotations cannot be read: anything may be right
    required = [one.key for one in settings if one.required]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {one.key: _property(one, definitions) for one in settings},
        **({"required": required} if required else {}),
        **({"description": summary_of(cls)} if summary_of(cls) else {}),
    }


def _property(setting: Setting, definitions: Schema) -> Schema:
    told = _narrowed(type_schema(setting.type, definitions), setting.keywords)
    default = plain(setting.default)
    if default is not None:
        told["default"] = default
    if setting.description:
        told["description"] = setting.description.replace("``", "`")
    return told


def _narrowed(told: Schema, keywords: Mapping[str, object]) -> Schema:
    """What a type takes, and a validator leaves of it."""
    result = dict(told)
    for key, value in keywords.items():
        result[key] = _narrowed(result.get(key, {}), value) if isinstance(value, Mapping) else value
    least = keywords.get("minimum", keywords.get("exclusiveMinimum"))
    if isinstance(least, int | float) and least >= 0 and _SCALARS[Decimal]["anyOf"][1] in result.get("anyOf", ()):
        result.setdefault("pattern", "^[^-]")  # of a number that is written as text, its sign can be judged
    return result


def type_schema(wanted: Any, definitions: Schema) -> Schema:
    """What :func:`bot4_core.config.structure.structure` takes for a type; ``{}`` for one it may take anything for.

    Args:
        wanted: an annotation.
        definitions: takes the table of each attrs class on the way, under its name.
    """
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        return type_schema(inner[0], definitions)
    if origin in (Union, UnionType):
        choices = [type_schema(one, definitions) for one in inner if one is not type(None)]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    if origin is Literal:
        return {"enum": [one for one in inner if one is not None]}
    if isinstance(wanted, type) and wanted in _SCALARS:
        return {key: list(value) if isinstance(value, list) else value for key, value in _SCALARS[wanted].items()}
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return {"enum": [plain(one.value) for one in wanted]}
    if wanted is Pin:
        return {"anyOf": [{"type": "string"}, _reference(Pin, definitions)]}
    if isinstance(wanted, type) and attrs.has(wanted):
        return _reference(wanted, definitions)
    return _container(wanted, definitions)


def _container(wanted: Any, definitions: Schema) -> Schema:
    import collections.abc as abc

    origin, inner = get_origin(wanted) or wanted, get_args(wanted)
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        items = [type_schema(one, definitions) for one in inner]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if origin in (list, tuple, abc.Sequence):
        return {"type": "array", "items": type_schema(inner[0], definitions) if inner else {}}
    if origin in (set, frozenset):
        each = type_schema(inner[0], definitions) if inner else {}
        return {"type": "array", "items": each, "uniqueItems": True}
    if origin in (dict, abc.Mapping, typing.Mapping):
        return {"type": "object", "additionalProperties": type_schema(inner[1], definitions) if len(inner) > 1 else {}}
    return {}


def _reference(cls: type, definitions: Schema) -> Schema:
    name = f"{cls.__module__}.{cls.__qualname__}"
    if name not in definitions:
        definitions[name] = {}  # a class may hold itself
        definitions[name] = _table(cls, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _secret() -> Schema:
    sources = {
        "env": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "description": "Environment variable."},
        "file": {"type": "string", "minLength": 1, "description": "File of mode 0600, relative to the TOML."},
        "keyring": {"type": "string", "pattern": "^.+/[^/]+$", "description": "SERVICE/USER of the keyring."},
    }
    one = {"type": "object", "properties": sources, "additionalProperties": False,
           "minProperties": 1, "maxProperties": 1}  # fmt: skip
    return {"anyOf": [one, {"type": "string", "minLength": 4, "maxLength": MAX_SECRET_BYTES}]}


_SCALARS: dict[type, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": -INT_MAX, "maximum": INT_MAX - 1},
    float: {"type": "number"},
    Decimal: {"anyOf": [{"type": "number"}, {"type": "string", "pattern": _NUMBER_TEXT, "maxLength": 64}]},
    str: {"type": "string"},
    Path: {"type": "string"},
    Secret: _secret(),
}
