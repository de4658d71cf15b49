"""Plugins, examples and documentation come in by the doors; and their types hold under mypy's strict rules."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# (\S+\.py)\n")
#: pages for people who look into the core itself, not for plugins
_INSIDE = {"history.md", "journal.md"}


def code() -> Iterator[tuple[str, str]]:
    """Where and what: every Python file of plugins and examples, every Python block of the pages."""
    for pattern in ("plugins/*/src/**/*.py", "plugins/*/tests/**/*.py", "plugins/*/bench/*.py", "examples/**/*.py"):
        for path in sorted(ROOT.glob(pattern)):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), ROOT / "README.md"]):
        if path.name not in _INSIDE:
            for place, block in enumerate(_BLOCK.findall(path.read_text(encoding="utf-8"))):
                if "bot4_core" in block:  # a signature alone, as the hooks' page shows, is no module
                    yield f"{path.relative_to(ROOT)} block {place + 1}", block


def other_doors(source: str, *, test: bool) -> list[str]:
    """The imports of core that are neither a door nor a face of the native library."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        doors = {"bot4_core.sdk", *(["bot4_core.testing"] if test else [])}
        for name in names:
            native = re.fullmatch(r"bot4_core\.native(\.[a-z]\w*)?", name)
            if name.split(".")[0] == "bot4_core" and name not in doors and not native:
                found.append(name)
    return found


def _is_test(where: str, source: str) -> bool:
    return "/tests/" in where or "/bench/" in where or bool(re.match(r"# test_\w+\.py\n", source))


def test_nobody_comes_in_but_by_the_doors() -> None:
    seen = list(code())
    assert len([where for where, _ in seen if where.startswith("docs/plugins/")]) >= 8
    wrong = {where: names for where, source in seen if (names := other_doors(source, test=_is_test(where, source)))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("source", "test", "found"),
    [
        ("from bot4_core.engine import core", True, ["bot4_core.engine"]),
        ("import bot4_core.domain.order", True, ["bot4_core.domain.order"]),
        ("from bot4_core import sdk", True, ["bot4_core"]),
        ("from bot4_core.testing import run_strategy", False, ["bot4_core.testing"]),
        ("from bot4_core.testing.contracts import promise", True, ["bot4_core.testing.contracts"]),
        ("from bot4_core.native._native import lib", False, ["bot4_core.native._native"]),
        ("from bot4_core.testing import run_strategy", True, []),
        ("from bot4_core.native.valuation import Valuation\nfrom bot4_core.sdk import Bar", False, []),
    ],
)
def test_another_way_in_is_found(source: str, test: bool, found: list[str]) -> None:
    assert other_doors(source, test=test) == found


def test_every_distribution_says_that_it_is_typed() -> None:
    packages = [ROOT / "bot4_core", *ROOT.glob("plugins/*/src/*"), *ROOT.glob("examples/*/src/*")]
    packages = [path for path in packages if (path / "__init__.py").is_file()]
    assert len(packages) >= 8
    assert [str(path) for path in packages if not (path / "py.typed").is_file()] == []


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_examples_and_pages_are_typed_strictly(tmp_path: Path) -> None:
    """The plugins' own sources are checked with the core's, by mypy's run over the project."""
    for page in sorted(ROOT.glob("docs/plugins/*.md")):
        for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            named = _FILE.match(block)
            assert named, f"{page.name}: a Python block names its file in its first line"
            (tmp_path / named[1]).write_text(block, encoding="utf-8")
    sources = [*sorted(tmp_path.glob("*.py")), *sorted(ROOT.glob("examples/*/src/*")), ROOT / "examples/bands/bands.py"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", ROOT / "pyproject.toml", *map(str, sources)],
        cwd=ROOT, env=os.environ | {"MYPYPATH": f"{ROOT}:{tmp_path}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
