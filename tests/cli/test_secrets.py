"""A password in a config reaches neither the journal nor a report nor a message."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bot4_core.cli import main
from bot4_core.example import write_example
from bot4_core.journal.store import Store


def test_the_journal_and_the_page_of_a_run_hold_no_password(tmp_path: Path) -> None:
    config = write_example(tmp_path / "bot", 7)[0]
    text = config.read_text(encoding="utf-8")
    config.write_text(f'{text}\n[journal]\nurl = "postgresql://me:s3cr3t@host/db"\n', encoding="utf-8")
    database = tmp_path / "own.db"
    page = tmp_path / "report.html"
    run = ["backtest", str(config), "--db", f"sqlite:///{database}", "--to", "2025-01-20", "--report", str(page)]
    run += ["--set", "strategy.trend.fast=11", "--set", "journal.url='postgresql://me:s3cr3t@other/db'"]
    result = CliRunner().invoke(main, run)
    assert result.exit_code == 0, result.output
    with Store.open(f"sqlite:///{database}", mode="read") as store:
        kept = store.load("latest").info.config
    assert "postgresql://me:***@host/db" in kept
    assert 'name = "trend-demo"' in kept
    assert "# --set strategy.trend.fast=11\n# --set journal.url='postgresql://me:***@other/db'\n" in kept
    for place in (page, *tmp_path.glob("own.db*")):
        assert b"s3cr3t" not in place.read_bytes(), place.name


@pytest.mark.parametrize(
    "change",
    [
        "journal.url=postgresql://me:s3cr3t@host/db",  # quotes forgotten: no TOML
        "journal.urll='postgresql://me:s3cr3t@host/db'",
        "journal.url='postgresql://me:s3cr3t@host/db with blanks'",
    ],
)
def test_a_refused_change_is_shown_without_its_password(tmp_path: Path, change: str) -> None:
    config = write_example(tmp_path / "bot", 7)[0]
    result = CliRunner().invoke(main, ["check", str(config), "--set", change])
    assert result.exit_code == 2
    assert "s3cr3t" not in result.output


def test_a_key_that_stands_twice_is_shown_without_its_password(tmp_path: Path) -> None:
    config = tmp_path / "bot.toml"
    line = 'url = "postgresql://me:s3cr3t@host/db"\n'
    config.write_text(f"[journal]\n{line}{line}", encoding="utf-8")
    result = CliRunner().invoke(main, ["check", str(config)])
    assert result.exit_code == 2
    assert "stands twice" in result.output
    assert "s3cr3t" not in result.output
