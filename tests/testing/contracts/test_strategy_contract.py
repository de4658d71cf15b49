"""Each promise of a strategy is broken by exactly the fault it is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from .planted import broken, plugin

_STATE = "        self.waiting: dict[str, int] = {}\n"
_BUY = "            ctx.buy(bar.instrument, fraction=self.size"
_BAR = "        symbol, strength = bar.instrument.symbol, self.strength.value\n"
_FILL = "        if fill.closed is not None and"
_WHOLE = "        assert fill.lots == fill.order.quantity_lots\n"
_TAG = 'tag="dip")'
_HOOK = "    def on_fill("
_STOP = """    def on_stop(self, ctx):
        for instrument in ctx.instruments:
            ctx.buy(instrument, fraction=self.size)

"""
_FOREIGN = "        [ctx.position(one) for one in ctx._engine.account.instruments]\n"
_LEFT_BEHIND = "        Dip.runs = getattr(Dip, 'runs', 0) + 1\n        self.low -= Dip.runs % 2 * 20\n"
#: promise, what is changed in the page's strategy, a word of the message
FAULTS: list[tuple[str, dict[str, str], str]] = [
    ("settings_are_filled_and_explained", {"        pause: bars to wait after a stop.\n": ""}, "pause"),
    ("it_touches_its_own_instruments_only", {_BAR: _FOREIGN + _BAR}, "ETH/USDT"),
    ("the_same_run_twice_is_equal", {_STATE: _STATE + _LEFT_BEHIND}, "two runs over the"),
    ("it_wishes_for_nothing_after_the_end", {_HOOK: _STOP + _HOOK}, "1 orders in on_stop()"),
    ("it_survives_denials", {_BUY: _BUY.replace("ctx", "assert not ctx"), _TAG: _TAG + ".denied"}, "AssertionError"),
    ("it_survives_partial_fills", {_FILL: _WHOLE + _FILL}, "AssertionError"),
]


def test_the_strategy_of_the_page_keeps_every_promise(tmp_path: Path) -> None:
    with plugin("strategy") as contract:
        assert broken(contract, tmp_path) == {}


@pytest.mark.parametrize(("promise", "changes", "word"), FAULTS)
def test_a_fault_breaks_the_promise_it_is_about(
    promise: str, changes: Mapping[str, str], word: str, tmp_path: Path
) -> None:
    with plugin("strategy", changes) as contract:
        found = broken(contract, tmp_path)
    assert list(found) == [f"test_{promise}"], found
    assert word in found[f"test_{promise}"]


def test_a_strategy_that_never_acts_proves_nothing(tmp_path: Path) -> None:
    with plugin("strategy", {"strength < self.low": "strength < 0"}) as contract:
        found = broken(contract, tmp_path)
    assert list(found) == ["test_it_sends_orders"]
    assert "not one order on the markets trending, flat, gappy" in found["test_it_sends_orders"]


def test_a_strategy_that_raises_is_shown_with_the_market_it_raised_on(tmp_path: Path) -> None:
    with plugin("strategy", {_BAR: "        1 / bar.volume_units\n" + _BAR}) as contract:
        found = broken(contract, tmp_path)
    assert "on the gappy market" in found["test_it_runs_on_every_market"]
    assert "ZeroDivisionError" in found["test_it_runs_on_every_market"]


def test_further_markets_and_settings_are_used(tmp_path: Path) -> None:
    seen: list[object] = []
    with plugin("strategy") as contract:

        class More(contract):  # type: ignore[misc, valid-type]  # made from the page's source
            def settings(self) -> Mapping[str, Any]:
                seen.append("settings")
                return super().settings()  # type: ignore[no-any-return]  # as above

            def markets(self) -> Mapping[str, Any]:
                seen.append("markets")
                return {}

        assert broken(More, tmp_path) == {}
    assert {"settings", "markets"} <= set(seen)
