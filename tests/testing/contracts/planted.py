"""The plugins of the how-to pages with faults planted in them, and which promises each fault breaks."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any
from unittest import SkipTest

from bot4_core.testing.contracts.promise import promises

_PAGES = Path(__file__).parents[3] / "docs" / "plugins"
_BLOCK = re.compile(r"^```python\n# (\S+)\.py\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def sources(kind: str) -> dict[str, str]:
    """The Python files of a kind's page, module name to source, in order: the plugin, then its test."""
    return dict(_BLOCK.findall((_PAGES / f"{kind}.md").read_text(encoding="utf-8")))


@contextmanager
def plugin(kind: str, changes: Mapping[str, str] = MappingProxyType({})) -> Iterator[Any]:
    """The contract class of a page's test, over its plugin with some text replaced.

    Args:
        kind: of the page.
        changes: old text to new; the old must stand in the plugin exactly once.
    """
    modules = sources(kind)
    name = next(iter(modules))
    for old, new in changes.items():
        assert modules[name].count(old) == 1, f"{old!r} stands {modules[name].count(old)} times in {name}.py"
        modules[name] = modules[name].replace(old, new)
    made: dict[str, ModuleType] = {}
    try:
        for module, source in modules.items():
            made[module] = sys.modules[module] = ModuleType(module)
            exec(compile(source, f"{module}.py", "exec"), made[module].__dict__)
        (contract,) = (one for key, one in vars(made[module]).items() if key.startswith("Test"))
        yield contract
    finally:
        for module in made:
            del sys.modules[module]


def broken(contract: Any, folder: Path) -> dict[str, str]:
    """The promises that are not kept, name to message."""
    found: dict[str, str] = {}
    for place, name in enumerate(promises(contract)):
        inside = folder / str(place)
        inside.mkdir()
        try:
            getattr(contract(), name)(inside)
        except SkipTest:
            continue
        except AssertionError as error:
            found[name] = str(error)
    return found
