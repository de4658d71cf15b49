"""Live mode's refusals: each by itself, all at once, and none for a bot that may trade."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import frozen

from bot4_core.config import Plan, load_config
from bot4_core.config.live import Circumstances, circumstances, refusals, refuse
from bot4_core.config.model import Part
from bot4_core.domain.limits import Limits
from bot4_core.domain.secret import Secret
from bot4_core.errors import RefusedForSafety
from bot4_core.specs import Capability, ExchangeSpec

from .conftest import GOOD

Write = Callable[..., Path]
LIMITS = Limits(max_notional=Decimal(1000), orders_per_second=5, duplicate_window_s=Decimal(1))
READY = Circumstances(
    flag=True, tty=True, typed="trend-demo", file_mode=0o600, file_is_ours=True, disabled="", limits=LIMITS
)


@frozen(kw_only=True)
class Keys:
    key: Secret


def planned(
    path: Path,
    *,
    mode: str = "live",
    key: Secret | None = None,
    url: str = "sqlite:///trend.db",
    unguarded: bool = False,
    can: tuple[Capability, ...] = (Capability.ATTACHED_ORDERS, Capability.REDUCE_ONLY),
) -> Plan:
    """The plan of a bot on a venue that could trade, if there were one."""
    config = load_config(path, [f'bot.mode="{mode}"', f'journal.url="{url}"'], {})
    config = attrs.evolve(config, bot=attrs.evolve(config.bot, unguarded=unguarded))
    spec = ExchangeSpec(name="made", settings=Keys, create=lambda *_: None, capabilities=can)
    settings = Keys(key=key or Secret("live-test-secret", "environment variable K"))
    exchange: Part[Any] = Part(table=config.exchanges["main"], spec=spec, settings=settings)
    trend: Part[Any] = Part(table=config.strategies["trend"], spec=spec, settings=None)
    trend = attrs.evolve(trend, settings=settings)
    return Plan(config=config, exchanges={"main": exchange}, risk=(), strategies={"trend": trend}, sinks=())


#: what is wrong: with the plan, with the circumstances, the place that is named, words of the message
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "no flag": ({}, {"flag": False}, "$.bot.mode", "with --live only"),
    "another name": ({}, {"typed": "other"}, "$.bot.name", "'other' was typed"),
    "readable by others": ({}, {"file_mode": 0o644}, "", "has mode 0644"),
    "of another user": ({}, {"file_is_ours": False}, "", "belongs to another user"),
    "plugins switched off": ({}, {"disabled": "*"}, "", "BOT4_DISABLE_PLUGINS is set"),
    "a missing limit": (
        {}, {"limits": attrs.evolve(LIMITS, max_notional=None)}, "$.risk", "a limit on max_notional:",
    ),
    "a written secret": ({"key": Secret("live-test-inline")}, {}, "$.exchange.main.key", "is written out"),
    "a password": ({"url": "postgresql://me:s3cr3t@host/db"}, {}, "$.journal.url", "holds a password"),
    "unguarded": ({"unguarded": True}, {}, "$.bot.unguarded", "the immutable limits stay on"),
    "a venue without stops": (
        {"can": (Capability.REDUCE_ONLY,)}, {}, "$.exchange.main.use", "cannot trade: it lacks attached-orders",
    ),
}  # fmt: skip


def judged(path: Path, *names: str) -> list[tuple[str, str]]:
    plan, now = {}, {}
    for name in names:
        plan |= WRONG[name][0]
        now |= WRONG[name][1]
    return [(one.path, str(one)) for one in refusals(planned(path, **plan), attrs.evolve(READY, **now))]


def matches(found: list[tuple[str, str]], names: tuple[str, ...]) -> bool:
    return all(any(at == WRONG[name][2] and WRONG[name][3] in text for at, text in found) for name in names)


def test_a_bot_that_may_trade_is_refused_nothing(write: Write) -> None:
    assert judged(write()) == []


@pytest.mark.parametrize("name", WRONG)
def test_each_reason_is_named_at_its_place(write: Write, name: str) -> None:
    found = judged(write(), name)
    assert matches(found, (name,)), found
    assert len(found) == (2 if name == "a written secret" else 1), found  # the strategy holds the same one


def test_any_two_reasons_are_named_at_once(write: Write) -> None:
    path = write()
    for pair in combinations(WRONG, 2):
        assert matches(judged(path, *pair), pair), pair


def test_all_reasons_are_named_at_once(write: Write) -> None:
    found = judged(write(), *WRONG)
    assert matches(found, tuple(WRONG))
    assert not [text for _, text in found if "s3cr3t" in text or "live-test" in text]


@pytest.mark.parametrize("typed", [None, "trend-demo"])
def test_nobody_at_a_terminal_is_refused_whatever_was_typed(write: Write, typed: str | None) -> None:
    found = refusals(planned(write()), attrs.evolve(READY, tty=False, typed=typed))
    assert ["start it from a terminal" in str(one) for one in found] == [True]


def test_nobody_who_typed_the_name_is_refused(write: Write) -> None:
    (one,) = refusals(planned(write()), attrs.evolve(READY, typed=None))
    assert "nothing was typed to confirm it" in str(one)


def test_a_simulation_is_not_live(write: Write) -> None:
    can = (Capability.REPLAY, Capability.ATTACHED_ORDERS, Capability.REDUCE_ONLY)
    (one,) = refusals(planned(write(), can=can), READY)
    assert "'made' replays a market" in str(one)
    assert one.line == 9


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o602, 0o610, 0o777])
def test_any_right_of_others_on_the_file_is_refused(write: Write, mode: int) -> None:
    (one,) = refusals(planned(write()), attrs.evolve(READY, file_mode=mode))
    assert f"has mode {mode:04o}" in str(one)


@pytest.mark.parametrize("flag", [True, False])
def test_a_paper_bot_is_refused_for_the_flag_alone(write: Write, flag: bool) -> None:
    plan = planned(write(), mode="paper", key=Secret("live-test-inline"), unguarded=True)
    bad = attrs.evolve(READY, flag=flag, tty=False, typed=None, file_mode=0o666, disabled="*", limits=Limits())
    assert ["say one thing" in str(one) for one in refusals(plan, bad)] == [True] * flag


def test_the_circumstances_are_those_of_file_and_environment(write: Write) -> None:
    path = write(GOOD)
    path.chmod(0o640)
    config = load_config(path, (), {})
    now = circumstances(config, LIMITS, flag=True, tty=False, typed=None, environment={"BOT4_DISABLE_PLUGINS": "a"})
    assert (now.file_mode, now.file_is_ours, now.disabled) == (0o640, True, "a")
    path.unlink()
    with pytest.raises(RefusedForSafety, match="cannot be looked at"):
        circumstances(config, LIMITS, flag=True, tty=False, typed=None)


def test_a_refusal_has_one_line_for_each_reason_and_exit_6(write: Write) -> None:
    found = refusals(planned(write()), attrs.evolve(READY, flag=False, disabled="x"))
    with pytest.raises(RefusedForSafety) as caught:
        refuse(found)
    assert caught.value.exit_code == 6
    assert len(str(caught.value).splitlines()) == 2
    refuse([])
