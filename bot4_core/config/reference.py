"""The reference of a bot.toml as Markdown, made from the settings classes: docs/config.md holds it."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from ..domain.secret import Secret
from ..plugins import Pin
from ..specs import Spec, StrategySpec
from ..strategy import Strategy
from .describe import Setting, number, plain, settings_of
from .model import BotConfig, JournalConfig, LogConfig

_KINDS = {"exchange": "[exchange.NAME]", "risk": "[[risk]]", "strategy": "[strategy.NAME]", "sink": "[[sink]]"}
_WORDS: dict[object, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    Decimal: "number",
    str: "text",
    Path: "path",
    Secret: "secret",
    Pin: "text or table",
}


def reference(offers: Sequence[tuple[str, Spec]]) -> str:
    """Markdown tables of every key that the core and these offers take, in the order of a bot.toml.

    Args:
        offers: kind and spec of everything that ``use`` may say.
    """
    lines: list[str] = []
    for heading, cls in (("[bot]", BotConfig), ("[journal]", JournalConfig), ("[log]", LogConfig)):
        lines += [f"### {heading}", "", *_tables(cls)]
    for kind, heading in _KINDS.items():
        for of, spec in offers:
            if of == kind:
                title = f'### {heading} with use = "{spec.name}"'
                lines += [title, "", *([spec.summary, ""] if spec.summary else [])]
                lines += _tables(spec.strategy if isinstance(spec, StrategySpec) else spec.settings)
        if kind == "strategy":
            lines += [f'### {heading} with use = "./FILE.py:CLASS"', "", *_tables(Strategy)]
    return "\n".join(lines).rstrip() + "\n"


def _tables(cls: type) -> list[str]:
    """The table of a class, and one of each class inside it."""
    settings = settings_of(cls)
    if not settings:
        return ["No settings.", ""]
    lines = ["| key | takes | default | meaning |", "|---|---|---|---|", *map(_row, settings), ""]
    for one in settings:
        inner = _inner(one.type)
        if inner is not None:
            lines += [f"`{one.key}`:", "", *_tables(inner)]
    return lines


def _row(setting: Setting) -> str:
    cells = (f"`{setting.key}`", takes(setting), _default(setting), setting.description.replace("``", "`"))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(setting: Setting) -> str:
    if setting.required:
        return "required"
    value = plain(setting.default)
    return "none" if value is None else f"`{_toml(value)}`"


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {_toml(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def takes(setting: Setting) -> str:
    """What a setting takes, in words: its type, its choices, its range."""
    words, told = _type(setting.type), setting.keywords
    low, high = told.get("minimum", told.get("exclusiveMinimum")), told.get("maximum", told.get("exclusiveMaximum"))
    above = "above " if "exclusiveMinimum" in told else ""
    below = "below " if "exclusiveMaximum" in told else ""
    if low is not None and high is not None:
        return f"{words}, {above}{_number(low)} to {below}{_number(high)}"
    if low is not None:
        return f"{words}, {above or 'at least '}{_number(low)}"
    return words if high is None else f"{words}, {below or 'at most '}{_number(high)}"


def _number(value: object) -> str:
    return f"{number(value):,}" if isinstance(value, int) else str(value)


def _type(wanted: Any) -> str:
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is typing.Annotated:
        return _type(inner[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type(one) for one in inner if one is not type(None))
    if origin is Literal:
        return " or ".join(f"`{_toml(one)}`" for one in inner)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return " or ".join(f"`{_toml(plain(one.value))}`" for one in wanted)
    if wanted in _WORDS:
        return _WORDS[wanted]
    if (origin or wanted) in (dict, Mapping, typing.Mapping):
        return f"table of {_type(inner[1])}" if len(inner) > 1 else "table"
    if isinstance(wanted, type) and attrs.has(wanted):
        return "table"
    return f"list of {_type(inner[0])}" if inner else "list"


def _inner(wanted: Any) -> type | None:
    """The settings class inside a type, one that has a table of its own."""
    choices = [wanted, *get_args(wanted)]
    found = [one for one in choices if isinstance(one, type) and attrs.has(one)]
    return found[0] if found else None
