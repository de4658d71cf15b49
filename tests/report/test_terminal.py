"""The terminal report: fits, is plain where it must be, and shows what the report holds."""

from __future__ import annotations

import io
import re
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len
from rich.console import Console

from bot4_core.journal.lost import LOST_REASON
from bot4_core.journal.reading import RunRecord
from bot4_core.report.model import build
from bot4_core.report.terminal import render_terminal

from .builder import MINUTE_NS, ONE, START_NS, Script, instrument, lost_script, simulated


def shown(record: RunRecord, width: int = 80, **options: object) -> str:
    stream = io.StringIO()
    render_terminal(build(record), Console(file=stream, width=width, **options))  # type: ignore[arg-type]  # rich's own
    return stream.getvalue()


def halted() -> RunRecord:
    script = Script()
    script.sample(START_NS, 100_000 * ONE)
    script.sample(START_NS + MINUTE_NS, 84_000 * ONE)
    script.halt(START_NS + MINUTE_NS, "killed", "drawdown", "0.16", "0.15")
    reason = "halted: drawdown: 0.16, allowed 0.15"
    return script.record({"reason": reason, "end_equity": "84000", "max_drawdown": "0.16"})


def negative() -> RunRecord:
    script = Script(start_equity=100 * ONE)
    for step in range(50):
        script.sample(START_NS + step * MINUTE_NS, (100 - 5 * step) * ONE, 300 * ONE, 90 * ONE)
    return script.record({"end_equity": "-145", "max_drawdown": "2.45"})


def huge() -> RunRecord:
    script = Script(instrument("SHIB/USDT", tick="0.00000001", lot="1"), start_equity=80_000_000_000 * ONE)
    for step in range(50):
        script.sample(START_NS + step * MINUTE_NS, (80_000_000_000 + step * 12_345_678) * ONE, 10**18, 10**18)
    script.round_trip(START_NS, START_NS + MINUTE_NS, 1200, 1300, 900_000_000_000, 10**9)
    return script.record({"end_equity": "80604938222.12345678", "max_drawdown": "0"})


def foreign() -> RunRecord:
    script = Script(instrument("币安人生/USDT"), bot="боt — ロボット ☃ \x1b[31mred\u202e")
    script.round_trip(START_NS, START_NS + MINUTE_NS, 100, 90, 10_000, 5, tag="[bold]x[/bold] \x1b]0;evil\x07")
    script.deny(START_NS, ("règle [red]", "1\n2", "0", ""))
    script.sample(START_NS, 100_000 * ONE)
    script.sample(START_NS + 1, 100_001 * ONE)
    return script.record({"reason": "finished", "end_equity": "100001"})


RUNS = {
    "seven": lambda: simulated(symbols=7, days=40),
    "empty": lambda: Script().record(),
    "halted": halted,
    "lost": lambda: lost_script().record({"reason": LOST_REASON, "closed_ns": 1}),
    "negative": negative,
    "huge": huge,
    "foreign": foreign,
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("width", [80, 100, 120])
def test_every_line_keeps_within_the_width_and_has_no_codes(name: str, width: int) -> None:
    text = shown(RUNS[name](), width)
    assert "\x1b" not in text
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("width", [20, 300])
def test_a_strange_terminal_gets_80_to_120_columns(width: int) -> None:
    longest = max(cell_len(line) for line in shown(simulated(days=40), width).splitlines())
    assert 60 <= longest <= 120


def test_colour_is_for_terminals_and_for_those_who_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    record = simulated(days=40)
    assert "\x1b[" in shown(record, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(record, force_terminal=True)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", text)


def test_a_terminal_without_unicode_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict", write_through=True)
    render_terminal(build(simulated(days=40)), Console(file=stream, width=80))
    text = raw.getvalue().decode("ascii")
    assert "->" in text
    assert "?" not in text
    assert "@" in text  # the highest block


def test_the_figures_are_those_of_the_report() -> None:
    record = simulated(days=60)
    report = build(record)
    text = shown(record, 100)
    for part in (
        "trend-demo",
        f"{report.end_equity:,.2f}",
        f"{report.ratios.sharpe.value:.2f}".replace("-", "\N{MINUS SIGN}"),
        f"{float(report.max_drawdown) * 100:.2f} %",
        f"{report.fee_total:,.2f}",
        report.result_hash,
        report.info.run_id,
        "60 returns on daily UTC closes, annualised with 365 a year",
        "(B-3)",
        "position 0.02",
        f"bot4 report {report.info.run_id} --html report.html",
    ):
        assert part in text.replace("\u00a0", " "), part
    for denial in report.denials:
        assert re.search(rf"{re.escape(denial.rule)} +{denial.count} ", text)


def test_a_missing_figure_says_why() -> None:
    text = shown(halted())
    assert re.search(r"Sharpe +n/a", text)
    assert "Sharpe, Sortino, VaR 95, CVaR 95: 1 return, at least 20 needed" in re.sub(r"\s+", " ", text)


def test_a_halt_is_in_the_title_and_in_a_table() -> None:
    text = shown(halted())
    assert "halted: drawdown" in text
    assert re.search(r"killed +drawdown +0\.16 +0\.15", text)


def test_foreign_text_cannot_steer_the_terminal() -> None:
    text = shown(foreign(), force_terminal=True, color_system=None)
    assert "\x1b]0" not in text
    assert "\u202e" not in text
    assert "règle [red]" in text
    assert "ロボット" in text


def test_an_unguarded_run_says_so() -> None:
    assert "UNGUARDED" in shown(Script(unguarded=True).record())
    assert "UNGUARDED" not in shown(Script().record())


def test_times_are_utc_unless_asked_otherwise() -> None:
    record = halted()
    assert "2022-08-01 00:00 → 2022-08-01 00:01 UTC" in shown(record, 100)
    stream = io.StringIO()
    render_terminal(build(record), Console(file=stream, width=100), ZoneInfo("Asia/Kolkata"))
    assert "2022-08-01 05:30 → 2022-08-01 05:31 Asia/Kolkata" in stream.getvalue()


def test_buy_and_hold_is_said_to_start_at_the_first_sample() -> None:
    text = " ".join(shown(simulated(days=40), width=120).split())
    assert "each held from its price in the first equity sample that has one, no fees" in text


def test_a_lost_run_states_no_money_that_nobody_knows() -> None:
    script = lost_script()
    script.sample(START_NS, 100_000 * ONE)
    text = shown(script.record({"reason": LOST_REASON, "closed_ns": 1}), 100)
    for figure in ("end", "net P&L", "return", "max drawdown"):
        assert re.search(rf"\b{re.escape(figure)} +n/a", text), figure
    assert re.search(r"last known +100,000\.00 ", text)
    assert re.search(r"known at +22-08-01 00:00 ", text)
    assert re.search(r"realised +\+10\.00", text)
    assert "end, net P&L, return, a year, Calmar: the journal has no figures of the run's end" in " ".join(text.split())
    assert "recorded: 2022-08-01 00:00 → 2022-08-01 00:02 UTC (2 m, bars of 5 m)" in text
    assert re.search(r"Open at the last record\n +quantity.*\n BTC/USDT +0\.003 +20,000 +— +—", text)
    assert "no curve: 1 equity sample\n" in text
    assert "in 3 fills" in text


def test_a_run_that_recorded_nothing_has_no_period_and_no_wall_time() -> None:
    text = shown(Script().record())
    assert "no event of the market is recorded (bars of 5 m)" in text
    assert "0 s" not in text
    assert "in 0 fills" in text
