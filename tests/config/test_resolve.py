"""A config against its plugins: settings filled, or every mistake at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import get_type_hints

import attrs
import pytest

from bot4_core.config import Plan, load_config, resolve
from bot4_core.errors import ConfigError
from bot4_core.plugins import Registry
from bot4_core.specs import NEEDED_TO_TRADE, Capability, ExchangeSpec

from .conftest import GOOD, TREND, lines_of, registry_of

Write = Callable[..., Path]


def refused(path: Path, registry: Registry, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        resolve(load_config(path, overrides), registry)
    return lines_of(caught.value)


def resolved(path: Path, registry: Registry, *overrides: str) -> Plan:
    return resolve(load_config(path, overrides), registry)


def test_each_table_becomes_its_plugins_settings(write: Write, registry: Registry) -> None:
    plan = resolved(write(GOOD + "[[sink]]\nuse = 'made'\nport = 1"), registry)
    assert plan.exchanges["main"].settings.balances == {"USDT": Decimal(100000)}
    assert plan.risk[0].settings.position == Decimal("0.01")
    assert plan.sinks[0].settings.port == 1
    trend = plan.strategies["trend"]
    assert (trend.settings.fast, trend.settings.slow) == (12, 26)
    assert type(trend.settings) is trend.spec.strategy


def test_a_limit_that_is_loosened_is_refused_on_its_line(write: Write, registry: Registry) -> None:
    path = write(GOOD.replace("position = 0.01", "position = 0.05"))
    assert refused(path, registry) == [":15 $.risk[0].position: 0.05 is above the limit 0.02"]


def test_a_loosened_override_names_the_override(write: Write, registry: Registry) -> None:
    (line,) = refused(write(), registry, "risk[0].position=0.05")
    assert line == "--set risk[0].position=0.05 $.risk[0].position: 0.05 is above the limit 0.02"


def test_every_mistake_of_every_table_is_reported_at_once(write: Write, registry: Registry) -> None:
    content = (
        GOOD.replace('use = "made"\nhistory = ["a.b4h"]', 'use = "mode"')
        .replace("position = 0.01", "positon = 0.01\nposition = nan")
        .replace("Trend", "Trent")
    )
    assert refused(write(content + "[[sink]]\nuse = 'made'\nport = '1'"), registry) == [
        ":9 $.exchange.main.use: no plugin of this bot offers the exchange 'mode'; offered: made, listing; "
        "did you mean 'made'?",
        ":14 $.risk[0].positon: unknown key; allowed: position; did you mean 'position'?",
        ":15 $.risk[0].position: NaN is not a finite number",
        ":18 $.strategy.trend.use: 'Trent' does not exist in ./trend.py; strategies there: Trend; "
        "did you mean 'Trend'?",
        ":23 $.sink[0].port: '1' must be a whole number",
    ]


def test_a_missing_setting_is_named_at_its_table(write: Write, registry: Registry) -> None:
    assert refused(write(GOOD.replace('history = ["a.b4h"]', "")), registry) == [
        ":8 $.exchange.main.history: missing; it has no default"
    ]


def test_a_plugin_of_the_allowlist_that_is_missing_is_named_there(write: Write) -> None:
    registry = registry_of(missing={"exchange-made": "plugin 'exchange-made' is not installed; installed: none"})
    assert ":3 $.bot.plugins[0]: plugin 'exchange-made' is not installed; installed: none" in refused(write(), registry)


def test_trading_on_an_exchange_that_takes_no_orders_is_refused(write: Write, registry: Registry) -> None:
    content = GOOD.replace('use = "made"\nhistory = ["a.b4h"]\nbalances = { USDT = "100000" }', 'use = "listing"')
    assert refused(write(content), registry) == [
        ":17 $.strategy.trend.trade[0]: main (listing) takes no orders yet: it lacks replay, attached-orders, "
        "reduce-only and offers instruments; trade on the simulator"
    ]


@pytest.mark.parametrize("lacking", NEEDED_TO_TRADE)
def test_an_exchange_that_lacks_one_thing_every_order_needs_is_refused(
    write: Write, registry: Registry, lacking: Capability
) -> None:
    spec = registry.find(ExchangeSpec, "made")
    assert spec is not None
    poorer = attrs.evolve(spec, capabilities=set(NEEDED_TO_TRADE) - {lacking})
    others = [one.specs[0][1] for one in registry.loaded if one.specs[0][1] is not spec]
    (line,) = refused(write(), registry_of(poorer, *others))
    assert f"it lacks {lacking} and offers" in line


def test_the_file_of_a_strategy_is_found_beside_the_config(
    write: Write, registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert resolved(path, registry).strategies["trend"].settings.fast == 12


def test_two_bots_with_files_of_one_name_stay_apart(tmp_path: Path, registry: Registry) -> None:
    plans = []
    for name, default in (("a", 5), ("b", 6)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "bot.toml").write_text(GOOD.replace("fast = 12", ""))
        (folder / "trend.py").write_text(TREND.replace("fast: int = 3", f"fast: int = {default}"))
        plans.append(resolved(folder / "bot.toml", registry))
    assert [plan.strategies["trend"].settings.fast for plan in plans] == [5, 6]


def test_the_types_in_two_files_of_one_name_stay_apart(tmp_path: Path, registry: Registry) -> None:
    source = "from __future__ import annotations\nfrom enum import Enum\n" + TREND.replace(
        "class Trend", "class Pace(Enum):\n    SLOW = 'NAME'\n\n\nclass Trend"
    ).replace("slow: int = 26", "pace: Pace = Pace.SLOW")
    classes = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "bot.toml").write_text(GOOD)
        (folder / "trend.py").write_text(source.replace("NAME", name))
        classes.append(type(resolved(folder / "bot.toml", registry).strategies["trend"].settings))
    assert [get_type_hints(one)["pace"].SLOW.value for one in classes] == ["a", "b"]


def test_a_file_that_failed_leaves_no_half_module(write: Write, registry: Registry, tmp_path: Path) -> None:
    path = write()
    (tmp_path / "broken_on_purpose.py").write_text("half = 1\n1 / 0\n")
    refused(path, registry, 'strategy.trend.use="broken_on_purpose.py:Trend"')
    assert not [name for name in sys.modules if "broken_on_purpose" in name]


def test_a_strategy_is_a_fresh_object_each_time(write: Write, registry: Registry) -> None:
    config = load_config(write())
    first, second = (resolve(config, registry).strategies["trend"].settings for _ in range(2))
    assert first is not second


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_library", "./trend.py:1: ModuleNotFoundError: No module named 'no_such_library'"),
        ("x = 1\ny = = 2", "./trend.py:2: SyntaxError"),
        ("def f():\n    return 1 / 0\n\nf()\n", "./trend.py:2: ZeroDivisionError: division by zero"),
        ("import json\njson.loads('{')", "./trend.py:2: JSONDecodeError"),
        ("raise SystemExit", "./trend.py:1: it calls exit() while it is imported"),
        ("Trend = 1", "'Trend' is no Strategy class in ./trend.py; strategies there: none"),
        ("class Trend: pass", "'Trend' is no Strategy class in ./trend.py"),
        (TREND.replace("fast", "use"), "Trend has the reserved field 'use'; rename it"),
        (TREND.replace("slow: int", "slow: complex"), "None"),
    ],
)
def test_what_is_wrong_in_the_users_file_is_named_with_its_line(
    write: Write, registry: Registry, tmp_path: Path, source: str, message: str
) -> None:
    path = write()
    (tmp_path / "trend.py").write_text(source)
    if message == "None":  # a type that no config can fill is no mistake while no config fills it
        assert resolved(path, registry)
        return
    lines = refused(path, registry)
    assert len(lines) == 1
    assert lines[0].startswith(":18 $.strategy.trend.use: ")
    assert message in lines[0]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("./gone.py:Trend", "the file ./gone.py does not exist beside the config"),
        ("trend", "no plugin of this bot offers the strategy 'trend'; offered: none; a file of your own reads"),
        ("./trend.py", "no plugin of this bot offers the strategy './trend.py'"),
        (".py:Trend", "does not exist beside"),
    ],
)
def test_a_use_that_leads_nowhere_says_what_can_be_written(
    write: Write, registry: Registry, use: str, message: str
) -> None:
    (line,) = refused(write(GOOD.replace("./trend.py:Trend", use)), registry)
    assert message in line
