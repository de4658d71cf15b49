"""What is judged and described of a plugin's specs without calling a factory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from attrs import Factory, field, frozen

from bot4_core import plugin_check
from bot4_core.plugin_trial import argument_docs, offer, report, type_name
from bot4_core.sdk import Capability, ExchangeSpec, Strategy, StrategySpec

from .conftest import MakePlugin, good


class Side(Enum):
    BUY = "buy"
    SELL = "sell"


@frozen(kw_only=True)
class Inner:
    maker: Decimal = Decimal("0.001")
    hidden: str = field(default="x", repr=False)


@frozen(kw_only=True)
class Settings:
    """What a table says.

    Args:
        first: how many, at most
            a few.
        second, third: two of them.

    Raises:
        nothing: at all.
    """

    first: int
    second: Decimal = Decimal("0.10")
    third: Path = Path("a/b")
    side: Side = Side.BUY
    inner: Inner = field(factory=Inner)
    names: tuple[str, ...] = ("a",)
    limits: Mapping[str, int] = Factory(lambda: {"x": 1})
    both: int = Factory(lambda self: self.first, takes_self=True)
    broken: int = Factory(lambda: 1 // 0)
    huge: float = float("inf")
    derived: int = field(init=False, default=0)


def test_an_offer_shows_each_setting_with_type_default_and_meaning() -> None:
    spec = ExchangeSpec(
        name="made",
        settings=Settings,
        create=lambda settings, services: 1 / 0,
        capabilities={Capability.REPLAY, Capability.INSTRUMENTS},  # type: ignore[arg-type]  # a set is converted
        summary="two\nlines",
    )
    shown = offer("exchange", spec)
    assert shown["summary"] == "two lines"
    assert shown["capabilities"] == ["instruments", "replay"]
    rows = {row["name"]: (row["type"], row["required"], row["default"], row["doc"]) for row in shown["settings"]}
    assert rows == {
        "first": ("int", True, None, "how many, at most a few."),
        "second": ("Decimal", False, "0.10", "two of them."),
        "third": ("Path", False, "a/b", "two of them."),
        "side": ('"buy" | "sell"', False, "buy", ""),
        "inner": ("Inner", False, {"maker": "0.001"}, ""),
        "names": ("tuple[str, ...]", False, ["a"], ""),
        "limits": ("Mapping[str, int]", False, {"x": 1}, ""),
        "both": ("int", False, "computed", ""),
        "broken": ("int", False, "ZeroDivisionError: integer division or modulo by zero", ""),
        "huge": ("float", False, "inf", ""),
    }


def test_the_settings_of_a_strategy_are_its_fields() -> None:
    class Trend(Strategy):
        """Follows.

        Args:
            fast: bars.
        """

        fast: int = 12

    rows = {row["name"]: row for row in offer("strategy", StrategySpec(name="trend", strategy=Trend))["settings"]}
    assert (rows["fast"]["default"], rows["fast"]["doc"]) == (12, "bars.")


def test_a_subclass_explains_its_own_settings_first() -> None:
    class Base:
        """Base.

        Args:
            a: of the base.
            b: of the base.
        """

    class Derived(Base):
        """Derived.

        Args:
            b: of the derived.
        """

    assert argument_docs(Derived) == {"a": "of the base.", "b": "of the derived."}


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (int, "int"),
        (Decimal | None, "Decimal | None"),
        (list[tuple[str, int]], "list[tuple[str, int]]"),
        (Literal["spot.x", 3], '"spot.x" | 3'),
        (Annotated[int, "positive"], "int"),
        (Sequence[Any], "Sequence[Any]"),
    ],
)
def test_types_read_as_people_write_them(wanted: object, name: str) -> None:
    assert type_name(wanted) == name


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ("datetime.datetime = None", "Settings.depth: it has no way to make datetime"),
        ("list[datetime.date] = []", "Settings.depth: it has no way to make date"),
        ("dict[str, Stranger] | None = None", "Settings.depth: it has no way to make Stranger"),
        ("bytes = b''", "Settings.depth: it has no way to make bytes"),
        ("Nested = None", "Settings.depth.when: it has no way to make datetime"),
        ("'NoSuchName' = None", "Settings.__annotations__: an annotation cannot be read"),
    ],
)
def test_settings_that_no_config_can_fill_are_refused(make_plugin: MakePlugin, annotation: str, reason: str) -> None:
    head = "import datetime\nfrom attrs import frozen\nclass Stranger: pass\n"
    head += "@frozen\nclass Nested:\n    when: datetime.datetime\n"
    make_plugin("exchange-made", head + good("made").replace("int = 1", annotation))
    found = report("exchange-made")
    assert found["status"] == "broken"
    assert f"no config can fill {reason}" in found["reason"]


@pytest.mark.parametrize(
    "annotation",
    [
        "int | None = None",
        "list[str] = []",
        "dict[str, Decimal] = {}",
        "tuple[int, ...] = ()",
        "Literal['a', 'b'] = 'a'",
        "Path = Path('x')",
        "Any = None",
        "frozenset[str] = frozenset()",
        "Nested = None",
    ],
)
def test_settings_that_a_config_can_fill_are_accepted(make_plugin: MakePlugin, annotation: str) -> None:
    head = "from decimal import Decimal\nfrom pathlib import Path\nfrom typing import Any, Literal\n"
    head += "from attrs import frozen\n"
    head += "@frozen\nclass Nested:\n    again: 'Nested | None' = None\n    bars: int = 1\n"
    make_plugin("exchange-made", head + good("made").replace("int = 1", annotation))
    assert report("exchange-made")["reason"] == ""


STRATEGY = """
from bot4_core.sdk import Strategy, StrategySpec, hookimpl

class Trend(BASE):
    use: int = 1

@hookimpl
def bot4_strategies():
    return [StrategySpec(name="trend", strategy=Trend)]
"""


@pytest.mark.parametrize(
    ("base", "reason"),
    [("Strategy", "Trend has the reserved field 'use'; rename it"), ("object", "is no Strategy class")],
)
def test_a_packaged_strategy_is_judged_like_one_in_a_file(make_plugin: MakePlugin, base: str, reason: str) -> None:
    make_plugin("strategy-trend", STRATEGY.replace("BASE", base))
    assert reason in plugin_check.check("strategy-trend").reason


def test_no_factory_is_called(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made").replace("object()", "exit('called')"))
    assert plugin_check.check("exchange-made").status == "ok"
