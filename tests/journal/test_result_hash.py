"""The result hash: equal for equal decisions and fills, and for nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot4_core.domain.event import Flag, Kind
from bot4_core.domain.instrument import Instrument
from bot4_core.journal.fold import Fold
from bot4_core.journal.result_hash import ResultHash, result_hash
from bot4_core.journal.writer import Pending

from .build import BTC, SHIB, RandomRun, denied, fill, info, intent
from .test_fold import feed

RUN: list[Pending] = [
    intent(1, 10, side="buy", stop_ticks=390),
    fill(1, 10, 400, trade_id=1, fee=3),
    denied(2, "position"),
    intent(3, 10, side="sell", role="close"),
    fill(3, 10, 410, trade_id=2, fee=3, flags=Flag.MAKER),
]


def digest(records: list[Pending], instruments: tuple[Instrument, ...] = (BTC, SHIB), **changes: Any) -> str:
    fold = Fold(info(instruments=instruments, **changes))
    rows = feed(fold, records)
    return result_hash(rows, instruments)


def test_building_it_up_gives_the_hash_of_the_whole() -> None:
    records = list(RandomRun(11, 200).records())
    fold = Fold(info())
    parts = ResultHash(info().instruments)
    for start in range(0, len(records), 13):
        parts.add(feed(fold, records[start : start + 13]))
    assert parts.hexdigest(fold.orders.values()) == digest(records)


def change(record: int, **words: int) -> Callable[[], list[Pending]]:
    def changed() -> list[Pending]:
        ts, instrument, kind, flags, v, blob = RUN[record]
        new = list(v)
        for name, value in words.items():
            new[int(name[1])] = value
        return [*RUN[:record], (ts, instrument, kind, flags, tuple(new), blob), *RUN[record + 1 :]]  # type: ignore[list-item]  # six again

    return changed


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(change(0, v1=11), id="quantity"),
        pytest.param(change(1, v1=401), id="fill price"),
        pytest.param(change(1, v3=4), id="fee"),
        pytest.param(change(1, v5=1), id="cost"),
        pytest.param(lambda: [intent(1, 10, side="buy", stop_ticks=391), *RUN[1:]], id="stop"),
        pytest.param(lambda: [intent(1, 10, side="buy", stop_ticks=390, ts=1), *RUN[1:]], id="time"),
        pytest.param(lambda: [*RUN[:2], denied(2, "drawdown"), *RUN[3:]], id="rule"),
        pytest.param(lambda: RUN[:4], id="a fill less"),
        pytest.param(lambda: [*RUN[:2], *RUN[3:]], id="a denial less"),
        pytest.param(lambda: [*RUN[:4], fill(3, 10, 410, trade_id=2, fee=3)], id="maker"),
    ],
)
def test_a_different_decision_or_fill_is_a_different_hash(changed: Callable[[], list[Pending]]) -> None:
    assert digest(changed()) != digest(RUN)


def test_another_instrument_version_is_a_different_hash() -> None:
    other = Instrument.from_mapping({**BTC.to_mapping(), "version": "8"})
    assert digest(RUN, (other, SHIB)) != digest(RUN)


def test_ids_times_of_day_and_samples_are_no_part_of_it() -> None:
    same: list[Pending] = [(0, 0, Kind.EQUITY, 0, (5, 5, 5, 5, 0, 0), None)]
    for ts, instrument, kind, flags, v, blob in RUN:
        words = (v[0] + 100, *v[1:4], v[4] + 7 if kind == Kind.FILL else v[4], v[5])
        other_id = None if blob is None else {**blob, "client_id": f"other-{v[0]}"}
        same.append((ts, instrument, kind, flags, words, other_id))
    assert digest(same, run_id="other", created_ns=5, config="x", versions={"a": "b"}) == digest(RUN)


def test_processes_with_different_hash_seeds_agree(tmp_path: Path) -> None:
    assert msgspec.json.encode({"b": 1, "a": 2}) == b'{"b":1,"a":2}'
    code = (
        "import sys; from tests.journal.test_result_hash import digest\n"
        "from tests.journal.build import RandomRun\n"
        "print(digest(list(RandomRun(4, 150).records())))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {digest(list(RandomRun(4, 150).records())) + "\n"}


def test_the_canonical_form_does_not_drift() -> None:
    """A changed hash breaks comparison with stored runs: change the version in its first line, then this."""
    assert digest(RUN) == "1e4855cf4f664657cb367a532ea69e5105bfcc04af1e6d43f79415526646ea07"
