"""The doors give out what the golden file says, and everything they give out explains itself."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from enum import Enum
from types import ModuleType
from typing import Any

import pytest

from .exports import DOORS, GOLDEN, kind_of, text

NAMES = [(door, name) for door in DOORS for name in door.__all__]


def _id(value: object) -> str:
    return value.__name__ if isinstance(value, ModuleType) else str(value)


def test_a_change_of_the_doors_is_a_decision() -> None:
    """After deciding: ``python -m tests.sdk.exports``, a line in CHANGELOG.md, and see docs/stability.md."""
    assert text().splitlines() == GOLDEN.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("door", DOORS, ids=_id)
def test_a_door_is_sorted_and_has_nothing_beside_its_list(door: ModuleType) -> None:
    names = list(door.__all__)
    assert names == sorted(set(names), key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    public = {name for name, value in vars(door).items() if name[0] != "_" and not isinstance(value, ModuleType)}
    assert public - {"annotations"} == set(names)


def _explained(value: Any, name: str, around: str = "") -> list[str]:
    """What a docstring leaves out about one thing: its meaning, arguments, or errors; its class may say it too."""
    documentation = inspect.getdoc(value) or ""
    wanted = [] if documentation.strip() else ["its meaning"]
    words = set(re.findall(r"\w+", documentation + around))
    if inspect.isroutine(value):
        elsewhere = "errors as :meth:" in documentation or len(_arguments(value)) == 1
        wanted += [one for one in _arguments(value) if one not in words and not elsewhere]
        wanted += [one for one in _raised(value) if one not in words and "Raises" not in words]
    return [f"{name}: {one}" for one in wanted]


def _arguments(function: Any) -> list[str]:
    return [one for one in inspect.signature(function).parameters if one not in ("self", "cls") and one[0] != "_"]


def _raised(function: Any) -> set[str]:
    """Errors that a function raises in its own body."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]
    calls = [one.func for one in raised if isinstance(one, ast.Call)]
    return {one.id for one in calls if isinstance(one, ast.Name) and one.id[0].isupper()}


@pytest.mark.parametrize(("door", "name"), NAMES, ids=_id)
def test_every_export_explains_itself(door: ModuleType, name: str) -> None:
    value = getattr(door, name)
    kind = kind_of(value)
    if kind in ("constant", "alias"):
        assert _comment(value, name), f"{name} has no comment that says what it is"
        return
    missing = _explained(value, name)
    if isinstance(value, type) and not issubclass(value, Enum | BaseException):
        members = [(key, one) for key, one in vars(value).items() if key[0] != "_" and not key.startswith("test_")]
        for key, member in members:
            plain = member.__func__ if isinstance(member, classmethod) else member
            plain = plain.fget if isinstance(plain, property) else plain
            if inspect.isfunction(plain):
                missing += _explained(plain, f"{name}.{key}", value.__doc__ or "")
    assert missing == []


def _comment(value: object, name: str) -> str:
    """What stands above an assignment, as ``#: ...`` or ``# ...``, in whichever module of ours makes it."""
    for source in sorted((GOLDEN.parents[2] / "bot4_core").rglob("*.py")):
        found = re.search(rf"^((?:#:? .*\n)+){name}\b[^=\n]*=", source.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1]
    return ""


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("def f(a, b): ...", ["f: its meaning", "f: a", "f: b"]),
        ("def f(a, b):\n    'Adds a to b.'\n    raise ValueError('x')", ["f: ValueError"]),
        ("def f(a, b):\n    'Adds a to b; ValueError when it cannot.'\n    raise ValueError('x')", []),
    ],
)
def test_what_a_docstring_leaves_out_is_found(source: str, missing: list[str], tmp_path: Any) -> None:
    import importlib.util

    file = tmp_path / "told.py"
    file.write_text(source)
    spec = importlib.util.spec_from_file_location("told", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert sorted(_explained(module.f, "f")) == sorted(missing)
