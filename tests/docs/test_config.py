"""docs/config.md names every setting with its default, and its example is accepted."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from bot4_exchange_binance.settings import BinanceSettings
from bot4_exchange_coinbase.settings import CoinbaseSettings
from bot4_exchange_kraken.settings import KrakenSettings
from bot4_exchange_sim.settings import Fees, SimSettings
from bot4_risk_default.settings import RiskDefaultSettings

from bot4_core.config.load import MAX_BYTES, MAX_NESTING, MAX_TABLES
from bot4_core.config.model import BotConfig, JournalConfig
from bot4_core.example import write_example
from bot4_core.sdk import Limits, Strategy

from .blocks import ROOT, blocks, on_terminal

PAGE = ROOT / "docs" / "config.md"
TEXT = PAGE.read_text(encoding="utf-8")
#: heading -> the settings class behind it
SECTIONS: dict[str, type] = {
    "## [bot]": BotConfig,
    "## [journal]": JournalConfig,
    '### use = "sim"': SimSettings,
    "`fees`:": Fees,
    '### use = "binance"': BinanceSettings,
    '### use = "kraken"': KrakenSettings,
    '### use = "coinbase"': CoinbaseSettings,
    '### use = "default"': RiskDefaultSettings,
    "## [strategy.NAME]": Strategy,
}
_ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \|", re.MULTILINE)


def _section(heading: str) -> str:
    start = TEXT.index(f"\n{heading}\n") + len(heading) + 2
    ends = [TEXT.index(f"\n{one}", start) for one in (*SECTIONS, "## ") if f"\n{one}" in TEXT[start:]]
    return TEXT[start : min(ends, default=len(TEXT))]


def _shown(default: Any) -> str:
    if default is attrs.NOTHING:
        return "required"
    if default is None:
        return "none"
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class in all but name
        return "`" + _shown_fees(default.factory()) + "`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, str):
        return f'`"{default}"`'
    return f"`{[] if default == () else default}`"


def _shown_fees(fees: Fees) -> str:
    return f'{{ maker = "{fees.maker}", taker = "{fees.taker}" }}'


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_setting_stands_with_its_default(heading: str) -> None:
    stated = {key: default.strip() for key, default in _ROW.findall(_section(heading))}
    stated = {key: default for key, default in stated.items() if not default.startswith(("list of", '`"./'))}
    fields = attrs.fields(SECTIONS[heading])
    assert stated == {one.name: _shown(one.default) for one in fields if one.init}


def test_the_simulators_own_defaults_are_stated() -> None:
    made = SimSettings(history=["x"], balances={"USDT": Decimal(1)})
    for name in ("spread", "slippage", "participation"):
        ratio = getattr(made, f"{name}_ratio")
        value = (Decimal(ratio.numerator) / ratio.denominator).normalize()
        assert re.search(rf"\| `{name}` \|.*`{value:f}` unless given", TEXT), name


def test_the_cores_own_limits_are_stated() -> None:
    core = Limits()
    for one in attrs.fields(Limits):
        value = getattr(core, one.name)
        bound = "none" if value is None else f"at {'least' if one.name == 'collar' else 'most'} {value}"
        assert re.search(rf"\| `{one.name}` \|.*\| {re.escape(bound)} \|", TEXT), one.name


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
