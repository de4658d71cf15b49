"""Paper equals backtest (TRADING.md section 5): seven recorded symbols, arrivals jittered and cut, a real recorder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot4_core.journal.reading import RunRecord
from bot4_core.journal.store import Store
from bot4_core.journal.verify import verify

from .paper import BOT4, eventually
from .seven import ROWS, SYMBOLS, bot4, write_bot

#: client ids are drawn anew by each process that trades in real time (D-6), and its equity curve is journaled as it
#: grows, which moves the seq of later records; the rest must be equal
_OWN = ("client_id", "seq")


def plain(rows: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [{**msgspec.structs.asdict(row), **dict.fromkeys(_OWN)} for row in rows]


@pytest.fixture(scope="module")
def runs(histories: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRecord, RunRecord]:
    """The journals of a backtest and of a paper run that `bot4 status` watched."""
    folder = tmp_path_factory.mktemp("paper")
    write_bot(folder, histories)
    tested = bot4(folder, "backtest", "bot.toml")
    environment = {**os.environ, "BOT4_STATE": str(folder / "state")}
    arguments = ["--set", 'exchange.main.speed="max"', "--set", 'exchange.main.jitter="50ms"']
    with subprocess.Popen(
        [BOT4, "run", "bot.toml", "--json", *arguments], cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            watched = follow(folder, environment, process)
            out, err = process.communicate(timeout=540)
        finally:
            process.kill()
    assert process.returncode == 0, err
    traded = msgspec.json.decode(out)
    print(f"{traded['orders']} orders sent, {traded['fills']} fills, end {traded['end_equity']}; seen {watched}")
    with Store.open(f"sqlite:///{folder}/seven.db", mode="read") as store:
        assert verify(store, traded["run_id"]).same
        return store.load(tested["run_id"]), store.load(traded["run_id"])


def follow(folder: Path, environment: dict[str, str], process: subprocess.Popen[str]) -> list[int]:
    """Events as `bot4 status` shows them from another process, until they have grown twice."""
    seen: list[int] = []

    def grown() -> bool | None:
        if process.poll() is not None:
            raise AssertionError(f"it ended before it was watched: {process.communicate()[1]}")
        status = [BOT4, "status", "seven", "--json"]
        done = subprocess.run(status, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        events = msgspec.json.decode(done.stdout)["events"] if done.returncode == 0 else None
        if events is not None and events > max(seen, default=0):
            seen.append(events)
        return True if len(seen) == 3 else None

    eventually(grown, "status shows the market moving")
    return seen


def test_both_journals_hold_the_same_orders_fills_and_denials(runs: tuple[RunRecord, RunRecord]) -> None:
    backtest, paper = runs
    assert paper.summary["events"] == backtest.summary["events"] == len(SYMBOLS) * ROWS
    assert len(backtest.fills) > 5000
    assert plain(paper.orders) == plain(backtest.orders)
    assert plain(paper.fills) == plain(backtest.fills)
    assert plain(paper.risk_events) == plain(backtest.risk_events)
    assert plain(paper.round_trips) == plain(backtest.round_trips)


def test_both_results_have_one_hash_and_the_ids_differ(runs: tuple[RunRecord, RunRecord]) -> None:
    backtest, paper = runs
    assert paper.row.result_hash == backtest.row.result_hash
    assert {order.client_id for order in paper.orders}.isdisjoint(order.client_id for order in backtest.orders)
    assert (paper.row.mode, backtest.row.mode) == ("paper", "backtest")
    assert paper.summary["end_equity"] == backtest.summary["end_equity"]
    assert paper.summary["uncovered_lot_ns"] == 0
