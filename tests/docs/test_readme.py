"""The README's blocks are true: its bot runs, its output is the demo's, its code and commands work."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bot4_core.example import write_example

from .blocks import ROOT, Block, blocks, first_missing, on_terminal

README = ROOT / "README.md"
BLOCKS = blocks(README)
FIRST_SCREEN_LINES = 50


def _block(language: str, start: str) -> Block:
    return next(block for block in BLOCKS if block.language == language and block.text.startswith(start))


def _write(folder: Path, *names: str) -> None:
    """The made-up histories of the example, with the README's own bot and strategy beside them."""
    for path in write_example(folder, 7)[:2]:
        path.unlink()
    (folder / "bot.toml").write_text(_block("toml", "[bot]").text)
    for block in BLOCKS:
        if block.file in names:
            (folder / str(block.file)).write_text(block.text + "\n")


def test_the_first_screen_has_sentence_command_bot_and_output() -> None:
    languages = [(block.language, block.text.split("\n", 1)[0]) for block in BLOCKS[:3]]
    assert languages == [("sh", "make demo"), ("toml", "[bot]"), ("text", "")] or languages[2][0] == "text"
    assert BLOCKS[2].line + BLOCKS[2].text.count("\n") <= FIRST_SCREEN_LINES


def test_the_output_shown_is_the_demos(desk: Path) -> None:
    answer = on_terminal("bot4 demo", desk)
    assert answer.code == 0, answer.errors
    shown = BLOCKS[2].text
    assert len([line for line in shown.splitlines() if line.strip()]) > 8
    assert first_missing(shown, answer.screen) is None


def test_the_bot_shown_is_the_demos_own() -> None:
    shown = tomllib.loads(_block("toml", "[bot]").text)
    bundled = tomllib.loads((ROOT / "bot4_core/example/bot.toml.txt").read_text().replace("@SEED@", "7"))
    for table in ("exchange", "risk", "strategy"):
        for key, value in _flat(shown[table]).items():
            assert _flat(bundled[table])[key] == value, key


def _flat(value: object, at: str = "") -> dict[str, object]:
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in _flat(item, f"{at}.{key}").items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {k: v for place, item in enumerate(value) for k, v in _flat(item, f"{at}[{place}]").items()}
    return {at: value}


def test_the_bot_is_accepted_and_trades_with_the_strategy_shown(desk: Path) -> None:
    _write(desk, "trend.py")
    assert on_terminal("bot4 check bot.toml", desk).code == 0
    answer = on_terminal("bot4 backtest bot.toml --json", desk)
    assert answer.code == 0, answer.errors
    assert '"reason": "finished"' in answer.screen
    assert '"trades": 0' not in answer.screen


def test_the_strategys_tests_pass(desk: Path) -> None:
    _write(desk, "trend.py", "test_trend.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_trend.py"]
    done = subprocess.run(command, cwd=desk, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_commands_on_recorded_data_work(desk: Path) -> None:
    _write(desk, "trend.py", "btcusdt.toml")
    (desk / "btcusdt-5m.csv").write_text(_candles(600))
    answer = on_terminal(f"set -e\n{_block('sh', 'bot4 data import').text}", desk)
    assert answer.code == 0, answer.errors + answer.screen
    assert (desk / "report.html").read_text(encoding="utf-8").lower().startswith("<!doctype html")


def test_the_commands_on_paper_work(desk: Path) -> None:
    answer = on_terminal(f"set -e\n{_block('sh', 'bot4 init papered').text}", desk)
    assert answer.code == 0, answer.errors + answer.screen
    assert "trend-demo  running  paper" in answer.screen
    assert "trend-demo is KILLED" in answer.screen
    assert "stopped after 15 s" in answer.screen
    assert "orders sent 0" not in answer.screen


def _candles(rows: int) -> str:
    """Candles that rise and fall in waves."""
    lines = ["open_time,open,high,low,close,volume"]
    price = 20_000
    for row in range(rows):
        close = price + (25 if row % 120 < 60 else -24)
        time_ms = 1_704_067_200_000 + row * 300_000
        lines.append(f"{time_ms},{price}.00,{max(price, close) + 3}.00,{min(price, close) - 3}.00,{close}.00,12.5")
        price = close
    return "\n".join(lines) + "\n"


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)$", "\n".join(block.text for block in BLOCKS), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_installed_plugin_of_the_repository_is_listed() -> None:
    text = README.read_text(encoding="utf-8")
    for folder in sorted((ROOT / "plugins").iterdir()):
        if (folder / "pyproject.toml").is_file():
            assert f"[{folder.name.replace('_', '-')}](plugins/{folder.name}/README.md)" in text


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=lambda p: p.name
)
def test_no_page_installs_a_strangers_package(page: Path) -> None:
    assert not re.search(r"install\s+(-\S+\s+)*bot4(?![\w-])", page.read_text(encoding="utf-8"))
