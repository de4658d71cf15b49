"""``bot4 check``: what a config assembles, or every mistake in it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import click

from ..config import Part, load_config, resolve
from ..config.live import circumstances, exposed, refusals
from ..domain.redaction import HIDDEN, hide, is_secret, without_password
from ..engine.assemble import Assembly, assemble
from ..errors import ConfigError, Mistake
from ..native.latch import Latch
from .loading import load_plugins
from .output import console, emit, json_option

#: items of a list or table that are shown
_MOST_ITEMS = 8


@click.command()
@click.argument("bot", metavar="BOT.toml")
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change one value, as risk[0].position=0.01."
)
@json_option
@click.pass_context
def check(ctx: click.Context, bot: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print what a bot.toml assembles, or every mistake in it.

    The settings shown are the effective ones, defaults included, with the fill rules and limits they lead to. The
    histories are read and checked, secrets are read and shown as ***; the strategy is not called. The exit code is 2
    when anything is wrong. What only live trading refuses is a warning here.
    """
    try:
        config = load_config(bot, overrides)
        assembly = assemble(resolve(config, load_plugins(config.bot.plugins)), Latch.memory(config.bot.name))
    except ConfigError as error:
        if not as_json:
            raise
        errors = [{"line": one.line, "path": one.path, "message": one.message} for one in error.mistakes]
        emit({"ok": False, "errors": errors, "warnings": []}, True, lambda: None)
        ctx.exit(error.exit_code)
    doubts = live_doubts(assembly)
    warnings = [{"line": one.line, "path": one.path, "message": one.message} for one in doubts]
    emit({"ok": True, "errors": [], "warnings": warnings}, as_json, lambda: _render(assembly))
    if not as_json:
        for one in doubts:
            click.echo(hide(f"warning: {one}"), err=True)


def live_doubts(assembly: Assembly) -> list[Mistake]:
    """What live trading would refuse of this bot, whoever starts it: of a paper bot, its secrets in plain sight.

    Args:
        assembly: of the config; nothing is changed.

    Raises:
        RefusedForSafety: the config file cannot be looked at any more.
    """
    config = assembly.plan.config
    if config.bot.mode != "live":
        return exposed(assembly.plan)
    # as if a person at a terminal had given --live and the name: the rest is the config's
    now = circumstances(config, assembly.limits, flag=True, tty=True, typed=config.bot.name)
    return refusals(assembly.plan, now)


def _render(assembly: Assembly) -> None:
    from rich.text import Text
    from rich.tree import Tree

    plan = assembly.plan
    bot = plan.config.bot
    guard = ", UNGUARDED: the immutable limits are off" if bot.unguarded else ""
    tree = Tree(Text(f"{bot.name} ({bot.mode}, seed {bot.seed}{guard})", style="bold"))
    journal = plan.config.journal_url
    tree.add(Text(f"journal {without_password(journal) if journal else 'SQLite in the state directory'}"))
    traded = {market.exchange for part in plan.strategies.values() for market in part.table.trade}
    for name, exchange in plan.exchanges.items():
        can = ", ".join(sorted(exchange.spec.capabilities)) or "nothing yet"
        branch = _add(tree, f"exchange {name} = {exchange.spec.name} (can: {can})", exchange)
        if name in traded:
            _list(branch, "fill rules in force", assembly.exchange.rules)
    for position, risk in enumerate(plan.risk, 1):
        _add(tree, f"risk {position} = {risk.spec.name}", risk)
    _list(tree, "limits in force", assembly.limits.to_mapping())
    for name, strategy in plan.strategies.items():
        markets = ", ".join(str(market) for market in strategy.table.trade)
        _add(tree, f"strategy {name} = {strategy.table.use} on {markets}", strategy)
    for position, sink in enumerate(plan.sinks, 1):
        _add(tree, f"sink {position} = {sink.spec.name}", sink)
    console().print(tree)


def _list(tree: Any, title: str, values: Mapping[str, str]) -> None:
    from rich.text import Text

    branch = tree.add(Text(title))
    for name, value in values.items():
        branch.add(Text(hide(f"{name}: {value}")))


def _add(tree: Any, title: str, part: Part[Any]) -> Any:
    from rich.text import Text

    branch = tree.add(Text(title))
    for one in attrs.fields(type(part.settings)):
        if one.init and not one.name.startswith("_"):
            origin = "" if one.alias in part.table.settings else " (default)"
            branch.add(Text(f"{one.alias} = {shown(getattr(part.settings, one.name), one.alias)}{origin}"))
    return branch


def shown(value: object, name: str = "") -> str:
    """A setting in force in one line, as TOML would write it; what only the plugin can fill in is ``unset``.

    Args:
        value: of a settings class.
        name: of the setting; one that is named like a secret is hidden.
    """
    cls: type[Any] = type(value)
    if attrs.has(cls):
        value = {one.alias: getattr(value, one.name) for one in attrs.fields(cls) if one.init}
    if value is None:
        return "unset"
    if is_secret(name):
        return HIDDEN
    if isinstance(value, Mapping):
        inner = _joined([f"{key} = {shown(item, str(key))}" for key, item in value.items()])
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple | set | frozenset):
        return f"[{_joined([shown(item) for item in value])}]"
    if isinstance(value, Enum):
        return shown(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, str | Path):
        return hide(without_password(repr(str(value))))
    return hide(str(value))


def _joined(items: list[str]) -> str:
    more = [f"… and {len(items) - _MOST_ITEMS} more"] if len(items) > _MOST_ITEMS else []
    return ", ".join(items[:_MOST_ITEMS] + more)
