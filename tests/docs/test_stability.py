"""The stability page names things that exist, and its rules are the ones that are lived by."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bot4_core import __version__
from bot4_core.sdk import Capability, Kind, Reason
from bot4_core.testing import SinkContract

from .blocks import ROOT, blocks

PAGE = ROOT / "docs" / "stability.md"
TEXT = PAGE.read_text(encoding="utf-8")
PROJECTS = sorted([*ROOT.glob("plugins/*/pyproject.toml"), *ROOT.glob("examples/*/pyproject.toml")])


def test_every_file_it_names_exists() -> None:
    named = re.findall(r"`((?:tests|bot4_core)/[\w./]+)`", TEXT)
    assert len(named) >= 8
    assert [name for name in named if not (ROOT / name).exists()] == []


def _pin(text: str) -> Requirement:
    """The requirement of the core among a project's dependencies."""
    (found,) = [one for one in map(Requirement, tomllib.loads(text)["dependencies"]) if one.name == "bot4-core"]
    return found


def test_its_pin_takes_this_core_and_not_the_next_minor_release() -> None:
    (block,) = [one for one in blocks(PAGE) if one.language == "toml"]
    pin = _pin(block.text).specifier
    major, minor, *_ = (int(part) for part in __version__.split("."))
    assert pin.contains(f"{major}.{minor}.0") and pin.contains(f"{major}.{minor}.99")
    assert not pin.contains(f"{major}.{minor + 1}.0")


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_our_own_plugins_pin_as_the_page_says(project: Path) -> None:
    pyproject = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    (pin,) = [one for one in map(Requirement, pyproject["dependencies"]) if one.name == "bot4-core"]
    (block,) = [one for one in blocks(PAGE) if one.language == "toml"]
    assert pin.specifier == _pin(block.text).specifier
    (entry,) = pyproject["entry-points"]["bot4"]
    assert pyproject["name"] == f"bot4-{entry}"


def test_the_pages_for_plugin_authors_pin_the_same() -> None:
    (block,) = [one for one in blocks(PAGE) if one.language == "toml"]
    wanted = str(_pin(block.text).specifier)
    for kind in ("exchange", "risk", "strategy", "sink"):
        (project,) = [one for one in blocks(ROOT / "docs/plugins" / f"{kind}.md") if one.file == "pyproject.toml"]
        (pin,) = [
            one for one in map(Requirement, tomllib.loads(project.text)["project"]["dependencies"])
            if one.name == "bot4-core"
        ]  # fmt: skip
        assert str(pin.specifier) == wanted


def test_what_it_says_of_readers_is_asked_of_them() -> None:
    assert "test_a_kind_it_does_not_know_is_no_error" in vars(SinkContract)
    assert {one.__name__ for one in (Kind, Capability, Reason)} <= set(re.findall(r"`(\w+)`", TEXT))
