"""``bot4 check``: what a config assembles, or every mistake in it."""

from __future__ import annotations

from typing import Any

import attrs
import click

from ..config import Part, Plan, load_config, resolve
from ..config.structure import show
from ..domain.redaction import without_password
from ..errors import ConfigError
from ..plugins import load
from .output import console, emit, json_option


@click.command()
@click.argument("bot", metavar="BOT.toml")
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change one value, as risk[0].position=0.01."
)
@json_option
@click.pass_context
def check(ctx: click.Context, bot: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print what a bot.toml assembles, or every mistake in it.

    The settings shown are the effective ones, defaults included. The exit code is 2 when anything is wrong.
    """
    try:
        config = load_config(bot, overrides)
        plan = resolve(config, load(config.bot.plugins))
    except ConfigError as error:
        if not as_json:
            raise
        errors = [{"line": one.line, "path": one.path, "message": one.message} for one in error.mistakes]
        emit({"ok": False, "errors": errors}, True, lambda: None)
        ctx.exit(error.exit_code)
    emit({"ok": True, "errors": []}, as_json, lambda: _render(plan))


def _render(plan: Plan) -> None:
    from rich.text import Text
    from rich.tree import Tree

    bot = plan.config.bot
    guard = ", UNGUARDED: the immutable limits are off" if bot.unguarded else ""
    tree = Tree(Text(f"{bot.name} ({bot.mode}, seed {bot.seed}{guard})", style="bold"))
    journal = plan.config.journal_url
    tree.add(Text(f"journal {without_password(journal) if journal else 'SQLite in the state directory'}"))
    for name, exchange in plan.exchanges.items():
        can = ", ".join(sorted(exchange.spec.capabilities)) or "nothing yet"
        _add(tree, f"exchange {name} = {exchange.spec.name} (can: {can})", exchange)
    for position, risk in enumerate(plan.risk, 1):
        _add(tree, f"risk {position} = {risk.spec.name}", risk)
    for name, strategy in plan.strategies.items():
        markets = ", ".join(str(market) for market in strategy.table.trade)
        _add(tree, f"strategy {name} = {strategy.table.use} on {markets}", strategy)
    for position, sink in enumerate(plan.sinks, 1):
        _add(tree, f"sink {position} = {sink.spec.name}", sink)
    console().print(tree)


def _add(tree: Any, title: str, part: Part[Any]) -> None:
    from rich.text import Text

    branch = tree.add(Text(title))
    for one in attrs.fields(type(part.settings)):
        if one.init and not one.name.startswith("_"):
            origin = "" if one.alias in part.table.settings else " (default)"
            branch.add(Text(f"{one.alias} = {show(getattr(part.settings, one.name))}{origin}"))
