"""The bot of the seven-symbol tests: moving-average cross 10/30, long and short, every control on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SYMBOLS = ("ADA", "BTC", "DOGE", "ETH", "LTC", "SOL", "XRP")
#: bars of each symbol
ROWS = 61_056
BOT4 = str(Path(sys.executable).with_name("bot4"))

STRATEGY = '''
from decimal import Decimal

from bot4_core.sdk import Bar, Context, Strategy


class Cross(Strategy):
    """Turns at each cross; sized by equity, or by a fixed amount that knows nothing of it."""

    fast: int = 10
    slow: int = 30
    fraction: Decimal = Decimal("0.015")
    notional: Decimal = Decimal(0)

    def on_start(self, ctx: Context) -> None:
        self.fast_avg, self.slow_avg = ctx.sma(self.fast), ctx.sma(self.slow)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        size = {"notional": self.notional} if self.notional else {"fraction": self.fraction}
        if self.fast_avg.crossed_above(self.slow_avg):
            ctx.close(bar.instrument)
            ctx.buy(bar.instrument, **size)
        elif self.fast_avg.crossed_below(self.slow_avg):
            ctx.close(bar.instrument)
            ctx.sell(bar.instrument, **size)
'''

#: LTC's fixed amount outgrows 2 % once equity falls below 99,500; ETH's is above the largest order at once
BOT = """
[bot]
name = "seven"
plugins = ["exchange-sim", "risk-default"]
seed = 11

[journal]
url = "sqlite:///seven.db"

[exchange.main]
use = "sim"
history = [{histories}]
balances = {{ USDT = "100000" }}
account = "margin"

[[risk]]
use = "default"
orders_per_second = 2
max_notional = 2500

[strategy.cross]
use = "./cross.py:Cross"
trade = ["main:BTC/USDT", "main:SOL/USDT", "main:XRP/USDT", "main:ADA/USDT", "main:DOGE/USDT"]

[strategy.fixed]
use = "./cross.py:Cross"
trade = ["main:LTC/USDT"]
notional = 1990

[strategy.fat]
use = "./cross.py:Cross"
trade = ["main:ETH/USDT"]
notional = 3000
"""


def bot4(folder: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """Runs the command line in a folder and gives its JSON."""
    done = subprocess.run(
        [BOT4, *arguments, "--json"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def write_bot(folder: Path, histories: Path) -> Path:
    """Writes the bot into a folder; gives its TOML."""
    names = ", ".join(json.dumps(str(path)) for path in sorted(histories.glob("*.b4h")))
    (folder / "cross.py").write_text(STRATEGY, encoding="utf-8")
    (folder / "bot.toml").write_text(BOT.format(histories=names), encoding="utf-8")
    return folder / "bot.toml"
