"""What the tests of `bot4 doctor` share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot4_core.cli import main
from bot4_core.cli.doctor_machine import Finding
from bot4_core.plugin_check import PluginStatus
from bot4_core.plugins import listing
from bot4_core.state.folder import BotFolder

NAME = "trend-demo"
Change = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: Change) -> Path:
    """A state directory that exists and is fit, and no history catalogue."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("BOT4_STATE", str(folder))
    monkeypatch.setenv("BOT4_HISTORY", str(tmp_path / "histories"))
    monkeypatch.delenv("BOT4_DISABLE_PLUGINS", raising=False)
    return folder


@pytest.fixture
def quick(monkeypatch: Change) -> None:
    """Plugins are not tried out: it takes a process each."""
    monkeypatch.setattr("bot4_core.plugin_check.check_all", lambda: tuple(PluginStatus(info=one) for one in listing()))


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *args])


def told(*args: str) -> dict[str, list[tuple[str, str]]]:
    """Status and message of every check, by name."""
    done = run(*args, "--json")
    answer = json.loads(done.stdout)
    assert done.exit_code == (0 if answer["ok"] else 1)
    assert answer["ok"] == all(one["status"] != "bad" for one in answer["checks"])
    found: dict[str, list[tuple[str, str]]] = {}
    for one in answer["checks"]:
        found.setdefault(one["name"], []).append((one["status"], one["message"]))
    return found


def one(findings: Any) -> Finding:
    (found,) = list(findings)
    assert isinstance(found, Finding)
    return found


def bot_folder() -> BotFolder:
    folder = BotFolder.of(NAME)
    folder.prepare()
    return folder
