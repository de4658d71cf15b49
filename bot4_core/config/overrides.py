"""What changes single values of a config from outside the file: ``--set PATH=VALUE`` and ``BOT4__PATH=VALUE``.

The environment is applied first, so that ``--set`` wins over it. What was changed is recorded with its words, for
messages and for the journal.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from ..domain.redaction import HIDDEN, is_secret, without_password
from ..errors import Mistake, one_line
from .lines import Place, nesting
from .structure import Problems, show

#: Environment variables that start so change one value each.
PREFIX = "BOT4__"
MAX_NESTING = 32
MAX_OVERRIDES = 1_000

#: What was changed, and the words that changed it; no secret among them.
Applied = dict[Place, str]

_STEP = re.compile(r"\.?([A-Za-z0-9_-]+)|\[([0-9]{1,4})\]")
_KEY = re.compile(r"[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*_?")
_TOML_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def apply_environment(document: dict[str, Any], environment: Mapping[str, str]) -> tuple[Applied, list[Mistake]]:
    """Puts the ``BOT4__`` variables into the document, by name.

    ``BOT4__STRATEGY__TREND__FAST=8`` is ``strategy.trend.fast = 8``, ``BOT4__RISK__0__POSITION`` the first risk
    table's position. A part of the name is the key it equals but for case and ``-`` in place of ``_``, where there is
    one; else the key is the part in lower case. The value is TOML; what is no TOML is taken as text.

    Returns:
        the places they took, and what was wrong with the others.
    """
    applied: Applied = {}
    mistakes: list[Mistake] = []
    names = sorted(name for name in environment if name.upper().startswith(PREFIX))
    if len(names) > MAX_OVERRIDES:
        message = f"{len(names)} variables start with {PREFIX}; at most {MAX_OVERRIDES} may"
        return applied, [Mistake("", message, None, "environment:")]
    for name in names:
        try:
            place = _place(document, name)
            _put(document, place, _value_of_variable(environment[name]))
            _record(applied, place, f"{name}={_shown(name, environment[name])}")
        except Problems as problems:
            mistakes += [Mistake("", message, None, f"{one_line(name)}:") for _, message in problems.found]
    return applied, mistakes


def apply_arguments(document: dict[str, Any], overrides: Iterable[str]) -> tuple[Applied, list[Mistake]]:
    """Puts ``--set`` arguments into the document; gives the places they took and what was wrong with the others."""
    applied: Applied = {}
    mistakes: list[Mistake] = []
    for text in overrides:
        path, _, written = text.partition("=")
        words = f"--set {one_line(path)}={_shown(path, written)}" if "=" in text else f"--set {one_line(text)}"
        try:
            place, value = split_override(text)
            _put(document, place, value)
            _record(applied, place, words)
        except Problems as problems:
            mistakes += [Mistake("", message, None, f"{words}:") for _, message in problems.found]
    return applied, mistakes


def merged(first: Applied, second: Applied) -> Applied:
    """Both, the second in force where they meet."""
    result = dict(first)
    for place, words in second.items():
        _record(result, place, words)
    return result


def _record(applied: Applied, place: Place, words: str) -> None:
    for other in [other for other in applied if other[: len(place)] == place]:
        del applied[other]  # what it had changed is gone
    applied[place] = words


def _shown(path: str, written: str) -> str:
    hidden = any(is_secret(part) for part in re.split(r"[.\[\]]|__", path.strip()))
    return HIDDEN if hidden else without_password(one_line(written))


def split_override(text: str) -> tuple[Place, Any]:
    """The place and the value of a ``path=value`` argument.

    Raises:
        Problems: it is not of that form, or the value is no TOML.
    """
    path, equals, written = text.partition("=")
    path = path.strip().removeprefix("$").removeprefix(".")
    place: list[str | int] = []
    at = 0
    while at < len(path) and (step := _STEP.match(path, at)):
        place.append(step[1] if step[1] is not None else int(step[2]))
        at = step.end()
    if not equals or not place or at < len(path) or isinstance(place[0], int):
        raise Problems([((), "must read path=value, as strategy.trend.fast=8 or risk[0].position=0.01")])
    try:
        return tuple(place), _toml(written)
    except (ValueError, ArithmeticError) as error:
        message = _TOML_POSITION.sub("", one_line(error))
        hint = "text needs quotes of its own, as --set 'bot.name=\"second\"'"
        value = _shown(path, written)
        told = f"{value if value == HIDDEN else show(value)} is no TOML value ({message}); {hint}"
        raise Problems([((), told)]) from error


def _toml(written: str) -> Any:
    if "\n" in written or nesting(written) > MAX_NESTING:
        raise ValueError("it must be one short value")
    return tomllib.loads(f"value = {written}", parse_float=Decimal)["value"]


def _value_of_variable(written: str) -> Any:
    if nesting(written) > MAX_NESTING:
        raise Problems([((), "its value is nested too deep")])
    try:
        return _toml(written)
    except (ValueError, ArithmeticError):
        return written


def _place(document: Mapping[str, Any], name: str) -> Place:
    """The place that a variable's name means in this document."""
    parts = name[len(PREFIX) :].split("__")
    if not all(_KEY.fullmatch(part) for part in parts):
        raise Problems([((), f"must read {PREFIX}TABLE__KEY, as {PREFIX}STRATEGY__TREND__FAST")])
    here: Any = document
    place: list[str | int] = []
    for part in parts:
        if isinstance(here, list):
            if not part.isdecimal() or int(part[:5]) >= len(here):
                raise Problems([((), f"{place[-1]!r} is a list of {len(here)}, so it has no {part.lower()!r}")])
            place.append(int(part))
        else:
            place.append(_key(here if isinstance(here, dict) else {}, part))
        try:
            here = here[place[-1]]
        except (KeyError, TypeError, IndexError):
            here = None
    return tuple(place)


def _key(table: Mapping[str, Any], part: str) -> str:
    wanted = _folded(part)
    found = [key for key in table if _folded(key) == wanted]
    if len(found) > 1:
        raise Problems([((), f"{part!r} may be {' or '.join(map(repr, sorted(found)))}: use --set")])
    return found[0] if found else part.lower()


def _folded(key: str) -> str:
    return key.casefold().replace("-", "_")


def _put(document: dict[str, Any], place: Place, value: object) -> None:
    """Puts the value there; a table on the way that does not exist is made, a list is never made longer."""
    here: Any = document
    for at, key in enumerate(place):
        last = at == len(place) - 1
        if isinstance(key, int) and isinstance(here, list) and key < len(here):
            pass
        elif isinstance(key, str) and isinstance(here, dict):
            if not last:
                here.setdefault(key, {})
        else:
            kind = f"a list of {len(here)}" if isinstance(here, list) else "no list or table of that form"
            raise Problems([((), f"{place[at - 1]!r} is {kind}, so it has no {key!r}")])
        if last:
            here[key] = value
        here = here[key]
