"""What a scrape shows is what the segment and the latch hold, in base units and with bounded labels."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from attrs import evolve
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bot4_core.native.latch import Mode
from bot4_core.sinks.figures import FIGURES, STAGE_HELP, STAGE_NAME, LatchWatch, Reading, RunCollector
from bot4_core.state.board import BoardView, RunState

from .conftest import Rig

DOCS = Path(__file__).parents[2] / "docs"


def collector(rig: Rig) -> RunCollector:
    return RunCollector(BoardView.attach(rig.folder.segment_path), LatchWatch(rig.folder))


def exposition(rig: Rig) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector(rig))
    return generate_latest(registry).decode()


def samples(text: str) -> dict[str, float]:
    """Each sample under its name and labels, as a query would write it."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(one.labels.items()))
            key = f"{one.name}{{{labels}}}" if labels else one.name
            assert key not in found, f"{key} twice"
            found[key] = one.value
    return found


def trade(rig: Rig) -> None:
    """A segment with a figure of its own in every place."""
    board = rig.board()
    board.write(
        {
            "market_ns": time.time_ns() - 5 * 10**9, "events": 1001, "wakes": 102, "sent": 13, "approved": 14,
            "denied": 6, "fills": 9, "working_orders": 7, "working_entries": 3, "equity_units": 99_000_12345678,
            "peak_units": 100_500 * 10**8, "drawdown_ppb": 14_925_373, "max_drawdown_ppb": 20_000_000,
            "next_seq": 60, "recorder_restarts": 2, "sink_restarts": 1, "sinks_lost": 3,
        },
        {"position": 4, "a policy's own": 2},
        [(-25, 0, 4_000_000, -3 * 10**8, 5), (0, 0, 0, 0, 0)],
    )  # fmt: skip
    recorder = board.segment.counters["recorder"]
    recorder.set(recorder.index("durable_seq"), 49)
    for ns in (1_000_000, 2_000_000, 30_000_000):
        board.latency["decide"].record(ns)


def test_every_figure_of_the_segment_is_shown_in_base_units(rig: Rig) -> None:
    trade(rig)
    found = samples(exposition(rig))
    expected = {
        'bot4_run_info{asset="USDT",bot="trend",mode="paper"}': 1,
        "bot4_run_start_time_seconds": 1_700_000_000,
        "bot4_up": 1,
        'bot4_run_state{state="running"}': 1,
        'bot4_run_state{state="ended"}': 0,
        "bot4_loop_lag_seconds": 0.00025,
        "bot4_events_total": 1001,
        "bot4_wakes_total": 102,
        "bot4_orders_sent_total": 13,
        "bot4_orders_approved_total": 14,
        'bot4_orders_denied_total{rule="position"}': 4,
        'bot4_orders_denied_total{rule="drawdown"}': 0,
        'bot4_orders_denied_total{rule="other"}': 2,
        "bot4_fills_total": 9,
        'bot4_orders_working{kind="entry"}': 3,
        'bot4_orders_working{kind="reducing"}': 4,
        "bot4_equity": 99_000.12345678,
        "bot4_equity_peak": 100_500,
        "bot4_drawdown_ratio": 0.014925373,
        "bot4_max_drawdown_ratio": 0.02,
        'bot4_position_quantity{symbol="BTC/USDT"}': -0.00025,
        'bot4_position_quantity{symbol="ETH/USDT"}': 0,
        'bot4_position_unrealised{symbol="BTC/USDT"}': -3,
        'bot4_position_uncovered{symbol="BTC/USDT"}': 0.00005,
        "bot4_journal_backlog_records": 10,
        "bot4_journal_records_total": 50,
        "bot4_recorder_restarts_total": 2,
        "bot4_sink_restarts_total": 1,
        "bot4_sinks_lost": 3,
        "bot4_store_ok": 1,
        'bot4_latch_mode{mode="active"}': 1,
        'bot4_latch_mode{mode="killed"}': 0,
        "bot4_latch_damaged": 0,
        'bot4_stage_seconds_count{stage="decide"}': 3,
        'bot4_stage_seconds_sum{stage="decide"}': 0.033,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert 5 <= found["bot4_market_lag_seconds"] < 60
    assert 0 <= found["bot4_heartbeat_age_seconds"] < 60
    assert found['bot4_stage_seconds{quantile="0.5",stage="decide"}'] == pytest.approx(0.002, rel=1 / 32)
    assert found['bot4_stage_seconds{quantile="0.999",stage="decide"}'] == pytest.approx(0.03, rel=1 / 32)
    assert found["bot4_trader_process_resident_memory_bytes"] > 1_000_000


def test_units_of_another_scale_are_shown_as_whole_quote_assets(rig: Rig) -> None:
    rig.board().write({}, {}, [(0,) * 5, (1, 0, 0, 7_500_000, 0)])
    assert samples(exposition(rig))['bot4_position_unrealised{symbol="ETH/USDT"}'] == 7.5


def test_what_does_not_exist_yet_is_not_invented(rig: Rig) -> None:
    rig.board()
    found = samples(exposition(rig))
    assert "bot4_market_lag_seconds" not in found
    assert math.isnan(found['bot4_stage_seconds{quantile="0.99",stage="send"}'])
    assert found['bot4_stage_seconds_count{stage="send"}'] == 0
    assert found["bot4_journal_records_total"] == 0
    assert found["bot4_journal_backlog_records"] == 0


def test_a_durable_seq_that_is_ahead_of_the_refreshed_figures_is_no_negative_backlog(rig: Rig) -> None:
    board = rig.board()
    board.count("next_seq", 5)
    recorder = board.segment.counters["recorder"]
    recorder.set(recorder.index("durable_seq"), 9)
    assert samples(exposition(rig))["bot4_journal_backlog_records"] == 0


def test_a_trader_without_a_fresh_heartbeat_is_down_and_its_process_is_not_shown(rig: Rig) -> None:
    rig.board().beat(time.monotonic_ns() - 2 * 10**9, 0)
    found = samples(exposition(rig))
    assert found["bot4_up"] == 0
    assert found["bot4_heartbeat_age_seconds"] >= 2
    assert not any(name.startswith("bot4_trader_process") for name in found)


def test_a_trader_that_died_in_the_middle_of_a_set_of_figures_is_still_shown(rig: Rig) -> None:
    board = rig.board()
    board.count("version", 7)
    began = time.monotonic()
    assert samples(exposition(rig))["bot4_up"] == 1
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize(
    ("spoil", "illness"),
    [
        (lambda reading: reading, ""),
        (lambda reading: evolve(reading, now=evolve(reading.now, state=RunState.ENDED)), "the run has ended"),
        (
            lambda reading: evolve(reading, now=evolve(reading.now, state=RunState.FAILED)),
            "the run failed: see `bot4 runs`",
        ),
        (
            lambda reading: evolve(reading, now=evolve(reading.now, heartbeat_age_ns=2_100_000_000)),
            "the trader has given no sign of life for 2.1 s",
        ),
        (
            lambda reading: evolve(
                reading, now=evolve(reading.now, recorder=evolve(reading.now.recorder, store_ok=False))
            ),
            "the journal's store does not take records: see the bot's log",
        ),
        (lambda reading: evolve(reading, latch_problem="it is gone"), "the kill latch is damaged: it is gone"),
        # a kill is an order and no illness
        (lambda reading: evolve(reading, latch=Mode.KILLED), ""),
    ],
)
def test_a_bot_is_ill_for_one_reason_in_one_line(rig: Rig, spoil, illness: str) -> None:  # type: ignore[no-untyped-def]  # a lambda of the table
    rig.board()
    reading: Reading = spoil(collector(rig).read())
    assert reading.illness == illness


def test_the_latch_is_followed_through_kill_damage_and_release(rig: Rig) -> None:
    rig.board()
    watch = LatchWatch(rig.folder)
    assert watch.read() == (Mode.ACTIVE, "")
    latch = rig.folder.open_latch()
    latch.set(Mode.REDUCE_ONLY, "careful", "test", 1)
    assert watch.read() == (Mode.REDUCE_ONLY, "")
    latch.set(Mode.KILLED, "enough", "test", 2)
    assert watch.read() == (Mode.KILLED, "")
    latch.release("trend", "test", 3)
    assert watch.read() == (Mode.ACTIVE, "")
    latch.close()

    rig.folder.latch_path.unlink()
    mode, problem = watch.read()
    assert mode is Mode.KILLED
    assert "latch file" in problem
    again = rig.folder.open_latch()
    again.release("trend", "test", 4)
    assert watch.read() == (Mode.ACTIVE, "")
    again.close()

    rig.folder.latch_path.write_bytes(b"\0" * 4096)
    mode, problem = watch.read()
    assert mode is Mode.KILLED
    assert problem


def test_promtool_accepts_the_exposition(rig: Rig) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian: prometheus) is not installed")
    trade(rig)
    done = subprocess.run(
        [promtool, "check", "metrics"], input=exposition(rig), capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_names_say_their_unit_and_type() -> None:
    for figure in FIGURES:
        assert re.fullmatch(r"bot4_[a-z]+(_[a-z]+)*", figure.name)
        assert figure.name.endswith("_total") == (figure.kind == "counter")
        assert figure.help.endswith(".")


def test_the_page_lists_every_metric_with_its_type_and_its_help(rig: Rig) -> None:
    rows = re.findall(
        r"^\| `([^`{]+)(\{[a-z, ]+\})?` \| (\w+) \| (.+) \|$", (DOCS / "metrics.md").read_text(encoding="utf-8"), re.M
    )
    listed = {name: (kind, text) for name, _, kind, text in rows}
    known = {figure.name: (figure.kind, figure.help) for figure in FIGURES}
    assert listed == {**known, STAGE_NAME: ("summary", STAGE_HELP)}
    trade(rig)
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposition(rig)):
        for one in family.samples:
            labels.setdefault(one.name, set()).update(one.labels)
    assert {name: set(re.findall("[a-z]+", names)) for name, names, _, _ in rows} == {
        name: labels[name] for name in listed
    }


def test_the_operators_page_alerts_on_metrics_and_labels_that_exist(rig: Rig, tmp_path: Path) -> None:
    text = (DOCS / "operator.md").read_text(encoding="utf-8")
    section = text.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    rules = re.findall(r"^\| `([^`]+)`", section, re.M)
    assert len(rules) >= 5
    trade(rig)
    found = samples(exposition(rig))
    for rule in rules:
        for name, labels in re.findall(r"(bot4_[a-z_]+)(?:\{([^}]*)\})?", rule):
            wanted = [f"{name}{{", *re.split(", *", labels)] if labels else [name]
            assert any(all(part in key for part in wanted) for key in found), rule
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian: prometheus) is not installed")
    alerts = [{"alert": f"Rule{number}", "expr": rule} for number, rule in enumerate(rules)]
    file = tmp_path / "rules.json"  # JSON is YAML too
    file.write_text(json.dumps({"groups": [{"name": "bot4", "rules": alerts}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
