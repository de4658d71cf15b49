"""bot4 status: what an operator and a script read; the bot notices nothing."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot4_core.native.latch import Mode
from tests.state.trader import trader

from .status_rig import BOT4, NAME, board_of, bot4, folder_of, plain, screen, state, told

__all__ = ["state"]  # a fixture


def test_the_whole_picture_of_a_running_bot() -> None:
    with trader(NAME) as rig:
        rig.order("show")
        found = told(NAME)
        pid = rig.process.pid
    assert (found["bot"], found["state"], found["running"], found["pid"]) == (NAME, "running", True, pid)
    assert 0 <= found["heartbeat_age_s"] < 2
    assert found["breakers"] == {}
    assert found["kill"]["mode"] == "ACTIVE"
    assert found["kill"]["latched"] is False
    assert (found["run_id"], found["mode"], found["asset"]) == ("20260101-000000-abc123", "paper", "USDT")
    assert (found["equity"], found["start_equity"], found["peak_equity"]) == (
        "98765.43210000",
        "100000.00000000",
        "101000.00000000",
    )
    assert (found["drawdown"], found["max_drawdown"]) == ("0.02212443", "0.031")
    assert found["market_ns"] == 1_660_000_000 * 10**9
    assert found["orders"] == {
        "sent": 42,
        "approved": 45,
        "denied": 11,
        "denied_by_rule": {"position": 6, "order_rate": 3, "other": 2},
        "fills": 40,
        "working": 3,
        "working_entries": 1,
    }
    assert found["positions"] == [
        {"symbol": "BTC/USDT", "quantity": "0.06000", "entry_price": "20000", "mark": "20100.00",
         "unrealised": "0.60000000", "uncovered": "0.00000"},
        {"symbol": "ETH/USDT", "quantity": "-0.5000", "entry_price": "2000", "mark": "1990.00",
         "unrealised": "5.00000000", "uncovered": "0.5000"},
    ]  # fmt: skip
    recorder = found["recorder"]
    assert (recorder["pid"], recorder["next_seq"], recorder["durable_seq"], recorder["backlog"]) == (4242, 501, 498, 2)
    assert found["latency"]["durable"]["max_ns"] == 700_000
    assert found["troubles"][0] == "ETH/USDT: 0.5 held without a live stop"


def test_a_kill_is_told_with_its_person_and_reason() -> None:
    folder_of().open_latch().set(Mode.CANCEL_ONLY, "odd prices", "ops", 1_700_000_000 * 10**9)
    assert told(NAME)["kill"] == {
        "mode": "CANCEL_ONLY",
        "latched": True,
        "reason": "odd prices",
        "who": "ops",
        "ts": 1_700_000_000 * 10**9,
        "seq": 2,
    }


def test_every_bot_that_ever_started_here_is_listed_by_name() -> None:
    folder_of("zeta")
    with board_of("alpha"):
        bots = told()["bots"]
        shown = bot4("status").stdout
    assert [(one["bot"], one["state"]) for one in bots] == [("alpha", "running"), ("zeta", "never ran")]
    assert [line.split()[0] for line in shown.splitlines()[:3]] == ["bot", "alpha", "zeta"]


def test_a_bot_has_the_same_keys_in_every_state() -> None:
    folder_of("never")
    with board_of("runs"), board_of("died", held=False):
        bots = told()["bots"]
    assert len({frozenset(one) for one in bots}) == 1
    assert {one["bot"]: one["orders"] is None for one in bots} == {"died": False, "never": True, "runs": False}


def test_no_bot_at_all_is_an_answer() -> None:
    assert told() == {"bots": []}
    assert bot4("status").stdout == "no bot has started here yet; `bot4 run BOT.toml` starts one\n"


def test_a_silent_recorder_and_a_store_that_refuses_are_troubles() -> None:
    with board_of() as board:
        recorder = board.segment.counters["recorder"]
        recorder.set(recorder.index("heartbeat_ns"), time.monotonic_ns() - 8 * 10**9)
        recorder.set(recorder.index("store_ok"), 0)
        _, store, silent = told(NAME)["troubles"]
        shown = bot4("status", NAME).stdout
    assert store.startswith("the journal's database refuses to write")
    assert silent.startswith("the recorder says nothing for 8.")
    assert store in shown
    assert "STORE FAILED" in shown


def test_a_position_without_a_stop_is_red_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with board_of():
        one, every = bot4("status", NAME).stdout, bot4("status").stdout
    assert "ETH/USDT: 0.5 held without a live stop" in one
    assert "\x1b[1;31m      0.5\x1b[0m" in one
    assert "\x1b[1;31m2 !\x1b[0m" in every


def test_the_drawdown_is_shown_against_the_limit_in_force() -> None:
    with board_of(drawdown_limit="0.0250"):
        tight = " ".join(bot4("status", NAME).stdout.split())
        assert told(NAME)["drawdown_limit"] == "0.0250"
    assert re.search(r"drawdown 2\.21 % █+\S* ?·* of 2\.5 %, worst 3\.10 %", tight), tight
    with board_of():
        none = " ".join(bot4("status", NAME).stdout.split())
        assert told(NAME)["drawdown_limit"] is None
    assert "drawdown 2.21 %, worst 3.10 %; no limit is in force" in none


@pytest.mark.parametrize(
    ("sinks", "counts", "trouble"),
    [
        (("metrics",), {"sink_restarts": 2}, None),
        (("metrics",), {"sink_restarts": 3}, "sink metrics: had to be started again 3 times; see its log"),
        (("metrics", "tape"), {"sink_restarts": 9}, "one of the sinks metrics, tape: had to be started again 9 times"),
        (("metrics",), {"sink_restarts": 7, "sinks_lost": 1}, "sink metrics: died too often and was given up"),
        (("metrics", "tape"), {"sinks_lost": 1}, "1 of the sinks metrics, tape: died too often and was given up"),
    ],
)
def test_a_sink_that_does_not_last_is_a_trouble(
    sinks: tuple[str, ...], counts: dict[str, int], trouble: str | None
) -> None:
    with board_of(sinks=sinks) as board:
        for name, value in counts.items():
            board.count(name, value)
        found, shown = told(NAME), bot4("status", NAME).stdout
    assert found["sinks_lost"] == counts.get("sinks_lost", 0)
    assert [one for one in found["troubles"] if "sink" in one][:1] == [
        one for one in found["troubles"] if trouble is not None and one.startswith(trouble)
    ]
    assert (trouble is not None) == any("sink" in one for one in found["troubles"])
    assert trouble is None or trouble in shown


def test_one_of_a_thing_is_not_many() -> None:
    with board_of() as board:
        recorder = board.segment.counters["recorder"]
        for name in ("records", "batches"):
            recorder.set(recorder.index(name), 1)
        board.count("sink_restarts", 1)
        board.count("fills", 1)
        shown = bot4("status", NAME).stdout
    assert " ago; store ok; 2 records behind, 1 record in 1 batch\n" in shown
    assert "restarted 1 time\n" in shown
    assert ", 1 fill, " in shown


def test_names_from_outside_are_text_and_nothing_else() -> None:
    evil = "\x1b[31mred\x07[bold]x[/bold]"
    with board_of(run_id=evil, source=evil, journal=evil, sinks=(evil,), reporting_asset="[red]"):
        folder_of().open_latch().set(Mode.KILLED, evil, evil, 1)
        for args in (("status",), ("status", NAME)):
            shown = bot4(*args).stdout
            assert "\x1b" not in shown
            assert "\x07" not in shown
        assert "?[31mred?[bold]x[/bold]" in shown
        assert "[red]" in shown


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_is_cut_off_at_usual_widths(columns: int) -> None:
    with board_of():
        every, one = plain(screen(columns, "status")), plain(screen(columns, "status", NAME))
    for text in (every, one):
        assert all(len(line) <= columns for line in text.splitlines())
    assert "98,765.43    2.21 %  2 !        3" in every
    assert ("last run (UTC)" in every) == ("beat" in every) == (columns == 120)
    assert [line.split()[2] for line in every.splitlines()[:2]] == ["mode", "paper"]
    assert "denied (position 6, order_rate 3, other 2)" in " ".join(one.split())


def test_a_reader_that_leaves_early_ends_it_quietly() -> None:
    with board_of():
        done = subprocess.run(
            f"{sys.executable} -P -c 'from bot4_core.cli import main; main()' status {NAME} --watch | head -1",
            shell=True,
            capture_output=True,
            timeout=60,
            check=True,
        )
    assert done.stderr == b""
    assert done.stdout.startswith(NAME.encode())


def test_a_watch_of_no_length_shows_one_picture() -> None:
    with board_of():
        done = bot4("status", NAME, "--watch", "--for", "0")
        assert done.exit_code == 0
        assert done.stdout.count("  running  ") == 1
        lines = bot4("status", "--watch", "--for", "0", "--json").stdout.splitlines()
    assert [json.loads(line)["bots"][0]["state"] for line in lines] == ["running"]


def test_a_watch_ticks_each_half_second_until_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    from bot4_core.cli import status

    clock = [100.0]
    monkeypatch.setattr(status.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(status.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    times = []
    for _ in status._ticks(1.7):
        times.append(clock[0] - 100)
        clock[0] += 0.1  # looking takes time too
    assert times == pytest.approx([0, 0.5, 1.0, 1.5])


def test_a_watch_follows_the_bot_and_ctrl_c_ends_it_well() -> None:
    with trader(NAME) as rig:
        command = [*BOT4, "status", NAME, "--watch", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            assert watch.stdout is not None
            assert watch.stderr is not None
            assert json.loads(watch.stdout.readline())["orders"] is None
            rig.order("show")
            seen = next(found for line in watch.stdout if (found := json.loads(line))["orders"] is not None)
            assert seen["orders"]["sent"] == 42
            rig.process.kill()
            died = next(found for line in watch.stdout if (found := json.loads(line))["state"] == "died")
            assert died["running"] is False
            watch.send_signal(signal.SIGINT)
            assert watch.stderr.read() == ""
            assert watch.wait(60) == 0


def test_a_watch_on_a_terminal_redraws_and_leaves_the_last_picture() -> None:
    with board_of():
        shown = screen(100, "status", NAME, "--watch", "--for", "0")
    assert "98,765.43 USDT" in plain(shown)
    assert shown.rstrip().endswith("\x1b[?25h")  # the cursor is given back


def test_for_without_watch_is_wrong_usage() -> None:
    done = bot4("status", "--for", "3")
    assert done.exit_code == 2
    assert "--for goes with --watch" in done.stderr


def test_looking_changes_nothing(state: Path) -> None:
    with board_of(held=False):
        folder_of().lock_path.touch()
        before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in state.rglob("*") if path.is_file()}
        bot4("status")
        bot4("status", NAME)
        after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in state.rglob("*") if path.is_file()}
    assert after == before
