"""bot4 against nautilus_trader on the same bars, in one command.

    python bench/peers/compare.py [--rounds 3] [--bars 1000000] [--at-least 8] [--json]

Both engines run the strategy described in cross_data.py: on every bar a Python callback keeps two integer sums over a
deque and trades the cross, with an account, fees and pre-trade checks on; ours also writes its journal. Each run is a
process of its own and times the replay alone, apart from import and loading. Rounds alternate between the engines, so
a busy moment of the machine hits both. The comparison counts only when bars, orders, fills and final equity agree;
otherwise the command ends with 1 and names what differs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import cross_data
import venvs

HERE = Path(__file__).resolve().parent

RUN_TIMEOUT_S = 900
OURS, PEER = "bot4", "nautilus_trader"
MUST_AGREE = ("bars", "orders", "fills")


class ComparisonError(RuntimeError):
    """An engine did not run, or the engines did not do the same work; the text says which and what differs."""


def commands(data: Path) -> dict[str, list[str]]:
    """Return the command of each engine over one data file; builds the peer's environment when it is missing."""
    return {
        PEER: [str(venvs.ensure("nautilus")), str(HERE / "nautilus_cross.py"), str(data)],
        OURS: [sys.executable, str(HERE / "bot4_cross.py"), str(data)],
    }


def run_once(name: str, command: Sequence[str]) -> dict[str, Any]:
    """Run one engine in a fresh process and return the JSON object it prints last.

    Raises:
        ComparisonError: the process failed, took longer than RUN_TIMEOUT_S or printed no JSON object.
    """
    environ = venvs.peer_environ() if name == PEER else None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, env=environ, check=False)
    except subprocess.TimeoutExpired as slow:
        raise ComparisonError(f"{name} took over {RUN_TIMEOUT_S} s; use fewer --bars") from slow
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise ComparisonError(f"{name} ended with {done.returncode}; run `{' '.join(command)}` alone:\n{tail}")
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as wrong:
        raise ComparisonError(f"{name} printed no JSON object: {done.stdout[-200:]!r}") from wrong
    return answer


def check_same_work(ours: Mapping[str, Any], peer: Mapping[str, Any], expected_orders: int) -> None:
    """Refuse a comparison in which the engines did not trade the same.

    Raises:
        ComparisonError: bars, orders, fills, or final equity (exact, as decimals) differ, or an order went unfilled.
    """
    wrong = [f"{key}: {OURS} {ours[key]}, {PEER} {peer[key]}" for key in MUST_AGREE if ours[key] != peer[key]]
    if peer["orders"] != expected_orders:
        wrong.append(f"orders: expected {expected_orders}, {PEER} sent {peer['orders']}")
    if peer["orders"] != peer["fills"]:
        wrong.append(f"{PEER}: {peer['orders']} orders but {peer['fills']} fills")
    if Decimal(ours["final_equity"]) != Decimal(peer["final_equity"]):
        wrong.append(f"final_equity: {OURS} {ours['final_equity']}, {PEER} {peer['final_equity']}")
    if wrong:
        raise ComparisonError("the engines did not do the same work: " + "; ".join(wrong))


def summarise(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one engine's row: median, best and worst speed over its rounds, peak memory, and what it traded."""
    speeds = sorted(answer["bars"] / answer["run_s"] for answer in rounds)
    first = rounds[0]
    return {
        "version": first["version"],
        "bars": first["bars"],
        "orders": first["orders"],
        "fills": first["fills"],
        "final_equity": first["final_equity"],
        "rounds": len(rounds),
        "run_s": [answer["run_s"] for answer in rounds],
        "bars_per_s_median": statistics.median(speeds),
        "bars_per_s_best": speeds[-1],
        "bars_per_s_worst": speeds[0],
        "peak_rss_mb": max(answer["peak_rss_mb"] for answer in rounds),
    }


def compare(bars: int, seed: int, rounds: int) -> dict[str, Any]:
    """Run both engines `rounds` times, alternating, and return the comparison as one JSON-ready object."""
    with tempfile.TemporaryDirectory(prefix="bot4-compare-") as scratch:
        data = Path(scratch) / "bars.npz"
        expected = cross_data.save(data, bars, seed)
        engines = commands(data)
        answers: dict[str, list[dict[str, Any]]] = {name: [] for name in engines}
        for number in range(rounds):
            for name, command in engines.items():
                answers[name].append(run_once(name, command))
                speed = answers[name][-1]["bars"] / answers[name][-1]["run_s"]
                print(f"round {number + 1}/{rounds} {name}: {speed:,.0f} bars/s", file=sys.stderr)
            check_same_work(answers[OURS][-1], answers[PEER][-1], expected)
    rows = {name: summarise(of_engine) for name, of_engine in answers.items()}
    # each round's pair ran side by side, so their ratio holds when the machine's speed drifts between rounds
    pairs = [theirs["run_s"] / ours["run_s"] for ours, theirs in zip(answers[OURS], answers[PEER], strict=True)]
    return {
        "host": {"machine": platform.machine(), "python": platform.python_version(), "cpus": os.cpu_count()},
        "seed": seed,
        "fast": cross_data.FAST,
        "slow": cross_data.SLOW,
        "engines": rows,
        "baseline": PEER,
        "ratio": statistics.median(pairs),
        "ratios": pairs,
        "ratio_worst": rows[OURS]["bars_per_s_worst"] / rows[PEER]["bars_per_s_best"],
        "ratio_rss": rows[OURS]["peak_rss_mb"] / rows[PEER]["peak_rss_mb"],
    }


def table(result: Mapping[str, Any]) -> str:
    """Return the comparison as one plain table, with the ratio to the peer in the last columns."""
    head = ("engine", "version", "bars", "orders", "fills", "bars/s median", "worst..best", "x", "peak MB", "x")
    lines: list[tuple[str, ...]] = [head]
    base = result["engines"][result["baseline"]]
    for name, row in result["engines"].items():
        lines.append(
            (
                name,
                row["version"],
                f"{row['bars']:,}",
                f"{row['orders']:,}",
                f"{row['fills']:,}",
                f"{row['bars_per_s_median']:,.0f}",
                f"{row['bars_per_s_worst']:,.0f}..{row['bars_per_s_best']:,.0f}",
                f"{row['bars_per_s_median'] / base['bars_per_s_median']:.2f}",
                f"{row['peak_rss_mb']:,.0f}",
                f"{row['peak_rss_mb'] / base['peak_rss_mb']:.2f}",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rows = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(
        [
            *rows,
            f"final equity of both: {base['final_equity']}",
            f"bot4 to {result['baseline']}, round by round: "
            f"{', '.join(f'{ratio:.2f}x' for ratio in result['ratios'])}; median {result['ratio']:.2f}x; "
            f"worst of ours to best of theirs {result['ratio_worst']:.2f}x",
        ]
    )


def main() -> int:
    """Run the command line; return 0, or 1 when an engine failed, the work differed or the ratio is too low."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--bars", type=int, default=cross_data.BARS, help="one-minute bars to replay")
    options.add_argument("--seed", type=int, default=cross_data.SEED, help="seed of the synthetic walk")
    options.add_argument("--rounds", type=int, default=3, help="runs of each engine, alternating")
    options.add_argument("--at-least", type=float, default=0.0, help="end with 1 when the median ratio is lower")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    chosen = options.parse_args()
    try:
        result = compare(chosen.bars, chosen.seed, max(1, chosen.rounds))
    except (ComparisonError, venvs.PeerInstallError) as wrong:
        print(wrong, file=sys.stderr)
        return 1
    print(json.dumps(result) if chosen.json else table(result))
    if result["ratio"] < chosen.at_least:
        print(f"the ratio {result['ratio']:.2f} is below {chosen.at_least:g}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
