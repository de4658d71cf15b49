"""Every hook of bot4, in the order of a bot's life. This file is the manual for plugin authors.

A plugin is a distribution with one entry point per part in the group ``bot4``, named ``<kind>-<name>``::

    [project.entry-points.bot4]
    exchange-kraken = "bot4_exchange_kraken"

The module it names implements one or more of the hooks below, each marked ``@hookimpl``. Hooks assemble; objects run:
no hook is called between an event and the order that answers it.

Errors, for every hook: an exception never reaches the user as a traceback. In an assembly hook it makes the plugin
unusable (``PluginLoadError``, exit code 5); in an observer hook it is reported and the run goes on.
"""

from __future__ import annotations

from pluggy import HookimplMarker, HookspecMarker

from .specs import ExchangeSpec, RiskSpec, RunInfo, SinkSpec, StrategySpec

GROUP = "bot4"

hookspec = HookspecMarker(GROUP)
hookimpl = HookimplMarker(GROUP)


@hookspec
def bot4_exchanges() -> list[ExchangeSpec]:  # type: ignore[empty-body]  # a specification has no body
    """Offer exchanges.

    When: once per process, when a config (or ``bot4 plugins list --check``) names the plugin.
    Return: a list of :class:`~bot4_core.specs.ExchangeSpec`. Import heavy libraries inside ``create``, not at the top
        of the module: this hook runs whenever the plugin is listed with ``--check``.
    Since: 0.1
    Example::

        @hookimpl
        def bot4_exchanges():
            return [ExchangeSpec(name="kraken", settings=KrakenSettings, create=Kraken, summary="Kraken spot")]
    """


@hookspec
def bot4_risk_checks() -> list[RiskSpec]:  # type: ignore[empty-body]  # a specification has no body
    """Offer risk policies.

    When: once per process, when a config names the plugin.
    Return: a list of :class:`~bot4_core.specs.RiskSpec`. Policies are applied in the order of the config's
        ``[[risk]]`` tables, after the core's own limits; they can refuse more, never less.
    Since: 0.1
    Example::

        @hookimpl
        def bot4_risk_checks():
            return [RiskSpec(name="night", settings=NightSettings, create=Night, summary="no entries at night")]
    """


@hookspec
def bot4_strategies() -> list[StrategySpec]:  # type: ignore[empty-body]  # a specification has no body
    """Offer packaged strategies.

    When: once per process, when a config names the plugin. A strategy in a file of the user's own needs no plugin:
        ``use = "./trend.py:Trend"``.
    Return: a list of :class:`~bot4_core.specs.StrategySpec`.
    Since: 0.1
    Example::

        @hookimpl
        def bot4_strategies():
            return [StrategySpec(name="trend", strategy=Trend, summary="crossing averages")]
    """


@hookspec
def bot4_sinks() -> list[SinkSpec]:  # type: ignore[empty-body]  # a specification has no body
    """Offer sinks, the readers of the journal's stream.

    When: once per process, when a config names the plugin. The sink of each ``[[sink]]`` table is made before a run,
        called with every batch of records once it is stored, and closed when the run has ended.
    Return: a list of :class:`~bot4_core.specs.SinkSpec`.
    Since: 0.1
    Example::

        @hookimpl
        def bot4_sinks():
            return [SinkSpec(name="csv", settings=CsvSettings, create=CsvSink, summary="events as CSV")]
    """


@hookspec
def bot4_starting(run: RunInfo) -> None:
    """Learn that a run starts.

    When: after everything is assembled and the journal is open, before the first event. Called plugin by plugin;
        one that raises is reported and the others are still called.
    Return: nothing.
    Since: 0.1
    Example::

        @hookimpl
        def bot4_starting(run):
            print(f"{run.bot} starts as {run.mode}", file=sys.stderr)
    """


@hookspec
def bot4_stopping(run: RunInfo, reason: str) -> None:
    """Learn that a run ends.

    When: after the last event, before the journal is closed; also when the run ends by an error or a signal.
        ``reason`` is one line. Guarded as :func:`bot4_starting`.
    Return: nothing.
    Since: 0.1
    Example::

        @hookimpl
        def bot4_stopping(run, reason):
            print(f"{run.bot} stopped: {reason}", file=sys.stderr)
    """
