"""TOML values to types: strict, exact, and all mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.config.structure import Problems, structure


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@frozen(kw_only=True)
class Inner:
    size: int
    label: str = "x"


@frozen(kw_only=True)
class Outer:
    inner: Inner
    many: tuple[Inner, ...] = ()
    limit: Decimal = field(default=Decimal(1), validator=attrs.validators.le(Decimal(2)))
    by_name: Mapping[str, int] = field(factory=dict)
    low: int = 0
    high: int = field(default=9)
    _private: int = 0

    @high.validator
    def _above_low(self, _attribute: object, value: int) -> None:
        if value < self.low:
            raise ValueError(f"{value} is below low = {self.low}")


@pytest.mark.parametrize(
    ("value", "wanted", "result"),
    [
        (True, bool, True),
        (3, int, 3),
        ("a", str, "a"),
        (Decimal("0.1"), Decimal, Decimal("0.1")),
        ("0.1", Decimal, Decimal("0.1")),
        (3, Decimal, Decimal(3)),
        (Decimal("0.5"), float, 0.5),
        (3, float, 3.0),
        ("a/b", Path, Path("a/b")),
        ("red", Colour, Colour.RED),
        ("a", Literal["a", "b"], "a"),
        ("max", Decimal | Literal["max"], "max"),
        (3, Decimal | Literal["max"], Decimal(3)),
        ("0.5", Decimal | Literal["max"], Decimal("0.5")),
        (3, int | None, 3),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1, "a"], tuple[int, str], (1, "a")),
        ([1, 2], list[int], [1, 2]),
        ([1, 2], Sequence[int], [1, 2]),
        ([1, 2], frozenset[int], frozenset({1, 2})),
        ({"a": "1.5"}, dict[str, Decimal], {"a": Decimal("1.5")}),
        ({"a": {"size": 1}}, dict[str, Inner], {"a": Inner(size=1)}),
        ([1, {"x": True}], Any, [1, {"x": True}]),
    ],
)
def test_values_of_the_right_kind_are_taken_exactly(value: object, wanted: Any, result: object) -> None:
    found = structure(value, wanted)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("value", "wanted", "message"),
    [
        (1, bool, "1 must be true or false"),
        ("true", bool, "'true' must be true or false"),
        (True, int, "true must be a whole number"),
        ("3", int, "'3' must be a whole number"),
        (Decimal("3.0"), int, "3.0 must be a whole number"),
        (2**63, int, "does not fit 64 bits"),
        (3, str, "3 must be text in quotes"),
        (True, Decimal, "true must be a number"),
        (Decimal("NaN"), Decimal, "NaN is not a finite number"),
        (Decimal("Infinity"), Decimal, "Infinity is not a finite number"),
        ("1_000", Decimal, "not a plain decimal number"),
        ("٣", Decimal, "not a plain decimal number"),
        (Decimal("1E+200000"), Decimal, "exponent beyond"),
        (Decimal("NaN"), float, "NaN is not a finite number"),
        ("0.5", float, "'0.5' must be a number without quotes"),
        ("green", Colour, "'green' is not one of 'red', 'blue'"),
        ("bleu", Colour, "did you mean 'blue'"),
        (1, Literal["a"], "1 is not one of 'a'"),
        (True, Literal[1], "true is not one of 1"),
        ("fast", Decimal | Literal["max"], "'fast' is not a plain decimal number, or 'max'"),
        (True, Decimal | Literal["max"], "true must be a number, or 'max'"),
        ("abc", tuple[str, ...], "'abc' must be a list"),
        ({"a": 1}, list[int], "a table must be a list"),
        ([1], tuple[int, str], "the list has 1 entries and must have 2"),
        ([1, 1], frozenset[int], "an entry stands twice"),
        ([1], dict[str, int], "a list must be a table"),
        (3, Inner, "3 must be a table"),
        (3, complex, "is none that a config can fill"),
    ],
)
def test_values_of_another_kind_are_refused(value: object, wanted: Any, message: str) -> None:
    with pytest.raises(Problems) as caught:
        structure(value, wanted)
    assert message in str(caught.value)


def test_every_mistake_of_a_nested_table_is_found_with_its_place() -> None:
    with pytest.raises(Problems) as caught:
        structure(
            {
                "inner": {"sise": 1},
                "many": [{"size": 1}, {"size": "1", "label": 2}, 3],
                "limit": Decimal("2.5"),
                "by_name": {"a": 1, "b": "x"},
                "privat": 1,
            },
            Outer,
        )
    assert dict(caught.value.found) == {
        ("privat",): "unknown key; allowed: inner, many, limit, by_name, low, high, private; did you mean 'private'?",
        ("inner", "sise"): "unknown key; allowed: size, label; did you mean 'size'?",
        ("inner", "size"): "missing; it has no default",
        ("many", 1, "size"): "'1' must be a whole number",
        ("many", 1, "label"): "2 must be text in quotes",
        ("many", 2): "3 must be a table",
        ("limit",): "'limit' must be <= 2: 2.5",
        ("by_name", "b"): "'x' must be a whole number",
    }


def test_a_validator_that_looks_at_another_field_is_named_at_its_own() -> None:
    with pytest.raises(Problems) as caught:
        structure({"inner": {"size": 1}, "low": 5, "high": 3}, Outer)
    assert caught.value.found == ((("high",), "3 is below low = 5"),)


def test_a_validator_that_looks_at_a_default_is_asked_when_the_object_is_built() -> None:
    with pytest.raises(Problems) as caught:
        structure({"inner": {"size": 1}, "high": -3}, Outer)
    assert caught.value.found == (((), "-3 is below low = 0"),)


def test_a_constructor_that_raises_anything_is_one_mistake() -> None:
    @frozen
    class Odd:
        def __attrs_post_init__(self) -> None:
            raise RuntimeError("odd")

    with pytest.raises(Problems, match="odd"):
        structure({}, Odd)


_TOML = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5) | st.decimals() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(_TOML | st.fixed_dictionaries({}, optional=dict.fromkeys(("inner", "many", "limit", "by_name", "low"), _TOML)))
def test_any_document_is_either_structured_or_refused_with_places(document: object) -> None:
    try:
        assert isinstance(structure(document, Outer), Outer)
    except Problems as problems:
        assert problems.found
        assert all(message and "\n" not in message for _, message in problems.found)
