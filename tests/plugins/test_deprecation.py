"""A hook or an argument on its way out: plugins that still have it work, and their users are told in time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot4_core import hookspecs, plugins
from bot4_core.cli import main
from bot4_core.specs import RunInfo

from .conftest import MakePlugin, good

#: what the release does that deprecates: a hook that is replaced, and an argument that is renamed
LEAVING = """
from bot4_core import hookspecs

@hookspecs.hookspec(warn_on_impl=hookspecs.leaving("bot4_ending", use="bot4_stopping", removed="0.4"))
def bot4_ending(run): ...

@hookspecs.hookspec(
    warn_on_impl_args={"why": hookspecs.leaving("bot4_stopping(why)", use="reason", removed="0.4")}
)
def bot4_stopping(run, reason, why): ...

hookspecs.bot4_ending = bot4_ending
hookspecs.bot4_stopping = bot4_stopping
"""
OLD = """
from bot4_core.sdk import hookimpl

heard = []

@hookimpl
def bot4_ending(run): ...

@hookimpl
def bot4_stopping(why):
    heard.append(why)
"""
HOOK = "bot4_ending is deprecated: use bot4_stopping; it is removed in bot4-core 0.4"
ARGUMENT = "bot4_stopping(why) is deprecated: use reason; it is removed in bot4-core 0.4"


@pytest.fixture
def leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process's core as that release."""
    monkeypatch.setattr(hookspecs, "bot4_ending", None, raising=False)
    monkeypatch.setattr(hookspecs, "bot4_stopping", hookspecs.bot4_stopping)
    exec(compile(LEAVING, "leaving", "exec"), {})


@pytest.mark.usefixtures("leaving")
def test_each_gives_one_warning_that_names_plugin_replacement_and_release(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made") + OLD)
    make_plugin("exchange-new", good("new"))
    registry = plugins.load(["exchange-made", "exchange-new"])
    assert sorted(registry.warnings) == [f"plugin exchange-made: {HOOK}", f"plugin exchange-made: {ARGUMENT}"]


@pytest.mark.usefixtures("leaving")
def test_what_is_deprecated_still_works(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made") + OLD)
    registry = plugins.load(["exchange-made"])
    hook = registry.loaded[0].manager.hook
    hook.bot4_stopping(run=RunInfo(run_id="1", bot="b", mode="paper", seed=1), reason="the end", why="the end")
    (plugin,) = registry.loaded[0].manager.get_plugins()
    assert plugin.heard == ["the end"]  # type: ignore[attr-defined]  # the module above


def test_the_check_reports_it_as_a_warning_of_a_plugin_that_works(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", LEAVING + good("made") + OLD)
    result = CliRunner().invoke(main, ["plugins", "check", "exchange-made", "--json"])
    (row,) = json.loads(result.stdout)["plugins"]
    assert result.exit_code == 0
    assert (row["status"], row["reason"]) == ("ok", "")
    assert sorted(row["warnings"]) == [HOOK, ARGUMENT]
    text = CliRunner().invoke(main, ["plugins", "check", "exchange-made"]).stdout
    assert f"exchange-made: warning: {HOOK}\n" in text


@pytest.mark.usefixtures("leaving")
def test_the_log_of_a_run_has_it(make_plugin: MakePlugin, tmp_path: Path) -> None:
    make_plugin("exchange-made", good("made") + OLD)
    assert CliRunner().invoke(main, ["init", str(tmp_path / "bot")]).exit_code == 0
    path = tmp_path / "bot" / "bot.toml"
    path.write_text(path.read_text().replace("plugins = [", 'plugins = ["exchange-made", ', 1))
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exit_code == 0, result.output
    assert f"plugin exchange-made: {HOOK}\n" in result.stderr
    assert f"plugin exchange-made: {ARGUMENT}\n" in result.stderr
