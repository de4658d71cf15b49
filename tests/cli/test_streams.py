"""Standard streams that are full, closed or left: one line that names the stream, and the work is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot4_core.cli.hiding import HidingStream
from bot4_core.errors import Bot4Error
from bot4_core.native.latch import Mode
from bot4_core.state.folder import BotFolder

BOT4 = f"{sys.executable} -P -c 'from bot4_core.cli import main; main()'"
LINE = "stdout cannot be written: No space left on device: what it was to say is lost"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BotFolder:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    made = BotFolder.of("trend-demo")
    made.prepare()
    return made


def shell(command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | changes
    return subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, timeout=60, env=environment, input=""
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("verb", ["--help", "--version", "status", "status --json", "plugins list", "data list"])
def test_an_output_that_is_full_is_named_in_one_line(verb: str, unbuffered: str) -> None:
    done = shell(f"{BOT4} {verb} > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (1, f"{LINE}\n")


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", "<&-", "2> /dev/full"])
def test_a_stream_that_is_not_there_does_not_disturb_the_work(folder: BotFolder, streams: str) -> None:
    killed = shell(f"{BOT4} kill trend-demo {streams}")
    assert (killed.returncode, killed.stderr) == (0, "")
    assert folder.open_latch().mode is Mode.KILLED
    listed = shell(f"{BOT4} status --json {streams}")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert (listed.stdout == "") == (">&-" in streams.split())


def test_a_question_that_nobody_sees_is_still_answered(folder: BotFolder) -> None:
    shell(f"{BOT4} kill trend-demo")
    done = shell(f"echo trend-demo | {BOT4} resume trend-demo 2> /dev/full")
    assert done.returncode == 0
    assert folder.open_latch().mode is Mode.ACTIVE


def test_a_refusal_that_nobody_can_read_keeps_its_code() -> None:
    assert shell(f"{BOT4} kill nobody > /dev/full 2> /dev/full").returncode == 2


def test_an_error_that_somebody_swallowed_is_told_again() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        stream = HidingStream(full, "stdout")
        stream.write("x")
        for _ in range(2):
            with pytest.raises(Bot4Error, match="stdout cannot be written: No space left"):
                stream.flush()
        assert os.readlink(f"/proc/self/fd/{full.fileno()}") == os.devnull  # the interpreter flushes at its end
