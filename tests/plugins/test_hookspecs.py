"""The hook specs are the manual: each says when, what, errors and since, and its example is a plugin that works."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot4_core import hookspecs, plugins
from bot4_core.config.structure import structure
from bot4_core.errors import PluginLoadError
from bot4_core.plugins import HOOK_OF_KIND, Registry
from bot4_core.sdk import Capability, Kind, RiskPolicy, RunInfo, Services, Sink, StrategySpec
from bot4_core.testing.strategy import bars_from_closes, run_strategy

from . import hook_page
from .conftest import MakePlugin

HOOKS = {one.name: one for one in hook_page.hooks()}
KIND_OF_HOOK = {hook: kind for kind, hook in HOOK_OF_KIND.items()}
RUN = RunInfo(run_id="1", bot="made", mode="backtest", seed=1)

ANEW = """
The hooks are the API that plugins are built against, and they changed. If that is meant: a new hook or argument
says Since of this release; one that leaves is deprecated for two minor releases first (hookspecs.leaving), and has a
line in CHANGELOG.md. Then run `python tests/plugins/hook_page.py` and commit what it writes.
"""


def incomplete(one: hook_page.Hook) -> list[str]:
    """Sections that a hook's docstring lacks."""
    named = [name for name in hook_page.SECTIONS if not one.sections.get(name)]
    return named + ([] if one.example else ["Example"])


def use(name: str, registry: Registry, base_dir: Path) -> object:
    """Calls what the example of a hook answers with, as far as a bot would before its first event."""
    if name not in KIND_OF_HOOK:
        return [*registry.starting(RUN), *registry.stopping(RUN, "the end")]
    ((_, spec),) = registry.loaded[0].specs
    if isinstance(spec, StrategySpec):
        return structure({}, spec.strategy)

    def no_history(wanted: str) -> Path:
        raise AssertionError(wanted)

    services = Services(base_dir=base_dir, resolve_history=no_history, seed=1, bot="made")
    return spec.create(structure({}, spec.settings), services)


def test_every_kind_of_plugin_has_its_hook() -> None:
    assert set(HOOK_OF_KIND.values()) <= set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_explained_in_every_section(name: str) -> None:
    assert incomplete(HOOKS[name]) == []


@pytest.mark.parametrize("section", [*hook_page.SECTIONS, "Example"])
def test_a_section_that_is_missing_is_found(section: str) -> None:
    def bot4_made() -> None: ...

    sections = {name: f"{name}: words of it" for name in hook_page.SECTIONS}
    text = "\n".join(words for name, words in sections.items() if name != section)
    example = "" if section == "Example" else "\nExample::\n\n    x = 1\n"
    bot4_made.__doc__ = f"Does it.\n\n{text}{example}"
    assert incomplete(hook_page.hook(bot4_made)) == [section]


@pytest.fixture
def load_example(make_plugin: MakePlugin) -> Callable[[str], Registry]:
    """Installs a source as a plugin and loads it; the example of an observer needs something to offer beside it."""

    def load(name: str, source: str | None = None) -> Registry:
        kind = KIND_OF_HOOK.get(name, "sink")
        offers = "" if name in KIND_OF_HOOK else HOOKS["bot4_sinks"].example
        make_plugin(f"{kind}-made", f"{HOOKS[name].example if source is None else source}\n\n{offers}")
        return plugins.load([f"{kind}-made"])

    return load  # type: ignore[return-value]  # the second argument is for examples that are broken on purpose


@pytest.mark.parametrize("name", HOOKS)
def test_every_example_is_a_plugin_that_works(
    name: str, load_example: Callable[..., Registry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = load_example(name)
    assert registry.warnings == ()
    assert name in {caller.name for caller in registry.loaded[0].manager.get_hookcallers(_plugin(registry)) or ()}
    made = use(name, registry, tmp_path)
    if name == "bot4_exchanges":
        ((_, spec),) = registry.loaded[0].specs
        assert spec.capabilities == {Capability.INSTRUMENTS}  # type: ignore[union-attr]  # an ExchangeSpec here
        assert [one.symbol for one in made.parse_instruments(b"BTC/USD ETH/EUR")] == ["BTC/USD"]  # type: ignore[attr-defined]  # its capability
    elif name == "bot4_risk_checks":
        assert isinstance(made, RiskPolicy)
        assert made.limits == {"open_orders": 5}
    elif name == "bot4_sinks":
        assert isinstance(made, Sink)
        made.on_batch([(1, 0, 0, Kind.FILL, 0), (2, 0, 0, Kind.ACK, 0)])
        made.close()  # type: ignore[attr-defined]  # a sink may have it
        assert (tmp_path / "fills.txt").read_text() == "1"
    elif name == "bot4_strategies":
        assert run_strategy(type(made), bars_from_closes([100, 99, 98, 99])).fills[0].side == "buy"  # type: ignore[arg-type]  # a Strategy
    else:
        assert made == []
        assert capsys.readouterr().err.startswith("made st")


def _plugin(registry: Registry) -> object:
    (plugin,) = registry.loaded[0].manager.get_plugins()
    return plugin


@pytest.mark.parametrize("spoiled", ["hookimpl\n", "SinkSpec("])
def test_an_example_that_does_not_run_is_found(spoiled: str, load_example: Callable[..., Registry]) -> None:
    source = HOOKS["bot4_sinks"].example.replace(spoiled, "no_such_name" + spoiled[-1], 1)
    with pytest.raises(PluginLoadError):
        load_example("bot4_sinks", source)


@pytest.mark.parametrize("name", HOOKS)
def test_an_example_names_the_arguments_of_its_hook(name: str) -> None:
    space: dict[str, Any] = {"__name__": "example"}
    exec(compile(HOOKS[name].example, name, "exec"), space)
    assert list(inspect.signature(space[name]).parameters) == list(inspect.signature(vars(hookspecs)[name]).parameters)


def test_the_hooks_and_their_signatures_are_the_published_ones() -> None:
    assert hook_page.signatures() == hook_page.SIGNATURES.read_text(encoding="utf-8"), ANEW


def test_the_page_of_hooks_is_made_from_their_docstrings() -> None:
    written = hook_page.PAGE.read_text(encoding="utf-8")
    assert hook_page.page() == written, "run `python tests/plugins/hook_page.py` and commit what it writes"


def test_a_changed_default_or_argument_changes_the_published_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    def bot4_stopping(run: object, reason: str = "none") -> None:
        """Learn.

        Since: 0.2
        """

    monkeypatch.setattr(hookspecs, "bot4_stopping", bot4_stopping)
    assert "reason: str = none" in hook_page.signatures() or "reason: str = 'none'" in hook_page.signatures()
    assert hook_page.signatures() != hook_page.SIGNATURES.read_text(encoding="utf-8")
