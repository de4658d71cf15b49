"""bot4 resume: what it shows, and that only the name typed out releases."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from bot4_core.native.latch import Mode
from bot4_core.state.folder import BotFolder
from tests.state.trader import trader

from .commands import NAME, QUESTION, as_process, asked, bot4, mode, told


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
    last = done.stderr.splitlines()[-1]
    typed = answer.removesuffix("\n")
    if not typed:
        assert last == f"{NAME} stays latched: nothing was typed; nothing was changed"
    else:
        shown = repr(typed) if len(typed) < 80 else repr(typed[:80]) + "…"
        assert last == f"{NAME} stays latched: its name was not typed, but {shown}; nothing was changed"
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
