"""Every hook of bot4, in the order of a bot's life. This file is the manual for plugin authors.

A plugin is a distribution with one entry point per part in the group ``bot4``, named ``<kind>-<name>``::

    [project.entry-points.bot4]
    exchange-kraken = "bot4_exchange_kraken"

The module it names implements one or more of the hooks below, each marked ``@hookimpl``. A hook is a plain function:
not async, no generator. It takes the arguments it names and may leave out any. Hooks assemble; objects run: no hook is
called between an event and the order that answers it.

What is imported at the top of the module is paid for by everyone who loads the plugin: import heavy libraries inside
``create``. While a plugin loads, what it prints goes to stderr; it must not start threads.

A hook or argument that is going to leave is deprecated for two minor releases first. It works as before; the log of
each run and ``bot4 plugins check`` name the plugin, what to use instead, and the release without it (:func:`leaving`).
"""

from __future__ import annotations

from pluggy import HookimplMarker, HookspecMarker

from .specs import ExchangeSpec, RiskSpec, RunInfo, SinkSpec, StrategySpec

GROUP = "bot4"

hookspec = HookspecMarker(GROUP)
#: marks a function of a plugin's module as one of the hooks below
hookimpl = HookimplMarker(GROUP)


def leaving(what: str, *, use: str, removed: str) -> DeprecationWarning:
    """The warning of a hook or of one of its arguments that is going to be removed.

    Args:
        what: the hook, or ``hook(argument)``.
        use: what replaces it.
        removed: the release without it.

    Returns:
        for ``@hookspec(warn_on_impl=...)``, or as a value of ``warn_on_impl_args``; the host puts the plugin's name in
        front of it.
    """
    return DeprecationWarning(f"{what} is deprecated: use {use}; it is removed in bot4-core {removed}")


@hookspec
def bot4_exchanges() -> list[ExchangeSpec]:  # type: ignore[empty-body]  # a specification has no body
    """Offer exchanges.

    When: once per process, when a config names the plugin, and in ``bot4 plugins check`` and ``show``. ``create`` is
        called later, once for each ``[exchange.NAME]`` table that says ``use = "paradise"``.
    Return: a list of :class:`~bot4_core.specs.ExchangeSpec`, one for each venue.
    Errors: an exception, a call of ``exit()``, or an answer that is no list of these specs makes the plugin unusable:
        ``PluginLoadError``, exit code 5. What ``create`` raises ends the run before its first event.
    Since: 0.1
    Example::

        from decimal import Decimal

        from attrs import frozen

        from bot4_core.sdk import Capability, ExchangeSpec, Instrument, Services, hookimpl


        @frozen(kw_only=True)
        class Settings:
            # what [exchange.NAME] may say
            quotes: tuple[str, ...] = ("USD",)


        class Paradise:
            def __init__(self, settings: Settings, services: Services) -> None:
                self.settings = settings

            def parse_instruments(self, answer: bytes) -> list[Instrument]:
                symbols = answer.decode().split()
                found = [Instrument(symbol=one, tick=Decimal("0.01"), lot=Decimal("0.001")) for one in symbols]
                return [one for one in found if one.quote in self.settings.quotes]


        @hookimpl
        def bot4_exchanges():
            return [
                ExchangeSpec(
                    name="paradise",
                    settings=Settings,
                    create=Paradise,
                    capabilities={Capability.INSTRUMENTS},
                    summary="a venue that only lists",
                )
            ]
    """


@hookspec
def bot4_risk_checks() -> list[RiskSpec]:  # type: ignore[empty-body]  # a specification has no body
    """Offer risk policies.

    When: once per process, when a config names the plugin, and in ``bot4 plugins check`` and ``show``. Policies are
        applied in the order of the config's ``[[risk]]`` tables, after the core's own limits; they refuse more, never
        less.
    Return: a list of :class:`~bot4_core.specs.RiskSpec`.
    Errors: as :func:`bot4_exchanges`. A ``check`` that raises is a veto and no error.
    Since: 0.1
    Example::

        from attrs import field, frozen
        from attrs.validators import ge, le

        from bot4_core.sdk import RiskSpec, hookimpl


        @frozen(kw_only=True)
        class Settings:
            # what [[risk]] may say
            orders: int = field(default=5, validator=[ge(1), le(100)])


        class Few:
            def __init__(self, settings, services):
                self.limits = {"open_orders": settings.orders}


        @hookimpl
        def bot4_risk_checks():
            return [RiskSpec(name="few", settings=Settings, create=Few, summary="few orders at once")]
    """


@hookspec
def bot4_strategies() -> list[StrategySpec]:  # type: ignore[empty-body]  # a specification has no body
    """Offer packaged strategies.

    When: once per process, when a config names the plugin, and in ``bot4 plugins check`` and ``show``. A strategy in a
        file of the user's own needs no plugin: ``use = "./trend.py:Trend"``.
    Return: a list of :class:`~bot4_core.specs.StrategySpec`.
    Errors: as :func:`bot4_exchanges`. What the strategy's own methods raise ends the run with the place in its file.
    Since: 0.1
    Example::

        from bot4_core.sdk import Strategy, StrategySpec, hookimpl


        class Dip(Strategy):
            # what [strategy.NAME] may say: distance of the protective stop, ratio
            stop: str = "0.02"

            def on_bar(self, ctx, bar):
                if bar.close < bar.open:
                    ctx.buy(bar.instrument, fraction="0.01", stop=self.stop)


        @hookimpl
        def bot4_strategies():
            return [StrategySpec(name="dip", strategy=Dip, summary="buys dips")]
    """


@hookspec
def bot4_sinks() -> list[SinkSpec]:  # type: ignore[empty-body]  # a specification has no body
    """Offer sinks, the readers of a run.

    When: once per process, when a config names the plugin, and in ``bot4 plugins check`` and ``show``. The sink of each
        ``[[sink]]`` table is made before a run. It gets every batch of records once it is stored, or, with
        ``reads="segment"``, serves the running bot's figures from a process of its own.
    Return: a list of :class:`~bot4_core.specs.SinkSpec`.
    Errors: as :func:`bot4_exchanges`. What a sink raises later is reported once and ends its feed, never the run.
    Since: 0.1
    Example::

        from attrs import frozen

        from bot4_core.sdk import Kind, SinkSpec, hookimpl


        @frozen(kw_only=True)
        class Settings:
            # what [[sink]] may say
            file: str = "fills.txt"


        class FillCount:
            def __init__(self, settings, services):
                self.path = services.base_dir / settings.file
                self.fills = 0

            def on_batch(self, events):
                self.fills += sum(kind == Kind.FILL for _, _, _, kind, *_ in events)

            def close(self):
                self.path.write_text(str(self.fills))


        @hookimpl
        def bot4_sinks():
            return [SinkSpec(name="fill-count", settings=Settings, create=FillCount, summary="counts fills")]
    """


@hookspec
def bot4_starting(run: RunInfo) -> None:
    """Learn that a run starts.

    When: after everything is assembled and the journal is open, before the first event. Plugin by plugin, in the order
        of the config's allowlist.
    Return: nothing; an answer is not looked at.
    Errors: whatever it raises, a call of ``exit()`` too, is reported with the plugin's name; the others are still told
        and the run goes on.
    Since: 0.1
    Example::

        import sys

        from bot4_core.sdk import hookimpl


        @hookimpl
        def bot4_starting(run):
            print(f"{run.bot} starts as {run.mode}", file=sys.stderr)
    """


@hookspec
def bot4_stopping(run: RunInfo, reason: str) -> None:
    """Learn that a run ends.

    When: after the last event, before the journal is closed; also when the run ends by an error or a signal.
        ``reason`` is one line.
    Return: nothing; an answer is not looked at.
    Errors: as :func:`bot4_starting`; the journal is closed all the same.
    Since: 0.1
    Example::

        import sys

        from bot4_core.sdk import hookimpl


        @hookimpl
        def bot4_stopping(run, reason):
            print(f"{run.bot} stopped: {reason}", file=sys.stderr)
    """
