"""Each promise of a risk policy is broken by exactly the fault it is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot4_core.testing import BrokenPromise, RiskCase

from .planted import broken, plugin

_UNKNOWN = '            return Failure("equity", "unknown", "a measured value")\n'
_READ = "        equity = account.equity_units()\n"
_LIMITS = '{"open_orders": settings.open_orders}'
_SETTING = "        open_orders: most working entry orders of the bot.\n"
_DAY = "DAY_NS = 86_400 * 10**9\n"
_RAISES = "        equity = equity + ('' if wish.order.side else 0)\n"
_COUNT = "import itertools\nCOUNT = itertools.count()\n"
_INIT = "        self._loss = settings.loss\n"
_THREAD = """        import threading
        threading.Thread(target=__import__("time").sleep, args=(0.5,), daemon=True).start()
"""
#: promise, what is changed in the page's policy, a word of the message
FAULTS: list[tuple[str, dict[str, str], str]] = [
    ("settings_are_filled_and_explained", {_SETTING: ""}, "open_orders"),
    ("create_is_pure_and_quick", {_INIT: _INIT + _THREAD}, "started the thread"),
    ("create_is_pure_and_quick", {_INIT: _INIT + "        _services.base_dir.joinpath('x').touch()\n"}, "the files"),
    ("limits_only_tighten", {_LIMITS: '{"open_orders": 101}'}, "101 is above the limit 100"),
    ("limits_only_tighten", {_LIMITS: '{"orders": 1}'}, "no limit of the gate"),
    ("limits_only_tighten", {_DAY: _COUNT + _DAY, _LIMITS: '{"open_orders": 1 + next(COUNT)}'}, "two policies of one"),
    ("a_veto_is_a_value", {_READ: _READ + _RAISES}, "raised TypeError"),
    ("a_veto_is_a_value", {"f\"{lost:.6f}\"": "f\"{lost:.6f}\\n\""}, "one printable line"),
    ("a_veto_is_a_value", {"\"of the day's first equity\"": "\"x\" * 201"}, "at most 200 characters"),
    ("it_refuses_and_allows_what_it_says", {"lost < self._loss": "lost <= self._loss"}, "passed"),
    ("it_refuses_and_allows_what_it_says", {"// DAY_NS != self._day:": "// DAY_NS > self._day + 9:"}, "was refused"),
    ("it_denies_when_a_figure_is_missing", {_UNKNOWN: "            return None\n"}, "it read equity_units(), found 0"),
    ("it_never_changes_the_wish", {_READ: _READ + "        wish.order.tag = 'seen'\n"}, "it changed tag"),
    ("it_never_changes_the_wish", {_READ: _READ + "        wish.order.trade_ids.add(1)\n"}, "it changed trade_ids"),
    (
        "the_same_wishes_get_the_same_answers",
        {_DAY: _COUNT + _DAY, "lost < self._loss": "next(COUNT) % 5 if wish.order.side else lost < self._loss"},
        "was answered with",
    ),
    ("a_check_is_quick", {_READ: _READ + "        sum(range(120_000))\n"}, "allowed are 1000"),
]  # fmt: skip


def test_the_policy_of_the_page_keeps_every_promise(tmp_path: Path) -> None:
    with plugin("risk") as contract:
        assert broken(contract, tmp_path) == {}


@pytest.mark.parametrize(("promise", "changes", "word"), FAULTS)
def test_a_fault_breaks_the_promise_it_is_about(
    promise: str, changes: Mapping[str, str], word: str, tmp_path: Path
) -> None:
    with plugin("risk", changes) as contract:
        found = broken(contract, tmp_path)
    assert list(found) == [f"test_{promise}"], found
    assert word in found[f"test_{promise}"]


def test_a_policy_with_a_check_must_say_what_it_refuses_and_allows(tmp_path: Path) -> None:
    with plugin("risk") as contract:
        mute: Any = type("_Mute", (contract,), {"refused": lambda self: ()})
        with pytest.raises(BrokenPromise, match=r"name stories for both, refused\(\) and allowed\(\)"):
            mute().test_it_refuses_and_allows_what_it_says(tmp_path)


def test_a_policy_of_limits_alone_is_asked_nothing(tmp_path: Path) -> None:
    with plugin("risk", {"    def check(self,": "    def unused(self,"}) as contract:
        assert broken(contract, tmp_path) == {}


def test_a_policy_that_fails_at_an_unknown_price_is_found(tmp_path: Path) -> None:
    careless = {_READ: "        mark = wish.mark_ticks\n" + _READ}
    with plugin("risk", careless) as contract:
        found = broken(contract, tmp_path)
    assert "it read mark_ticks, found 0" in found["test_it_denies_when_a_figure_is_missing"]


def test_a_case_takes_numbers_as_a_strategy_does() -> None:
    assert RiskCase(quantity="0.5", price=40_000).quantity == "0.5"
