"""Every page: links lead somewhere, the changelog knows this version, numbers of rules are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot4_core import __version__
from bot4_core.cli import VERBS
from bot4_core.engine.reducing import REDUCING_RULES
from bot4_core.engine.rules import ENTRY_RULES

from .blocks import ROOT

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
    *sorted((ROOT / "plugins").glob("*/README.md")),
]
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen",
)  # fmt: skip


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """What a heading is called in a link: lower case, blanks to dashes, other signs dropped."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    plain = [
        re.sub(r"[^\w\- ]", "", re.sub(r"<[^>]*>", "", title).strip().lower()).replace(" ", "-") for title in titles
    ]
    return {*plain, *re.findall(r'<a id="([^"]+)">', text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(_without_code(page.read_text(encoding="utf-8"))):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            broken.append(target)
    assert broken == []


def test_a_broken_link_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A title, here\n[x](#a-title-here) [y](#other) [z](no.md)\n")
    assert _anchors(page) == {"a-title-here"}
    assert _LINK.findall(_without_code(page.read_text())) == ["#a-title-here", "#other", "no.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_no_machine(page: Path) -> None:
    assert not re.search(r"/(work|home|root|Users)/\w", page.read_text(encoding="utf-8"))


def test_the_changelog_mentions_this_version_and_every_verb() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(__version__)}\]", text, re.MULTILINE)
    assert {verb for verb in VERBS if not re.search(rf"`{verb}( \w+)?`", text)} == set()


def test_the_changelog_counts_the_rules() -> None:
    text = " ".join((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split())
    assert f"{_WORDS[len(ENTRY_RULES)]} rules for entries and {_WORDS[len(REDUCING_RULES)]} for reductions" in text


def test_the_decisions_are_listed_and_numbered() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    for name in records:
        text = (folder / name).read_text(encoding="utf-8")
        assert f"({name})" in index
        assert text.startswith(f"# {name[:4]} ")
        assert [part for part in ("**Context.**", "**Choice.**", "**Cost.**") if part not in text] == []


def test_every_page_of_docs_is_listed() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {name for name in pages if f"({name})" not in index} == set()


def test_the_licence_is_the_standard_text() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.lstrip().startswith("Apache License\n                           Version 2.0, January 2004")
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.splitlines()) == 202
