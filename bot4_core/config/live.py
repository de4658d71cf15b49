"""What must be true before a bot may trade real money: every objection at once, each with its place."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from attrs import frozen

from ..domain.limits import GUARD, Limits
from ..domain.redaction import without_password
from ..errors import Mistake, RefusedForSafety
from ..plugins import DISABLE_VARIABLE
from ..specs import Capability
from .model import Config, Plan
from .secrets import secrets_of

#: Limits of the gate that a live bot must have, whoever states them.
NEEDED_LIMITS = ("position", "drawdown", "stop_distance", "max_notional", "orders_per_second", "duplicate_window_s")
#: What an exchange must be capable of, besides not being a simulation, before it is sent a real order.
NEEDED_OF_A_VENUE = (Capability.ATTACHED_ORDERS, Capability.REDUCE_ONLY)

_ANY_WRITE_OR_READ_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@frozen(kw_only=True)
class Circumstances:
    """What is not in the config and matters for live trading.

    Args:
        flag: ``--live`` was given.
        tty: a person sits at the terminal that the bot is started from.
        typed: the bot's name as that person typed it to confirm; None when nobody was asked.
        file_mode: permission bits of the config file.
        file_is_ours: the config file belongs to the user who starts the bot.
        disabled: the value of ``BOT4_DISABLE_PLUGINS``, empty when it is not set.
        limits: the limits in force.
    """

    flag: bool
    tty: bool
    typed: str | None
    file_mode: int
    file_is_ours: bool
    disabled: str
    limits: Limits


def circumstances(
    config: Config,
    limits: Limits,
    *,
    flag: bool,
    tty: bool,
    typed: str | None,
    environment: Mapping[str, str] | None = None,
) -> Circumstances:
    """The circumstances of this process: looks at the config file and the environment.

    Args:
        config: of the bot.
        limits: the limits in force, ``Assembly.limits``.
        flag, tty, typed: as :class:`Circumstances`.
        environment: variables; ``os.environ`` by default.

    Raises:
        RefusedForSafety: the config file cannot be looked at any more.
    """
    try:
        status = os.stat(config.path)
    except OSError as error:
        raise RefusedForSafety(f"{config.source}: cannot be looked at: {error.strerror}") from error
    return Circumstances(
        flag=flag,
        tty=tty,
        typed=typed,
        file_mode=stat.S_IMODE(status.st_mode),
        file_is_ours=status.st_uid == os.geteuid(),
        disabled=(os.environ if environment is None else environment).get(DISABLE_VARIABLE, ""),
        limits=limits,
    )


def refusals(plan: Plan, now: Circumstances) -> list[Mistake]:
    """Every reason why this bot may not be started as it is; empty when it may.

    A paper bot has one at most: that ``--live`` was given. Nothing is read or changed here.
    """
    if plan.config.bot.mode != "live":
        return [_because(plan, ("bot", "mode"), "is 'paper', and --live was given: say one thing")] if now.flag else []
    found = _unconfirmed(plan, now)
    found += exposed(plan)
    found += _open_to_others(plan.config, now)
    found += _unfit(plan)
    found += _unlimited(plan, now)
    return found


def refuse(mistakes: list[Mistake]) -> None:
    """Raises RefusedForSafety with one line for each mistake; does nothing when there is none."""
    if mistakes:
        raise RefusedForSafety("\n".join(str(one) for one in mistakes))


def _because(plan: Plan, at: tuple[str | int, ...], message: str) -> Mistake:
    return plan.config.mistake(at, message)


def _unconfirmed(plan: Plan, now: Circumstances) -> list[Mistake]:
    name = plan.config.bot.name
    found = []
    if not now.flag:
        found.append(_because(plan, ("bot", "mode"), "is 'live': real money is traded with --live only"))
    if not now.tty:
        found.append(_because(plan, ("bot", "mode"), "is 'live': start it from a terminal, where a person confirms it"))
    elif now.typed != name:
        given = "nothing" if now.typed is None else repr(now.typed[:63])
        found.append(_because(plan, ("bot", "name"), f"is {name!r}, and {given} was typed to confirm it"))
    return found


def exposed(plan: Plan) -> list[Mistake]:
    """Secrets that are written out in the config: a warning before a backtest or paper run, a refusal in live."""
    config, found = plan.config, []
    for at, secret in secrets_of(plan):
        if secret.inline:
            message = "the secret is written out; live trading wants { env = … }, { file = … } or { keyring = … }"
            found.append(_because(plan, at, message))
    if config.journal.url is not None and without_password(config.journal.url) != config.journal.url:
        message = "holds a password; live trading wants it in ~/.pgpass or PGPASSWORD"
        found.append(_because(plan, ("journal", "url"), message))
    return found


def _open_to_others(config: Config, now: Circumstances) -> list[Mistake]:
    """A config that others can read or change."""
    found = []
    if not now.file_is_ours:
        message = "belongs to another user: a live bot reads its owner's config only"
        found.append(Mistake("", message, None, config.source))
    if now.file_mode & _ANY_WRITE_OR_READ_OF_OTHERS:
        message = f"has mode {now.file_mode:04o}: others can read or change it; chmod 600"
        found.append(Mistake("", message, None, config.source))
    return found


def _unfit(plan: Plan) -> list[Mistake]:
    """Exchanges that strategies trade on and that are a simulation or cannot keep a position protected."""
    found = []
    traded = {market.exchange for part in plan.strategies.values() for market in part.table.trade}
    for name in sorted(traded):
        spec, at = plan.exchanges[name].spec, (*plan.exchanges[name].table.at, "use")
        if Capability.REPLAY in spec.capabilities:
            message = f"{spec.name!r} replays a market: nothing there is live; set mode = 'paper'"
            found.append(_because(plan, at, message))
        lacks = [one for one in NEEDED_OF_A_VENUE if one not in spec.capabilities]
        if lacks:
            found.append(_because(plan, at, f"{spec.name!r} cannot trade: it lacks {', '.join(lacks)}"))
    return found


def _unlimited(plan: Plan, now: Circumstances) -> list[Mistake]:
    found = []
    if plan.config.bot.unguarded:
        found.append(_because(plan, ("bot", "unguarded"), "is true: the immutable limits stay on with real money"))
    switched_off = GUARD if plan.config.bot.unguarded else frozenset()
    missing = [name for name in NEEDED_LIMITS if getattr(now.limits, name) is None and name not in switched_off]
    if missing:
        message = f"a live bot needs a limit on {', '.join(missing)}: add a policy that states it"
        found.append(_because(plan, ("risk",), message))
    if now.disabled.strip():
        message = f"{DISABLE_VARIABLE} is set: a live bot runs with every plugin that its config names"
        found.append(Mistake("", message))
    return found
