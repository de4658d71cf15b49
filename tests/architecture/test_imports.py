"""The import diagram of ARCHITECTURE.md is true, and the check that says so can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from .rules import ROOT, allowed_imports, forbidden_imports, modules

RULES = allowed_imports((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))


def test_no_module_imports_what_the_diagram_forbids() -> None:
    assert forbidden_imports(ROOT, RULES) == []


def test_the_diagram_names_only_parts_that_exist() -> None:
    parts = {part for part, _ in modules(ROOT)}
    assert set(RULES) - parts == set()


def test_the_diagram_has_no_circle() -> None:
    order: list[str] = []
    left = {part: set(names) - {part} for part, names in RULES.items() if "/" not in part}
    # the door re-exports the history reader, so it stands above history although its parts stand below
    while left:
        free = [part for part, names in left.items() if not names - set(order)]
        assert free, f"a circle among {sorted(left)}"
        order += free
        left = {part: names for part, names in left.items() if part not in free}


PLANTED = [
    ("bot4_core/domain/bad.py", "from ..engine import core", "domain may not import engine"),
    ("bot4_core/domain/bad.py", "from bot4_core.cli.output import emit", "domain may not import cli"),
    ("bot4_core/errors.py", "from .domain import money", "errors may not import domain"),
    ("bot4_core/engine/bad.py", "import bot4_core.report.page", "engine may not import report"),
    ("bot4_core/engine/bad.py", "def f():\n    from ..cli import main", "engine may not import cli"),
    ("bot4_core/native/bad.py", "from .. import journal", "native may not import journal"),
    ("bot4_core/history/deep/bad.py", "from ...sdk import Bar", "history may not import sdk"),
    ("bot4_core/__init__.py", "from .engine import core", "__init__ may not import engine"),
    ("bot4_core/stray/bad.py", "", "no rule for stray"),
    ("plugins/exchange_x/src/bot4_exchange_x/bad.py", "from bot4_core.engine import core", "may not import engine"),
    ("plugins/exchange_x/src/bot4_exchange_x/bad.py", "import bot4_core.domain.money", "may not import domain"),
    ("plugins/exchange_x/src/bot4_exchange_x/bad.py", "import bot4_core.testing", "may not import testing"),
    ("plugins/exchange_x/tests/bad.py", "import bot4_core.engine", "may not import engine"),
]


@pytest.mark.parametrize(("file", "source", "message"), PLANTED)
def test_a_planted_forbidden_import_is_found(tmp_path: Path, file: str, source: str, message: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(source)
    (found,) = forbidden_imports(tmp_path, RULES)
    assert message in found
    assert found.startswith(file)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("bot4_core/engine/good.py", "from ..domain.money import divide\nfrom . import core\nimport numpy"),
        ("bot4_core/cli/good.py", "def f():\n    from ..engine.backtest import run"),
        ("bot4_core/journal/good.py", "from .. import __version__"),
        ("plugins/exchange_x/src/bot4_exchange_x/good.py", "from bot4_core.sdk import Bar\nfrom . import wire"),
        ("plugins/exchange_x/tests/good.py", "from bot4_core.testing import strategy"),
    ],
)
def test_an_allowed_import_is_not_reported(tmp_path: Path, file: str, source: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(source)
    assert forbidden_imports(tmp_path, RULES) == []


@pytest.mark.parametrize("document", ["# nothing", "## Allowed imports\n```text\nonly words\n```\n"])
def test_a_document_without_the_rules_is_an_error(document: str) -> None:
    with pytest.raises(ValueError, match=r"no rule|no ```text"):
        allowed_imports(document)
