"""A config against the plugins it names: each table's settings as its plugin's class, every mistake at once."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from ..errors import ConfigError, Mistake
from ..plugins import Registry
from ..specs import NEEDED_TO_TRADE, RESERVED_KEYS, ExchangeSpec, RiskSpec, SinkSpec, Spec, StrategySpec
from ..strategy import Strategy
from .lines import Place
from .model import Config, Part, Plan, S, Table
from .secrets import SecretReader
from .strategy_file import is_file_use, load_strategy_file
from .structure import Problems, structure

_Found = list[tuple[Place, str]]


def resolve(config: Config, registry: Registry) -> Plan:
    """Finds the plugin of each table and fills its settings.

    Args:
        config: from ``load_config``.
        registry: ``plugins.load(config.bot.plugins)``.

    Returns:
        A plan whose strategies are fresh objects: resolve again for a second run.

    Raises:
        ConfigError: with every mistake: plugins that are not installed, names that none offers, settings that the
            plugin's class refuses, exchanges that cannot do what a strategy asks of them.
    """
    found: _Found = []
    for position, pin in enumerate(config.bot.plugins):
        if pin.name in registry.missing:
            found.append((("bot", "plugins", position), registry.missing[pin.name]))
    asked = (config, registry, found)
    exchanges = {name: _part(table, ExchangeSpec, *asked) for name, table in config.exchanges.items()}
    risk = [_part(table, RiskSpec, *asked) for table in config.risk]
    strategies = {name: _part(table, StrategySpec, *asked) for name, table in config.strategies.items()}
    sinks = [_part(table, SinkSpec, *asked) for table in config.sinks]
    for table in config.strategies.values():
        found.extend(_untradable(table, exchanges))
    if found:
        mistakes: list[Mistake] = [config.mistake(at, message) for at, message in found]
        raise ConfigError(sorted(mistakes, key=lambda one: (one.line is None, one.line or 0)))
    return Plan(
        config=config,
        exchanges={name: part for name, part in exchanges.items() if part is not None},
        risk=tuple(part for part in risk if part is not None),
        strategies={name: part for name, part in strategies.items() if part is not None},
        sinks=tuple(part for part in sinks if part is not None),
    )


def _part(table: Table, spec_type: type[S], config: Config, registry: Registry, found: _Found) -> Part[S] | None:
    at = (*table.at, "use")
    try:
        spec = _spec(table, spec_type, config, registry)
        at = table.at
        wanted = spec.strategy if isinstance(spec, StrategySpec) else spec.settings
        settings = structure(table.settings, wanted, SecretReader(config.base_dir))
    except Problems as problems:
        found.extend(problems.below(*at))
        return None
    return Part(table=table, spec=spec, settings=settings)


def _spec(table: Table, spec_type: type[S], config: Config, registry: Registry) -> S:
    spec: Spec | None = registry.find(spec_type, table.use)
    if table.kind == "strategy" and is_file_use(table.use):
        spec = StrategySpec(name="file", strategy=load_strategy_file(table.use, config.base_dir))
    if not isinstance(spec, spec_type):
        own = '; a file of your own reads use = "./trend.py:Trend"' if table.kind == "strategy" else ""
        raise Problems([((), registry.explain(table.kind, table.use) + own)])
    if isinstance(spec, StrategySpec):
        _refuse_reserved(spec.strategy)
    return spec


def _refuse_reserved(strategy: type) -> None:
    if not issubclass(strategy, Strategy):
        raise Problems([((), f"{strategy.__name__} is no Strategy class")])
    taken = sorted(RESERVED_KEYS & {one.name for one in attrs.fields(strategy)})  # type: ignore[arg-type]  # attrs class
    if taken:
        raise Problems([((), f"{strategy.__name__} has the reserved field {taken[0]!r}; rename it")])


def _untradable(table: Table, exchanges: Mapping[str, Part[ExchangeSpec] | None]) -> _Found:
    """The markets of a strategy whose exchange cannot take its orders."""
    found: _Found = []
    for position, market in enumerate(table.trade):
        part = exchanges.get(market.exchange)
        lacks = [] if part is None else [one for one in NEEDED_TO_TRADE if one not in part.spec.capabilities]
        if part is not None and lacks:
            can = ", ".join(sorted(part.spec.capabilities)) or "nothing"
            name = f"{market.exchange} ({part.spec.name})"
            message = (
                f"{name} takes no orders yet: it lacks {', '.join(lacks)} and offers {can}; trade on the simulator"
            )
            found.append(((*table.at, "trade", position), message))
    return found
