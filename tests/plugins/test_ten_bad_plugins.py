"""Ten plugins, each broken in its own way: each gets its reason, and none disturbs a bot that does not name it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

from .conftest import good, install

HOOKIMPL = "from bot4_core.sdk import hookimpl\n@hookimpl\n"
TIMEOUT_S = 3
#: the command, with less patience for a plugin that hangs
PROGRAM = f"""
from bot4_core.cli import main
from bot4_core.plugins import loading
loading.LOAD_TIMEOUT_S = {TIMEOUT_S}
main()
"""
#: seconds; a command of bot4 takes a second or two, and no wrong plugin may hold it up
PATIENCE_S = 120


@frozen(kw_only=True)
class Bad:
    """A planted plugin: what it does wrong, and what must be said of it."""

    source: str
    status: str = "broken"
    reason: str
    requires: tuple[str, ...] = ()


BAD = {
    "sink-import": Bad(source="import no_such_library", reason="No module named 'no_such_library'"),
    "sink-exit": Bad(source="import sys; sys.exit(0)", reason="importing bad_sink_exit calls exit()"),
    "sink-hang": Bad(source="while True: pass", reason="its import took longer than 3 s"),
    "sink-thread": Bad(
        source="import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n" + good("t"),
        reason="it starts a thread while it is imported",
    ),
    "sink-newer": Bad(
        source=good("newer"),
        requires=("bot4-core>=99.1,<100",),
        status="incompatible",
        reason="bot4-sink-newer 1.0 wants bot4-core<100,>=99.1, this is ",
    ),
    "sink-misspelt": Bad(
        source=HOOKIMPL + "def bot4_sink(): return []",
        reason="'bot4_sink' is no hook of bot4; did you mean 'bot4_sinks'?",
    ),
    "sink-twin": Bad(
        source=good("one"), status="conflict", reason="both bot4-sink-twin 1.0 and second-twin 1.0 declare it"
    ),
    "exchange-same": Bad(
        source=good("sim"),
        status="conflict",
        reason="exchange:sim is offered by exchange-same (bot4-exchange-same 1.0) and exchange-sim (bot4-exchange-sim",
    ),
    "sink-reserved": Bad(
        source=good("reserved").replace("depth", "trade"),
        reason="settings class Settings has the reserved field 'trade'; rename it",
    ),
    "sink-answer": Bad(
        source=HOOKIMPL + "def bot4_sinks(): return {'csv': 1}", reason="bot4_sinks must return a list, not dict"
    ),
    "sink-native": Bad(
        source="import bad_native_part\n",
        reason="libbot4gone.so: cannot open shared object file: No such file or directory; the native library "
        "bad_native_part.abi3.so cannot be loaded: install what it needs, or reinstall bot4-sink-native 1.0",
    ),
}  # fmt: skip


def _native(site: Path) -> None:
    """An extension module that needs a library which is not there any more."""
    gone = site / "libbot4gone.so"
    build = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o"]
    subprocess.run([*build, str(gone)], input=b"int b4_gone(void) { return 1; }", check=True)
    module = b"int b4_gone(void); int b4_part(void) { return b4_gone(); }"
    linked = [*build, str(site / "bad_native_part.abi3.so"), "-L", str(site), "-Wl,--no-as-needed", "-lbot4gone"]
    subprocess.run(linked, input=module, check=True)
    gone.unlink()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    for name, bad in BAD.items():
        install(folder, f"bad_{name.replace('-', '_')}", name, bad.source, requires=bad.requires)
    install(folder, "bad_second_twin", "sink-twin", good("two"), distribution="second-twin")
    _native(folder)
    return folder


@pytest.fixture(scope="module")
def checked(site: Path) -> subprocess.CompletedProcess[str]:
    return bot4(site, "plugins", "check", "--timeout", TIMEOUT_S, "--json", cwd=site)


def bot4(site: Path, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process that sees the bad plugins as installed."""
    folders = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(folders), "BOT4_STATE": str(cwd / "state"), "NO_COLOR": "1"}
    command = [sys.executable, "-P", "-c", PROGRAM, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


@pytest.mark.parametrize("name", BAD)
def test_each_bad_plugin_gets_its_reason(checked: subprocess.CompletedProcess[str], name: str) -> None:
    rows = {row["name"]: row for row in json.loads(checked.stdout)["plugins"]}
    row, bad = rows[name], BAD[name]
    assert row["status"] == bad.status
    assert bad.reason in row["reason"]
    assert "\n" not in row["reason"]


def test_the_check_of_all_ends_with_the_code_for_plugins_and_no_traceback(
    checked: subprocess.CompletedProcess[str],
) -> None:
    assert checked.returncode == 5
    assert checked.stderr == ""
    names = [row["name"] for row in json.loads(checked.stdout)["plugins"]]
    assert names == sorted(names)


def test_the_good_ones_beside_them_are_ok(checked: subprocess.CompletedProcess[str]) -> None:
    rows = {row["name"]: row["status"] for row in json.loads(checked.stdout)["plugins"]}
    assert {rows[name] for name in ("exchange-binance", "exchange-coinbase", "exchange-kraken", "risk-default")} == {
        "ok"
    }


@pytest.fixture(scope="module")
def bot(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bot")
    made = bot4(site, "init", folder / "mine", cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder / "mine"


def test_a_bot_that_does_not_name_them_is_checked_and_runs(site: Path, bot: Path) -> None:
    assert bot4(site, "check", "bot.toml", cwd=bot).returncode == 0
    done = bot4(site, "backtest", "bot.toml", "--json", cwd=bot)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["events"] > 0


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("verb", ["check", "backtest"])
def test_a_bot_that_names_one_is_refused_with_its_reason(site: Path, bot: Path, name: str, verb: str) -> None:
    path = bot / f"{name}.toml"
    path.write_text((bot / "bot.toml").read_text().replace("plugins = [", f'plugins = ["{name}", ', 1))
    refused = bot4(site, verb, path.name, cwd=bot)
    assert refused.returncode == 5
    (line,) = refused.stderr.splitlines()
    assert name in line
    expected = BAD[name].reason.replace("exchange:sim is offered by", "the exchange 'sim' is offered by both")
    assert expected[:60] in line
    assert refused.stdout == ""
