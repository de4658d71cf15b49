"""Nothing is invented: output follows input, every setting does something, every fee is charged (R-84).

Each check is a function; the tests run it on the real code, and then on code with a fake planted, where it must fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

import attrs
import pytest
from bot4_exchange_sim import settings as sim_settings
from bot4_risk_default import settings as risk_settings

import bot4_core.report.metrics as metrics
from bot4_core.domain.portfolio import Position
from bot4_core.engine import assemble
from bot4_core.sdk import Bar, Context, ExchangeError, Limits, Strategy
from bot4_core.testing import StrategyRun, bars_from_closes, run_strategy

#: a market that goes up, then down, then up, in whole per cents
WAVE = [10_000 + 100 * step for step in (*range(40), *range(40, 0, -1), *range(40))]
#: minutes are too short for daily returns: hours give five days
HOUR_NS = 3600 * 10**9


class Swing(Strategy):
    """Long above the 10-bar mean, short below; asks for more than it may have now and then."""

    length: int = 10
    fraction: Decimal = Decimal("0.015")

    def on_start(self, ctx: Context) -> None:
        self.mean, self.close = ctx.sma(self.length), ctx.sma(1)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        lots = ctx.position(bar.instrument).lots
        if self.close.above(self.mean) and lots <= 0:
            ctx.close(bar.instrument)
            ctx.buy(bar.instrument, fraction=self.fraction)
        elif self.close.below(self.mean) and lots >= 0:
            ctx.close(bar.instrument)
            ctx.sell(bar.instrument, fraction=self.fraction)
        ctx.buy(bar.instrument, limit=bar.low - 500, fraction="0.001", tag="rest")


def trade(
    closes: list[int] = WAVE,
    *,
    exchange: Mapping[str, object] | None = None,
    risk: Mapping[str, object] | None = None,
    unguarded: bool = False,
    volume: int = 1000,
    **settings: object,
) -> StrategyRun:
    bars = bars_from_closes(closes, interval_ns=HOUR_NS, volume=volume)
    table = {"account": "margin", **(exchange or {})}
    return run_strategy(Swing, bars, exchange=table, risk=risk, unguarded=unguarded, **settings)


def check_sharpe_follows_the_market() -> None:
    there, back = trade().report, trade([20_000 - price for price in WAVE]).report
    first, second = there.ratios.sharpe.value, back.ratios.sharpe.value
    assert first is not None and second is not None
    assert first != second
    assert (first > 0) == (there.net_pnl > 0)


def check_fees_are_charged() -> None:
    run = trade(exchange={"fees": {"maker": Decimal("0.0005"), "taker": Decimal("0.002")}})
    assert len(run.fills) > 4
    for fill in run.fills:
        rate = Decimal("0.0005") if fill.maker else Decimal("0.002")
        assert fill.fee_units == (fill.cost_units * rate).to_integral_value(ROUND_CEILING)
    flows = sum(fill.cost_units * (1 if fill.side == "sell" else -1) - fill.fee_units for fill in run.fills)
    held = sum(Decimal(p.quantity) * Decimal(p.mark) for p in run.report.positions if p.mark is not None)
    assert run.end_equity == 100_000 + Decimal(flows) / 10**8 + held
    assert run.report.fee_total == Decimal(sum(fill.fee_units for fill in run.fills)) / 10**8


#: more than the account can carry at leverage 1
LARGE: dict[str, Any] = {"unguarded": True, "fraction": Decimal(2), "risk": {"max_notional": Decimal(10**6)}}
#: a setting of the simulated exchange -> another value for it, and the circumstances it matters in
SIM_CHANGES: dict[str, tuple[Mapping[str, object], Mapping[str, Any]]] = {
    "balances": ({"balances": {"USDT": Decimal(50_000)}}, {}),
    "fees": ({"fees": {"maker": Decimal(0), "taker": Decimal(0)}}, {}),
    "account": ({"account": "spot"}, {}),
    "leverage": ({"leverage": Decimal(1)}, LARGE),
    "fill_profile": ({"fill_profile": "compat-backtesting"}, {}),
    "spread": ({"spread": Decimal("0.01")}, {}),
    "slippage": ({"slippage": Decimal("0.01")}, {}),
    "participation": ({"participation": Decimal("0.00001")}, {}),
    "latency": ({"latency": "59m"}, {}),
}


#: settings of the simulated exchange that another test changes: what is played (the plugin's test_made_up.py, and
#: another history below), and what only a running bot looks at (the plugin's test_stream.py)
ELSEWHERE = {"history", "market", "interval", "bars", "speed", "jitter"}


def result(run: StrategyRun) -> tuple[object, ...]:
    return (run.record.row.result_hash, run.end_equity, tuple(run.denied.items()))


def check_exchange_setting(name: str) -> None:
    change, circumstances = SIM_CHANGES[name]
    before = result(trade(**circumstances))
    assert result(trade(exchange=change, **circumstances)) != before, f"the setting {name} changes nothing"


#: a limit -> a value tight enough that the market above runs into it, and the rule that must say so
LIMIT_CHANGES: dict[str, tuple[object, str]] = {
    "position": (Decimal("0.001"), "position"),
    "drawdown": (Decimal("0.00001"), "drawdown"),
    "stop_distance": (Decimal("0.001"), "stop_cover"),
    "collar": (Decimal("0.03"), "stop_cover"),
    "open_orders": (1, "open_orders"),
    "open_orders_per_symbol": (1, "open_orders_per_symbol"),
    "max_notional": (Decimal(10), "max_notional"),
    "orders_per_second": (1, "order_rate"),
    "duplicate_window_s": (Decimal(10**9), "duplicate"),
}


def check_limit(name: str) -> None:
    value, rule = LIMIT_CHANGES[name]
    before, after = trade().denied, trade(risk={name: value}).denied
    assert after.get(rule, 0) > before.get(rule, 0), f"tightening {name} denies nothing by {rule}"


def test_every_setting_is_looked_at() -> None:
    assert {field.name for field in attrs.fields(sim_settings.SimSettings)} == {*SIM_CHANGES, *ELSEWHERE}
    names = {field.name for field in attrs.fields(risk_settings.RiskDefaultSettings)}
    assert names == {field.name for field in attrs.fields(Limits)} == set(LIMIT_CHANGES)


@pytest.mark.parametrize("check", [check_sharpe_follows_the_market, check_fees_are_charged])
def test_figures_follow_what_happened(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("name", sorted(SIM_CHANGES))
def test_every_exchange_setting_changes_the_outcome(name: str) -> None:
    check_exchange_setting(name)


@pytest.mark.parametrize("name", sorted(LIMIT_CHANGES))
def test_every_limit_denies_what_exceeds_it(name: str) -> None:
    check_limit(name)


def test_the_pace_of_a_running_bot_is_not_a_backtests() -> None:
    assert result(trade(exchange={"speed": Decimal(60), "jitter": "50ms"})) == result(trade())


def test_another_history_is_another_outcome() -> None:
    assert result(trade([*WAVE, 14_100])) != result(trade())


def test_a_planted_constant_sharpe_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "sharpe", lambda returns: metrics.Stat(1.5))
    with pytest.raises(AssertionError):
        check_sharpe_follows_the_market()


def test_a_planted_skipped_fee_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from bot4_core.engine.account import Account

    real = Account.apply_fill

    def free(self: Account, index: int, side: Any, lots: int, cost: int, fee: int, in_base: bool, ts: int) -> Any:
        return real(self, index, side, lots, cost, 0, in_base, ts)

    monkeypatch.setattr(Account, "apply_fill", free)
    with pytest.raises(ExchangeError, match="our books say"):  # the run itself compares its books with the exchange's
        check_fees_are_charged()


@pytest.mark.parametrize("name", sorted(SIM_CHANGES))
def test_a_planted_ignored_exchange_setting_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = assemble._create
    default = attrs.fields_dict(sim_settings.SimSettings)[name].default
    kept = {"balances": {"USDT": Decimal(100_000)}, "account": "margin"}.get(name)

    def deaf(plugin: str, factory: object, settings: Any, services: Any) -> object:
        if isinstance(settings, sim_settings.SimSettings):
            value = kept if kept is not None else default
            if isinstance(value, attrs.Factory):
                value = value.factory()
            settings = attrs.evolve(settings, **{name: value})
        return real(plugin, factory, settings, services)

    monkeypatch.setattr(assemble, "_create", deaf)
    with pytest.raises(AssertionError, match=f"the setting {name} changes nothing"):
        check_exchange_setting(name)


@pytest.mark.parametrize("name", sorted(LIMIT_CHANGES))
def test_a_planted_ignored_limit_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Limits.tightened

    def deaf(self: Limits, wanted: Mapping[str, object], path: str = "$") -> Limits:
        return real(self, {key: value for key, value in wanted.items() if key != name}, path)

    monkeypatch.setattr(Limits, "tightened", deaf)
    with pytest.raises(AssertionError, match=f"tightening {name} denies nothing"):
        check_limit(name)


def test_a_position_that_forgets_its_fee_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Position.apply

    def free(self: Position, side: Any, lots: int, cost: int, fee: int, ts: int) -> Any:
        return real(self, side, lots, cost, 0, ts)

    monkeypatch.setattr(Position, "apply", free)
    run = trade()
    change = run.end_equity - 100_000
    booked = Decimal(sum(each.pnl_units for each in run.trades)) / 10**8
    assert booked != change
