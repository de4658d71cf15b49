"""The report as data: what it says follows what the journal holds."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pytest

from bot4_core.errors import StoreError
from bot4_core.journal.lost import LOST_REASON
from bot4_core.report import metrics
from bot4_core.report.as_json import to_json
from bot4_core.report.model import NO_END, KnownEquity, build
from bot4_core.report.summary import RUNNING, UNFINISHED

from .builder import MINUTE_NS, ONE, START_NS, Script, instrument, lost_script, simulated

CONTRACT = {
    "run_id", "events", "wakes", "orders", "fills", "trades", "denied", "start_equity", "end_equity", "net_pnl",
    "fees", "max_drawdown", "sharpe", "sortino", "var95", "cvar95", "fill_rate", "wall_s", "events_per_s",
    "result_hash",
}  # fmt: skip


def test_the_json_has_every_key_that_scripts_hold_on_to() -> None:
    found = to_json(build(simulated()))
    assert set(found) >= CONTRACT
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for key in ("start_equity", "end_equity", "net_pnl", "fees", "max_drawdown"):
        assert isinstance(found[key], str)
        Decimal(found[key])


def test_counts_and_amounts_are_those_of_the_journal() -> None:
    record = simulated(symbols=3, days=60)
    found = to_json(build(record))
    sent = [o for o in record.orders if o.state != "denied"]
    assert found["orders"] == len(sent)
    assert found["fills"] == len(record.fills)
    assert found["trades"] == len(record.round_trips)
    assert found["denied"] == {
        rule: sum(e.rule == rule for e in record.risk_events) for rule in {e.rule for e in record.risk_events}
    }
    assert Decimal(str(found["fees"])) == Decimal(sum(f.fee_quote_units for f in record.fills)).scaleb(-8)
    assert Decimal(str(found["net_pnl"])) == Decimal(str(found["end_equity"])) - Decimal(str(found["start_equity"]))
    assert found["result_hash"] == record.row.result_hash


def test_the_sharpe_is_that_of_the_daily_closes() -> None:
    record = simulated(days=60)
    report = build(record)
    _, closes = metrics.day_closes(record.equity.ts, record.equity.equity)
    series = np.concatenate([[record.info.start_equity], closes]).astype(float)
    plain = series[1:] / series[:-1] - 1
    assert report.ratios.returns.basis == "daily UTC closes"
    assert report.ratios.sharpe.value == pytest.approx(plain.mean() / plain.std(ddof=1) * 365**0.5)
    assert build(simulated(days=60, seed=2)).ratios.sharpe.value != report.ratios.sharpe.value


def test_the_parts_of_the_instruments_add_up_to_the_whole() -> None:
    record = simulated(symbols=7, days=60)
    report = build(record)
    assert len(report.instruments) == 7
    assert sum(row.pnl for row in report.instruments) == sum(t.pnl for t in report.trades)
    assert sum(row.fees for row in report.instruments) == report.fee_total
    assert sum(row.traded for row in report.instruments) == report.traded
    assert sum(row.orders for row in report.instruments) == report.orders
    assert sum(row.denied for row in report.instruments) == report.denied_orders


def test_an_order_refused_by_two_rules_counts_in_both_and_once_as_an_order() -> None:
    script = Script()
    script.deny(START_NS, ("position", "0.03", "0.02", ""), ("stop cover", "none", "required", ""))
    script.deny(START_NS + 1, ("position", "0.05", "0.02", ""))
    report = build(script.record())
    assert [(d.rule, d.count, d.measured, d.limit, d.ts) for d in report.denials] == [
        ("position", 2, "0.03", "0.02", START_NS),
        ("stop cover", 1, "none", "required", START_NS),
    ]
    assert report.denied_orders == 2
    assert report.orders == 0
    assert report.fill_rate.note == "no entry was sent"


def test_fill_rate_is_entries_with_a_fill_over_entries_sent() -> None:
    script = Script()
    script.round_trip(START_NS, START_NS + 1, 100, 110, 1000, 0)
    script.intent(START_NS + 2, "buy", 1000)
    script.intent(START_NS + 2, "buy", 1000)
    script.deny(START_NS + 3, ("position", "0.03", "0.02", ""))
    report = build(script.record())
    assert (report.entries, report.entries_filled) == (3, 1)
    assert report.fill_rate.value == pytest.approx(1 / 3)


def test_a_run_without_an_end_is_built_from_its_rows() -> None:
    script = Script()
    opened = script.intent(START_NS, "buy", 300)
    script.fill(START_NS, opened, "buy", 2_000_000, 300, 0)
    script.sample(START_NS, 100_000 * ONE, 60 * ONE)
    script.sample(START_NS + MINUTE_NS, 99_000 * ONE, 60 * ONE)
    report = build(script.record())
    assert report.reason == UNFINISHED
    assert report.last_known == KnownEquity(START_NS + MINUTE_NS, Decimal(99_000))
    assert report.max_drawdown == Decimal("0.01")
    (position,) = report.positions
    assert (position.symbol, position.quantity, position.average_entry) == ("BTC/USDT", Decimal("0.003"), 20_000)
    assert position.mark is None
    assert to_json(report)["result_hash"] == ""


@pytest.mark.parametrize(
    "summary",
    [
        None,
        {"reason": LOST_REASON, "events": 0, "wakes": 0, "closed_ns": 1},  # as bot4 0.1 closed them
        {"reason": LOST_REASON, "closed_ns": 1, "first_ts": START_NS, "last_ts": START_NS + 2 * MINUTE_NS},
    ],
)
def test_of_a_run_without_a_clean_end_only_what_its_rows_prove_is_stated(summary: dict[str, object] | None) -> None:
    report = build(lost_script().record(summary))
    found = to_json(report)
    for key in ("end_equity", "net_pnl", "net_return", "yearly_return", "max_drawdown", "events", "wakes", "turnover",
                "last_known_equity", "last_known_ts", "sharpe"):  # fmt: skip
        assert found[key] is None, key
    assert (found["realised_pnl"], found["fees"], found["fills"]) == ("9.99999986", "0.00000019", 3)
    assert (found["first_ts"], found["last_ts"]) == (START_NS, START_NS + 2 * MINUTE_NS)
    assert [(p.symbol, p.quantity, p.average_entry) for p in report.positions] == [
        ("BTC/USDT", Decimal("0.003"), 20_000)
    ]
    assert report.net_return.note == NO_END


def test_the_last_sample_of_a_lost_run_is_known_but_is_no_end() -> None:
    script = lost_script()
    script.sample(START_NS, 100_000 * ONE)
    found = to_json(build(script.record({"reason": LOST_REASON, "closed_ns": 1})))
    assert (found["last_known_equity"], found["last_known_ts"]) == ("100000.00000000", START_NS)
    assert (found["end_equity"], found["net_pnl"], found["max_drawdown"]) == (None, None, None)


def test_a_run_that_goes_on_says_so() -> None:
    assert build(lost_script().record(), running=True).reason == RUNNING
    assert build(lost_script().record({"reason": "finished", "end_equity": "1"}), running=True).reason == "finished"


def test_an_empty_run_is_a_report_too() -> None:
    report = build(Script().record())
    found = to_json(report)
    assert (found["trades"], found["net_pnl"], found["max_drawdown"]) == (0, None, None)
    assert (found["first_ts"], found["last_ts"], found["realised_pnl"]) == (None, None, "0")
    assert found["sharpe"] is None
    assert found["fill_rate"] is None
    assert report.hold is None
    assert report.water is None


def test_the_exact_drawdown_of_the_engine_wins_over_the_samples() -> None:
    script = Script()
    script.sample(START_NS, 100 * ONE)
    script.sample(START_NS + 1, 99 * ONE)
    assert build(script.record({"max_drawdown": "0.123456789"})).max_drawdown == Decimal("0.123456789")


def test_buy_and_hold_stands_beside_the_result() -> None:
    script = Script(start_equity=100 * ONE)
    for step, hold in enumerate((100, 150, 120)):
        script.sample(START_NS + step, 100 * ONE, 0, hold * ONE)
    hold_ = build(script.record()).hold
    assert hold_ is not None
    assert hold_.end_equity == Decimal(120)
    assert hold_.net_return.value == pytest.approx(0.2)
    assert hold_.max_drawdown == pytest.approx(0.2)


def test_fees_in_several_quote_assets_are_not_added() -> None:
    script = Script(instrument(), instrument("ETH/BTC", tick="0.00001"))
    script.round_trip(START_NS, START_NS + 1, 2_000_000, 2_000_000, 1000, 5)
    script.round_trip(START_NS, START_NS + 1, 7_000, 7_000, 1000, 5, index=1)
    report = build(script.record())
    assert report.fee_total is None
    assert report.turnover.note == "fills in several assets"
    assert [row.asset for row in report.instruments] == ["USDT", "BTC"]


def test_a_summary_that_cannot_be_read_says_so() -> None:
    with pytest.raises(StoreError, match="run the backtest again, or look at another of `bot4 runs`"):
        build(Script().record({"end_equity": "many"}))


def test_a_halt_is_reported_with_its_rule() -> None:
    script = Script()
    script.halt(START_NS, "killed", "drawdown", "0.1502", "0.15")
    report = build(script.record({"reason": "halted: drawdown 0.1502, allowed 0.15"}))
    (halt,) = report.halts
    assert (halt.mode, halt.rule, halt.measured, halt.limit) == ("killed", "drawdown", "0.1502", "0.15")
    assert report.denials == ()
