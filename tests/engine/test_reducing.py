"""Each rule of an order that reduces (K-4) just below, at and just above its limit."""

from __future__ import annotations

import pytest

from bot4_core.domain.instrument import Instrument
from bot4_core.domain.order import Role, Side

from .rig import BTC, ETH, rig
from .test_rules import at_100, hold, work


@pytest.mark.parametrize(("lots", "denied"), [(999, []), (1_000, []), (1_001, ["reduce_only"])])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_close_may_be_the_position_and_not_a_lot_more(lots: int, denied: list[str], sign: int) -> None:
    r = at_100(margin=True)
    hold(r, sign * 1_000)

    assert r.failed(r.order(lots, role=Role.CLOSE, side=Side.SELL if sign > 0 else Side.BUY)) == denied


@pytest.mark.parametrize(("lots", "denied"), [(400, []), (401, ["reduce_only"])])
def test_closes_together_never_exceed_the_position(lots: int, denied: list[str]) -> None:
    r = at_100()
    hold(r, 1_000)
    work(r, 600, role=Role.CLOSE, side=Side.SELL)

    assert r.failed(r.order(lots, role=Role.CLOSE, side=Side.SELL)) == denied


@pytest.mark.parametrize("side", Side)
def test_nothing_is_closed_where_nothing_is_held(side: Side) -> None:
    r = at_100()

    assert r.failed(r.order(1, role=Role.CLOSE, side=side)) == ["reduce_only"]


def test_a_close_in_the_direction_of_the_position_is_refused() -> None:
    r = at_100()
    hold(r, 1_000)

    assert r.failed(r.order(1, role=Role.CLOSE, side=Side.BUY)) == ["reduce_only"]


@pytest.mark.parametrize(
    ("filters", "lots", "denied"),
    [
        ({"min_quantity": "0.5"}, 499, True), ({"min_quantity": "0.5"}, 500, False),
        ({"max_quantity": "0.5"}, 500, False), ({"max_quantity": "0.5"}, 501, True),
        ({"min_notional": "1000000"}, 1, False),
    ],
)  # fmt: skip
def test_a_close_keeps_the_venues_quantities_but_not_its_smallest_notional(
    filters: dict[str, str], lots: int, denied: bool
) -> None:
    r = rig(Instrument(symbol="BTC/USDT", tick="0.01", lot="0.001", **filters))
    r.bar(10_000)
    hold(r, 1_000)

    assert r.failed(r.order(lots, role=Role.CLOSE, side=Side.SELL)) == ["venue_filters"] * denied


@pytest.mark.parametrize(("working", "denied"), [(9, []), (10, ["open_closes"])])
def test_ten_closes_of_one_strategy_work_at_once(working: int, denied: list[str]) -> None:
    r = rig(BTC, ETH)
    r.bars(10_000, 10_000)
    hold(r, 1_000)
    hold(r, 1_000, index=1)
    for _ in range(working):
        work(r, 1, role=Role.CLOSE, side=Side.SELL)

    assert r.failed(r.order(1, role=Role.CLOSE, side=Side.SELL)) == denied
    assert r.failed(r.order(1, role=Role.CLOSE, side=Side.SELL, strategy="")) == []
    assert r.failed(r.order(1, role=Role.CLOSE, side=Side.SELL, index=1)) == []
