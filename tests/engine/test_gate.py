"""The gate as a whole: each rule is needed, nothing that cannot be measured passes, and a denial names every reason."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from bot4_core.domain.instrument import Instrument
from bot4_core.domain.limits import Limits
from bot4_core.domain.order import Failure, Order, OrderState, OrderType, Role, Side
from bot4_core.engine import gate as gate_module
from bot4_core.engine.reducing import REDUCING_RULES
from bot4_core.engine.rules import ENTRY_RULES
from bot4_core.errors import ConfigError
from bot4_core.native.latch import Mode

from .rig import BTC, ETH, Rig, rig


def at_100(**changes: object) -> Rig:
    r = rig(**changes)  # type: ignore[arg-type]  # named as rig names them
    r.bar(10_000)
    return r


def work(r: Rig) -> None:
    order = r.order(10)
    order.move(OrderState.VALIDATED, 1)
    r.desk.orders.add(order)


Scene = tuple[Rig, Order]


def latched() -> Scene:
    r = at_100()
    r.gate.latch.set(Mode.REDUCE_ONLY, "test", "test", 1)
    return r, r.order(1_000)


def overfilled() -> Scene:
    r = rig(BTC, ETH)
    r.bars(10_000, 10_000)
    r.open(r.ctx.buy(BTC, quantity=1), 10_000, 1_001)
    return r, r.order(1_000)


def fired() -> Scene:
    r = at_100()
    return r, r.order(1_000, type=OrderType.STOP, trigger_ticks=9_990)


def bare() -> Scene:
    r = at_100()
    return r, r.order(1_000, stop_ticks=0)


def too_large() -> Scene:
    r = at_100()
    return r, r.order(25_000)


def fallen() -> Scene:
    r = rig(balances={"USDT": 85_000 * 10**8})
    r.account.valuation.set_limit(0)
    r.account.valuation.restore_peak(100_000 * 10**8)
    r.bar(10_000)
    return r, r.order(1_000)


def fat_finger() -> Scene:
    r = at_100(limits=Limits(max_notional=Decimal(50)))
    return r, r.order(1_000)


def crowded() -> Scene:
    r = at_100(limits=Limits(open_orders=1))
    work(r)
    return r, r.order(1_000)


def crowded_symbol() -> Scene:
    r = at_100(limits=Limits(open_orders_per_symbol=1))
    work(r)
    return r, r.order(1_000)


def repeated() -> Scene:
    r = at_100(limits=Limits(duplicate_window_s=Decimal(5)))
    assert r.failed(r.order(1_000)) == []
    return r, r.order(1_000)


def hurried() -> Scene:
    r = at_100(limits=Limits(orders_per_second=1))
    assert r.failed(r.order(1_000)) == []
    return r, r.order(1_000)


def poor() -> Scene:
    r = rig(balances={"USDT": 10**8, "BTC": 1_000 * 10**8})
    r.bar(10_000)
    return r, r.order(1_000)


def too_small() -> Scene:
    r = at_100()
    return r, r.order(1)


def not_durable() -> Scene:
    r = at_100()
    r.gate.journal_waits_s = 1.5
    return r, r.order(1_000)


#: what each rule alone stands against: an order that fails it and nothing else
SCENES: dict[str, Callable[[], Scene]] = {
    "latch": latched,
    "journal": not_durable,
    "symbol_halt": overfilled,
    "trigger_side": fired,
    "stop_cover": bare,
    "position": too_large,
    "drawdown": fallen,
    "max_notional": fat_finger,
    "open_orders": crowded,
    "open_orders_per_symbol": crowded_symbol,
    "duplicate": repeated,
    "order_rate": hurried,
    "buying_power": poor,
    "venue_filters": too_small,
}


def held() -> Rig:
    r = at_100()
    r.account.apply_fill(0, Side.BUY, 1_000, BTC.cost_units(10_000, 1_000), 0, False, r.now)
    return r


def cancel_only() -> Scene:
    r = held()
    r.gate.latch.set(Mode.CANCEL_ONLY, "test", "test", 1)
    return r, r.order(1_000, role=Role.CLOSE, side=Side.SELL)


def flipping() -> Scene:
    r = held()
    return r, r.order(1_001, role=Role.CLOSE, side=Side.SELL)


def in_crumbs() -> Scene:
    r = held()
    for _ in range(10):
        crumb = r.order(1, role=Role.CLOSE, side=Side.SELL)
        crumb.move(OrderState.VALIDATED, 1)
        r.desk.orders.add(crumb)
    return r, r.order(1, role=Role.CLOSE, side=Side.SELL)


def dust() -> Scene:
    r = held()
    return r, r.order(0, role=Role.CLOSE, side=Side.SELL)


REDUCING_SCENES: dict[str, Callable[[], Scene]] = {
    "latch": cancel_only,
    "reduce_only": flipping,
    "open_closes": in_crumbs,
    "venue_filters": dust,
}


def test_every_rule_has_an_order_that_only_it_refuses() -> None:
    assert [name for name, _ in ENTRY_RULES] == list(SCENES)
    assert [name for name, _ in REDUCING_RULES] == list(REDUCING_SCENES)


@pytest.mark.parametrize("name", SCENES)
def test_switching_one_rule_off_lets_its_order_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    r, order = SCENES[name]()
    assert r.failed(order) == [name]

    monkeypatch.setattr(gate_module, "ENTRY_RULES", tuple(rule for rule in ENTRY_RULES if rule[0] != name))

    assert r.failed(order) == []


@pytest.mark.parametrize("name", REDUCING_SCENES)
def test_switching_one_reducing_rule_off_lets_its_order_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    r, order = REDUCING_SCENES[name]()
    assert r.failed(order) == [name]

    monkeypatch.setattr(gate_module, "REDUCING_RULES", tuple(rule for rule in REDUCING_RULES if rule[0] != name))

    assert r.failed(order) == []


def test_a_denial_lists_every_rule_that_failed_with_what_was_measured() -> None:
    r = at_100(limits=Limits(max_notional=Decimal(100)))
    r.gate.latch.set(Mode.KILLED, "test", "test", 1)

    verdict = r.gate.judge(r.wish(r.order(2_000_000, stop_ticks=0)))

    assert verdict is not None
    assert [(f.rule, f.measured, f.limit, f.unit) for f in verdict.failures] == [
        ("latch", "KILLED", "ACTIVE", ""),
        ("stop_cover", "no stop", "a stop within 0.04", ""),
        ("position", "2.01000000", "0.02", ""),
        ("max_notional", "201000", "100", "USDT"),
        ("buying_power", "201201", "100000", "USDT"),
    ]
    assert verdict.rule == "latch"


def test_the_gate_counts_what_it_let_pass_and_what_it_refused() -> None:
    r = at_100()
    r.failed(r.order(1_000))
    r.failed(r.order(1_000, stop_ticks=0))
    r.failed(r.order(1_001, role=Role.CLOSE, side=Side.SELL))

    assert (r.gate.approved, r.gate.denied) == (1, 2)


def test_unguarded_lets_the_immutable_rules_go_and_keeps_the_others() -> None:
    r = at_100(limits=Limits().without_guard(), guarded=False)

    assert r.failed(r.order(500_000, stop_ticks=0)) == []
    assert r.failed(r.order(1_000_000, stop_ticks=0)) == ["buying_power"]


# what cannot be measured


@pytest.mark.parametrize("limits", [Limits(), Limits().without_guard()], ids=["guarded", "unguarded"])
@pytest.mark.parametrize("margin", [False, True], ids=["spot", "margin"])
def test_a_market_order_without_a_mark_is_denied(limits: Limits, margin: bool) -> None:
    r = rig(limits=limits, margin=margin, leverage="5")

    failed = r.failed(r.order(1_000))
    assert "buying_power" in failed
    assert ("position" in failed) is (limits.position is not None)


@pytest.mark.parametrize("money", [0, 1])
@pytest.mark.parametrize("margin", [False, True])
def test_without_equity_nothing_may_be_risked(money: int, margin: bool) -> None:
    r = rig(balances={"USDT": money}, margin=margin)
    r.account.valuation.restore_peak(1)
    r.bar(10_000)

    assert {"position", "buying_power"} <= set(r.failed(r.order(1_000)))


def test_while_something_held_has_no_price_equity_is_unknown_and_entries_are_denied() -> None:
    r = rig(BTC, ETH, balances={"USDT": 100_000 * 10**8, "ETH": 10**8})
    r.bar(10_000)
    verdict = r.gate.judge(r.wish(r.order(1_000)))
    assert verdict is not None
    unknown = "unknown (equity is unknown: an asset that is held has no price yet)"
    assert str(verdict) == f"position: {unknown}, allowed a measured value"

    r.bar(5_000, 1)
    assert r.failed(r.order(1_000)) == []


def test_a_quote_asset_without_a_price_denies() -> None:
    r = rig(
        Instrument(symbol="BTC/EUR", tick="0.01", lot="0.001"), Instrument(symbol="EUR/USDT", tick="0.0001", lot="1"),
        Instrument(symbol="BTC/USDT", tick="0.01", lot="0.001"), balances={"USDT": 10**13},
    )  # fmt: skip
    r.bar(10_000)

    assert "position" in r.failed(r.order(1_000))


def test_a_number_past_64_bits_denies_and_does_not_crash() -> None:
    r = at_100()

    assert {"position", "buying_power"} <= set(r.failed(r.order(2**62)))


def test_the_bot_does_not_start_when_an_asset_has_no_way_to_the_reporting_asset() -> None:
    with pytest.raises(ConfigError, match="EUR cannot be valued in USDT: add the history of EUR/USDT"):
        rig(BTC, Instrument(symbol="BTC/EUR", tick="0.01", lot="0.001"), balances={"USDT": 1})


def test_the_bot_does_not_start_when_two_instruments_disagree_on_an_assets_decimals() -> None:
    with pytest.raises(ConfigError, match=r"USDT has 8 decimals in BTC/USDT and 6 in ETH/USDT"):
        rig(BTC, Instrument(symbol="ETH/USDT", tick="0.01", lot="0.01", quote_scale=6))


# policies


class Policy:
    """A policy with a check; what it answers is set by the test."""

    def __init__(self, answer: Failure | Exception | None) -> None:
        self.limits: dict[str, object] = {}
        self.answer = answer
        self.seen: list[tuple[int, int, int]] = []

    def check(self, wish: object, account: object) -> Failure | None:
        order: Order = wish.order  # type: ignore[attr-defined]  # the protocol's field
        self.seen.append((order.order_id, account.position_lots(0), account.open_orders()))  # type: ignore[attr-defined]  # as the protocol says
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class OnlyLimits:
    limits: dict[str, object] = {}  # noqa: RUF012  # a policy is read, not shared


def test_a_policys_failure_vetoes_beside_the_cores_rules() -> None:
    policy = Policy(Failure("moon_phase", "full", "new"))
    r = at_100(policies=[("astro", policy)])

    assert r.failed(r.order(1_000)) == ["policy.astro.moon_phase"]
    assert r.failed(r.order(1_000, stop_ticks=0)) == ["stop_cover", "policy.astro.moon_phase"]


def test_a_policy_cannot_speak_in_the_name_of_a_rule_of_the_core() -> None:
    r = at_100(policies=[("astro", Policy(Failure("drawdown", "x" * 1000, "new", "phase")))])

    verdict = r.gate.judge(r.wish(r.order(1_000)))

    assert verdict is not None
    assert verdict.failures == (Failure("policy.astro.drawdown", "x" * 200, "new", "phase"),)


@pytest.mark.parametrize("error", [ValueError("no data"), ZeroDivisionError(), KeyError("x" * 1000)])
def test_a_policy_that_raises_vetoes_and_says_so(error: Exception) -> None:
    r = at_100(policies=[("astro", Policy(error))])

    verdict = r.gate.judge(r.wish(r.order(1_000)))

    assert verdict is not None
    assert verdict.rule == "policy.astro"
    assert verdict.failures[0].measured.startswith(f"raised {type(error).__name__}")
    assert len(verdict.failures[0].measured) < 250


@pytest.mark.parametrize("answer", [True, "no", 1, ["veto"]])
def test_a_policy_that_answers_something_else_than_a_failure_vetoes(answer: object) -> None:
    r = at_100(policies=[("astro", Policy(answer))])  # type: ignore[arg-type]  # the point of the test

    assert r.failed(r.order(1_000)) == ["policy.astro"]


def test_policies_are_asked_in_order_for_entries_only_and_see_the_account() -> None:
    first, second = Policy(None), Policy(Failure("b", "1", "0"))
    r = held()
    r.gate.checks = (("a", first), ("b", second))
    entry, close = r.order(100), r.order(100, role=Role.CLOSE, side=Side.SELL)

    assert r.failed(entry) == ["policy.b.b"]
    assert r.failed(close) == []
    assert first.seen == second.seen == [(entry.order_id, 1_000, 0)]


def test_a_policy_of_limits_alone_is_not_asked() -> None:
    r = at_100(policies=[("quiet", OnlyLimits())])

    assert r.gate.checks == ()
    assert r.failed(r.order(1_000)) == []


def test_remembered_orders_are_bounded_and_the_oldest_go_first() -> None:
    r = at_100(limits=Limits(duplicate_window_s=Decimal(10**6)))
    for lots in range(1, 1_030):
        r.gate._remember(r.wish(r.order(lots)))

    assert len(r.gate.remembered) == 1_024
    assert r.failed(r.order(500)) == ["duplicate"]
    assert r.failed(r.order(1_100, type=OrderType.LIMIT, price_ticks=10_000)) == []
