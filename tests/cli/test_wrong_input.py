"""Wrong input to `bot4 backtest`: one clear line per mistake, exit 2, nothing left behind, nothing run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BOT4 = str(Path(sys.executable).with_name("bot4"))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BOT4_STATE": str(folder / "state"), "BOT4_HISTORY": str(folder / "none")}
    return subprocess.run(
        [BOT4, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    done = run(tmp_path, "init", "bot")
    assert done.returncode == 0, done.stderr
    return tmp_path / "bot" / "bot.toml"


def replaced(old: str, new: str) -> Callable[[Path], object]:
    def change(bot: Path) -> None:
        text = bot.read_text(encoding="utf-8")
        assert old in text
        bot.write_text(text.replace(old, new), encoding="utf-8")

    return change


def huge(bot: Path) -> None:
    with bot.open("r+b") as stream:
        stream.truncate(100 * 2**20)


def cut(bot: Path) -> None:
    history = bot.parent / "ethusdt-1h.b4h"
    history.write_bytes(history.read_bytes()[:-100])


def flipped(bot: Path) -> None:
    history = bot.parent / "ethusdt-1h.b4h"
    data = bytearray(history.read_bytes())
    data[6000] ^= 1
    history.write_bytes(data)


#: what is done to a good bot, and what each line of the answer must say: where, what, what is allowed
HISTORY = r"bot\.toml:\d+ \$\.exchange\.main\.history\[1\]: "
CASES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "unknown key": (replaced("position = 0.02", "positon = 0.02"), [r"bot\.toml:\d+ \$\.risk\[0\]\.positon.*position"]),
    "wrong type": (replaced("fast = 12", 'fast = "12"'), [r"bot\.toml:\d+ \$\.strategy\.trend\.fast.*12"]),
    "NaN": (replaced("position = 0.02", "position = nan"), [r"bot\.toml:\d+ \$\.risk\[0\]\.position"]),
    "loosened limit": (
        replaced("position = 0.02", "position = 0.05"),
        [r"bot\.toml:\d+ \$\.risk\[0\]\.position: 0\.05 is above the limit 0\.02"],
    ),
    "missing plugin": (
        replaced('"risk-default"]', '"risk-default", "exchange-mars"]'),
        [r"bot\.toml:\d+ \$\.bot\.plugins\[2\].*exchange-mars.*installed"],
    ),
    "bad TOML": (replaced("[[risk]]", "[[risk"), [r"bot\.toml:\d+"]),
    "100 MB": (huge, [r"bot\.toml is 104857600 bytes; a config may have 1000000"]),
    "not UTF-8": (lambda bot: bot.write_bytes(b"[bot]\nname = \"\xff\xfe\"\n"), [r"bot\.toml.*UTF-8"]),
    "missing history": (replaced("ethusdt-1h.b4h", "nowhere.b4h"), [HISTORY + r".*nowhere\.b4h.*bot4 data"]),
    "cut history": (cut, [HISTORY + r".*ethusdt-1h\.b4h"]),
    "damaged history": (flipped, [HISTORY + r".*ethusdt-1h\.b4h"]),
    "two mistakes at once": (
        lambda bot: (replaced("position = 0.02", "position = 0.05")(bot), replaced("fast = 12", "fats = 12")(bot)),
        [r"bot\.toml:\d+ \$\.risk\[0\]\.position", r"bot\.toml:\d+ \$\.strategy\.trend\.fats.*fast"],
    ),
    "unknown market": (replaced("main:SOL/USDT", "main:SOL/EUR"), [r"bot\.toml:\d+ \$\.strategy\.trend\.trade\[2\]"]),
}


@pytest.mark.parametrize("verb", ["backtest", "check"])
@pytest.mark.parametrize("name", CASES)
def test_a_wrong_input_is_one_line_each_and_leaves_nothing(bot: Path, name: str, verb: str) -> None:
    change, expected = CASES[name]
    change(bot)
    root = bot.parent.parent
    before = sorted(path for path in root.rglob("*") if "__pycache__" not in path.parts)
    done = run(root, verb, "bot/bot.toml")
    print(done.stderr)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected, strict=True):
        assert re.search(pattern, line), line
    after = sorted(path for path in root.rglob("*") if "__pycache__" not in path.parts)
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (("--from", "yesterday"), r"--from 'yesterday' is no time"),
        (("--from", "2025-03-01", "--to", "2025-02-01"), r"--from is after --to"),
        (("--from", "2031-01-01"), r"holds no event"),
        (("--set", "strategy.trend.fast"), r"strategy\.trend\.fast"),
        (("--set", "risk[0].position=0.5"), r"--set.*0\.5 is above the limit 0\.02"),
        (("--db", "mysql://nowhere/x"), r"mysql|sqlite"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(bot: Path, arguments: tuple[str, ...], pattern: str) -> None:
    done = run(bot.parent.parent, "backtest", "bot/bot.toml", *arguments)
    assert done.returncode in (2, 4)
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert re.search(pattern, done.stderr), done.stderr
    assert not (bot.parent.parent / "state").exists()
