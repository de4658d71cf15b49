"""bot4 kill on bots that run, hang, died, or never ran."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot4_core.native.latch import Mode
from bot4_core.state.folder import BotFolder
from tests.state.trader import trader

from .commands import BOT4, NAME, as_process, bot4, mode, told


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def folder(state: Path) -> BotFolder:
    """A bot that started here once."""
    made = BotFolder.of(NAME)
    made.prepare()
    return made


def test_a_running_bot_sees_the_kill_and_the_operator_reads_what_happens_next() -> None:
    with trader(NAME) as rig:
        done = as_process("kill", NAME, "--reason", "fat finger")
        rig.wait_for("latched KILLED")
        info = rig.folder.open_latch().info()
    assert done.returncode == 0
    assert done.stderr == ""
    first, second, third = done.stdout.splitlines()
    assert first.startswith(f"{NAME} is KILLED, set by ")
    assert first.endswith("UTC: fat finger")
    assert second == (
        f"it is running (process {rig.process.pid}): it sends nothing that raises risk from now on and cancels its"
        " entries; stops and positions stay"
    )
    assert third == f"see: bot4 status {NAME}; release: bot4 resume {NAME}"
    assert (info.mode, info.reason, info.durable) == (Mode.KILLED, "fat finger", True)
    user, _, rest = info.who.partition("@")
    assert user
    assert rest.startswith("no-terminal/")
    assert int(rest.rpartition("/")[2]) > 1


def test_a_stopped_process_is_killed_and_latched_when_it_wakes() -> None:
    with trader(NAME) as rig:
        os.kill(rig.process.pid, signal.SIGSTOP)
        answer = told(bot4("kill", NAME, "--json"))
        assert (answer["latched"], answer["mode"], answer["seq"], answer["running"]) == (True, "KILLED", 2, True)
        assert mode(rig.folder) is Mode.KILLED
        os.kill(rig.process.pid, signal.SIGCONT)
        rig.wait_for("latched KILLED")


def test_a_process_that_says_nothing_is_named_as_such(folder: BotFolder) -> None:
    from bot4_core.state.board import Board
    from tests.state.trader import manifest

    board = Board(folder.segment_path, manifest(NAME, os.getpid()))
    board.beat(time.monotonic_ns() - 9 * 10**9, 0)
    with folder.lock():
        done = bot4("kill", NAME)
    assert f"(process {os.getpid()}) but NOT RESPONDING for " in done.stdout
    assert "its working entries stay at the exchange" in done.stdout


def test_a_bot_that_does_not_run_stays_killed_for_its_next_start(folder: BotFolder) -> None:
    done = bot4("kill", NAME)
    assert "it is not running; the latch outlives restarts" in done.stdout
    assert ": by hand\n" in done.stdout
    with trader(NAME) as rig:
        assert mode(rig.folder) is Mode.KILLED


def test_missing_and_damaged_segments_do_not_matter() -> None:
    with trader(NAME) as rig:
        rubbish = rig.folder.path / "rubbish"
        rubbish.write_bytes(b"rubbish")
        rubbish.replace(rig.folder.segment_path)
        assert "it is running" in bot4("kill", NAME).stdout
        rig.folder.segment_path.unlink()
        rig.wait_for("latched KILLED")
        assert told(bot4("kill", NAME, "--json"))["latched"] is True


def test_a_mode_is_only_ever_made_stricter_and_the_first_reason_stays(folder: BotFolder) -> None:
    modes = []
    for wanted in ("reduce-only", "cancel-only", "reduce-only", "killed", "cancel-only"):
        answer = told(bot4("kill", NAME, "--mode", wanted, "--reason", f"for {wanted}", "--json"))
        modes.append((answer["mode"], answer["reason"]))
    assert modes == [
        ("REDUCE_ONLY", "for reduce-only"),
        ("CANCEL_ONLY", "for cancel-only"),
        ("CANCEL_ONLY", "for cancel-only"),
        ("KILLED", "for killed"),
        ("KILLED", "for killed"),
    ]
    again = bot4("kill", NAME, "--reason", "other")
    assert again.stdout.startswith(f"{NAME} is KILLED already, set by ")
    assert ": for killed; that stays on record\n" in again.stdout


def test_what_reduce_only_means_is_said() -> None:
    with trader(NAME) as rig:
        done = bot4("kill", NAME, "--mode", "reduce-only")
        rig.wait_for("latched REDUCE_ONLY")
    assert "it sends only orders that shrink positions from now on" in done.stdout


@pytest.mark.parametrize("reason", ["", " \n"])
def test_an_empty_reason_is_none_given(folder: BotFolder, reason: str) -> None:
    assert told(bot4("kill", NAME, "--reason", reason, "--json"))["reason"] == "by hand"
    assert folder.open_latch().info().reason == "by hand"


@pytest.mark.parametrize("reason", ["x" * 5000, "\x1b[31mred\x07", "é" * 300, "two\nlines", "[bold]"])
def test_any_reason_is_taken_and_shown_in_one_line(folder: BotFolder, reason: str) -> None:
    done = bot4("kill", NAME, "--reason", reason)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    assert "\x1b" not in done.stdout
    assert folder.open_latch().info().reason == reason.encode()[:400].decode("utf-8", "ignore")


def test_a_bot_that_never_started_here_cannot_be_killed(folder: BotFolder) -> None:
    for verb in ("kill", "resume", "status"):
        done = bot4(verb, "trend-dmo")
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "known: trend-demo; did you mean 'trend-demo'?" in done.stderr
    assert [one.name for one in folder.path.parent.iterdir()] == [NAME]


@pytest.mark.parametrize("verb", ["kill", "resume", "status"])
def test_a_config_in_the_place_of_a_name_is_answered_with_its_bot(
    folder: BotFolder, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bot4("init", "mybot")
    config = str(Path("mybot") / "bot.toml")
    done = bot4(verb, config)
    assert done.returncode == 2
    assert done.stderr == f"{config} is a config, and a bot is named here: bot4 {verb} trend-demo\n"
    Path(config).write_text("no config", encoding="utf-8")
    assert f"no bot named '{config}' has started here" in bot4(verb, config).stderr
    assert mode(folder) is Mode.ACTIVE


def test_a_name_in_the_wrong_case_is_suggested(folder: BotFolder) -> None:
    assert "known: trend-demo; did you mean 'trend-demo'?" in bot4("kill", "TREND-DEMO").stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_cannot_be_written_does_not_read_as_a_failed_kill(folder: BotFolder, unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*BOT4, "kill", NAME],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("stdout cannot be written: No space left on device: what it was to say is lost; ")
    assert f"; {NAME} is KILLED, set by " in line
    assert mode(folder) is Mode.KILLED


def test_a_wrong_mode_is_wrong_usage(folder: BotFolder) -> None:
    assert bot4("kill", NAME, "--mode", "active").returncode == 2
    assert mode(folder) is Mode.ACTIVE


def test_a_kill_is_quick() -> None:
    def best(command: list[str]) -> float:
        times = []
        for _ in range(5):
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - started)
        return min(times)

    with trader(NAME):
        bare = best([sys.executable, "-c", "pass"])
        # 0.3 s on an idle machine; a bare interpreter in the same minute is the yardstick on a busy one
        assert best([*BOT4, "kill", NAME]) < max(0.3, 9 * bare)


def test_a_kill_imports_nothing_heavy() -> None:
    script = f"import sys\nfrom bot4_core.cli import main\ntry: main(['kill', '{NAME}', '--json'])\n"
    script += "except SystemExit: pass\n"
    script += (
        "print(*{m.partition('.')[0] for m in sys.modules} & {'numpy', 'sqlalchemy', 'rich', 'pluggy', 'asyncio'})"
    )
    with trader(NAME):
        done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[0])["running"] is True
    assert done.stdout.splitlines()[1] == ""
