"""The core's own plugins: imported when a config uses one, without a place in its allowlist, and never in disguise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot4_core import plugins
from bot4_core.errors import PluginConflict, PluginLoadError
from bot4_core.plugins import PluginInfo, Registry, metadata
from bot4_core.specs import ExchangeSpec, RunInfo, SinkSpec

from .conftest import MakePlugin, good

SINK = """
from attrs import frozen
from bot4_core.sdk import SinkSpec, hookimpl

@frozen(kw_only=True)
class Settings:
    port: int = 1

@hookimpl
def bot4_sinks():
    return [SinkSpec(name="NAME", settings=Settings, create=lambda settings, services: object(), reads="segment")]
"""
RUN = RunInfo(run_id="1", bot="b", mode="paper", seed=1)


def sink(name: str) -> str:
    return SINK.replace("NAME", name)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, make_plugin: MakePlugin) -> Iterator[str]:
    """A sink of a distribution that stands in for bot4-core."""
    monkeypatch.setattr(metadata, "CORE_DISTRIBUTION", "made-core")
    yield make_plugin("sink-board", sink("board"), distribution="Made_Core")


def test_an_own_plugin_is_imported_only_when_it_is_asked_for(own: str) -> None:
    registry = plugins.load([])
    assert registry.names("sink") == ("board",)
    assert registry.find(SinkSpec, "other") is None
    assert registry.find(ExchangeSpec, "board") is None
    assert own not in sys.modules
    spec = registry.find(SinkSpec, "board")
    assert spec is not None
    assert spec.reads == "segment"
    assert own in sys.modules
    assert registry.find(SinkSpec, "board") is spec
    assert registry.names("sink") == ("board",)


def test_an_own_plugin_that_was_asked_for_is_told_of_the_run(
    monkeypatch: pytest.MonkeyPatch, make_plugin: MakePlugin
) -> None:
    monkeypatch.setattr(metadata, "CORE_DISTRIBUTION", "made-core")
    observer = "\n@hookimpl\ndef bot4_starting(run): raise ValueError(run.bot)\n"
    make_plugin("sink-board", sink("board") + observer, distribution="made-core")
    registry = plugins.load([])
    assert registry.starting(RUN) == []
    registry.find(SinkSpec, "board")
    (problem,) = registry.starting(RUN)
    assert str(problem) == "plugin sink-board: bot4_starting failed: ValueError: b"


def test_an_own_plugin_may_stand_in_the_allowlist_too(own: str) -> None:
    registry = plugins.load(["sink-board"])
    assert own in sys.modules
    assert registry.names("sink") == ("board",)
    assert registry.find(SinkSpec, "board") is not None
    assert [one.info.name for one in registry.everything] == ["sink-board"]


def test_a_plugin_of_another_distribution_is_never_imported_on_demand(make_plugin: MakePlugin) -> None:
    module = make_plugin("sink-board", sink("board"), distribution="bot4-core-extras")
    registry = plugins.load([])
    assert registry.find(SinkSpec, "board") is None
    assert registry.explain("sink", "board") == "'board' is not loaded: add 'sink-board' to [bot] plugins"
    assert module not in sys.modules


def test_a_stranger_under_the_entry_point_of_an_own_plugin_is_not_taken_for_it(
    own: str, make_plugin: MakePlugin
) -> None:
    stranger = make_plugin("sink-board", sink("board"), distribution="aaa")
    registry = plugins.load([])
    assert registry.find(SinkSpec, "board") is not None
    assert stranger not in sys.modules
    with pytest.raises(PluginConflict, match=r"both Made_Core 1\.0 and aaa 1\.0 declare it"):
        plugins.load(["sink-board"])


def test_a_plugin_that_offers_the_name_of_an_own_one_is_a_conflict(own: str, make_plugin: MakePlugin) -> None:
    make_plugin("sink-mine", sink("board"))
    with pytest.raises(PluginConflict, match=r"'board' is offered by both bot4 itself \(sink-board\) and sink-mine"):
        plugins.load(["sink-mine"])
    assert own not in sys.modules


def test_an_own_plugin_that_is_switched_off_says_so(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.DISABLE_VARIABLE, "sink-board")
    registry = plugins.load([])
    assert registry.names("sink") == ()
    assert registry.find(SinkSpec, "board") is None
    assert registry.explain("sink", "board") == "'board' is switched off by BOT4_DISABLE_PLUGINS"
    assert own not in sys.modules


def test_an_own_plugin_that_cannot_be_imported_is_an_error(own: str, site: Path) -> None:
    (site / f"{own}.py").write_text("1/0")
    with pytest.raises(PluginLoadError, match="ZeroDivisionError"):
        plugins.load([]).find(SinkSpec, "board")


def test_a_wrong_name_is_answered_with_the_own_plugins_too(own: str) -> None:
    assert "offered: board; did you mean 'board'?" in plugins.load([]).explain("sink", "bord")


def test_a_registry_without_own_plugins_finds_what_was_loaded(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made"))
    loaded = plugins.load(["exchange-made"]).loaded
    assert Registry(loaded).names("exchange") == ("made",)
    assert isinstance(loaded[0].info, PluginInfo)


def test_a_sink_that_reads_what_does_not_exist_is_refused(make_plugin: MakePlugin) -> None:
    make_plugin("sink-made", sink("made").replace('"segment"', '"tape"'))
    with pytest.raises(PluginLoadError, match="reads must be 'journal' or 'segment', not 'tape'"):
        plugins.load(["sink-made"])
