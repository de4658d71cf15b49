"""`bot4 run`: a bot on paper, watched, killed, released, stopped and started again, each from another process."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot4_core.domain.event import Kind
from bot4_core.journal.verify import verify
from bot4_core.native.latch import Mode
from bot4_core.state.board import BoardView, RunState, Snapshot
from bot4_core.state.folder import BotFolder
from tests.engine.paper import STRATEGY, PaperBot, eventually


def result_hashes(bot: PaperBot) -> list[str | None]:
    with bot.store() as store:
        return [row.result_hash for row in store.runs()]


def trading(now: Snapshot) -> bool:
    """It has sent entries, holds stops, and keeps an entry working."""
    return now.sent > 10 and now.working_entries > 0 and now.fills > 4


def test_a_run_to_the_end_of_its_market_decides_what_a_backtest_decides(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path, speed='"max"', bars=600, exchange='jitter = "20ms"')
    done = bot.command("run", "bot.toml", "--json")
    assert done.code == 0, done.err
    answer = done.json
    assert {"run_id", "mode", "orders", "fills", "end_equity", "reason"} <= set(answer)
    assert (answer["mode"], answer["reason"]) == ("paper", "finished")
    tested = bot.command("backtest", "bot.toml", "--json").json
    assert answer["fills"] == tested["fills"] > 100
    assert answer["end_equity"] == tested["end_equity"]
    paper, backtest = result_hashes(bot)
    assert paper == backtest == tested["result_hash"]


def test_it_stops_when_its_time_is_over_and_says_how_it_went(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    done = bot.command("run", "bot.toml", "--for", "1s")
    assert done.code == 0, done.err
    assert "stopped after 1 s" in done.out
    assert "watch it: bot4 status paper" in done.err
    run_id = done.out.split()[1].rstrip(":")
    assert bot.command("report", run_id, "--db", f"sqlite:///{tmp_path}/paper.db").code == 0
    log = bot.state / "log" / "bot4.jsonl"
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert any(run_id in line["message"] for line in lines)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_status_follows_it_from_another_process(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        seen = running.until(trading, "it trades")
        first = bot.command("status", "paper", "--json").json
        running.until(lambda now: now.events > seen.events + 100, "the market goes on")
        second = bot.command("status", "paper", "--json").json
        assert first["running"] and second["running"]
        assert second["heartbeat_age_s"] < 2
        assert second["orders"]["sent"] > first["orders"]["sent"] > 0
        assert {each["symbol"] for each in second["positions"]} <= {"BTC/USDT", "ETH/USDT"}
        assert not second["kill"]["latched"]
        assert running.stop().code == 143
    assert not bot.command("status", "paper", "--json").json["running"]


def test_only_one_process_trades_as_a_bot(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        running.until(trading, "it trades")
        second = bot.command("run", "bot.toml", "--for", "1s")
        assert (second.code, second.out) == (3, "")
        assert f"running already (process {running.process.pid})" in second.err
        before = running.until(lambda now: True, "it shows figures")
        running.until(lambda now: now.events > before.events, "the first one goes on")


def test_a_stop_cancels_entries_keeps_stops_and_leaves_positions(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        running.until(lambda now: trading(now) and any(each.lots for each in now.positions), "it holds something")
        done = running.stop(signal.SIGTERM)
    assert done.code == 143
    answer = done.json
    assert answer["reason"].startswith("stopped by SIGTERM")
    with bot.store() as store:
        record = store.load("latest")
    left = {order.role for order in record.orders if order.state in ("acknowledged", "submitted", "partially_filled")}
    assert "entry" not in left or answer["cancels_unanswered"]
    held = {each["symbol"] for each in answer["open_positions"]}
    assert (answer["stops_left"] > 0) == bool(held)
    assert record.row.finished


def test_a_terminal_that_is_closed_stops_it_in_order(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        running.until(trading, "it trades")
        done = running.stop(signal.SIGHUP)
    assert (done.code, done.json["reason"].split(";")[0]) == (129, "stopped by SIGHUP")
    assert "stopping in order; once more to end at once" in done.err
    with bot.store() as store:
        assert store.load("latest").row.finished


def test_a_lock_that_is_taken_away_stops_it(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        running.until(trading, "it trades")
        (bot.state / "lock").unlink()
        done = running.ended()
    assert done.code == 0
    assert "the bot's lock was taken away" in done.json["reason"]


def test_flatten_closes_what_is_held(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running("--flatten") as running:
        running.until(lambda now: any(each.lots for each in now.positions), "it holds something")
        done = running.stop(signal.SIGINT)
    assert done.code == 130
    assert done.json["open_positions"] == []


def test_kill_ends_all_new_risk_and_keeps_the_stops_until_the_name_is_typed(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        running.until(lambda now: trading(now) and any(each.lots for each in now.positions), "it holds something")
        killed = bot.command("kill", "paper", "--reason", "test", "--json")
        assert killed.code == 0, killed.err
        assert killed.json["latched"]
        running.until(lambda now: not now.working_entries, "no entry works any more")
        after = running.until(lambda now: now.denied_by_rule.get("latch", 0) > 4, "new entries are denied")
        later = running.until(lambda now: now.events > after.events + 50, "the market goes on")
        assert later.approved - after.approved == later.sent - after.sent  # closes only, and nothing held back
        assert all(not each.uncovered_lots for each in later.positions)
        assert running.stop().code == 143
    refused = bot.command("run", "bot.toml", "--for", "1s")
    assert (refused.code, refused.out) == (6, "")
    assert "latched" in refused.err and "bot4 resume paper" in refused.err
    assert bot.command("resume", "paper", stdin="papier\n").code == 6
    assert bot.command("run", "bot.toml", "--for", "1s").code == 6
    assert bot.command("resume", "paper", stdin="paper\n").code == 0
    assert bot.command("run", "bot.toml", "--for", "1s").code == 0


def test_nothing_that_raises_risk_is_sent_after_the_latch(tmp_path: Path) -> None:
    """Judged by the journal: an entry's last word after the HALT is an end, never an acknowledgement."""
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        running.until(trading, "it trades")
        assert bot.command("kill", "paper").code == 0
        running.until(lambda now: now.denied_by_rule.get("latch", 0) > 4, "new entries are denied")
        running.stop()
    with bot.store() as store:
        run = store.load("latest")
        entries = {order.order_id for order in run.orders if order.role == "entry" and order.state != "denied"}
        halted = False
        for record in store.records(run.info.run_id):
            halted = halted or record.kind == Kind.HALT
            if halted and record.v[0] in entries:
                assert record.kind != Kind.INTENT, f"entry {record.v[0]} was sent after the latch"
        assert halted


@pytest.mark.parametrize("damage", ["cut", "zeroed", "gone"])
def test_a_damaged_latch_file_keeps_it_from_starting(tmp_path: Path, damage: str) -> None:
    bot = PaperBot.write(tmp_path)
    assert bot.command("run", "bot.toml", "--for", "1s").code == 0
    latch = bot.state / "latch"
    if damage == "gone":
        latch.unlink()
    else:
        latch.write_bytes(latch.read_bytes()[:100] if damage == "cut" else bytes(4096))
    refused = bot.command("run", "bot.toml", "--for", "1s")
    assert (refused.code, refused.out) == (6, "")
    assert len(refused.err.splitlines()) == 1


def test_a_latch_that_disappears_under_a_running_bot_stops_its_entries(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        running.until(trading, "it trades")
        (bot.state / "latch").unlink()
        running.until(lambda now: now.denied_by_rule.get("latch", 0) > 4, "new entries are denied")


def test_a_recorder_that_is_killed_is_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path, bars=1200)
    with bot.running() as running:
        killed: set[int] = set()
        while len(killed) < 3:
            now = running.until(
                lambda now: now.recorder.pid not in killed and now.recorder.store_ok and trading(now), "it records"
            )
            os.kill(now.recorder.pid, signal.SIGKILL)
            killed.add(now.recorder.pid)
        running.until(lambda now: now.recorder.restarts == 3, "the restarts are shown")
        done = running.ended()
    assert (done.code, done.json["reason"]) == (0, "finished")
    bot.command("backtest", "bot.toml", "--json")
    paper, backtest = result_hashes(bot)
    with bot.store() as store:
        run = store.load(done.json["run_id"])
        assert verify(store, run.info.run_id).same
    # a recorder that took longer than 5 s to come back has cost orders, and the journal says which
    waited = [order for order in run.orders if order.reason in ("journal", "not_sent")]
    assert paper == backtest or waited


def test_the_next_start_says_what_a_killed_trader_left(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        running.until(lambda now: trading(now) and any(each.lots for each in now.positions), "it holds something")
        running.process.kill()
        running.process.communicate()
        view = running_view(bot)
        sent, durable = view.sent, view.durable_seq
        assert view.state is RunState.RUNNING
    assert not BotFolder("paper", bot.state).is_running()
    died = bot.command("status", "paper")
    assert died.code == 0 and "died" in died.out
    following = bot.command("run", "bot.toml", "--for", "1s")
    assert following.code == 0, following.err
    assert "ended without a clean stop" in following.err
    with bot.store() as store:
        lost = store.load(store.runs()[1].run_id)
        records = list(store.records(lost.info.run_id))
    assert records[-1].seq > durable
    assert len([order for order in lost.orders if order.state != "denied"]) >= sent
    assert lost.summary["reason"].startswith("lost")


def running_view(bot: PaperBot) -> Snapshot:
    return BoardView.attach(bot.state / "segment").read()


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Somebody else holds the journal's write lock."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def test_no_risk_is_raised_while_the_journal_cannot_be_written(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    with bot.running() as running:
        before = running.until(trading, "it trades")
        with locked(tmp_path / "paper.db"):
            stuck = running.until(
                lambda now: not now.recorder.store_ok or now.denied_by_rule.get("journal", 0) > 0, "the store fails"
            )
            denied = running.until(lambda now: now.denied_by_rule.get("journal", 0) > 0, "entries are denied")
            assert denied.durable_seq == stuck.durable_seq >= before.durable_seq
        after = running.until(lambda now: now.recorder.store_ok and now.durable_seq > denied.next_seq, "it recovers")
        running.until(lambda now: now.sent > after.sent + 4, "it trades again")
        assert running.stop().code == 143
    with bot.store() as store:
        assert store.load("latest").row.finished


def test_a_strategy_that_raises_ends_the_run_with_its_entries_cancelled(tmp_path: Path) -> None:
    raising = "        if turn == 40:\n            1 / 0\n        if turn % 4 == 1:"
    bot = PaperBot.write(tmp_path, strategy=STRATEGY.replace("        if turn % 4 == 1:", raising))
    done = bot.command("run", "bot.toml", "--json")
    assert (done.code, done.out) == (1, "")
    assert "busy.py" in done.err and "ZeroDivisionError" in done.err
    assert "report: bot4 report" in done.err
    assert "Traceback" not in done.err
    with bot.store() as store:
        run = store.load("latest")
    assert run.row.finished and run.summary["reason"].startswith("failed: ")
    assert not [order for order in run.orders if order.role == "entry" and order.state == "acknowledged"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--for", "soon"), 2, "--for 'soon' is no time"),
        (("--for", "0s"), 2, "--for '0s' is no time"),
        (("--for", "99999999d"), 2, "is no time"),
        (("--live",), 6, "--live was given"),
        (("--set", "bot.mode='live'"), 6, "real money is traded with --live only"),
        (("--set", "exchange.main.speed=0"), 2, "speed"),
        (("--db", "mysql://x"), 4, "not supported"),
        (("--db", "sqlite://"), 4, "a journal in memory is lost with its recorder"),
        (("--db", "sqlite:///:memory:"), 4, "a journal in memory is lost with its recorder"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_made(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    bot = PaperBot.write(tmp_path)
    done = bot.command("run", "bot.toml", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_kill_before_the_start_is_obeyed(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path)
    assert bot.command("run", "bot.toml", "--for", "1s").code == 0
    assert bot.command("kill", "paper", "--mode", "reduce-only").code == 0
    refused = bot.command("run", "bot.toml", "--for", "1s")
    assert refused.code == 6 and Mode.REDUCE_ONLY.name in refused.err


def test_its_recorder_and_sinks_do_not_outlive_a_killed_trader(tmp_path: Path) -> None:
    bot = PaperBot.write(tmp_path, rest='[[sink]]\nuse = "metrics"\nport = 0\n')
    with bot.running() as running:
        now = running.until(trading, "it trades")
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text("ascii").split()
        assert str(now.recorder.pid) in children and len(children) == 2
        running.process.kill()
        running.process.wait()

        def gone() -> bool | None:
            return None if any(Path(f"/proc/{child}").exists() for child in children) else True

        eventually(gone, "recorder and sink are gone")
