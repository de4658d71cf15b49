"""What a plugin requires against what is installed: named with wanted and found."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from bot4_core import plugin_check, plugins
from bot4_core.errors import PluginLoadError
from bot4_core.plugins.requirements import unmet

from .conftest import MakePlugin, good


@pytest.mark.parametrize(
    ("requires", "python", "found"),
    [
        (("attrs>=25",), "", []),
        (("attrs>=99",), "", [f"attrs>=99, this is {version('attrs')}"]),
        (
            ("Attrs<2", "no_such.thing==1"),
            "",
            [f"attrs<2, this is {version('attrs')}", "no-such-thing==1, which is not installed"],
        ),
        (("no-such-thing; extra == 'never'", "no-such-thing; python_version < '3'"), "", []),
        (("no-such-thing",), "", ["no-such-thing, which is not installed"]),
        (("click[colour]>=8",), "", []),
        ((), ">=3.11", []),
        ((), ">=99", ["python>=99, this is 3."]),
    ],
)
def test_each_requirement_that_is_not_met_is_named(
    make_plugin: MakePlugin, requires: tuple[str, ...], python: str, found: list[str]
) -> None:
    make_plugin("exchange-made", good("made"), requires=requires, python=python)
    (entry,) = plugins.entries_by_name()["exchange-made"]
    assert entry.dist is not None
    lines = [str(one) for one in unmet("exchange-made", entry.dist)]
    assert len(lines) == len(found)
    assert all(line.startswith(start) for line, start in zip(lines, found, strict=True))


def test_a_requirement_that_cannot_be_read_is_the_plugins_mistake(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made"), requires=("what is this",))
    with pytest.raises(PluginLoadError, match="its metadata is malformed"):
        plugins.load(["exchange-made"])


def test_the_check_names_every_requirement_and_imports_nothing(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", "1/0", requires=("bot4-core>=99", "attrs>=99", "no-such-thing>=1"))
    status = plugin_check.check("exchange-made")
    assert status.status == "incompatible"
    assert "bot4-core>=99, this is" in status.reason
    assert "attrs>=99, this is" in status.reason
    assert "no-such-thing>=1, which is not installed" in status.reason
    assert "ZeroDivision" not in status.reason
