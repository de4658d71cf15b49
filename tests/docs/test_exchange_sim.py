"""docs/exchange_sim.md states the rules that the simulator's code names, and its bounds."""

from __future__ import annotations

import re

from bot4_exchange_sim.native._kernel import lib
from bot4_exchange_sim.native.kernel import Rules

from .blocks import ROOT

TEXT = (ROOT / "docs" / "exchange_sim.md").read_text(encoding="utf-8")
IN_FORCE, ABSENT = TEXT.split("## Not simulated yet")
_RULE = re.compile(r"\b([TBL]-[1-9])\b")


def _rules(text: str) -> set[str]:
    spans = re.findall(r"\b([TBL])-([1-9]) to \1-([1-9])\b", text)
    between = {f"{letter}-{n}" for letter, low, high in spans for n in range(int(low), int(high) + 1)}
    return set(_RULE.findall(text)) | between


def _code() -> str:
    folder = ROOT / "plugins/exchange_sim/src/bot4_exchange_sim"
    sources = [*sorted(folder.glob("native/src/*.c")), folder / "rules.py"]
    # a file's first comment says which part of the page it is about; the rules stand beside the lines
    return "\n".join(re.sub(r"\A/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL) for path in sources)


def test_every_rule_the_page_has_in_force_stands_in_the_code() -> None:
    assert _rules(IN_FORCE) - _rules(_code()) == set()


def test_every_rule_of_the_code_stands_on_the_page() -> None:
    assert _rules(_code()) - _rules(TEXT) == set()


def test_no_rule_is_both_in_force_and_absent() -> None:
    assert _rules(IN_FORCE) & _rules(ABSENT) == set()


def test_the_bounds_are_the_kernels() -> None:
    open_orders = Rules.__attrs_attrs__.capacity.default
    stated = (
        f"{lib.B4S_MAX_INSTRUMENTS} instruments, {lib.B4S_MAX_STREAMS} histories, {open_orders:,} open orders with the "
        f"attached ones, {lib.B4S_MAX_STEP:,} events of one time"
    )
    assert stated in " ".join(TEXT.split())
