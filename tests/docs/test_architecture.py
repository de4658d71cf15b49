"""ARCHITECTURE.md and the decision records speak of code that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .blocks import ROOT

PAGES = [ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
_CODE = re.compile(r"`([^`\n]+)`")
_NAME = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:\(.*\))?")
#: of the world outside, or of the page's own examples
_FOREIGN = {"v", "NAME", "use", "trade", "mode", "bot", "bot4", "risk", "url", "None"}


def _sources() -> str:
    folders = ("bot4_core", "plugins", "alembic", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".c", ".h")]
    own = [path for path in files if path.parent != Path(__file__).parent]
    return "\n".join(path.read_text(encoding="utf-8") for path in own)


WORDS = set(re.findall(r"\w+", _sources()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_in_code_quotes_exists(page: Path) -> None:
    unknown = []
    for quoted in _CODE.findall(page.read_text(encoding="utf-8")):
        name = re.sub(r"\(.*\)$|\[.*\]$", "", quoted)
        if "/" in quoted or quoted.endswith((".py", ".md", ".toml", ".h", ".c")):
            path = quoted.rstrip("/").replace("*", "")
            places = (ROOT, ROOT / "bot4_core", ROOT / "docs", ROOT / "bot4_core" / "native" / "src")
            if "*" not in quoted and " " not in quoted and not any((place / path).exists() for place in places):
                unknown.append(quoted)
        elif _NAME.fullmatch(name) and set(name.split(".")) - WORDS - _FOREIGN:
            unknown.append(quoted)
    assert unknown == []


def test_every_part_of_the_core_is_in_the_table_of_layers() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    for path in sorted((ROOT / "bot4_core").iterdir()):
        name = f"{path.name}/" if path.is_dir() else path.name
        if not name.startswith("_") and path.suffix != ".typed":
            assert f"`{name}`" in text, name


def test_every_record_kind_and_native_concept_is_explained() -> None:
    from bot4_core.sdk import Kind

    text = PAGES[0].read_text(encoding="utf-8")
    assert {kind.name for kind in Kind if kind >= Kind.ACK and kind.name not in text} == set()
    headers = {path.stem for path in (ROOT / "bot4_core/native/src").glob("*.h")}
    plumbing = {"bench", "bulk", "gil", "status"}
    assert {name for name in headers - plumbing if f"`{name}`" not in text} == set()
