"""The page: one file, nothing loaded, every foreign text inert, and the figures of the report in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bot4_core.errors import ConfigError
from bot4_core.journal.lost import LOST_REASON
from bot4_core.report import page
from bot4_core.report.model import build
from bot4_core.report.page import render_html, write_html

from .builder import ONE, START_NS, Script, instrument, lost_script, simulated
from .test_terminal import RUNS

VOID = {"meta", "input", "br", "img"}


class Seen(HTMLParser):
    """Collects tags, attributes and the text of scripts and styles; notices tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.content: dict[str, list[str]] = {}
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            self.content.setdefault(self.open[-1], []).append(data)
        else:
            self.text += data


@pytest.mark.parametrize("name", RUNS)
def test_every_kind_of_run_makes_a_whole_page(name: str) -> None:
    seen = Seen(render_html(build(RUNS[name]())))
    assert seen.open == []
    assert [tag for tag, _ in seen.tags].count("h1") == 1


def test_the_page_loads_nothing_and_allows_only_its_own_script_and_style() -> None:
    text = render_html(build(simulated(days=40)))
    seen = Seen(text)
    for tag, attributes in seen.tags:
        assert not {"src", "href", "srcset", "action", "style"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")], tag
    assert not re.search(r"url\(|@import|https?://", text)
    (policy,) = (a["content"] for t, a in seen.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    _, script = seen.content["script"]
    (style,) = seen.content["style"]
    for kind, body in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"&</textarea>{{7*7}}"


def test_text_of_strangers_stays_text_everywhere() -> None:
    script = Script(
        instrument("<script>alert(1)<script>/USDT"),
        bot=EVIL,
        run_id=EVIL,
        config=f"# {EVIL}\n</pre>",
        fill_rules={EVIL: EVIL},
        limits={EVIL: EVIL},
        versions={EVIL: EVIL},
        strategies={EVIL: EVIL},
    )
    script.round_trip(START_NS, START_NS + 10, 100, 90, 10_000, 5, tag=EVIL)
    script.deny(START_NS + 11, (EVIL, EVIL, EVIL, EVIL))
    script.halt(START_NS + 12, EVIL, EVIL, EVIL, EVIL)
    script.sample(START_NS, 100_000 * ONE)
    script.sample(START_NS + 60, 100_001 * ONE)
    positions = [{"symbol": EVIL, "quantity": "1"}]
    text = render_html(build(script.record({"reason": EVIL, "open_positions": positions})))
    seen = Seen(text)
    tags = [tag for tag, _ in seen.tags]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert "textarea" not in tags
    assert "{{7*7}}" in seen.text
    assert seen.text.count("<script>alert(1)</script>") >= 12
    assert "<script>alert" not in text


def test_the_data_block_cannot_be_left() -> None:
    report = build(simulated(days=40))
    data, _ = Seen(render_html(report)).content["script"]
    points = json.loads(data)
    assert len(points["x"]) == len(points["equity"]) == len(points["time"]) == len(points["drawdown"])
    assert points["x"][0] == 0
    assert points["x"][-1] == 1000
    assert points["equity"][-1] == f"{int(report.curve.equity[-1]) / ONE:,.2f}"
    assert "<" not in data


def test_the_figures_of_the_report_are_on_the_page() -> None:
    report = build(simulated(days=60, symbols=3))
    text = Seen(render_html(report)).text
    for part in (
        f"{report.end_equity:,.2f}",
        f"{report.ratios.sharpe.value:.2f}".replace("-", "\N{MINUS SIGN}"),
        report.result_hash,
        "60 returns on daily UTC closes",
        "(B-3)",
        'use = "./trend.py:Trend"',
        *(row.symbol for row in report.instruments),
        *(denial.rule for denial in report.denials),
    ):
        assert part in text, part


def test_a_long_run_shows_its_last_trades_and_says_how_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_TRADES", 10)
    report = build(simulated(days=60))
    text = render_html(report)
    assert f"the last 10 of {len(report.trades)}" in text
    body = text.split('<table id="trades"')[1].split("</table>")[0]
    assert body.count("<tr>") == 11
    assert f'<td class="n">{len(report.trades)}</td>' in body
    assert '<td class="n">1</td>' not in body


def test_the_page_replaces_an_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    write_html(build(simulated(days=31)), target)
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(ConfigError, match="does not exist"):
        write_html(build(simulated(days=31)), tmp_path / "no" / "report.html")


def test_a_big_run_makes_a_page_of_bounded_size() -> None:
    assert len(render_html(build(simulated(symbols=7, days=400)))) < 2_000_000


def test_a_lost_run_states_no_money_that_nobody_knows() -> None:
    page = render_html(build(lost_script().record({"reason": LOST_REASON, "closed_ns": 1})))
    assert "Open at the last record" in page
    assert "No curve: 0 equity samples." in page
    assert page.count("n/a</strong>") == 4  # net P&L, return, max drawdown, Sharpe
