"""The seeded market: the same bytes everywhere, legal records, and something to trade."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from bot4_core.domain.event import Flag, Kind
from bot4_core.domain.instrument import Instrument
from bot4_core.errors import DomainError
from bot4_core.history.file import record_hash, write_history
from bot4_core.history.findings import Findings, analyse
from bot4_core.history.synth import Market, synth, synth_bars, synth_market

START_NS = 1_704_067_200_000_000_000
FIVE_MINUTES_NS = 300_000_000_000
ETH = Instrument(symbol="ETH/USDT", tick="0.01", lot="0.0001")

#: Golden: a change of these changes every demo, bench and test that runs on synthetic data.
GOLDEN = {
    "bars": "b3c7eb20aea043c5baa3f9f0ef3e146eee166e3723b8c340f7f7dcccc3dd9abc",
    "ticks": "d7d5e60729a19d33911c0a0e7b18bf8af97ec1a80221e7db43666c9a2fbab611",
}


def make(instrument: Instrument, **changes: object) -> np.ndarray:
    options = {"seed": 7, "start_ns": START_NS, "bars": 5_000, "interval_ns": FIVE_MINUTES_NS}
    return synth(instrument, **(options | {"start_price": Decimal(20_000)} | changes))


def market(**changes: object) -> Market:
    return Market(**({"seed": 7, "start_ns": START_NS, "bars": 5_000, "interval_ns": FIVE_MINUTES_NS} | changes))


@pytest.mark.parametrize("kind", ["bars", "ticks"])
def test_the_bytes_are_the_golden_ones_in_any_process(kind: str, btc: Instrument) -> None:
    assert record_hash(make(btc, kind=kind)) == GOLDEN[kind]
    code = (
        "from decimal import Decimal; from bot4_core.history.synth import synth; from bot4_core.history.file import *;"
        "from bot4_core.domain.instrument import Instrument;"
        "print(record_hash(synth(Instrument(symbol='BTC/USDT', tick='0.01', lot='0.00001'), seed=7, bars=5000,"
        f"start_ns={START_NS}, interval_ns={FIVE_MINUTES_NS}, start_price=Decimal(20000), kind='{kind}')))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == GOLDEN[kind]


def test_another_seed_makes_another_market(btc: Instrument) -> None:
    assert record_hash(make(btc, seed=8)) != record_hash(make(btc))


@pytest.mark.parametrize("kind", ["bars", "ticks"])
@pytest.mark.parametrize("seed", range(5))
def test_every_record_is_legal_and_nothing_is_missing(kind: str, seed: int, btc: Instrument, tmp_path: Path) -> None:
    events = make(btc, kind=kind, seed=seed)
    interval_ns = FIVE_MINUTES_NS if kind == "bars" else 0
    findings = Findings()
    analysis = analyse(events, np.arange(len(events)), interval_ns, btc, findings)
    assert (findings.total, analysis.gap_count) == (0, 0)
    write_history(tmp_path / "x.b4h", btc, events, interval_ns=interval_ns, source="synth", roundings=0)


def test_bars_begin_at_the_start_price_and_close_at_their_time(btc: Instrument) -> None:
    events = make(btc)
    assert events["v"][0, 0] == 2_000_000 or abs(events["v"][0, 0] - 2_000_000) < 20_000
    assert events["ts"].tolist() == [START_NS + (i + 1) * FIVE_MINUTES_NS for i in range(5_000)]


def test_quiet_bars_are_flat_at_the_last_close(btc: Instrument) -> None:
    events = make(btc, quiet=0.1)
    values = events["v"]
    quiet = np.flatnonzero(values[:, 4] == 0)
    assert 300 < len(quiet) < 700
    assert 0 not in quiet
    assert not values[quiet, 5].any()
    for column in range(4):
        assert np.array_equal(values[quiet, column], values[quiet - 1, 3])
    assert (make(btc, quiet=0)["v"][:, 4] > 0).all()


def test_volatility_is_about_what_was_asked_for(btc: Instrument) -> None:
    for daily in (0.02, 0.06):
        closes = make(btc, bars=100_000, volatility=daily)["v"][:, 3]
        returns = np.diff(np.log(closes))
        assert returns.std() * np.sqrt(288) == pytest.approx(daily, rel=0.25)
        kurtosis = ((returns - returns.mean()) ** 4).mean() / returns.var() ** 2
        assert kurtosis > 4, "regimes and jumps must leave fat tails"


def test_the_price_stays_within_its_walls(btc: Instrument) -> None:
    closes = make(btc, bars=200_000, volatility=0.5)["v"][:, 3]
    assert 2_000_000 / 8 < closes.min() < closes.max() < 2_000_000 * 8


def test_mean_volume_is_about_what_was_asked_for(btc: Instrument) -> None:
    units = make(btc, bars=50_000, volume=Decimal("3.5"))["v"][:, 4]
    assert units.mean() == pytest.approx(3.5e8, rel=0.15)


@pytest.mark.parametrize(("correlation", "low", "high"), [(0.0, -0.1, 0.2), (0.7, 0.6, 0.8), (1.0, 0.97, 1.0)])
def test_instruments_move_together_as_asked(correlation: float, low: float, high: float, btc: Instrument) -> None:
    pair = synth_market(
        [btc, ETH], market(correlation=correlation, quiet=0), start_prices=[Decimal(20_000), Decimal(10_000)]
    )
    one, two = (np.diff(np.log(events["v"][:, 3])) for events in pair)
    assert low <= np.corrcoef(one, two)[0, 1] <= high


def test_a_further_instrument_does_not_change_the_first(btc: Instrument) -> None:
    prices = [Decimal(20_000), Decimal(1_000)]
    alone = synth_market([btc], market(), start_prices=prices[:1])
    both = synth_market([btc, ETH], market(), start_prices=prices)
    assert np.array_equal(alone[0], both[0])
    assert not np.array_equal(both[0], both[1])


def test_each_trade_happens_at_the_quote_before_it(btc: Instrument) -> None:
    events = make(btc, kind="ticks")
    kinds = events["kind"]
    assert set(kinds.tolist()) == {int(Kind.QUOTE), int(Kind.TRADE)}
    trades = np.flatnonzero(kinds == Kind.TRADE)
    quotes = trades - 1
    assert (kinds[quotes] == Kind.QUOTE).all()
    sold = (events["flags"][trades] & Flag.SELL) != 0
    assert 0.4 < sold.mean() < 0.6
    v = events["v"]
    assert np.array_equal(v[trades, 0], np.where(sold, v[quotes, 0], v[quotes, 2]))
    assert (v[trades, 1] <= np.where(sold, v[quotes, 1], v[quotes, 3])).all()
    assert (v[trades, 1] > 0).all()
    assert (np.diff(events["ts"]) > 0).all()
    assert (v[kinds == Kind.QUOTE, 0] < v[kinds == Kind.QUOTE, 2]).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": -1}, "must not be negative"),
        ({"bars": 0}, "must be from 1 to"),
        ({"bars": 5_000_001}, "must be from 1 to"),
        ({"interval_ns": 3}, "too short"),
        ({"start_ns": 0}, "within 2009..2100"),
        ({"start_ns": 4_102_444_000_000_000_000}, "within 2009..2100"),
        ({"volatility": 0.0}, "must be above 0"),
        ({"volatility": float("nan")}, "must be above 0"),
        ({"quiet": 0.6}, "must be from 0 to 0.5"),
        ({"start_price": Decimal("0.99")}, "must be 100 ticks or more"),
        ({"volume": Decimal(0)}, "does not suit its volume scale"),
        ({"kind": "books"}, "must be bars or ticks"),
    ],
)
def test_arguments_out_of_bounds_are_refused(changes: dict, words: str, btc: Instrument) -> None:
    with pytest.raises(DomainError, match=words):
        make(btc, **changes)


def test_lists_that_do_not_match_are_refused(btc: Instrument) -> None:
    with pytest.raises(DomainError, match="one start price and volume per instrument"):
        synth_market([btc, ETH], market(), start_prices=[Decimal(1000)])
    with pytest.raises(DomainError, match="1 to 64 instruments"):
        synth_market([], market(), start_prices=[])


def bars_of(*instruments: Instrument, seed: int = 7) -> list[np.ndarray]:
    count = len(instruments)
    return synth_bars(
        instruments, seed=seed, start_ns=START_NS, bars=2_000, interval_ns=FIVE_MINUTES_NS,
        start_prices=[Decimal(20_000)] * count, volumes=[Decimal(10)] * count,
    )  # fmt: skip


def test_bars_named_by_symbol_are_the_golden_ones() -> None:
    assert record_hash(bars_of(ETH)[0]) == "4fc134fa0e7577acb6e5562076130bc48772a5422ab704dadddda3cd4fb5afa6"


def test_what_a_symbol_does_depends_on_nothing_beside_it(btc: Instrument) -> None:
    alone = record_hash(bars_of(btc)[0])
    first, last = bars_of(btc, ETH), bars_of(ETH, btc)
    assert record_hash(first[0]) == record_hash(last[1]) == alone
    assert record_hash(first[1]) == record_hash(last[0]) != alone


def test_symbols_of_one_seed_move_together_and_another_seed_moves_otherwise(btc: Instrument) -> None:
    one, two = bars_of(btc, ETH)
    (other,) = bars_of(btc, seed=8)
    returns = [np.diff(np.log(each["v"][:, 3].astype(float))) for each in (one, two, other)]
    assert np.corrcoef(returns[0], returns[1])[0, 1] > 0.5
    assert abs(np.corrcoef(returns[0], returns[2])[0, 1]) < 0.2


def test_a_symbol_that_stands_twice_is_refused(btc: Instrument) -> None:
    with pytest.raises(DomainError, match="a symbol stands twice"):
        bars_of(btc, btc)
