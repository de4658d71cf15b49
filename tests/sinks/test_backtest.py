"""A backtest of a bot with a metrics sink runs, without the sink."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bot4_core.example import write_example


def test_a_backtest_leaves_the_sink_out_and_says_so(tmp_path: Path) -> None:
    bot = write_example(tmp_path / "bot", 7)[0]
    # no port is listened on: this one could not be
    bot.write_text(bot.read_text(encoding="utf-8") + '\n[[sink]]\nuse = "metrics"\nport = 1\n', encoding="utf-8")
    source = "from bot4_core.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", source, "backtest", str(bot), "--to", "2025-01-20", "-v"],
        capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "BOT4_STATE": str(tmp_path / "state")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "sink metrics shows a running bot and is left out of a backtest" in done.stderr
