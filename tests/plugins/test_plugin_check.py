"""Trying a plugin out in a process of its own: whatever it does is a status."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bot4_core import plugin_check, plugins
from bot4_core.errors import ConfigError, PluginError
from bot4_core.plugins.loading import PRINTS

from .conftest import MakePlugin, good


def test_a_good_plugin_is_ok_and_not_imported_here(make_plugin: MakePlugin) -> None:
    module = make_plugin("exchange-made", good("made"))
    status = plugin_check.check("exchange-made")
    assert (status.status, status.offers, status.reason) == ("ok", ("exchange:made",), "")
    assert module not in sys.modules


def test_what_a_plugin_prints_does_not_disturb_the_answer(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", "import os\nprint('{}')\nos.write(1, b'noise')\n" + good("made"))
    found = plugin_check.check("exchange-made")
    assert (found.status, found.warnings) == ("ok", (PRINTS,))


@pytest.mark.parametrize(
    "talk", ["print('hello')", "import os; os.write(1, b'x')", "import sys; sys.stdout.write('x'); sys.stdout.flush()"]
)
def test_a_plugin_that_prints_to_stdout_is_warned_of_it(make_plugin: MakePlugin, talk: str) -> None:
    make_plugin("exchange-made", f"{talk}\n" + good("made"))
    assert plugin_check.check("exchange-made").warnings == (PRINTS,)


def test_a_plugin_that_prints_to_stderr_is_not(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", "import sys; print('x', file=sys.stderr)\n" + good("made"))
    assert plugin_check.check("exchange-made").warnings == ()


@pytest.mark.parametrize(
    ("source", "status", "reason"),
    [
        ("1/0", "broken", "ZeroDivisionError"),
        ("import os; os._exit(7)", "broken", "exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "broken", "signal 9 (SIGKILL)"),
        ("import ctypes; ctypes.string_at(0)", "broken", "it ended its process with signal 11 (SIGSEGV)"),
        ("import os; os.write(2, b'last words'); os._exit(3)", "broken", "exit code 3: last words"),
        ("import os; os.closerange(3, 64); os._exit(0)", "broken", "exit code 0"),
        ("while True: print('x' * 4096)", "broken", "it printed more than 1 MiB while it was imported"),
        ("import os\nwhile True: os.write(1, b'x' * 4096)", "broken", "it printed more than 1 MiB"),
        ("import sys; sys.exit()", "broken", "calls exit()"),
    ],
)
def test_a_bad_plugin_has_a_status_and_a_reason(make_plugin: MakePlugin, source: str, status: str, reason: str) -> None:
    make_plugin("exchange-made", source)
    found = plugin_check.check("exchange-made")
    assert found.status == status
    assert reason in found.reason
    assert found.offers == ()


def test_an_import_that_never_ends_is_ended(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", "while True: pass")
    found = plugin_check.check("exchange-made", timeout_s=1.0)
    assert (found.status, found.reason) == ("broken", "its import took longer than 1 s")


def test_a_child_left_behind_neither_keeps_the_check_nor_outlives_it(make_plugin: MakePlugin, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # the child holds the writing end of a pipe, and stdout and stderr of the trial
    child = f"""
import os
if os.fork() == 0:
    held = os.open({str(pipe)!r}, os.O_WRONLY)
    os.write(held, b"alive")
    import signal
    signal.pause()
"""
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with open(reading, "rb", buffering=0) as stream:
        make_plugin("exchange-made", child + f"open({str(pipe)!r}, 'wb').close()\n" + good("made"))
        assert plugin_check.check("exchange-made", timeout_s=20.0).status == "ok"
        os.set_blocking(reading, True)
        # the end of the pipe comes when nobody holds it open for writing any more
        assert stream.readall() in (b"alive", b"")


def test_a_thread_left_behind_does_not_keep_the_check(make_plugin: MakePlugin) -> None:
    endless = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    make_plugin("exchange-made", endless + good("made"))
    assert "starts a thread" in plugin_check.check("exchange-made", timeout_s=20.0).reason


def test_a_plugin_for_another_core_is_incompatible(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made"), requires=("bot4-core>=99",))
    assert plugin_check.check("exchange-made").status == "incompatible"


def test_a_plugin_that_is_switched_off_is_not_run(make_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    make_plugin("exchange-made", "1/0")
    monkeypatch.setenv(plugins.DISABLE_VARIABLE, "exchange-made")
    assert plugin_check.check("exchange-made").status == "disabled"


def test_a_name_that_is_not_installed_is_an_error() -> None:
    with pytest.raises(PluginError, match="not installed"):
        plugin_check.check("exchange-nowhere")


def test_checking_all_reports_each_and_marks_names_offered_twice(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-one", good("same"))
    make_plugin("exchange-two", good("same"))
    make_plugin("exchange-three", "1/0")
    statuses = {one.info.name: one for one in plugin_check.check_all()}
    assert statuses["exchange-one"].status == statuses["exchange-two"].status == "conflict"
    assert "exchange-one" in statuses["exchange-two"].reason
    assert statuses["exchange-three"].status == "broken"


MEETING = """
import os
os.close(os.open({pipe!r}, os.O_WRONLY if {first} else os.O_RDONLY))  # waits for the other one
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_plugins_are_tried_out_beside_each_other(make_plugin: MakePlugin, tmp_path: Path) -> None:
    pipe = str(tmp_path / "meeting")
    os.mkfifo(pipe)
    make_plugin("exchange-one", MEETING.format(first=True, pipe=pipe) + good("one"))
    make_plugin("exchange-two", MEETING.format(first=False, pipe=pipe) + good("two"))
    found = plugin_check.check_all(["exchange-two", "exchange-one"], timeout_s=20.0)
    assert [(one.info.name, one.status) for one in found] == [("exchange-two", "ok"), ("exchange-one", "ok")]


def test_the_order_of_the_answer_is_the_order_asked_for(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-one", "while True: pass")
    make_plugin("exchange-two", "1/0")
    make_plugin("exchange-three", good("three"))
    names = ["exchange-one", "exchange-three", "exchange-two"]
    found = plugin_check.check_all([*names, "exchange-three"], timeout_s=2.0)
    assert [one.info.name for one in found] == names
    assert [one.status for one in found] == ["broken", "ok", "broken"]


@pytest.mark.parametrize(
    ("name", "found"),
    [("exchange-made", "exchange-made"), ("made", "exchange-made"), ("other-than-its-entry", "exchange-made")],
)
def test_a_plugin_is_found_by_entry_point_by_spec_and_by_what_it_offers(
    make_plugin: MakePlugin, name: str, found: str
) -> None:
    make_plugin("exchange-made", good("other-than-its-entry"))
    assert plugin_check.find_name(name) == found


def test_a_name_of_two_plugins_and_a_name_of_none_are_mistakes(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", good("made"))
    make_plugin("sink-made", "1/0")
    with pytest.raises(ConfigError, match="'made' is the name of several plugins: exchange-made, sink-made; say which"):
        plugin_check.find_name("made")
    with pytest.raises(ConfigError, match=r"no plugin 'exchange-mad' is installed; .*did you mean 'exchange-made'"):
        plugin_check.find_name("exchange-mad")
    with pytest.raises(ConfigError, match="no plugin 'zzzzzzzz' is installed"):
        plugin_check.find_name("zzzzzzzz")
