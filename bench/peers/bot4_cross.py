"""bot4's side of the speed comparison: the command line's own backtest over cross_data's bars.

    python bench/peers/bot4_cross.py DATA.npz > answer.json

The bot is an ordinary one: simulated exchange on a margin account, 0.1 % fees, default risk policy, immutable limits
on (so every entry carries its protective stop, which the peer does not have), journal in SQLite. `run_s` is the
`wall_s` of `bot4 backtest --json`; memory is that process's peak.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import cross_data
import numpy as np

from bot4_core.domain.event import EVENT_DTYPE, Kind
from bot4_core.domain.instrument import Instrument
from bot4_core.history.file import write_history

STRATEGY = Path(__file__).with_name("bot4_cross_strategy.py")

BOT = f"""\
[bot]
name = "compare"
plugins = ["exchange-sim", "risk-default"]

[journal]
url = "sqlite:///compare.db"

[exchange.sim]
use = "sim"
history = ["bars.b4h"]
account = "margin"
spread = "0"      # the peer knows neither: both sides fill at the price of the bar
slippage = "0"
balances = {{ USDT = "{cross_data.START_BALANCE}" }}
fees = {{ maker = "{cross_data.TAKER_FEE}", taker = "{cross_data.TAKER_FEE}" }}

[[risk]]
use = "default"

[strategy.cross]
use = "./{STRATEGY.name}:Cross"
trade = ["sim:BTC/USDT"]
fast = {cross_data.FAST}
slow = {cross_data.SLOW}
quantity = "{cross_data.ORDER_QUANTITY}"
"""


def write_bars(data: Path, folder: Path) -> None:
    """Write the npz as a history file; not part of the timed run."""
    with np.load(data) as bars:
        events = np.zeros(len(bars["close"]), dtype=EVENT_DTYPE)
        events["ts"] = bars["close_ns"]
        events["kind"] = Kind.BAR
        for column, name in enumerate(("open", "high", "low", "close", "volume")):
            events["v"][:, column] = bars[name]
    instrument = Instrument(
        symbol="BTC/USDT",
        tick=cross_data.TICK,
        lot=cross_data.LOT,
        volume_scale=cross_data.VOLUME_SCALE,
    )
    write_history(
        folder / "bars.b4h",
        instrument,
        events,
        interval_ns=cross_data.INTERVAL_NS,
        source=data.name,
        roundings=0,
    )


def main(data: Path) -> None:
    """Run the backtest and print one JSON object, the keys as nautilus_cross.py prints them."""
    with tempfile.TemporaryDirectory(prefix="bot4-cross-") as scratch:
        folder = Path(scratch)
        write_bars(data, folder)
        shutil.copy(STRATEGY, folder)
        (folder / "bot.toml").write_text(BOT)
        command = [str(Path(sys.executable).with_name("bot4")), "backtest", "bot.toml", "--json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr or f"bot4 ended with {done.returncode}")
    report = json.loads(done.stdout)
    print(
        json.dumps(
            {
                "engine": "bot4",
                "version": version("bot4-core"),
                "bars": report["events"],
                # the protective stops that each entry brings along are ours alone; the peer has none
                "orders": report["orders"] - report["attached_orders"],
                "fills": report["fills"],
                "run_s": float(report["wall_s"]),
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
                "final_equity": report["end_equity"],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
