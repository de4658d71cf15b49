"""The strategies of docs/strategies.md run, and the page names everything a strategy can use."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot4_core.engine.reducing import REDUCING_RULES
from bot4_core.engine.rules import ENTRY_RULES
from bot4_core.sdk import Bar, BarWindow, Context, Indicator, Strategy
from bot4_core.testing import bars_from_closes, run_strategy

from .blocks import ROOT, Block, blocks

PAGE = ROOT / "docs" / "strategies.md"
TEXT = PAGE.read_text(encoding="utf-8")
HOUR_NS = 3600 * 10**9
EXAMPLES = [block for block in blocks(PAGE) if block.language == "python"]


def _strategy(block: Block, base: Path) -> type[Strategy]:
    path = base / str(block.file)
    path.write_text(block.text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"bot4_page_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # annotations are read through it
    spec.loader.exec_module(module)
    names = vars(module).values()
    (found,) = [one for one in names if isinstance(one, type) and issubclass(one, Strategy) and one is not Strategy]
    return found


def _wave() -> list[str]:
    """Closes that swing by 14 % over eight days, with a faster ripple."""
    phases = [(hour + 48) % 192 for hour in range(700)]
    return [f"{20_000 + min(phase, 192 - phase) * 30 + phase % 7 * 5}" for phase in phases]


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.file)
def test_the_strategy_runs_and_trades(block: Block, tmp_path: Path) -> None:
    run = run_strategy(_strategy(block, tmp_path), bars_from_closes(_wave(), interval_ns=HOUR_NS))
    assert run.report.reason == "finished"
    assert len(run.fills) > 1
    assert not run.report.halts


def _kept(strategy: type[Strategy]) -> tuple[type[Strategy], list[Strategy]]:
    """The class, keeping its objects for a look after the run."""
    made: list[Strategy] = []

    class Kept(strategy):  # type: ignore[misc, valid-type]  # a class made for one test
        def on_stop(self, ctx: Context) -> None:
            made.append(self)

    return Kept, made


def _after(name: str, tmp_path: Path) -> Any:
    block = next(one for one in EXAMPLES if one.file == name)
    kept, made = _kept(_strategy(block, tmp_path))
    run_strategy(kept, bars_from_closes(_wave(), interval_ns=HOUR_NS))
    return made[0]


def test_every_kind_of_size_and_order_is_used(tmp_path: Path) -> None:
    sizes, kinds = (_strategy(one, tmp_path) for one in EXAMPLES if one.file in ("sizes.py", "kinds.py"))
    bars = bars_from_closes(_wave(), interval_ns=HOUR_NS)
    sent = [order.quantity_lots for order in run_strategy(sizes, bars).orders if order.role == "entry"]
    assert len(set(sent)) > 2
    types = {order.type for order in run_strategy(kinds, bars).orders if order.role == "entry"}
    assert types == {"market", "limit", "stop", "stop_limit"}


def test_the_bracket_sees_stops_and_targets(tmp_path: Path) -> None:
    after = _after("bracket.py", tmp_path)
    assert after.stopped > 0
    assert after.reached > 0


def test_the_smaller_order_follows_a_refusal(tmp_path: Path) -> None:
    after = _after("denials.py", tmp_path)
    assert set(after.refused) == {"position"}


def test_the_clock_hears_long_bars_and_timers(tmp_path: Path) -> None:
    after = _after("clock.py", tmp_path)
    assert after.long_bars == 700 // 4
    assert after.ticks > 700 // 24


def _public(cls: type) -> set[str]:
    return {name for name in [*vars(cls), *getattr(cls, "__annotations__", {})] if not name.startswith("_")}


@pytest.mark.parametrize("cls", [Context, Indicator, BarWindow, Strategy], ids=lambda cls: cls.__name__)
def test_everything_a_strategy_can_use_is_named(cls: type) -> None:
    assert {name for name in _public(cls) if name not in TEXT} == set()


def test_every_argument_of_an_order_is_named() -> None:
    arguments = set(inspect.signature(Context.buy).parameters) - {"self", "instrument"}
    assert {name for name in arguments if f"`{name}`" not in TEXT and f"{name}=" not in TEXT} == set()


def test_the_defaults_stated_are_the_classes_own() -> None:
    for one in attrs.fields(Strategy):
        assert f"| `{one.name}` | `{one.default}` |" in TEXT


def test_every_rule_of_the_gate_is_named() -> None:
    for name, _ in (*ENTRY_RULES, *REDUCING_RULES):
        assert f"`{name}`" in TEXT


def test_the_fields_of_a_bar_are_named() -> None:
    for name in ("interval_ns", "open_ticks", "volume"):
        assert name in TEXT
        assert hasattr(Bar, name)
