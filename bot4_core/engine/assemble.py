"""From a resolved plan to a bot that can run: exchange, books, limits, gate, strategies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar, get_type_hints

import attrs
from attrs import frozen

from ..config.lines import Place
from ..config.model import Config, Part, Plan, Table
from ..domain.event import Kind
from ..domain.limits import GUARD, Limits
from ..domain.redaction import without_secrets
from ..errors import Bot4Error, ConfigError, HistoryError, Mistake, PluginLoadError
from ..history.catalogue import Catalogue
from ..journal.records import Mode, RunInfo
from ..journal.sinks import SinkFeed
from ..native.latch import Latch
from ..protocols import Replay, RiskPolicy, Sink
from ..specs import ExchangeSpec, Services
from ..strategy import Strategy
from .account import Account
from .core import Engine
from .desk import Desk, Recorder
from .gate import Gate
from .orders import ClientIds, OrderTable
from .rules import Venue
from .series import Feed

#: marks this installation's orders in their client ids; a simulated venue is shared with nobody
_TAG = 0xB4

_T = TypeVar("_T")


@frozen(kw_only=True)
class Assembly:
    """Everything of a bot that exists before its first event.

    Args:
        plan: what it was made from.
        exchange: the simulated exchange.
        account: the books, with the starting balances.
        limits: the limits in force.
        policies: risk policies by name, in the order of the config.
        latch: the kill latch.
    """

    plan: Plan
    exchange: Replay
    account: Account
    limits: Limits
    policies: tuple[tuple[str, RiskPolicy], ...]
    latch: Latch

    def run_info(self, run_id: str, created_ns: int, mode: Mode = "backtest") -> RunInfo:
        """What the journal keeps of this run."""
        config, account = self.plan.config, self.account
        return RunInfo(
            run_id=run_id,
            bot=config.bot.name,
            mode=mode,
            created_ns=created_ns,
            seed=config.bot.seed,
            config=_effective(config),
            instruments=account.instruments,
            start_equity=account.portfolio.own.get(account.reporting, 0),
            reporting_asset=account.reporting,
            reporting_scale=account.scale,
            history_hash=self.exchange.history_hash,
            interval_ns=max(self.exchange.intervals_ns, default=0),
            fill_rules=self.exchange.rules,
            limits=self.limits.to_mapping(),
            unguarded=config.bot.unguarded,
            versions={"bot4-core": version("bot4-core")},
            accounts={name: part.spec.name for name, part in self.plan.exchanges.items()},
            strategies={name: part.table.use for name, part in self.plan.strategies.items()},
        )

    def add_sinks(self, feed: SinkFeed) -> list[str]:
        """Makes the sinks of the config that read the journal and hands them to the feed, which closes them.

        Returns:
            The sinks that were left out: they read the segment of a running bot, which a backtest has not.

        Raises:
            PluginLoadError: a sink's factory fails, or its object has no ``on_batch``.
        """
        for part in self.plan.sinks:
            if part.spec.reads != "journal":
                continue
            sink = _create(part.spec.name, part.spec.create, part.settings, _services(self.plan))
            if not isinstance(sink, Sink):
                raise PluginLoadError(part.spec.name, "create() must give an object with on_batch(events)")
            feed.add(part.spec.name, sink)
        return [part.spec.name for part in self.plan.sinks if part.spec.reads != "journal"]

    def differences(self) -> dict[str, tuple[int, int]]:
        """Assets whose balance in our books is not the exchange's: ours and theirs, units; empty when all agree."""
        theirs, ours = self.exchange.balances(), self.account.portfolio.own
        pairs = {asset: (ours.get(asset, 0), units) for asset, units in theirs.items()}
        return {asset: pair for asset, pair in pairs.items() if pair[0] != pair[1]}

    def engine(self, recorder: Recorder, *, fresh_ids: bool = False) -> Engine:
        """The engine, wired.

        Args:
            recorder: takes its facts.
            fresh_ids: client ids that no other process draws (paper, live), in place of the seed's (D-6).
        """
        exchange, account, bot = self.exchange, self.account, self.plan.config.bot
        orders = OrderTable(len(account.instruments))
        venue = Venue(shorting=exchange.shorting, leverage=exchange.leverage, taker_fee=exchange.taker_fee)
        gate = Gate(self.limits, account, orders, self.latch, venue, self.policies)
        desk = Desk(account, orders, gate, ClientIds(_TAG, None if fresh_ids else bot.seed), recorder, self.latch)
        history = max((strategy.history for _, strategy, _ in self._strategies()), default=1)
        feeds = [
            Feed(instrument, index, interval, max(1, history))
            for index, (instrument, interval) in enumerate(
                zip(account.instruments, exchange.intervals_ns, strict=True)
            )
        ]
        engine = Engine(desk, feeds, guarded=not bot.unguarded)
        for name, strategy, indices in self._strategies():
            engine.add_strategy(strategy, name, self.plan.strategies[name].table.trade[0].exchange, indices)
        return engine

    def _strategies(self) -> list[tuple[str, Strategy, list[int]]]:
        found = []
        mistakes = []
        owners: dict[int, str] = {}
        index_of = {each.symbol: i for i, each in enumerate(self.account.instruments)}
        for name, part in self.plan.strategies.items():
            indices = []
            for position, market in enumerate(part.table.trade):
                index = index_of.get(market.symbol)
                if index is None:
                    at = (*part.table.at, "trade", position)
                    known = ", ".join(sorted(index_of))
                    mistakes.append(
                        self.plan.config.mistake(at, f"{market.symbol} has no history on this exchange; it has {known}")
                    )
                elif owners.setdefault(index, name) != name:
                    at = (*part.table.at, "trade", position)
                    message = f"{market.symbol} is traded by strategy {owners[index]} already: a position has one owner"
                    mistakes.append(self.plan.config.mistake(at, message))
                else:
                    indices.append(index)
            found.append((name, part.settings, indices))
        if mistakes:
            raise ConfigError(mistakes)
        return found


def assemble(plan: Plan, latch: Latch) -> Assembly:
    """Builds the parts of a bot.

    Args:
        plan: from ``config.resolve``; its strategies are used up.
        latch: the kill latch.

    Raises:
        ConfigError: when the parts do not fit each other, or a history is missing or cannot be trusted; with every
            mistake of exchange and risk, each with its line.
        PluginLoadError: when a plugin's factory fails.
    """
    mistakes: list[Mistake] = []
    exchange = _collected(mistakes, lambda: _exchange(plan))
    judged = _collected(mistakes, lambda: _limits(plan))
    if exchange is None or judged is None:
        raise ConfigError(sorted(mistakes, key=lambda one: (one.line is None, one.line or 0)))
    limits, policies = judged
    kinds = [1 << Kind.QUOTE if _only_quotes(exchange, i) else 1 << Kind.BAR | 1 << Kind.TRADE
             for i in range(len(exchange.instruments))]
    balances = exchange.starting_balances()
    account = Account(
        exchange.instruments,
        balances,
        span_ns=exchange.last_ns - exchange.first_ns,
        mark_kinds=kinds,
    )
    _check_funding(plan, account.reporting, balances)
    account.valuation.restore_peak(account.portfolio.own.get(account.reporting, 0))
    if limits.drawdown is not None:
        account.valuation.set_limit(int(limits.drawdown * 10**9))
    assembly = Assembly(plan=plan, exchange=exchange, account=account, limits=limits, policies=policies, latch=latch)
    assembly._strategies()
    return assembly


def _check_funding(plan: Plan, reporting: str, balances: Mapping[str, int]) -> None:
    """A backtest starts from money alone: a coin held from the start has no price yet, no entry and no stop."""
    others = sorted(asset for asset, units in balances.items() if units and asset != reporting)
    if others:
        message = f"holds {others[0]} at the start: a backtest starts with {reporting} only and buys the rest"
        part = next(iter(plan.exchanges.values()))
        raise ConfigError(plan.config.mistake((*part.table.at, "balances"), message))


def _effective(config: Config) -> str:
    """The config as it may be stored: its text, what ``--set`` and the environment changed in it, and no secret."""
    changes = [f"# {change}\n" for change in config.overrides.values()]
    text = config.text if config.text.endswith("\n") or not changes else f"{config.text}\n"
    return without_secrets(text + "".join(changes))


def _collected(mistakes: list[Mistake], make: Callable[[], _T]) -> _T | None:
    """What ``make`` makes, or None with its mistakes put beside the others."""
    try:
        return make()
    except ConfigError as error:
        mistakes += error.mistakes
        return None


def _services(plan: Plan, found: list[str] | None = None) -> Services:
    """What factories are lent; each history that is asked for goes to the end of ``found``."""
    asked: list[str] = [] if found is None else found

    def resolve(name: str) -> Path:
        asked.append(name)
        return Catalogue.open().resolve(name, plan.config.base_dir)

    bot = plan.config.bot
    return Services(base_dir=plan.config.base_dir, resolve_history=resolve, seed=bot.seed, bot=bot.name)


def _only_quotes(exchange: Replay, index: int) -> bool:
    return exchange.kinds(index) == 1 << Kind.QUOTE


def _exchange(plan: Plan) -> Replay:
    used = sorted({market.exchange for part in plan.strategies.values() for market in part.table.trade})
    if len(used) != 1:
        named = ", ".join(used) or "none"
        raise ConfigError(
            Mistake("$.strategy", f"a backtest runs on one simulated exchange, the strategies trade on {named}",
                    source=plan.config.source)
        )
    part: Part[ExchangeSpec] = plan.exchanges[used[0]]
    histories: list[str] = []
    try:
        made = _create(part.spec.name, part.spec.create, part.settings, _services(plan, histories))
    except HistoryError as error:
        at = _setting_with(part.table, histories[-1:])
        raise ConfigError(plan.config.mistake(at, str(error))) from error
    except ConfigError as error:
        raise ConfigError(
            [each if each.path else plan.config.mistake(part.table.at, each.message) for each in error.mistakes]
        ) from error
    if not isinstance(made, Replay):
        raise PluginLoadError(part.spec.name, f"declares replay, but its object lacks {_missing(made)}")
    return made


def _setting_with(table: Table, values: list[str]) -> Place:
    """The place of the setting that holds this value, alone or in a list; the table's own when none does."""
    for value in values:
        for key, given in table.settings.items():
            if given == value:
                return (*table.at, key)
            if isinstance(given, list) and value in given:
                return (*table.at, key, given.index(value))
    return table.at


def _missing(made: object) -> str:
    attributes = get_type_hints(Replay)  # those of its base protocols too
    wanted = sorted(name for name in (*attributes, "run", "submit", "cancel") if not hasattr(made, name))
    return ", ".join(wanted) or "a method of the Replay protocol"


def _create(name: str, factory: object, settings: object, services: Services) -> object:
    assert callable(factory)  # the spec's validator saw to it
    try:
        return factory(settings, services)
    except Bot4Error:
        raise
    except Exception as error:
        raise PluginLoadError(name, f"create() raised {type(error).__name__}: {str(error)[:256]}") from error


def _limits(plan: Plan) -> tuple[Limits, tuple[tuple[str, RiskPolicy], ...]]:
    unguarded, services = plan.config.bot.unguarded, _services(plan)
    limits = Limits().without_guard() if unguarded else Limits()
    policies: list[tuple[str, RiskPolicy]] = []
    mistakes: list[Mistake] = []
    for position, part in enumerate(plan.risk):
        policy = _create(part.spec.name, part.spec.create, part.settings, services)
        if not isinstance(policy, RiskPolicy):
            raise PluginLoadError(part.spec.name, "create() must give an object with `limits`")
        policies.append((part.spec.name, policy))
        wanted = dict(policy.limits)
        if unguarded:  # the core's ceilings are off, and with them a policy's defaults; what the user wrote stands
            wanted = {name: value for name, value in wanted.items() if name not in GUARD or name in part.table.settings}
        try:
            limits = limits.tightened(wanted, f"$.risk[{position}]")
        except ConfigError as error:
            mistakes += [_placed(plan.config, position, each) for each in error.mistakes]
    if mistakes:
        raise ConfigError(mistakes)
    return limits, tuple(policies)


def _placed(config: Config, position: int, mistake: Mistake) -> Mistake:
    field = mistake.path.rpartition(".")[2]
    return attrs.evolve(config.mistake(("risk", position, field), mistake.message), path=mistake.path)
