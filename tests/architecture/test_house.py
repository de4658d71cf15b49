"""Promises of the house that a test can see: sizes, no swallowed errors, one way to a venue, no hook on the way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .rules import ROOT, core_imports

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70
FOLDERS = ("bot4_core", "plugins", "tests", "bench", "examples", "alembic")
GENERATED = ("_native.c", "_kernel.c")
#: What may run between an event and the order that answers it. The others assemble, drive and report.
HOT = (
    "core",
    "gate",
    "desk",
    "orders",
    "dispatch",
    "account",
    "context",
    "indicators",
    "series",
    "timers",
    "protection",
)


def sources(root: Path, *suffixes: str) -> list[Path]:
    """Files we wrote, by suffix."""
    found = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*")) if path.suffix in suffixes]
    return [path for path in found if path.name not in GENERATED and "build" not in path.relative_to(root).parts]


def long_files(root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)}: {count} lines"
        for path in sources(root, ".py", ".c", ".h")
        if (count := path.read_text(encoding="utf-8").count("\n")) > MAX_FILE_LINES
    ]


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function; its documentation does not count, its arguments do."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    text = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - text


def long_functions(root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)}:{function.lineno}: {function.name} has {_length(function)} lines"
        for path in sources(root, ".py")
        for function in _functions(path)
        if _length(function) > MAX_FUNCTION_LINES
    ]


def swallowed_errors(root: Path) -> list[str]:
    """A bare except, or one of a base class that neither raises nor keeps the error."""
    found = []
    for path in sources(root, ".py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            if node.type is None or (broad and node.name is None and not raises):
                found.append(f"{path.relative_to(root)}:{node.lineno}")
    return found


def calls_of(method: str, root: Path, *folders: str) -> list[str]:
    """Modules that call a method of that name, one entry per call."""
    return [
        str(path.relative_to(root))
        for folder in folders
        for path in sorted(root.glob(f"{folder}/**/*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method
    ]


def unexplained_ignores(root: Path) -> list[str]:
    """``type: ignore`` and ``noqa`` without a code or without a reason behind it."""
    explained = re.compile(r"# (type: ignore\[[a-z, -]+\]|noqa: [A-Z0-9, ]+)  # \S+")
    return [
        f"{path.relative_to(root)}:{number}"
        for path in sources(root, ".py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"#\s*(type:\s*ignore|noqa)\b", line) and not explained.search(line)
    ]


CHECKS = [long_files, long_functions, swallowed_errors, unexplained_ignores]


@pytest.mark.parametrize("check", CHECKS)
def test_the_house_keeps_its_promise(check) -> None:  # type: ignore[no-untyped-def]  # one of the functions above
    assert check(ROOT) == []


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (long_files, "x = 1\n" * 401),
        (long_functions, "def f():\n" + "    x = 1\n" * 70),
        (swallowed_errors, "try:\n    f()\nexcept:\n    raise\n"),
        (swallowed_errors, "try:\n    f()\nexcept Exception:\n    pass\n"),
        (unexplained_ignores, "x = 1  # type: " + "ignore\n"),
        (unexplained_ignores, "x = 1  # type: " + "ignore[misc]\n"),
        (unexplained_ignores, "x = 1  # no" + "qa: E501\n"),
    ],
)
def test_a_broken_promise_is_found(tmp_path: Path, check, source: str) -> None:  # type: ignore[no-untyped-def]  # as above
    (tmp_path / "bot4_core").mkdir()
    (tmp_path / "bot4_core" / "bad.py").write_text(source)
    assert len(check(tmp_path)) == 1


def test_orders_reach_a_venue_through_one_place() -> None:
    assert calls_of("submit", ROOT, "bot4_core", "plugins/*/src") == [
        "bot4_core/engine/backtest.py",
        "bot4_core/engine/live.py",
        "bot4_core/testing/contracts/playing.py",  # an exchange by itself, without a bot
        "plugins/exchange_sim/src/bot4_exchange_sim/exchange.py",  # hands it on to its own kernel
    ]


@pytest.mark.parametrize("module", HOT)
def test_no_hook_is_called_on_the_hot_path(module: str) -> None:
    path = ROOT / "bot4_core" / "engine" / f"{module}.py"
    source = path.read_text(encoding="utf-8")
    assert not {"plugins", "plugin_check", "hookspecs"} & {part for _, part in core_imports(path, ROOT)}
    assert "pluggy" not in source
    assert ".hook." not in source
    assert "loguru" not in source


def test_the_migrations_folder_is_no_package() -> None:
    # with an __init__.py it would hide the alembic library from anyone standing in the checkout
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_nothing_tells_people_to_install_the_strangers_package() -> None:
    # the plain name on PyPI belongs to somebody else
    wrong = re.compile(r"pip install (-\S+ )*bot4(?![-_a-zA-Z0-9])")
    files = [path for pattern in ("*.md", "docs/**/*.md", "plugins/*/*.md") for path in ROOT.glob(pattern)]
    assert [str(path) for path in [*files, *sources(ROOT, ".py")] if wrong.search(path.read_text("utf-8"))] == []
