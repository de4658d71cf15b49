"""The tutorial works as written: its files are written, its commands run, its output is compared."""

from __future__ import annotations

from pathlib import Path

from .blocks import ROOT, blocks, first_missing, run_session

TUTORIAL = ROOT / "docs" / "tutorial.md"


def test_the_tutorial_runs_from_top_to_bottom(desk: Path) -> None:
    sessions = 0
    here = desk
    for block in blocks(TUTORIAL):
        if block.language == "console":
            run_session(block, here)
            sessions += 1
            if (desk / "mybot").is_dir():
                here = desk / "mybot"
        else:
            assert block.file, f"line {block.line}: a block that is no session names its file in its first line"
            (here / block.file).write_text(block.text + "\n", encoding="utf-8")
    assert sessions >= 8


def test_a_line_that_is_not_in_the_output_is_found() -> None:
    answer = " start   100,000.00  trades  97\n end     108,734.30  trades\n"
    assert first_missing("…\n start 100,000.00 trades 97\n", answer) is None
    assert first_missing("end … trades", answer) is None
    assert first_missing("start 100,000.00 trades 98", answer) == "start 100,000.00 trades 98"
    assert first_missing("end 108,734.30 trades\nstart 100,000.00 trades 97", answer) is not None
