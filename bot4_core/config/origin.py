"""The effective config of a bot: every value in force, and what put it there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import attrs
from attrs import frozen

from ..domain.redaction import HIDDEN, is_secret, without_password
from ..domain.secret import Secret
from .lines import Place
from .model import Config, Part, Plan, show_path
from .overrides import PREFIX

Source = Literal["file", "set", "environment", "default"]


@frozen(kw_only=True)
class Value:
    """One value in force.

    Args:
        at: where it stands, or would stand, in the TOML.
        value: as its settings class holds it, with secrets replaced by ``***``.
        source: what put it there.
        words: the same for people, as ``line 12`` or ``--set risk[0].position=0.01``.
        line: of the file; None when it is not from there.
    """

    at: Place
    value: object
    source: Source
    words: str
    line: int | None

    @property
    def path(self) -> str:
        """The place as ``$.risk[0].position``."""
        return show_path(self.at)


def effective(plan: Plan) -> list[Value]:
    """Every value in force, in the order of the config's tables."""
    config = plan.config
    found: list[Value] = []
    for key, core in (("bot", config.bot), ("journal", config.journal), ("log", config.log)):
        found += _settings(config, core, (key,), None)
    parts: list[Part[Any]] = [
        *plan.exchanges.values(), *plan.risk, *plan.strategies.values(), *plan.sinks,
    ]  # fmt: skip
    for part in parts:
        at = part.table.at
        found.append(_value(config, (*at, "use"), part.table.use, True))
        if part.table.trade:
            found.append(_value(config, (*at, "trade"), [str(market) for market in part.table.trade], True))
        found += _settings(config, part.settings, at, part.table.settings)
    return found


def _settings(config: Config, settings: object, at: Place, raw: object) -> Iterator[Value]:
    """The values of one settings object; ``raw`` is what the user wrote for it, None where that was not kept."""
    cls: type[Any] = type(settings)
    for one in attrs.fields(cls):
        if one.init and not one.name.startswith("_"):
            value, key = getattr(settings, one.name), one.alias or one.name
            yield from _below(config, value, (*at, key), _given(config, (*at, key), raw, value != one.default), raw)


def _given(config: Config, at: Place, raw: object, differs: bool) -> bool:
    if isinstance(raw, Mapping):
        return at[-1] in raw
    return at in config.lines or at in config.overrides or (_change(config, at) is not None and differs)


def _below(config: Config, value: object, at: Place, given: bool, raw: object) -> Iterator[Value]:
    cls: type[Any] = type(value)
    inner = raw.get(at[-1]) if isinstance(raw, Mapping) else None
    if attrs.has(cls):
        yield from _settings(config, value, at, inner if isinstance(inner, Mapping) else {})
    elif isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _below(config, item, (*at, str(key)), given, inner)
    else:
        yield _value(config, at, value, given)


def _value(config: Config, at: Place, value: object, given: bool) -> Value:
    source, words, line = _origin(config, at) if given else ("default", "default", None)
    if isinstance(value, Secret):
        words = f"{words}, {value.origin}"
    return Value(at=at, value=shareable(value, str(at[-1])), source=source, words=words, line=line)


def _origin(config: Config, at: Place) -> tuple[Source, str, int | None]:
    change = _change(config, at)
    if change is not None:
        return ("environment" if change.startswith(PREFIX) else "set"), change, None
    for length in range(len(at), 0, -1):
        if at[:length] in config.lines:
            line = config.lines[at[:length]]
            return "file", f"line {line}", line
    return "file", "the file", None


def _change(config: Config, at: Place) -> str | None:
    """What changed this value, the table it stands in, or something inside it."""
    for length in range(len(at), 0, -1):
        if at[:length] in config.overrides:
            return config.overrides[at[:length]]
    inside = [change for place, change in config.overrides.items() if place[: len(at)] == at]
    return inside[0] if inside else None


def shareable(value: object, name: str = "") -> object:
    """A value of a settings class as it may be shown: no secret in it, nor anything that is named like one."""
    cls: type[Any] = type(value)
    if isinstance(value, Secret):
        return HIDDEN
    if attrs.has(cls):
        value = {one.alias: getattr(value, one.name) for one in attrs.fields(cls) if one.init}
        value = {key: item for key, item in value.items() if item is not None}
    if value is not None and is_secret(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(key): shareable(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [shareable(item) for item in value]
    return without_password(value) if isinstance(value, str) else value
