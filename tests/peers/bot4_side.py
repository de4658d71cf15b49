"""bot4's side of the parity test: a bot in a folder, run by the command line, its trades read back from the CSV."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from . import market
from .oracle import CASH, FEE_RATE, FIRST_DECISION_BAR, Trade

STRATEGY = Path(__file__).with_name("parity_cross.py")
TIMEOUT_S = 600

BOT = """\
[bot]
name = "parity"
plugins = ["exchange-sim"]
unguarded = true

[journal]
url = "sqlite:///parity.db"

[exchange.sim]
use = "sim"
history = ["{history}"]
account = "{account}"
balances = {{ {quote} = "{cash}" }}
fees = {{ maker = "{fee}", taker = "{fee}" }}
fill_profile = "compat-backtesting"

[strategy.cross]
use = "./{strategy}:ParityCross"
trade = ["sim:{base}/{quote}"]
long_short = {long_short}
first_decision_ts = {first_decision_ts}
"""


def bot4_cross_run(symbol: str, long_short: bool, folder: Path) -> tuple[list[Trade], Decimal]:
    """Run the cross over a symbol's candles with `bot4` and return its closed trades and final equity, exactly.

    Args:
        symbol: one of market.SYMBOLS.
        long_short: trade both directions on a margin account; else long only on a spot account.
        folder: an empty directory for the bot, its history and its journal.
    """
    history = _import(symbol, folder)
    shutil.copy(STRATEGY, folder)
    open_ms = market.load(symbol).open_ms
    (folder / "bot.toml").write_text(
        BOT.format(
            history=history,
            account="margin" if long_short else "spot",
            base=symbol.removesuffix("USDT"),
            quote="USDT",
            cash=CASH,
            fee=FEE_RATE,
            strategy=STRATEGY.name,
            long_short=str(long_short).lower(),
            first_decision_ts=open_ms[FIRST_DECISION_BAR] * 1_000_000 + market.INTERVAL_NS,
        )
    )
    answer = json.loads(bot4(folder, "backtest", "bot.toml", "--json"))
    bot4(folder, "report", answer["run_id"], "--db", "sqlite:///parity.db", "--csv", "trades.csv")
    with (folder / "trades.csv").open(newline="") as rows:
        trades = [_trade(row, open_ms[0] * 1_000_000) for row in csv.DictReader(rows)]
    assert len(trades) == answer["trades"], "the CSV and the report disagree about the number of trades"
    return trades, Decimal(answer["end_equity"])


def bot4(folder: Path, *arguments: str) -> str:
    """Run the installed `bot4` in a folder and return what it prints; fail with its error text otherwise."""
    command = Path(sys.executable).with_name("bot4")
    done = subprocess.run(
        [str(command), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, "XDG_DATA_HOME": str(folder), "XDG_STATE_HOME": str(folder)},
        check=False,
    )
    assert done.returncode == 0, f"bot4 {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}"
    return done.stdout


def _import(symbol: str, folder: Path) -> str:
    """Import the candles with `bot4 data import` and return the history file's name."""
    candles = market.load(symbol)
    instrument: dict[str, Any] = {
        "symbol": f"{symbol.removesuffix('USDT')}/USDT",
        "tick": str(candles.tick),
        "lot": str(candles.lot),
    }
    (folder / "instrument.json").write_text(json.dumps(instrument))
    name = f"{symbol.lower()}-5m.b4h"
    bot4(folder, "data", "import", str(market.candles_path(symbol)), "--instrument", "instrument.json", "--to", name)
    return name


def _trade(row: dict[str, str], first_open_ns: int) -> Trade:
    """Return a CSV row as the trade the peer would print; bot4 learns of a fill when its bar closes."""
    sign = 1 if row["side"] == "long" else -1
    return Trade(
        entry_bar=(int(row["entry_ts"]) - first_open_ns) // market.INTERVAL_NS - 1,
        exit_bar=(int(row["exit_ts"]) - first_open_ns) // market.INTERVAL_NS - 1,
        entry_price=Decimal(row["entry_price"]),
        exit_price=Decimal(row["exit_price"]),
        size=sign * int(Decimal(row["quantity"])),
        fees=Decimal(row["fees"]),
        pnl=Decimal(row["pnl"]),
    )
