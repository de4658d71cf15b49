"""bot4 kill and resume, as processes of their own, on bots that run, hang, died, or lost their latch."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from click.testing import CliRunner

from bot4_core.cli import main
from bot4_core.native.latch import Latch, Mode
from bot4_core.state.folder import BotFolder
from tests.state.broken import BREAKAGES, obey_modes
from tests.state.trader import trader

BOT4 = [sys.executable, "-P", "-c", "from bot4_core.cli import main; main()"]
NAME = "trend-demo"
QUESTION = "type the bot's name to let it trade again: "


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


@frozen
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def bot4(*args: str, answer: str = "") -> Done:
    """Runs a command in this process: quick."""
    result = CliRunner().invoke(main, args, input=answer)
    return Done(result.exit_code, result.stdout, result.stderr)


def as_process(*args: str, answer: str = "") -> Done:
    """Runs a command in a process of its own, for which file modes hold."""
    done = subprocess.run(
        [*BOT4, *args], capture_output=True, text=True, check=False, timeout=60, input=answer, preexec_fn=obey_modes
    )
    return Done(done.returncode, done.stdout, done.stderr)


def caller(how: str) -> Callable[..., Done]:
    return as_process if how == "unreadable" else bot4


def told(done: Done) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def mode(folder: BotFolder) -> Mode:
    return folder.open_latch().mode


# ---- kill ----


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


@pytest.mark.parametrize("reason", ["", "x" * 5000, "\x1b[31mred\x07", "é" * 300, "two\nlines", "[bold]"])
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


# ---- resume ----


def test_a_release_shows_who_and_why_and_wants_the_name(folder: BotFolder) -> None:
    as_process("kill", NAME, "--reason", "fat finger")
    done = as_process("resume", NAME, answer=f"{NAME}\n")
    assert done.returncode == 0
    assert f"{NAME} is KILLED: no new risk" in done.stderr
    assert "UTC" in done.stderr
    assert ": fat finger\n" in done.stderr
    assert QUESTION in done.stderr
    assert done.stdout.splitlines() == [
        f"{NAME} is released and may trade again",
        "it is not running: bot4 run starts it",
    ]
    info = folder.open_latch().info()
    assert (info.mode, info.reason, info.who.partition("@")[2].partition("/")[0]) == (
        Mode.ACTIVE,
        "released",
        "no-terminal",
    )


def test_the_drawdown_is_shown_before_the_question() -> None:
    with trader(NAME) as rig:
        rig.order("show")
        bot4("kill", NAME)
        rig.wait_for("latched KILLED")
        done = bot4("resume", NAME, answer=f"{NAME}\n")
        assert f"its process {rig.process.pid} reads the latch before every order" in done.stdout
    shown = done.stderr.partition(QUESTION)[0]
    assert "drawdown 2.21 %, worst 3.10 %; 2 positions, 3 working orders" in shown
    assert "the bot: running" in shown


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "\n",
        "yes\n",
        "trend\n",
        "Trend-Demo\n",
        " trend-demo\n",
        "trend-demo \n",
        "x" * 10_000,
        "\x00\n",
        "\x1b[A\n",
    ],
)
def test_anything_but_the_name_changes_nothing_and_ends_with_6(folder: BotFolder, answer: str) -> None:
    bot4("kill", NAME)
    before = folder.latch_path.read_bytes()
    done = bot4("resume", NAME, answer=answer)
    assert done.returncode == 6
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith(f"{NAME} stays latched: its name was not typed, but ")
    assert "\x1b" not in done.stderr
    assert folder.latch_path.read_bytes() == before


def test_the_last_line_needs_no_end(folder: BotFolder) -> None:
    bot4("kill", NAME)
    assert told(bot4("resume", NAME, "--json", answer=NAME))["released"] is True
    bot4("kill", NAME)
    assert told(bot4("resume", NAME, "--json", answer=f"{NAME}\r\n"))["latched"] is False


def test_a_bot_that_is_not_latched_is_asked_nothing(folder: BotFolder) -> None:
    done = bot4("resume", NAME)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{NAME} is not latched: nothing to release\n"
    assert told(bot4("resume", NAME, "--json"))["released"] is False


def test_ctrl_c_at_the_question_changes_nothing(folder: BotFolder) -> None:
    bot4("kill", NAME)
    with asked() as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert mode(folder) is Mode.KILLED


# ---- broken latches ----


@pytest.mark.parametrize("how", BREAKAGES)
def test_a_broken_latch_reads_as_latched_everywhere_and_the_name_alone_mends_it(folder: BotFolder, how: str) -> None:
    BREAKAGES[how](folder.latch_path)
    bot4 = caller(how)
    shown = told(bot4("status", NAME, "--json"))["kill"]
    assert (shown["mode"], shown["latched"], shown["ts"]) == ("KILLED", True, None)
    assert "KILLED" in bot4("status").stdout
    assert bot4("resume", NAME, answer="trend\n").returncode == 6
    assert told(bot4("status", NAME, "--json"))["kill"]["latched"] is True
    done = bot4("resume", NAME, answer=f"{NAME}\n")
    if how == "a directory":
        assert done.returncode == 1
        assert "the latch stays set: it is a directory; put it right by hand" in done.stderr
        assert told(bot4("status", NAME, "--json"))["kill"]["latched"] is True
    else:
        assert done.returncode == 0, done.stderr
        assert told(bot4("status", NAME, "--json"))["kill"]["mode"] == "ACTIVE"


@pytest.mark.parametrize("how", BREAKAGES)
def test_a_kill_of_a_broken_latch_says_that_it_read_as_killed_already(folder: BotFolder, how: str) -> None:
    BREAKAGES[how](folder.latch_path)
    bot4 = caller(how)
    done = bot4("kill", NAME, "--mode", "reduce-only", "--reason", "to be sure")
    assert done.returncode == 0, done.stderr
    assert "as KILLED already: latch file " in done.stdout
    shown = told(bot4("status", NAME, "--json"))["kill"]
    assert shown["mode"] == "KILLED"
    if how != "a directory":
        assert shown["reason"] == "to be sure"


@pytest.mark.parametrize("how", [how for how in BREAKAGES if how != "unreadable"])
def test_a_running_bot_notices_that_its_latch_is_broken(how: str) -> None:
    with trader(NAME) as rig:
        BREAKAGES[how](rig.folder.latch_path)
        rig.wait_for("latched KILLED")


@pytest.mark.parametrize("how", ["random bytes", "deleted", "a directory", "unreadable"])
def test_a_stopped_bot_whose_latch_is_broken_is_killed_all_the_same(how: str) -> None:
    with trader(NAME) as rig:
        os.kill(rig.process.pid, signal.SIGSTOP)
        BREAKAGES[how](rig.folder.latch_path)
        assert told(as_process("kill", NAME, "--json"))["latched"] is True
        os.kill(rig.process.pid, signal.SIGCONT)
        rig.wait_for("latched KILLED")


def test_a_bot_released_with_a_new_file_is_told_to_start_again() -> None:
    with trader(NAME) as rig:
        rig.folder.latch_path.unlink()
        rig.wait_for("latched KILLED")
        done = bot4("resume", NAME, answer=f"{NAME}\n")
    assert f"its process {rig.process.pid} opened the broken latch and stays KILLED: stop and start it" in done.stdout


def test_a_folder_that_is_gone_is_no_bot(folder: BotFolder) -> None:
    shutil.rmtree(folder.path)
    assert bot4("kill", NAME).returncode == 2


# ---- races ----


class asked:
    """``bot4 resume`` that has shown what holds and waits for the name."""

    def __enter__(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([*BOT4, "resume", NAME], stdin=pipe, stdout=pipe, stderr=pipe)
        assert self._process.stderr is not None
        said = b""
        while not said.endswith(QUESTION.encode()):
            part = os.read(self._process.stderr.fileno(), 4096)
            assert part, said
            said += part
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def typed(process: subprocess.Popen[bytes]) -> int:
    process.communicate(f"{NAME}\n".encode(), timeout=60)
    return process.returncode


@pytest.mark.parametrize("latch", ["killed", "deleted", "random bytes"])
def test_a_kill_while_two_people_are_about_to_release_wins(folder: BotFolder, latch: str) -> None:
    Latch.open(folder.latch_path, NAME).set(Mode.KILLED, "first", "risk", 1)
    if latch != "killed":
        BREAKAGES[latch](folder.latch_path)
    with asked() as first, asked() as second:
        assert bot4("kill", NAME, "--reason", "wait").returncode == 0
        assert [typed(first), typed(second)] == [6, 6]
    assert mode(folder) is Mode.KILLED


@pytest.mark.parametrize("latch", ["killed", "deleted", "random bytes"])
def test_a_kill_between_two_releases_wins_and_keeps_its_reason(folder: BotFolder, latch: str) -> None:
    Latch.open(folder.latch_path, NAME).set(Mode.KILLED, "first", "risk", 1)
    if latch != "killed":
        BREAKAGES[latch](folder.latch_path)
    with asked() as first, asked() as second:
        assert typed(first) == 0
        assert mode(folder) is Mode.ACTIVE
        assert bot4("kill", NAME, "--reason", "wait").returncode == 0
        assert typed(second) == 6
    info = folder.open_latch().info()
    assert (info.mode, info.reason) == (Mode.KILLED, "wait")


def test_of_two_releases_at_once_one_is_told_that_it_was_the_second(folder: BotFolder) -> None:
    bot4("kill", NAME)
    with asked() as first, asked() as second:
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.write(f"{NAME}\n".encode())
            process.stdin.flush()
        assert sorted([first.wait(60), second.wait(60)]) == [0, 6]
    assert mode(folder) is Mode.ACTIVE
