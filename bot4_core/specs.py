"""What a plugin hands to the core: frozen specs with a factory each.

A hook (see :mod:`bot4_core.hookspecs`) returns a list of these. The core reads them when a bot is assembled, fills
``settings`` from the bot's config table, calls ``create`` once, and from then on talks to the object directly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import attrs
from attrs import field, frozen

from .errors import DomainError

#: Keys of a config table that belong to the core; a settings class must not have a field of that name.
RESERVED_KEYS = frozenset({"use", "trade"})

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class Capability(StrEnum):
    """What an exchange can do beyond being configured. A capability is declared only once it works.

    The core refuses a bot whose exchange lacks what the bot needs, before anything starts.
    """

    INSTRUMENTS = "instruments"
    """The object has ``parse_instruments(bytes) -> list[Instrument]`` (``bot4 plugins instruments``)."""
    REPLAY = "replay"
    """The object satisfies the SDK's ``Replay`` protocol: it plays recorded history against resting orders."""
    STREAM = "stream"
    """The object satisfies the SDK's ``Streaming`` protocol: its events arrive over time (``bot4 run``)."""
    ATTACHED_ORDERS = "attached-orders"
    """An entry brings its protective stop and target along; they work from its first fill on."""
    REDUCE_ONLY = "reduce-only"
    """The exchange itself keeps a reducing order from flipping the position."""


#: What an exchange must be capable of before a strategy may trade on it: every entry brings a stop, and no exit flips.
NEEDED_TO_TRADE = (Capability.REPLAY, Capability.ATTACHED_ORDERS, Capability.REDUCE_ONLY)


@frozen(kw_only=True)
class Services:
    """What the core lends to a factory.

    Args:
        base_dir: the folder of the bot's TOML; paths in the settings are relative to it (DECISIONS.md D-9).
        resolve_history: finds a history file by the name written in the config, or raises HistoryError.
        seed: the bot's seed; the only source of randomness a plugin may use.
        bot: the bot's name.
    """

    base_dir: Path
    resolve_history: Callable[[str], Path]
    seed: int
    bot: str


@frozen(kw_only=True)
class RunInfo:
    """The run an observer hook is told about.

    Args:
        run_id: as in the journal.
        bot: the bot's name.
        mode: ``backtest``, ``paper`` or ``live``.
        seed: the seed in force.
    """

    run_id: str
    bot: str
    mode: str
    seed: int


def _valid_name(_spec: object, _attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise DomainError(f"name {value!r} must be 1-40 of a-z 0-9 _ - and start with a letter")


def _valid_settings(_spec: object, _attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, type) or not attrs.has(value):
        raise DomainError(f"settings must be an attrs class, not {value!r}")
    taken = sorted(RESERVED_KEYS & {a.alias or a.name for a in attrs.fields(value) if a.init})
    if taken:
        raise DomainError(f"settings class {value.__name__} has the reserved field {taken[0]!r}; rename it")


def _valid_factory(_spec: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not callable(value):
        raise DomainError(f"{attribute.name} must be callable, not {value!r}")


def _valid_class(_spec: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, type):
        raise DomainError(f"{attribute.name} must be a class, not {value!r}")


def _valid_source(_spec: object, _attribute: attrs.Attribute[Any], value: object) -> None:
    if value not in ("journal", "segment"):
        raise DomainError(f"reads must be 'journal' or 'segment', not {value!r}")


def _capabilities(given: Iterable[str]) -> frozenset[Capability]:
    known = {str(one) for one in Capability}
    unknown = sorted(set(given) - known)
    if unknown:
        raise DomainError(f"capability {unknown[0]!r} is not one of {', '.join(sorted(known))}")
    return frozenset(Capability(one) for one in given)


@frozen(kw_only=True)
class ExchangeSpec:
    """An exchange: a venue, or a simulator in its place.

    Args:
        name: what ``use`` in ``[exchange.NAME]`` says.
        settings: attrs class filled from that table.
        create: ``create(settings, services)`` gives the exchange object; called once per table.
        capabilities: what that object can do.
        summary: one line for ``bot4 plugins show``.

    Raises:
        DomainError: for a malformed name or a settings class the core cannot fill.
    """

    name: str = field(validator=_valid_name)
    settings: type = field(validator=_valid_settings)
    create: Callable[[Any, Services], object] = field(validator=_valid_factory)
    capabilities: frozenset[Capability] = field(default=frozenset(), converter=_capabilities)
    summary: str = ""


@frozen(kw_only=True)
class RiskSpec:
    """A risk policy: it may tighten the core's limits and add checks, never loosen (DECISIONS.md D-12).

    Args:
        name: what ``use`` in ``[[risk]]`` says.
        settings: attrs class filled from that table; its validators refuse values above the core's limits.
        create: ``create(settings, services)`` gives the ``RiskPolicy``.
        summary: one line for ``bot4 plugins show``.
    """

    name: str = field(validator=_valid_name)
    settings: type = field(validator=_valid_settings)
    create: Callable[[Any, Services], object] = field(validator=_valid_factory)
    summary: str = ""


@frozen(kw_only=True)
class StrategySpec:
    """A packaged strategy.

    Args:
        name: what ``use`` in ``[strategy.NAME]`` says.
        strategy: the Strategy class; its typed fields are its settings.
        summary: one line for ``bot4 plugins show``.
    """

    name: str = field(validator=_valid_name)
    strategy: type = field(validator=_valid_class)
    summary: str = ""


@frozen(kw_only=True)
class SinkSpec:
    """A reader of a run: of the journal's records, or of the figures that the trading process publishes.

    Args:
        name: what ``use`` in ``[[sink]]`` says.
        settings: attrs class filled from that table.
        create: ``create(settings, services)`` gives a ``bot4_core.sdk.Sink``, an object with ``on_batch(events)``, or
            for ``reads="segment"`` a ``bot4_core.sdk.SegmentSink``, an object with ``serve(view, stop)``.
        reads: ``journal``: every stored record, in order. ``segment``: the figures of the running bot as they are now,
            in a process of its own that the trader does not wait for.
        summary: one line for ``bot4 plugins show``.

    Raises:
        DomainError: for a malformed name, a settings class the core cannot fill, or an unknown ``reads``.
    """

    name: str = field(validator=_valid_name)
    settings: type = field(validator=_valid_settings)
    create: Callable[[Any, Services], object] = field(validator=_valid_factory)
    reads: Literal["journal", "segment"] = field(default="journal", validator=_valid_source)
    summary: str = ""


Spec = ExchangeSpec | RiskSpec | StrategySpec | SinkSpec
