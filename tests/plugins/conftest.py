"""Plugins made on the fly: a folder that looks installed, seen by this process and by its children."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

MakePlugin = Callable[..., str]

GOOD = """
from attrs import frozen
from bot4_core.sdk import ExchangeSpec, hookimpl

@frozen(kw_only=True)
class Settings:
    depth: int = 1

@hookimpl
def bot4_exchanges():
    return [ExchangeSpec(name="NAME", settings=Settings, create=lambda settings, services: object())]
"""


def good(name: str) -> str:
    """The source of a plugin that offers one exchange."""
    return GOOD.replace("NAME", name)


@pytest.fixture
def make_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePlugin:
    """Installs a plugin for one test: ``make_plugin(entry, source, distribution=..., requires=[...])``."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])]))
    made: list[str] = []

    def make(entry: str, source: str, *, distribution: str = "", requires: tuple[str, ...] = ()) -> str:
        distribution = distribution or f"bot4-{entry}"
        module = f"made_{tmp_path.name}_{len(made)}".replace("-", "_")
        made.append(module)
        (site / f"{module}.py").write_text(dedent(source))
        info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n{needs}")
        (info / "entry_points.txt").write_text(f"[bot4]\n{entry} = {module}\n")
        return module

    yield make  # type: ignore[misc]  # a fixture with an end is a generator
    for module in made:
        sys.modules.pop(module, None)
