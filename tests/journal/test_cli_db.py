"""bot4 db, as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bot4_core.journal.store import Store


def bot4(*words: str, state: Path) -> subprocess.CompletedProcess[str]:
    code = "from bot4_core.cli import main; main()"
    env = {"BOT4_STATE": str(state), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, "-c", code, "db", *words], env=env, capture_output=True, text=True, timeout=60
    )


def test_up_current_and_down(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'my.db'}"
    up = bot4("upgrade", "--url", url, state=tmp_path)
    assert (up.returncode, up.stdout, up.stderr) == (0, "0001\n", "")
    now = bot4("current", "--url", url, "--json", state=tmp_path)
    assert json.loads(now.stdout) == {"revision": "0001"}
    down = bot4("downgrade", "--to", "base", "--yes", "--json", "--url", url, state=tmp_path)
    assert json.loads(down.stdout) == {"revision": None}
    assert bot4("current", "--url", url, state=tmp_path).stdout == "no journal\n"


def test_without_a_url_it_is_the_journal_of_the_state_directory(tmp_path: Path) -> None:
    assert bot4("upgrade", state=tmp_path / "state").returncode == 0
    with Store.open(f"sqlite:///{tmp_path / 'state' / 'journal.db'}", mode="read") as store:
        assert store.runs() == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["downgrade", "--to", "base"], 2, "repeat it with --yes"),
        (["downgrade", "--yes"], 2, "Missing option '--to'"),
        (["current"], 4, "there is no journal at"),
        (["upgrade", "--to", "nope"], 4, "known: 0001"),
        (["upgrade", "--url", "mysql://x"], 4, "only sqlite and postgresql"),
    ],
)
def test_a_refusal_is_one_line(tmp_path: Path, words: list[str], code: int, said: str) -> None:
    done = bot4(*words, state=tmp_path / "state")
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
