"""The schema takes what the structure code takes and refuses what it refuses, for every type a setting may have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
import pytest
from attrs import field, frozen, validators
from jsonschema import Draft202012Validator

from bot4_core.config.describe import plain, settings_of, summary_of
from bot4_core.config.reference import reference
from bot4_core.config.schema import schema, type_schema
from bot4_core.config.structure import Problems, structure
from bot4_core.config.validators import Between, Matching
from bot4_core.domain.secret import Secret
from bot4_core.errors import DomainError
from bot4_core.plugins import Pin
from bot4_core.sdk import Strategy
from bot4_core.specs import RiskSpec, StrategySpec


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@frozen(kw_only=True)
class Inner:
    """A table inside.

    Args:
        size: how large it is,
            in metres.
    """

    size: int
    label: str = "x"


VALUES: list[Any] = [
    True, 3, -1, 0.5, 1e300, "text", "0.5", "-0.5", "1_000", "٣", "red", "a", "", [], [1], [1, "a"], [1, 1], ["a", "b"],
    {}, {"size": 1}, {"size": "1"}, {"size": 1, "lable": "y"}, {"a": 1}, {"a": "1.5"}, {"env": "HOME"}, {"evn": "HOME"},
    {"name": "risk-default", "version": "1"}, {"name": "risk-default", "versoin": "1"},
]  # fmt: skip
TYPES: list[Any] = [
    bool, int, float, Decimal, str, Path, Colour, Literal["a", "b"], Literal["a", 3], int | None, tuple[int, ...],
    tuple[int, str], list[int], list[str], Sequence[int], frozenset[int], dict[str, Decimal], Mapping[str, int], Inner,
    dict[str, Inner], Secret, Pin, tuple[Pin, ...], Annotated[int, "x"], Any,
]  # fmt: skip


def as_toml(value: Any) -> Any:
    """The value as the loader's parser gives it."""
    return Decimal(str(value)) if isinstance(value, float) else value


@pytest.mark.parametrize("wanted", TYPES, ids=str)
def test_a_schema_and_the_structure_code_agree(wanted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of-somebody")
    definitions: dict[str, Any] = {}
    told = type_schema(wanted, definitions)
    judge = Draft202012Validator({**told, "$defs": definitions})
    for value in VALUES:
        try:
            structure(as_toml(value), wanted)
            right = True
        except Problems:
            right = False
        if value == 1e300:  # its exponent is too large for an exact number, and a schema judges no exponents
            assert judge.is_valid(value) or not right
        else:
            assert judge.is_valid(value) is right, (value, told)


def _even(_settings: object, _attribute: object, value: int) -> None:
    if value % 2:
        raise DomainError(f"{value} must be even")


_even.json_schema = {"multipleOf": 2}  # type: ignore[attr-defined]  # what a third party's validator may carry


@frozen(kw_only=True)
class Judged:
    """Settings with every validator that a schema can read.

    Args:
        below: less than two.
        both, other: words for two.
    """

    below: Decimal = field(default=Decimal(1), validator=validators.lt(Decimal(2)))
    least: int = field(default=1, validator=[validators.ge(1), validators.le(5)])
    above: float = field(default=1.0, validator=validators.gt(0))
    one_of: str = field(default="a", validator=validators.in_(["a", "b"]))
    short: str = field(default="ab", validator=validators.and_(validators.min_len(2), validators.max_len(3)))
    formed: str = field(default="a1", validator=validators.matches_re(r"[a-z]\d"))
    maybe: int | None = field(default=None, validator=validators.optional(validators.le(5)))
    each: tuple[int, ...] = field(default=(), validator=validators.deep_iterable(validators.ge(0)))
    between: Decimal = field(default=Decimal(1), validator=Between(0, Decimal("1.5")))
    matching: str = field(default="x", validator=Matching("[xyz]", "must be x, y or z"))
    even: int = field(default=2, validator=_even)
    both: int = 1
    other: int = 1


REFUSED: list[tuple[str, Any]] = [
    ("below", 2), ("below", 2.5), ("least", 0), ("least", 6), ("above", 0), ("one_of", "c"), ("short", "a"),
    ("short", "abcd"), ("formed", "a1b"), ("formed", "1"), ("maybe", 6), ("each", [1, -1]), ("between", 1.6),
    ("between", -1), ("between", "-1"), ("matching", "w"), ("matching", "xx"), ("even", 3), ("unknown", 1),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_what_a_validator_refuses_a_schema_refuses(key: str, value: Any) -> None:
    spec = RiskSpec(name="judged", settings=Judged, create=lambda *_: None)
    whole = schema([("risk", spec)])
    judge = Draft202012Validator({**whole["$defs"]["risk-judged"], "$defs": whole["$defs"]})
    assert judge.is_valid({"use": "judged"})
    assert not judge.is_valid({"use": "judged", key: value})
    with pytest.raises(Problems):
        structure({key: as_toml(value)}, Judged)


def test_words_defaults_and_what_must_be_given_stand_in_it() -> None:
    told = {one.key: one for one in settings_of(Judged)}
    assert told["both"].description == told["other"].description == "words for two."
    assert told["below"].description == "less than two."
    assert summary_of(Judged) == "Settings with every validator that a schema can read."
    (size, label) = settings_of(Inner)
    assert (size.required, size.description) == (True, "how large it is, in metres.")
    assert (label.required, label.default) == (False, "x")


def test_a_strategys_own_settings_stand_beside_the_bases() -> None:
    class Trend(Strategy):
        """Follows.

        Args:
            fast: bars.
        """

        fast: int = 3
        key: Secret | None = None

    whole = schema([("strategy", StrategySpec(name="trend", strategy=Trend))])
    told = whole["$defs"]["strategy-trend"]
    assert told["properties"]["fast"]["description"] == "bars."
    assert told["properties"]["warmup"]["default"] == 0
    assert told["required"] == ["use", "trade"]
    judge = Draft202012Validator({**told, "$defs": whole["$defs"]})
    assert judge.is_valid({"use": "trend", "trade": ["main:A/B"], "key": {"keyring": "a/b"}})
    assert not judge.is_valid({"use": "trend", "trade": ["main:A/B"], "slow": 3})


def test_a_kind_that_nothing_offers_takes_no_table() -> None:
    judge = Draft202012Validator(schema([]))
    own = {"use": "./a.py:A", "trade": ["main:A/B"], "anything": 1}
    problems = judge.iter_errors({"bot": {"name": "x"}, "exchange": {"main": {"use": "sim"}}, "strategy": {"a": own}})
    assert [list(one.absolute_path)[:2] for one in problems] == [["exchange", "main"]]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("0.50"), 0.5), (Decimal("3.0"), 3), (Colour.RED, "red"), (Path("a/b"), "a/b"), ((1, "a"), [1, "a"]),
        (frozenset({2, 1}), [1, 2]), (Inner(size=1), {"size": 1, "label": "x"}), (Secret("default-secret"), None),
        (object(), None), ({"a": Decimal(1)}, {"a": 1}),
    ],
)  # fmt: skip
def test_defaults_are_written_as_toml_would(value: object, written: object) -> None:
    assert plain(value) == written


def test_the_reference_says_what_each_key_takes() -> None:
    lines = reference([("risk", RiskSpec(name="judged", settings=Judged, create=lambda *_: None))]).splitlines()
    rows = {found[1]: found[2] for line in lines if (found := re.match(r"\| `(\w+)` \| (.*?) \|", line))}
    assert rows["below"] == "number, below 2"
    assert rows["least"] == "whole number, 1 to 5"
    assert rows["above"] == "number, above 0"
    assert rows["even"] == "whole number"
    assert rows["level"].startswith('`"DEBUG"` or ')
    assert '### [[risk]] with use = "judged"' in lines
    assert attrs.has(Judged)
