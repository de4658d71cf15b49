"""Finding the line of every key, on text that tomllib accepts, and staying fast on text that it does not."""

from __future__ import annotations

import time
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.config.lines import Place, find_lines, nesting

TRICKY = '''\
# a comment = [
a = 1 # "not text
"b.c" = """x
[no]
y = 2 \\""" still inside
""""
d . e = 'its [' # {
t = 1979-05-27 07:32:00
[x.y]
k = [ 1, # one
  2,
  { q = 3, r = ["a", "b]"] },
]
z.'w w' = \'\'\'
=\'\'\'
[[risk]]
p = 1
[risk.sub]
z = 1
[[risk]]
p = 2
[[risk.deep]]
w = {}
[[risk.deep]]
w = [[], [1]]
'''


def test_every_key_of_a_tricky_text_is_on_its_line() -> None:
    lines = find_lines(TRICKY)
    text = TRICKY.splitlines()
    wanted: dict[Place, str] = {
        ("a",): "a = 1",
        ("b.c",): '"b.c"',
        ("d", "e"): "d . e",
        ("t",): "t = ",
        ("x", "y"): "[x.y]",
        ("x", "y", "k"): "k = [",
        ("x", "y", "k", 1): "  2",
        ("x", "y", "k", 2, "r", 1): "  { q",
        ("x", "y", "z", "w w"): "z.'w w'",
        ("risk", 0): "[[risk]]",
        ("risk", 0, "sub", "z"): "z = 1",
        ("risk", 1, "p"): "p = 2",
        ("risk", 1, "deep", 0, "w"): "w = {}",
        ("risk", 1, "deep", 1, "w", 1, 0): "w = [[]",
    }
    for place, start in wanted.items():
        assert text[lines[place] - 1].startswith(start), place
    assert lines["risk", 1] == 20


def _places(value: Any, at: Place = ()) -> set[Place]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {at}.union(*(_places(item, (*at, key)) for key, item in items))


def test_no_place_of_the_parsed_document_is_left_out() -> None:
    assert set(find_lines(TRICKY)) == _places(tomllib.loads(TRICKY))


_KEYS = st.text(st.characters(codec="ascii", categories=("Ll", "Nd")), min_size=1, max_size=3)
_VALUES = st.recursive(
    st.integers(0, 9) | st.sampled_from(['"x"', "'#'", '"[]{}"', '"""\n"""', "true", "1.5", "07:32:00"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


def _written(value: Any) -> str:
    return "[\n" + ",\n".join(map(_written, value)) + "]" if isinstance(value, list) else str(value)


@given(st.lists(st.tuples(_KEYS, st.dictionaries(_KEYS, _VALUES, max_size=3)), max_size=4))
def test_the_places_are_those_of_the_parser_for_any_tables(tables: list[tuple[str, dict[str, Any]]]) -> None:
    text = "".join(
        f"[[{name}]]\n" + "".join(f"{key} = {_written(value)}\n" for key, value in content.items())
        for name, content in tables
    )
    lines = find_lines(text)
    assert set(lines) == _places(tomllib.loads(text))
    for place, line in lines.items():
        if place and isinstance(place[-1], str):
            assert place[-1] in text.splitlines()[line - 1]


@pytest.mark.parametrize(
    ("text", "depth"),
    [("a = 1", 0), ("a = [[1]]", 2), ("a = '[[['", 0), ("a = {b = [1]}", 2), ("a.b . c = 1", 2), ("[" * 50, 50)],
)
def test_nesting_counts_brackets_and_dots_outside_of_text(text: str, depth: int) -> None:
    assert nesting(text) == depth


@pytest.mark.parametrize(
    "unit", ['"""\\', '"\\', "'", '"', "[", "a.", '"""', "'''", "\\", "=", "{", "#", '"""\\"""', "a\n"]
)
def test_any_megabyte_is_judged_in_time_proportional_to_it(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    nesting(text)
    # quadratic behaviour would take minutes
    assert time.process_time() - started < 10
