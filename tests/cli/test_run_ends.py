"""How `bot4 run` ends when something is in its way: a strategy that spins or raises, a recorder that is lost, streams
that are closed, a signal before the first record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot4_core.state.board import Snapshot
from tests.engine.paper import BOT4, STRATEGY, PaperBot, eventually

#: the command line with a recorder that is given up at its second death
IMPATIENT = (
    sys.executable,
    "-c",
    "from bot4_core.engine import companion; companion._DELAYS_S = (0.0,); from bot4_core.cli import main; main()",
)
TURN = "        if turn % 4 == 1:"


def silent(now: Snapshot) -> bool:
    return now.events > 0 and now.heartbeat_age_ns > 10**9


def test_a_second_ctrl_c_ends_a_bot_whose_strategy_spins(tmp_path: Path) -> None:
    spinning = f"        while turn == 40:\n            pass\n{TURN}"
    bot = PaperBot.write(tmp_path, strategy=STRATEGY.replace(TURN, spinning))
    with bot.running() as running:
        running.until(silent, "it hangs")
        running.process.send_signal(signal.SIGINT)

        def gone() -> bool | None:
            if running.process.poll() is None:
                running.process.send_signal(signal.SIGINT)
            return None if running.process.poll() is None else True

        eventually(gone, "the second one ends it")
        assert running.ended().code == 130


@pytest.mark.parametrize("method", ["on_bar", "on_stop"])
def test_a_run_that_failed_in_order_is_shown_as_failed_and_leaves_nothing_to_the_next_start(
    tmp_path: Path, method: str
) -> None:
    raising = {
        "on_bar": STRATEGY.replace(TURN, f"        if turn == 8:\n            1 / 0\n{TURN}"),
        "on_stop": f"{STRATEGY}\n    def on_stop(self, ctx: Context) -> None:\n        1 / 0\n",
    }
    bot = PaperBot.write(tmp_path, strategy=raising[method])
    assert bot.command("run", "bot.toml", "--for", "500ms").code == 1
    shown = bot.command("status", "paper", "--json").json
    assert (shown["state"], shown["running"]) == ("failed", False)


def test_a_bot_whose_recorder_is_lost_stops_at_once_and_says_so(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running(program=IMPATIENT) as running:
        first = running.until(lambda now: now.fills > 0, "it trades").recorder.pid
        os.kill(first, signal.SIGKILL)
        second = running.until(lambda now: now.recorder.pid not in (0, first), "it is started again").recorder.pid
        os.kill(second, signal.SIGKILL)
        out, err = running.process.communicate(timeout=15)
        assert (running.process.returncode, out) == (4, "")
    assert "the journal is lost: recorder was killed by SIGKILL" in err.splitlines()[-1]
    following = bot.command("run", "bot.toml", "--for", "100ms")
    assert following.code == 0, following.err
    with bot.store() as store:
        assert [row.finished for row in store.runs()] == [True, True]


def test_a_sigterm_before_the_first_record_is_durable_stops_in_order(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
        eventually(lambda: children.read_text("ascii") or None, "its recorder starts")
        done = running.stop(signal.SIGTERM)
    assert done.code == 143, done.err
    assert done.json["reason"] == "stopped by SIGTERM"
    with bot.store() as store:
        assert store.load("latest").row.finished


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_reason_to_fail(tmp_path: Path, closed: str) -> None:
    bot = PaperBot.write(tmp_path)
    done = subprocess.run(
        ["bash", "-c", f"exec {BOT4} run bot.toml --for 200ms {closed}"],
        cwd=tmp_path, env=bot.environment(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with bot.store() as store:
        assert store.load("latest").summary["reason"] == "stopped after 0.2 s"


def test_a_bot_trades_on_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        assert running.process.stdout is not None and running.process.stderr is not None
        running.process.stdout.close()
        running.process.stderr.close()
        now = running.until(lambda now: now.fills > 0, "it trades")
        os.kill(now.recorder.pid, signal.SIGKILL)  # it has something to say
        running.until(lambda after: after.recorder.restarts == 1 and after.sent > now.sent + 4, "it goes on")
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) in (0, 143)
    with bot.store() as store:
        assert store.load("latest").summary["reason"] == "stopped by SIGTERM"


def test_a_start_with_another_journal_does_not_write_over_what_the_last_run_left(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        recorder = running.until(lambda now: now.fills > 0, "it trades").recorder.pid
        os.kill(recorder, signal.SIGSTOP)
        running.until(lambda now: now.next_seq > now.durable_seq + 1, "records wait")
        running.process.kill()
        os.kill(recorder, signal.SIGKILL)
        running.process.wait()
    refused = bot.command("run", "bot.toml", "--for", "100ms", "--db", "sqlite:///b.db")
    assert (refused.code, refused.out) == (4, "")
    assert "died with records for another journal" in refused.err and "paper.db: start the bot once" in refused.err
    following = bot.command("run", "bot.toml", "--for", "100ms", "--db", "sqlite:///paper.db")  # of the same folder
    assert following.code == 0, following.err
    assert "records that were not durable yet: they are stored now" in following.err


def test_a_bot_that_halted_itself_takes_no_new_risk_when_it_is_released_and_resume_says_so(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    config = tmp_path / "bot.toml"
    text = config.read_text("utf-8").replace('use = "default"', 'use = "default"\ndrawdown = "0.0001"')
    config.write_text(text, "utf-8")
    with bot.running() as running:
        halted = running.until(lambda now: now.denied_by_rule.get("latch", 0) > 4, "it has halted")
        released = bot.command("resume", "paper", stdin="paper\n")
        assert released.code == 0, released.err
        assert "halted itself and takes no new risk: stop and start it" in released.out
        later = running.until(lambda now: now.events > halted.events + 100, "the market goes on")
        assert later.sent == halted.sent and later.denied_by_rule["latch"] > halted.denied_by_rule["latch"]
        done = running.stop()
    assert "this run halted (drawdown" in done.err
