"""bot4 doctor as a whole, plugins and a config: no check can stop the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot4_core.cli import doctor_machine as machine
from bot4_core.cli import doctor_parts as parts
from bot4_core.cli.doctor_machine import Finding
from bot4_core.errors import PluginError
from bot4_core.example import write_example
from bot4_core.journal.store import Store, default_url
from bot4_core.plugin_check import PluginStatus
from bot4_core.plugins import listing

from .doctor_rig import NAME, Change, bot_folder, one, quick, run, state, told

__all__ = ["quick", "state"]  # fixtures


def test_a_healthy_installation_is_ok_line_by_line() -> None:
    done = run()
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    for name in ("python", "native library", "open files", "state directory", "writing", "journal mode", "journal"):
        assert any(line.split(maxsplit=1)[0] == "ok" and line[5:].startswith(f"{name} ") for line in lines), name
    assert "ok   plugin risk-default       bot4-risk-default" in done.stdout
    assert lines[-1].endswith("to look at") or lines[-1].endswith("checks are ok")


def test_anything_bad_ends_with_1(quick: None, state: Path) -> None:
    state.chmod(0o777)
    done = run()
    assert done.exit_code == 1
    assert "bad  state directory" in done.stdout
    assert ": 1 bad, " in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (ZeroDivisionError("x\ny"), "could not be checked: ZeroDivisionError: x y"),
        (SystemExit(3), "could not be checked: SystemExit: 3"),
        (PluginError("risk-x", "broke"), "plugin risk-x: broke"),
        (OSError(13, "Permission denied", "a/file"), "a/file: Permission denied"),
        (OSError("odd"), "odd"),
    ],
)
def test_a_check_that_raises_is_a_bad_check_and_the_others_go_on(
    quick: None, monkeypatch: Change, raised: BaseException, message: str
) -> None:
    def broken() -> Any:
        yield Finding("clock", "ok", "first")
        raise raised

    monkeypatch.setattr(machine, "clock", broken)
    found = told()
    assert found["clock"] == [("ok", "first"), ("bad", message)]
    assert found["python"]
    assert found["journal"]


def test_looking_leaves_no_file_behind(quick: None, state: Path) -> None:
    bot_folder()
    Store.open(default_url(), mode="paper").close()
    before = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    assert run().exit_code == 0
    assert {path: path.read_bytes() for path in state.rglob("*") if path.is_file()} == before


def with_plugin(monkeypatch: Change, **changes: Any) -> None:
    info = next(each for each in listing() if each.name == "risk-default")
    monkeypatch.setattr("bot4_core.plugin_check.check_all", lambda: (PluginStatus(info=info, **changes),))


@pytest.mark.parametrize(
    ("changes", "unwanted", "wanted"),
    [
        ({"offers": ("risk:default",)}, "ok", "ok"),
        ({"status": "broken", "reason": "no"}, "warn", "bad"),
        ({"status": "conflict", "reason": "no"}, "warn", "bad"),
        ({"status": "disabled", "reason": "off"}, "ok", "bad"),
        ({"warnings": ("old hook",)}, "warn", "warn"),
    ],
)
def test_a_plugin_that_does_not_work_is_bad_for_a_config_that_wants_it(
    monkeypatch: Change, changes: dict[str, Any], unwanted: str, wanted: str
) -> None:
    with_plugin(monkeypatch, **changes)
    assert one(parts.plugins(frozenset())).status == unwanted
    assert one(parts.plugins(frozenset({"risk-default"}))).status == wanted


def test_no_plugin_at_all_is_a_warning(monkeypatch: Change) -> None:
    monkeypatch.setattr("bot4_core.plugin_check.check_all", lambda: ())
    assert one(parts.plugins(frozenset())).status == "warn"


def test_a_config_that_assembles_is_ok(quick: None, tmp_path: Path) -> None:
    config = write_example(tmp_path / "bot", 7)[0]
    config.chmod(0o600)
    found = told(str(config))
    assert found["config"] == [("ok", f"{config}: bot {NAME} (paper) assembles")]
    assert found["config file"] == [("ok", "mode 0600")]
    assert "live trading" not in found
    config.chmod(0o666)
    assert told(str(config))["config file"][0][0] == "warn"


def test_every_mistake_of_a_config_is_a_bad_line(quick: None, tmp_path: Path) -> None:
    config = write_example(tmp_path / "bot", 7)[0]
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("seed = 7", "sead = 7").replace('mode = "paper"', 'mode = "papr"'), encoding="utf-8")
    found = told(str(config))["config"]
    assert [status for status, _ in found] == ["bad", "bad"]
    assert "did you mean 'seed'?" in " ".join(message for _, message in found)


def test_what_live_trading_refuses_is_a_warning(quick: None, tmp_path: Path) -> None:
    config = write_example(tmp_path / "bot", 7)[0]
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace('mode = "paper"', 'mode = "live"'), encoding="utf-8")
    config.chmod(0o644)
    found = told(str(config))["live trading"]
    assert {status for status, _ in found} == {"warn"}
    assert any("nothing there is live" in message for _, message in found)
    assert any("chmod 600" in message for _, message in found)


def test_a_config_that_does_not_exist_is_bad(quick: None) -> None:
    ((status, message),) = told("nowhere.toml")["config"]
    assert status == "bad"
    assert "does not exist" in message
