"""Plugins made on the fly: a folder that looks installed, seen by this process and by its children."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
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


def install(
    site: Path,
    module: str,
    entry: str,
    source: str,
    *,
    distribution: str = "",
    requires: tuple[str, ...] = (),
    python: str = "",
) -> Path:
    """Writes a module and the metadata of a distribution that ships it, as an installer leaves them.

    Args:
        site: a folder on the import path.
        module: name of the module.
        entry: name of its entry point.
        source: of the module.
        distribution: its name; else ``bot4-<entry>``.
        requires: its requirements.
        python: its Requires-Python.

    Returns:
        the folder of metadata.
    """
    distribution = distribution or f"bot4-{entry}"
    (site / f"{module}.py").write_text(dedent(source))
    info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires) + (f"Requires-Python: {python}\n" if python else "")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n{needs}")
    (info / "entry_points.txt").write_text(f"[bot4]\n{entry} = {module}\n")
    (info / "INSTALLER").write_text("test\n")
    names = [
        f"{module}.py",
        *(f"{info.name}/{name}" for name in ("METADATA", "entry_points.txt", "INSTALLER", "RECORD")),
    ]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in names))
    return info


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path of this process and its children."""
    path = tmp_path / "site"
    path.mkdir()
    monkeypatch.syspath_prepend(str(path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    return path


@pytest.fixture
def make_plugin(site: Path, tmp_path: Path) -> Iterator[MakePlugin]:
    """Installs a plugin for one test: ``make_plugin(entry, source, distribution=..., requires=[...])``."""
    made: list[str] = []

    def make(entry: str, source: str, **metadata: object) -> str:
        module = f"made_{tmp_path.name}_{len(made)}".replace("-", "_")
        made.append(module)
        install(site, module, entry, source, **metadata)  # type: ignore[arg-type]  # handed on as they came
        return module

    yield make
    for module in made:
        sys.modules.pop(module, None)
