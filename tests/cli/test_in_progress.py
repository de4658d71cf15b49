"""What the verbs report and runs say of a run that goes on, and of one that only has no end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from bot4_core.cli.in_progress import in_progress
from bot4_core.journal.store import Store
from bot4_core.journal.writer import JournalWriter
from tests.report.builder import START_NS, Script
from tests.state.trader import manifest

from .status_rig import NAME, Board, board_of, bot4, folder_of, plain, screen, state

__all__ = ["state"]  # a fixture

DEAD, ALIVE, OTHER = "20220801-000001-aaaaaa", "20220801-000002-bbbbbb", "20220801-000003-cccccc"


@pytest.fixture
def journal(tmp_path: Path) -> str:
    """Three paper runs without an end: two of the bot, one of another."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    with Store.open(url, mode="paper") as store:
        for place, (run_id, name) in enumerate(((DEAD, NAME), (ALIVE, NAME), (OTHER, "a-bot-with-quite-a-long-name"))):
            script = Script(run_id=run_id, bot=name, mode="paper", created_ns=START_NS + place * 10**9)
            JournalWriter(store, script.info).flush()
    return url


def reasons(journal: str) -> dict[str, str]:
    done = bot4("runs", "--db", journal, "--json")
    assert done.exit_code == 0, done.output
    return {run["run_id"]: run["reason"].partition(":")[0] for run in json.loads(done.stdout)["runs"]}


def reason(journal: str, run_id: str) -> str:
    done = bot4("report", run_id, "--db", journal, "--json")
    assert done.exit_code == 0, done.output
    return str(json.loads(done.stdout)["reason"]).partition(":")[0]


def test_the_run_that_its_bot_is_at_goes_on_and_no_other(journal: str) -> None:
    with board_of(run_id=ALIVE):
        assert reasons(journal) == {DEAD: "interrupted", ALIVE: "running", OTHER: "interrupted"}
        assert (reason(journal, ALIVE), reason(journal, DEAD)) == ("running", "interrupted")
    assert reasons(journal)[ALIVE] == reason(journal, ALIVE) == "interrupted"


def test_a_segment_whose_process_is_gone_is_no_run(journal: str) -> None:
    with board_of(run_id=ALIVE, held=False):
        assert reasons(journal)[ALIVE] == "interrupted"


def test_a_start_that_has_no_segment_yet_does_not_revive_the_run_before(monkeypatch: pytest.MonkeyPatch) -> None:
    with board_of(run_id=DEAD, held=False):
        folder = folder_of()
        with folder.lock():
            assert in_progress([NAME]) == {DEAD}  # this process made the segment and holds the lock
            folder.lock_path.write_text(f"{os.getpid() + 1}\n")
            assert in_progress([NAME]) == frozenset()


def test_a_bot_that_cannot_be_looked_at_counts_as_not_running(state: Path) -> None:
    assert in_progress(["../../etc", NAME]) == frozenset()
    folder = folder_of()
    with folder.lock():
        assert in_progress([NAME]) == frozenset()  # no segment
        folder.segment_path.write_bytes(b"damaged")
        assert in_progress([NAME]) == frozenset()
        Board(folder.segment_path, manifest(NAME, os.getpid(), run_id=ALIVE))
        assert in_progress([NAME]) == {ALIVE}


@pytest.mark.parametrize("columns", [30, 60, 80, 100, 160])
def test_a_run_id_stands_on_one_line_of_every_terminal(journal: str, columns: int) -> None:
    lines = plain(screen(columns, "runs", "--db", journal)).splitlines()
    if columns >= 60:
        assert max(map(cell_len, lines)) <= columns
        assert len(lines) == 4
        assert all("interrupted" in line for line in lines[1:])
    assert [run_id for run_id in (OTHER, ALIVE, DEAD) if any(line.startswith(run_id) for line in lines)] == [
        OTHER, ALIVE, DEAD,
    ]  # fmt: skip
    assert ("started" in lines[0]) is (columns == 160)
    assert ("drawdown" in lines[0]) is (columns >= 80)
