"""Trying a plugin out in a process of its own: whatever it does is a status."""

from __future__ import annotations

import sys

import pytest

from bot4_core import plugin_check, plugins
from bot4_core.errors import PluginError

from .conftest import MakePlugin, good


def test_a_good_plugin_is_ok_and_not_imported_here(make_plugin: MakePlugin) -> None:
    module = make_plugin("exchange-made", good("made"))
    status = plugin_check.check("exchange-made")
    assert (status.status, status.offers, status.reason) == ("ok", ("exchange:made",), "")
    assert module not in sys.modules


def test_what_a_plugin_prints_does_not_disturb_the_answer(make_plugin: MakePlugin) -> None:
    make_plugin("exchange-made", "import os\nprint('{}')\nos.write(1, b'noise')\n" + good("made"))
    assert plugin_check.check("exchange-made").status == "ok"


@pytest.mark.parametrize(
    ("source", "status", "reason"),
    [
        ("1/0", "broken", "ZeroDivisionError"),
        ("import os; os._exit(7)", "broken", "exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "broken", "signal 9"),
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
