"""A TOML file to a :class:`Config`: its size, bytes, syntax and shape, with every mistake of the shape at once."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..domain.redaction import without_secrets
from ..errors import ConfigError, Mistake, nearest, one_line
from ..plugins import Pin
from .lines import Place, find_lines, nesting
from .model import BotConfig, Config, JournalConfig, LogConfig, Market, Table, locate
from .overrides import MAX_NESTING, apply_arguments, apply_environment, merged
from .structure import Problems, show, structure

MAX_BYTES = 1_000_000
MAX_TABLES = 1_000

_TOP = ("bot", "journal", "log", "exchange", "risk", "strategy", "sink")
#: the NAME of ``[exchange.NAME]`` and ``[strategy.NAME]``
TABLE_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
#: one entry of ``trade``
MARKET = r"([^:\s/]+):([^:\s/]+/[^:\s/]+)"
_TOML_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")

_Found = list[tuple[Place, str]]


def load_config(
    path: str | Path, overrides: Iterable[str] = (), environment: Mapping[str, str] | None = None
) -> Config:
    """Reads a bot's TOML.

    Args:
        path: the file.
        overrides: ``path=value`` each, as ``strategy.trend.fast=8`` or ``risk[0].position=0.01``; values are TOML.
        environment: variables; those that start with ``BOT4__`` change values too, below ``overrides``. This
            process's by default.

    Raises:
        ConfigError: with every mistake of the file's shape; only its own tables are judged here, the plugins'
            settings by :func:`bot4_core.config.resolve`.
    """
    source = str(path)
    text = _read(Path(path), source)
    document = _parse(text, source)
    lines = find_lines(text)
    below, mistakes = apply_environment(document, os.environ if environment is None else environment)
    above, others = apply_arguments(document, overrides)
    applied = merged(below, above)
    mistakes += others
    found: _Found = []
    parts = _shape(document, found)
    mistakes += [locate(at, message, source=source, lines=lines, overrides=applied) for at, message in found]
    if mistakes:
        raise ConfigError(sorted(mistakes, key=lambda mistake: (mistake.line is None, mistake.line or 0)))
    return Config(path=Path(path).absolute(), source=source, text=text, lines=lines, overrides=applied, **parts)


def allowlist(path: str | Path) -> tuple[Pin, ...]:
    """The plugins that a bot's TOML allows, whatever else is wrong with it; for who wants to know them beforehand.

    Raises:
        ConfigError: the file cannot be read or is no TOML, or ``[bot] plugins`` is no list of plugins.
    """
    source = str(path)
    text = _read(Path(path), source)
    bot = _parse(text, source).get("bot", {})
    try:
        plugins: tuple[Pin, ...] = structure(bot.get("plugins", []) if isinstance(bot, dict) else [], tuple[Pin, ...])
    except Problems as problems:
        lines, found = find_lines(text), problems.below("bot", "plugins")
        raise ConfigError([locate(*each, source=source, lines=lines, overrides={}) for each in found]) from problems
    return plugins


def _read(path: Path, source: str) -> str:
    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(Mistake("", "is no regular file", None, source))
            if status.st_size > MAX_BYTES:
                message = f"is {status.st_size} bytes; a config may have {MAX_BYTES}"
                raise ConfigError(Mistake("", message, None, source))
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        message = "does not exist; `bot4 init DIR` writes a first one"
        raise ConfigError(Mistake("", message, None, source)) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(Mistake("", f"cannot be read: {reason}", None, source)) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(Mistake("", f"has more than {MAX_BYTES} bytes", None, source))
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise ConfigError(Mistake("", "holds a NUL byte; a config is UTF-8 text", line, source))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(Mistake("", f"is not UTF-8: byte {data[error.start]:#04x}", line, source)) from error


def _open_at_once(path: str, flags: int) -> int:
    # a named pipe without a writer must be refused, not waited for
    return os.open(path, flags | os.O_NONBLOCK)


def _parse(text: str, source: str) -> dict[str, Any]:
    if nesting(text) > MAX_NESTING:
        raise ConfigError(Mistake("", f"is nested deeper than {MAX_NESTING} levels", None, source))
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        message = one_line(error)
        line = None
        if position := _TOML_POSITION.search(message):
            line = int(position[1]) if position[1] else text.count("\n") + 1
            message = message[: position.start()]
        if message == "Cannot overwrite a value" and line is not None:
            # its value may be a secret: only the plugin's class would tell
            key = without_secrets(one_line(text.splitlines()[line - 1].partition("=")[0]))
            message = f"a key stands twice: {key!r}"
        raise ConfigError(Mistake("", f"is not valid TOML: {message}", line, source)) from error


def _shape(document: Mapping[str, Any], found: _Found) -> dict[str, Any]:
    for key in document:
        if key not in _TOP:
            found.append(((key,), f"unknown table; allowed: {', '.join(_TOP)}{nearest(key, _TOP)}"))
    if "bot" not in document:
        found.append((("bot",), "missing; a config starts with [bot] and a name"))
    exchanges = _named(document, "exchange", found)
    parts = {
        "bot": _filled(document, "bot", BotConfig, found),
        "journal": _filled(document, "journal", JournalConfig, found),
        "log": _filled(document, "log", LogConfig, found),
        "exchanges": exchanges,
        "risk": _listed(document, "risk", found),
        "strategies": _named(document, "strategy", found, document.get("exchange", {})),
        "sinks": _listed(document, "sink", found),
    }
    bot = parts["bot"]
    if bot is not None and bot.mode == "live" and bot.unguarded:
        found.append((("bot", "unguarded"), "true is not allowed with mode = 'live' (allowed in paper and backtests)"))
    return parts


def _filled(document: Mapping[str, Any], key: str, cls: type, found: _Found) -> Any:
    if key == "bot" and key not in document:
        return None
    try:
        return structure(document.get(key, {}), cls)
    except Problems as problems:
        found.extend(problems.below(key))
        return None


def _named(
    document: Mapping[str, Any], kind: str, found: _Found, exchanges: Mapping[str, Any] | None = None
) -> dict[str, Table]:
    """The ``[kind.NAME]`` tables; ``exchanges`` is given for strategies, whose ``trade`` names them."""
    tables = document.get(kind, {})
    if not isinstance(tables, dict) or not tables or not all(isinstance(one, dict) for one in tables.values()):
        found.append(((kind,), f"a bot needs tables of the form [{kind}.NAME]"))
        return {}
    if len(tables) > MAX_TABLES:
        found.append(((kind,), f"has {len(tables)} tables; at most {MAX_TABLES} are allowed"))
        return {}
    result: dict[str, Table] = {}
    for name, content in tables.items():
        if not re.fullmatch(TABLE_NAME, name):
            found.append(((kind, name), "the name must be 1-63 letters, digits, _ - and start with a letter or digit"))
        trade = None if exchanges is None else _trade(content, (kind, name), exchanges, found)
        result[name] = _table(kind, name, content, (kind, name), found, trade)
    return result


def _listed(document: Mapping[str, Any], kind: str, found: _Found) -> tuple[Table, ...]:
    tables = document.get(kind, [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        found.append(((kind,), f"must be written as [[{kind}]], with two brackets: their order counts"))
        return ()
    if len(tables) > MAX_TABLES:
        found.append(((kind,), f"has {len(tables)} tables; at most {MAX_TABLES} are allowed"))
        return ()
    return tuple(_table(kind, str(at), content, (kind, at), found, None) for at, content in enumerate(tables))


def _table(
    kind: str, name: str, content: Mapping[str, Any], at: Place, found: _Found, trade: tuple[Market, ...] | None
) -> Table:
    use = content.get("use")
    if not isinstance(use, str) or not use:
        wrong = "missing" if use is None else f"{show(use)} must be text in quotes"
        example = 'use = "./trend.py:Trend"' if kind == "strategy" else f'use = "NAME" of an installed {kind} plugin'
        found.append(((*at, "use"), f"{wrong}; as {example}"))
        use = ""
    core_keys = ("use",) if trade is None else ("use", "trade")
    settings = {key: value for key, value in content.items() if key not in core_keys}
    return Table(kind=kind, name=name, use=use, settings=settings, at=at, trade=trade or ())


def _trade(content: Mapping[str, Any], at: Place, exchanges: Mapping[str, Any], found: _Found) -> tuple[Market, ...]:
    at = (*at, "trade")
    if not isinstance(content.get("trade"), list) or not content["trade"]:
        found.append((at, 'needs a list of markets, as trade = ["main:BTC/USDT"]'))
        return ()
    markets: list[Market] = []
    for position, entry in enumerate(content["trade"]):
        match = re.fullmatch(MARKET, entry) if isinstance(entry, str) else None
        if match is None:
            found.append(((*at, position), f"{show(entry)} must read EXCHANGE:BASE/QUOTE, as 'main:BTC/USDT'"))
            continue
        market = Market(match[1], match[2])
        if isinstance(exchanges, dict) and market.exchange not in exchanges:
            known = ", ".join(exchanges) or "none"
            hint = nearest(market.exchange, exchanges)
            found.append(((*at, position), f"no table [exchange.{market.exchange}]; exchanges here: {known}{hint}"))
        if market in markets:
            found.append(((*at, position), f"{entry!r} stands twice"))
        markets.append(market)
    return tuple(markets)
