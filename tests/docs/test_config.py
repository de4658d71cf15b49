"""docs/config.md holds the reference as the settings classes make it, and its example is accepted."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path

import attrs
from bot4_exchange_sim.settings import SimSettings

from bot4_core.config.load import MAX_BYTES, MAX_TABLES
from bot4_core.config.overrides import MAX_NESTING
from bot4_core.config.reference import reference
from bot4_core.config.structure import structure
from bot4_core.example import write_example
from bot4_core.plugins import Pin, load
from bot4_core.sdk import Limits
from bot4_core.sinks.metrics import bot4_sinks

from .blocks import ROOT, blocks, on_terminal

PAGE = ROOT / "docs" / "config.md"
TEXT = PAGE.read_text(encoding="utf-8")
#: what stands behind it is made, the rest of the page is written
MADE = "<!-- made by `bot4 config reference` -->\n\n"


def _own_plugins() -> list[str]:
    projects = [
        tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))
    ]
    return [name for project in projects for name in project["project"]["entry-points"]["bot4"]]


def test_the_reference_is_what_the_settings_classes_say() -> None:
    offers = [offer for one in load(_own_plugins()).loaded for offer in one.specs]
    offers += [("sink", spec) for spec in bot4_sinks()]
    written, made = TEXT.partition(MADE)[2], reference(offers)
    assert written == made, f"put the output of `bot4 config reference` there:\n{made}"


def test_every_setting_of_the_repository_has_words() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| (.*) \|$", TEXT.partition(MADE)[2], re.MULTILINE)
    assert len(rows) > 40
    assert [key for key, _, _, words in rows if not words.strip()] == []


def test_the_pins_shown_are_pins() -> None:
    (text,) = [one.text for one in blocks(PAGE) if one.text.startswith("plugins =")]
    found = structure(tomllib.loads(text)["plugins"], tuple[Pin, ...])
    assert [(one.name, one.version) for one in found] == [("risk-default", None), ("exchange-sim", "0.1.0")]


def test_the_simulators_own_defaults_are_stated() -> None:
    made = SimSettings(history=["x"], balances={"USDT": Decimal(1)})
    for name in ("spread", "slippage", "participation"):
        ratio = getattr(made, f"{name}_ratio")
        value = (Decimal(ratio.numerator) / ratio.denominator).normalize()
        assert re.search(rf"^\| `{name}` \|.*; {value:f}\. \|$", TEXT, re.MULTILINE), name


def test_the_cores_own_limits_are_stated() -> None:
    core = Limits()
    for one in attrs.fields(Limits):
        value = getattr(core, one.name)
        if value is not None:
            bound = f"{value} to below 1" if one.name == "collar" else f"above 0 to {value}"
            assert re.search(rf"\| `{one.name}` \| [a-z ]+, {re.escape(bound)} \|", TEXT), one.name


def test_the_bounds_are_the_loaders() -> None:
    assert f"{MAX_BYTES:,} bytes, {MAX_NESTING} levels of nesting and {MAX_TABLES:,} tables" in TEXT


def test_the_example_and_its_changes_are_accepted(desk: Path) -> None:
    write_example(desk, 7)
    toml, shell = (next(one for one in blocks(PAGE) if one.language == word) for word in ("toml", "sh"))
    (desk / "bot.toml").write_text(toml.text, encoding="utf-8")
    answer = on_terminal(shell.text, desk)
    assert answer.code == 0, answer.errors
    assert "second (paper" in answer.screen
    assert "position = 0.005" in answer.screen
    assert "fast = 6" in answer.screen
    ran = on_terminal("bot4 backtest bot.toml --json", desk)
    assert ran.code == 0, ran.errors
    assert (desk / "example.db").is_file()
