"""Loading exactly the plugins a bot names, and refusing what a plugin must not do."""

from __future__ import annotations

import re
import sys

import pytest

from bot4_core import plugins
from bot4_core.errors import PluginConflict, PluginIncompatible, PluginLoadError
from bot4_core.specs import ExchangeSpec, RiskSpec, RunInfo

from .conftest import MakePlugin, good

RUN = RunInfo(run_id="1", bot="b", mode="backtest", seed=1)


def test_the_listing_reads_metadata_and_imports_nothing(make_plugin: MakePlugin) -> None:
    module = make_plugin("exchange-made", "raise RuntimeError('imported')", distribution="bot4-exchange-made")
    (info,) = [one for one in plugins.listing() if one.name == "exchange-made"]
    assert (info.kind, info.distribution, info.version) == ("exchange", "bot4-exchange-made", "1.0")
    assert module not in sys.modules


def test_only_the_named_plugin_is_imported(make_plugin: MakePlugin) -> None:
    wanted = make_plugin("exchange-wanted", good("wanted"))
    other = make_plugin("exchange-other", good("other"))
    registry = plugins.load(["exchange-wanted"])
    assert registry.names("exchange") == ("wanted",)
    assert wanted in sys.modules
    assert other not in sys.modules


def test_a_spec_is_found_by_type_and_name(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made"))
    registry = plugins.load(["exchange-made"])
    spec = registry.find(ExchangeSpec, "made")
    assert spec is not None
    assert spec.name == "made"
    assert registry.find(RiskSpec, "made") is None


def test_a_wrong_name_is_answered_with_the_nearest(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-kraken-made", good("kraken-made"))
    registry = plugins.load(["exchange-kraken-made"])
    message = registry.explain("exchange", "krakn-made")
    assert "offered: kraken-made" in message
    assert "did you mean 'kraken-made'" in message


def test_an_installed_plugin_outside_the_allowlist_is_named(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made"))
    assert "add 'exchange-made' to [bot] plugins" in plugins.load([]).explain("exchange", "made")


def test_a_plugin_that_is_not_installed_is_missing_with_the_nearest_name(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made"))
    registry = plugins.load(["exchange-mad"])
    assert registry.loaded == ()
    assert "not installed" in registry.missing["exchange-mad"]
    assert "did you mean 'exchange-made'" in registry.missing["exchange-mad"]


@pytest.mark.parametrize("value", ["exchange-made", "*", "other, exchange-made"])
def test_the_environment_switches_a_plugin_off(
    make_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    module = make_plugin("exchange-made", good("made"))
    monkeypatch.setenv(plugins.DISABLE_VARIABLE, value)
    assert "switched off" in plugins.load(["exchange-made"]).missing["exchange-made"]
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'$"),
        ("import asyncio\nraise asyncio.CancelledError", "failed: CancelledError$"),
        ("raise GeneratorExit", "failed: GeneratorExit$"),
        ("raise SystemExit(3)", r"calls exit\(\)"),
        ("class Odd(BaseException): pass\nraise Odd('strange')", "Odd: strange"),
        ("x = = 1", "SyntaxError"),
        ("raise ValueError('a\\n\\x1b[31mb')", r"ValueError: a \?\[31mb$"),
        (
            "import threading\nthreading.Thread(target=threading.Event().wait, args=(60,), daemon=True).start()",
            "starts a thread",
        ),
        ("value = 1", "offers nothing: are its hooks marked @hookimpl"),
        (
            "from bot4_core.sdk import hookimpl\n@hookimpl\ndef bot4_exchangs(): return []",
            "'bot4_exchangs' is no hook of bot4; did you mean 'bot4_exchanges'",
        ),
        ("from bot4_core.sdk import hookimpl\n@hookimpl\ndef bot4_sinks(wish): return []", "does not fit.*wish"),
        ("from bot4_core.sdk import hookimpl\n@hookimpl\ndef bot4_sinks(): return 1", "must return a list, not int"),
        (
            "from bot4_core.sdk import hookimpl\n@hookimpl\ndef bot4_sinks(): return [1]",
            "must return SinkSpec, not int",
        ),
        (
            "from bot4_core.sdk import hookimpl\n@hookimpl\ndef bot4_sinks(): 1/0",
            "bot4_sinks failed: ZeroDivisionError",
        ),
        ("from bot4_core.sdk import hookimpl\n@hookimpl\ndef bot4_sinks(): exit()", r"bot4_sinks calls exit\(\)"),
        (
            "from bot4_core.sdk import hookimpl\n@hookimpl\nasync def bot4_starting(run): pass",
            "its bot4_starting is async; hooks are plain functions",
        ),
        (
            "from bot4_core.sdk import hookimpl\n@hookimpl\ndef bot4_sinks(): yield 1",
            "its bot4_sinks yields; hooks return their answer",
        ),
        (
            "from bot4_core.sdk import hookimpl\n@hookimpl(wrapper=True)\ndef bot4_starting(run): return (yield)",
            "its bot4_starting yields",
        ),
        (good("made").replace("depth", "use"), "reserved field 'use'"),
        (good("made").replace("depth", "trade"), "reserved field 'trade'"),
        (good("Made up"), "name 'Made up' must be"),
        (good("made").replace("settings=Settings", "settings=dict"), "must be an attrs class"),
        (good("made").replace("create=", "capabilities={'fly'}, create="), "capability 'fly' is not one of"),
    ],
)
def test_a_broken_plugin_is_refused_with_its_reason_in_one_line(
    make_plugin: MakePlugin, source: str, reason: str
) -> None:
    make_plugin("exchange-made", source)
    with pytest.raises(PluginLoadError, match=reason) as caught:
        plugins.load(["exchange-made"])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 5
    assert caught.value.plugin == "exchange-made"


def test_an_interrupt_during_an_import_is_not_swallowed(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        plugins.load(["exchange-made"])


def test_a_name_without_a_kind_is_refused(make_plugin: MakePlugin) -> None:
    make_plugin("made", good("made"))
    with pytest.raises(PluginLoadError, match="must be named <kind>-<name>"):
        plugins.load(["made"])


@pytest.mark.parametrize(
    ("requirement", "fits"),
    [
        ("bot4-core>=0.1,<0.2", True),
        ("bot4_core>=0.1", True),
        ("bot4-core>=99", False),
        ("bot4-core>=99; extra == 'never'", True),
        ("attrs>=99", True),
    ],
)
def test_a_plugin_for_another_core_is_incompatible(make_plugin: MakePlugin, requirement: str, fits: bool) -> None:
    make_plugin("exchange-made", good("made"), requires=(requirement,))
    if fits:
        assert plugins.load(["exchange-made"]).names("exchange") == ("made",)
    else:
        with pytest.raises(PluginIncompatible, match="wants bot4-core>=99, this is "):
            plugins.load(["exchange-made"])


def test_two_distributions_with_one_entry_point_are_a_conflict_naming_both(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("one"), distribution="first")
    make_plugin("exchange-made", good("two"), distribution="second")
    with pytest.raises(PluginConflict, match=r"first 1\.0 and second 1\.0"):
        plugins.load(["exchange-made"])


def test_two_plugins_with_one_spec_name_are_a_conflict_naming_both(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-one", good("same"))
    make_plugin("exchange-two", good("same"))
    with pytest.raises(PluginConflict, match=r"exchange-one \(.*\) and exchange-two \("):
        plugins.load(["exchange-one", "exchange-two"])


def test_one_plugin_offering_a_name_twice_is_a_conflict(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made").replace("object())]", "object())] * 2"))
    with pytest.raises(PluginConflict):
        plugins.load(["exchange-made"])


OBSERVER = """
from bot4_core.sdk import hookimpl

seen = []

@hookimpl
def bot4_starting(run):
    seen.append(run.bot)
    FAIL

@hookimpl
def bot4_stopping(run, reason):
    seen.append(reason)
"""


@pytest.mark.parametrize(
    "failure",
    [
        "RuntimeError('no')",
        "SystemExit('no')",
        "GeneratorExit('no')",
        "StopIteration('no')",
        "__import__('asyncio').CancelledError('no')",
        "type('Odd', (BaseException,), {})('no')",
    ],
)
def test_an_observer_that_raises_does_not_stop_the_others(make_plugin: MakePlugin, failure: str) -> None:
    make_plugin("exchange-one", good("one") + OBSERVER.replace("FAIL", f"raise {failure}"))
    second = make_plugin("exchange-two", good("two") + OBSERVER.replace("FAIL", ""))
    registry = plugins.load(["exchange-one", "exchange-two"])
    (problem,) = registry.starting(RUN)
    assert problem.plugin == "exchange-one"
    assert re.search(r"bot4_starting failed: \w+: no$", str(problem))
    assert registry.stopping(RUN, "the end") == []
    assert sys.modules[second].seen == ["b", "the end"]


def test_an_interrupt_in_an_observer_is_not_swallowed(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made") + OBSERVER.replace("FAIL", "raise KeyboardInterrupt"))
    registry = plugins.load(["exchange-made"])
    with pytest.raises(KeyboardInterrupt):
        registry.starting(RUN)


def test_what_a_plugin_prints_goes_to_stderr_and_is_a_warning(
    make_plugin: MakePlugin, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = "import sys\nprint('on import')\nsys.stdout.flush()\n"
    make_plugin("exchange-made", talk + good("made") + OBSERVER.replace("FAIL", "print('at the start')"))
    registry = plugins.load(["exchange-made"])
    registry.starting(RUN)
    assert capsys.readouterr() == ("", "on import\nat the start\n")
    (text,) = registry.warnings
    assert text.startswith("plugin exchange-made: it prints to stdout while it is loaded")


def test_a_quiet_plugin_has_no_warnings(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made"))
    assert plugins.load(["exchange-made"]).warnings == ()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "import ctypes\nctypes.CDLL('libnowhere.so.3')",
            "OSError: libnowhere.so.3: .*; the native library libnowhere.so.3 cannot be loaded: install what it needs",
        ),
        (
            "raise ImportError('bad ELF', path='/opt/x/_fast.abi3.so')",
            r"; the native library _fast\.abi3\.so cannot be loaded: .* reinstall bot4-exchange-made 1\.0$",
        ),
        (
            "raise ModuleNotFoundError('gone', name=__name__ + '._kernel')",
            r"made_\w+\._kernel is its own and may be native code not built for this Python: reinstall bot4-",
        ),
    ],
)
def test_a_native_library_that_is_missing_is_named(make_plugin: MakePlugin, source: str, reason: str) -> None:
    make_plugin("exchange-made", source)
    with pytest.raises(PluginLoadError, match=reason):
        plugins.load(["exchange-made"])
