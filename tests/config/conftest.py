"""A config that is right, and a registry of made plugins for it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Literal

import pytest
from attrs import field, frozen

from bot4_core.errors import ConfigError, DomainError
from bot4_core.plugins import Loaded, PluginInfo, Registry
from bot4_core.specs import NEEDED_TO_TRADE, Capability, ExchangeSpec, RiskSpec, SinkSpec, Spec

GOOD = """\
[bot]
name = "trend-demo"
plugins = ["exchange-made", "risk-made"]

[journal]
url = "sqlite:///trend.db"

[exchange.main]
use = "made"
history = ["a.b4h"]
balances = { USDT = "100000" }

[[risk]]
use = "made"
position = 0.01

[strategy.trend]
use = "./trend.py:Trend"
trade = ["main:BTC/USDT"]
fast = 12
"""

TREND = """\
from bot4_core.sdk import Strategy

class Trend(Strategy):
    fast: int = 3
    slow: int = 26

    def on_bar(self, ctx, bar):
        pass
"""


def _at_most_two_percent(_settings: object, _attribute: object, value: Decimal) -> None:
    if value > Decimal("0.02"):
        raise DomainError(f"{value} is above the limit 0.02")


@frozen(kw_only=True)
class ExchangeSettings:
    history: tuple[str, ...]
    balances: dict[str, Decimal] = field(factory=dict)
    speed: Literal["fast", "exact"] = "exact"


@frozen(kw_only=True)
class RiskSettings:
    position: Decimal = field(default=Decimal("0.02"), validator=_at_most_two_percent)


@frozen(kw_only=True)
class SinkSettings:
    port: int = 8080


def registry_of(*specs: Spec, missing: dict[str, str] | None = None) -> Registry:
    """A registry as if these specs had been loaded from plugins of the same names."""
    kinds = {ExchangeSpec: "exchange", RiskSpec: "risk", SinkSpec: "sink"}
    loaded = tuple(
        Loaded(
            info=PluginInfo(name=f"{kinds[type(one)]}-{one.name}", distribution="made", version="1", target="made"),
            manager=SimpleNamespace(),
            specs=((kinds[type(one)], one),),
        )
        for one in specs
    )
    return Registry(loaded, missing or {}, tuple(one.info.name for one in loaded))


def _make(settings: object, services: object) -> object:
    return settings


@pytest.fixture
def registry() -> Registry:
    return registry_of(
        ExchangeSpec(name="made", settings=ExchangeSettings, create=_make, capabilities=NEEDED_TO_TRADE),
        ExchangeSpec(name="listing", settings=SinkSettings, create=_make, capabilities={Capability.INSTRUMENTS}),
        RiskSpec(name="made", settings=RiskSettings, create=_make),
        SinkSpec(name="made", settings=SinkSettings, create=_make),
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Writes bot.toml (and a trend.py beside it) and gives its path."""

    def write_config(content: str | bytes = GOOD) -> Path:
        path = tmp_path / "bot.toml"
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
        (tmp_path / "trend.py").write_text(TREND)
        return path

    return write_config


def lines_of(error: ConfigError) -> list[str]:
    """What the command line would print, without the folder."""
    return [str(one).rpartition("/bot.toml")[2] or str(one) for one in error.mistakes]
