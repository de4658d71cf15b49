"""The shape of a bot's configuration (DECISIONS.md, "Config").

What the user wrote is a :class:`Config` of :class:`Table`; what those mean to the installed plugins is a
:class:`Plan` of :class:`Part`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import attrs
from attrs import field, frozen

from ..domain.redaction import without_password
from ..errors import DomainError, Mistake
from ..plugins import Pin
from ..specs import ExchangeSpec, RiskSpec, SinkSpec, Spec, StrategySpec
from .lines import Place
from .validators import Between, Matching

_SEED_MAX = 2**63 - 1
_MAX_LOG_MB = 1_024
_MAX_LOG_FILES = 100

S = TypeVar("S", bound=Spec)

#: the name becomes a folder name in the state directory
_VALID_BOT_NAME = Matching(
    "[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", "must be 1-63 letters, digits, _ . - and start with a letter or digit"
)
_URL = r"[a-z0-9]+(\+[a-z0-9]+)?://\S*"


def _valid_url(_journal: object, _attribute: attrs.Attribute[Any], value: str) -> None:
    if not re.fullmatch(_URL, value):
        raise DomainError(
            f"{without_password(value)!r} is no database URL; as sqlite:///bot.db or postgresql+psycopg://user@host/db"
        )


_valid_url.json_schema = {"pattern": f"^(?:{_URL})$"}  # type: ignore[attr-defined]  # what an editor may know of it


def _pins(entries: Iterable[str | Pin]) -> tuple[Pin, ...]:
    return tuple(Pin(one) if isinstance(one, str) else one for one in entries)


def _no_plugin_twice(_bot: object, _attribute: attrs.Attribute[Any], value: tuple[Pin, ...]) -> None:
    names = [one.name for one in value]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DomainError(f"{twice[0]!r} stands twice")


_no_plugin_twice.json_schema = {"uniqueItems": True}  # type: ignore[attr-defined]  # what an editor may know of it


@frozen(kw_only=True)
class BotConfig:
    """Who the bot is, and what it may import.

    Args:
        name: 1 to 63 letters, digits, ``_ . -``; files and journal rows carry it.
        mode: ``paper`` or ``live``; ``bot4 backtest`` runs either, ``bot4 run`` what it says.
        plugins: entry-point names that may be imported, nothing else is; each may be pinned.
        seed: client order ids of a backtest and made-up markets come from it.
        unguarded: switches the position, drawdown and stop limits off; refused with ``live``; the report says so.
    """

    name: str = field(validator=_VALID_BOT_NAME)
    mode: Literal["paper", "live"] = "paper"
    plugins: tuple[Pin, ...] = field(default=(), converter=_pins, validator=_no_plugin_twice)
    seed: int = field(default=1, validator=Between(0, _SEED_MAX))
    unguarded: bool = False


@frozen(kw_only=True)
class JournalConfig:
    """Where runs are kept.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST/NAME``; without it SQLite in the state directory.
    """

    url: str | None = field(default=None, validator=attrs.validators.optional(_valid_url))


@frozen(kw_only=True)
class LogConfig:
    """The JSON log of a running bot.

    Args:
        level: the least serious message that is kept.
        rotate_mb: the file is closed and a new one begun at so many megabytes.
        keep: closed files that are kept; older ones are deleted.
    """

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    rotate_mb: int = field(default=10, validator=Between(1, _MAX_LOG_MB))
    keep: int = field(default=5, validator=Between(1, _MAX_LOG_FILES))


@frozen
class Market:
    """One entry of ``trade``: an exchange table of this config, and a symbol ``BASE/QUOTE`` there."""

    exchange: str
    symbol: str

    def __str__(self) -> str:
        return f"{self.exchange}:{self.symbol}"


@frozen(kw_only=True)
class Table:
    """One ``[exchange.NAME]``, ``[[risk]]``, ``[strategy.NAME]`` or ``[[sink]]`` as written.

    Args:
        kind: ``exchange``, ``risk``, ``strategy`` or ``sink``.
        name: the NAME; the position as text for the lists.
        use: spec name, or ``./file.py:Class`` for a strategy.
        settings: everything else in the table, as TOML gave it.
        at: where the table stands.
        trade: a strategy's markets.
    """

    kind: str
    name: str
    use: str
    settings: Mapping[str, object]
    at: Place
    trade: tuple[Market, ...] = ()


@frozen(kw_only=True)
class Config:
    """A whole file whose shape is right.

    Args:
        path: the file, absolute.
        source: the file as the user named it, for messages.
        text: its contents.
        lines: line of each key and table, for messages.
        overrides: what was changed from outside the file: each place, and the ``--set PATH=VALUE`` or
            ``BOT4__PATH=VALUE`` that changed it.
    """

    bot: BotConfig
    journal: JournalConfig
    log: LogConfig = field(factory=LogConfig)
    exchanges: Mapping[str, Table]
    risk: tuple[Table, ...]
    strategies: Mapping[str, Table]
    sinks: tuple[Table, ...]
    path: Path
    source: str
    text: str = field(repr=False)
    lines: Mapping[Place, int] = field(repr=False)
    overrides: Mapping[Place, str] = field(factory=dict)

    @property
    def base_dir(self) -> Path:
        """The folder that the file's relative paths start from (D-9)."""
        return self.path.parent

    @property
    def journal_url(self) -> str | None:
        """The journal's URL with a SQLite file made absolute; None for the default in the state directory."""
        url = self.journal.url
        prefix, found, file = (url or "").partition(":///")
        if not found or not prefix.startswith("sqlite") or not file or file.startswith((":memory:", "file:")):
            return url
        return f"{prefix}:///{self.base_dir / file}"

    def mistake(self, at: Place, message: str) -> Mistake:
        """A mistake at a place of this document, with its line or the override that brought it."""
        return locate(at, message, source=self.source, lines=self.lines, overrides=self.overrides)


@frozen(kw_only=True)
class Part(Generic[S]):
    """One table with its plugin found and its settings filled.

    Args:
        table: what the user wrote.
        spec: what the plugin offered; for a strategy from a file a spec made here.
        settings: an instance of the spec's settings class; for a strategy a fresh Strategy object.
    """

    table: Table
    spec: S
    settings: Any


@frozen(kw_only=True)
class Plan:
    """A config that every plugin it names has accepted: what assembly starts from."""

    config: Config
    exchanges: Mapping[str, Part[ExchangeSpec]]
    risk: tuple[Part[RiskSpec], ...]
    strategies: Mapping[str, Part[StrategySpec]]
    sinks: tuple[Part[SinkSpec], ...]


def show_path(at: Place) -> str:
    """A place in the document as ``$.risk[0].position``."""
    parts = [f"[{p}]" if isinstance(p, int) else f".{p}" if _plain_key(p) else f".{p!r}" for p in at]
    return "$" + "".join(parts)


def _plain_key(key: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key) is not None


def locate(
    at: Place, message: str, *, source: str, lines: Mapping[Place, int], overrides: Mapping[Place, str]
) -> Mistake:
    """A mistake with the best place known: the override it came from, its own line, or its nearest table's."""
    if at not in lines and not any(at[:length] in overrides for length in range(len(at), 0, -1)):
        # a table that stands nowhere in the file came with what was put into it
        for place, change in overrides.items():
            if place[: len(at)] == at:
                return Mistake(show_path(at), message, None, change)
    for length in range(len(at), -1, -1):
        if at[:length] in overrides:
            return Mistake(show_path(at), message, None, overrides[at[:length]])
        if at[:length] in lines:
            return Mistake(show_path(at), message, lines[at[:length]], source)
    return Mistake(show_path(at), message, None, source)
