"""What ``bot4 status`` prints for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..domain.money import from_units
from ..native.latch import LatchInfo, Mode
from ..report import wording as w
from ..report.blocks import bar
from ..state.board import Manifest, Snapshot
from .sight import Life, Sight
from .status_data import PPB, age, backlog, counted, explain, held, troubles

_BAR = 20
#: below this width the list of bots leaves out what `bot4 status BOT` shows too
_WIDE = 100
_SHOWN_RULES = 6
_LIFE_STYLE = {Life.RUNNING: "bold green", Life.STARTING: "green", Life.STOPPING: "yellow", Life.SILENT: "bold red",
               Life.FAILED: "bold red", Life.DIED: "bold red"}  # fmt: skip
MEANING = {
    Mode.ACTIVE: "everything is allowed",
    Mode.REDUCE_ONLY: "only orders that shrink a position, and cancels",
    Mode.CANCEL_ONLY: "only cancels",
    Mode.KILLED: "no new risk; entries are cancelled, stops and positions stay",
}


def render_list(sights: Sequence[Sight], width: int) -> RenderableType:
    """One line per bot, and below it what needs a word."""
    if not sights:
        return Text("no bot has started here yet; `bot4 run BOT.toml` starts one")
    wide = width >= _WIDE
    columns: dict[str, Any] = {"bot": "left", "state": "left", "mode": "left", "latch": "left"}
    columns |= {"beat": "right"} if wide else {}  # the state judges it
    columns |= {"equity": "right", "drawdown": "right", "pos": "right", "working": "right"}
    columns |= {"last run (UTC)": "left"} if wide else {}
    table = _table(columns)
    words: list[Text] = []
    for sight in sights:
        cells = _row(sight)
        table.add_row(*(cells[name] for name in columns))
        if explanation := explain(sight):
            words.append(Text(f"{_plain(sight.name)}: {w.printable(explanation, 300)}", style=_style(sight.life)))
        words += [Text(f"{_plain(sight.name)}: {w.printable(one, 300)}", style="bold red") for one in troubles(sight)]
    return Group(table, *([Text(), *words] if words else []))


def _row(sight: Sight) -> dict[str, Text]:
    manifest, now = sight.manifest, sight.snapshot
    latched = sight.latch.mode is not Mode.ACTIVE
    cells = {
        "bot": Text(_plain(sight.name), style="bold", overflow="ellipsis"),
        "state": Text(sight.life.value, style=_style(sight.life)),
        "mode": Text(_plain(manifest.mode), style="bold yellow" if manifest.mode == "live" else "")
        if manifest is not None
        else Text("—"),
        "latch": Text(_mode(sight.latch.mode), style="bold red" if latched else ""),
        "beat": Text(age(sight.beat_age_ns) if sight.running else "—"),
        "last run (UTC)": Text(w.short_clock(manifest.started_ns, UTC) if manifest is not None else "—"),
    }
    if manifest is None or now is None or not now.version:
        return cells | {name: Text("—") for name in ("equity", "drawdown", "pos", "working")}
    shown = held(now)
    bare = any(one.uncovered_lots for one in shown)
    return cells | {
        "equity": Text(_money(now.equity_units, manifest)),
        "drawdown": Text(w.percent(Decimal(now.drawdown_ppb) / PPB)),
        "pos": Text(f"{len(shown)}{' !' if bare else ''}", style="bold red" if bare else ""),
        "working": Text(str(now.working_orders)),
    }


def render_one(sight: Sight, now_ns: int) -> RenderableType:
    """The full picture of one bot.

    Args:
        sight: of it.
        now_ns: UTC ns, for ages.
    """
    parts: list[RenderableType] = [_head(sight, now_ns), Text()]
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(no_wrap=True, style="bold cyan")
    facts.add_column(overflow="fold")  # a path is shown whole
    for name, text in _facts(sight, now_ns):
        facts.add_row(name, text)
    parts.append(facts)
    if sight.manifest is not None and sight.snapshot is not None and sight.snapshot.version:
        parts += [Text(), _positions(sight.manifest, sight.snapshot), Text(), _latency(sight.snapshot)]
    return Group(*parts)


def _head(sight: Sight, now_ns: int) -> Text:
    head = Text().append(_plain(sight.name), style="bold").append(f"  {sight.life.value}", style=_style(sight.life))
    manifest = sight.manifest
    if manifest is not None:
        head.append(f"  {_plain(manifest.mode)}", style="bold yellow" if manifest.mode == "live" else "")
        head.append(f"  run {_plain(manifest.run_id)}")
    if sight.running and manifest is not None and not sight.trouble:
        head.append(f"  up {w.duration(max(now_ns - manifest.started_ns, 0))}")
    if explanation := explain(sight):
        head.append(f"\n{w.printable(explanation, 300)}", style=_style(sight.life))
    for one in troubles(sight):
        head.append(f"\n{w.printable(one, 300)}", style="bold red")
    return head


def _facts(sight: Sight, now_ns: int) -> Iterable[tuple[str, Text]]:
    manifest, now = sight.manifest, sight.snapshot
    yield "latch", _latch(sight, now_ns)
    if manifest is None or now is None:
        return
    if sight.running:
        late = _short(now.loop_lag_ns)
        yield "process", Text(f"{sight.pid}, heartbeat {age(sight.beat_age_ns)} ago, loop {late} late")
    else:
        yield "note", Text("what follows is what its last run showed last", "yellow")
    if now.version:
        market = f"{w.iso_utc(now.market_ns)}" if now.market_ns else "no event yet"
        yield "market", Text(f"{market}; {counted(now.events, 'event')}, {counted(now.wakes, 'wake')}")
        yield "equity", _equity(manifest, now)
        yield "drawdown", _drawdown(manifest, now)
        yield "orders", _orders(now)
    yield "recorder", _recorder(now, running=sight.running)
    if manifest.sinks:
        again = f", restarted {counted(now.sink_restarts, 'time')}" if now.sink_restarts else ""
        lost = f", {w.count(now.sinks_lost)} GIVEN UP" if now.sinks_lost else ""
        text = Text(w.printable(", ".join(manifest.sinks), 200)).append(again, style="yellow")
        yield "sinks", text.append(lost, style="bold red")
    yield "config", Text(w.printable(manifest.source, 400))
    yield "journal", Text(w.printable(manifest.journal, 400))
    if not now.consistent:
        yield "note", Text("it was in the middle of writing these figures: they may not belong together", "yellow")


def _latch(sight: Sight, now_ns: int) -> Text:
    latch = sight.latch
    latched = latch.mode is not Mode.ACTIVE
    text = Text().append(_mode(latch.mode), style="bold red" if latched else "green")
    if not latched:
        return text
    text.append(f": {MEANING[latch.mode]}\n{latch_story(latch, now_ns)}\n")
    return text.append(f"release: bot4 resume {_plain(sight.name)}")


def latch_story(latch: LatchInfo, now_ns: int) -> str:
    """Who set it, when, and why; one line."""
    if not latch.ts:
        return w.printable(latch.reason, 500)
    since = f" ({age(now_ns - latch.ts)} ago)" if now_ns >= latch.ts else ""
    named, reason = _plain(latch.who) or "nobody named", w.printable(latch.reason, 500)
    return f"by {named} at {w.clock(latch.ts, UTC)} UTC{since}: {reason}"


def _equity(manifest: Manifest, now: Snapshot) -> Text:
    gain = now.equity_units - manifest.start_equity
    text = Text().append(f"{_money(now.equity_units, manifest)} {_plain(manifest.reporting_asset)}", style="bold")
    text.append(f"  since the start {_money(gain, manifest, sign=True)}", style=_tone(gain))
    return text.append(f", peak {_money(now.peak_units, manifest)}")


def _drawdown(manifest: Manifest, now: Snapshot) -> Text:
    text = Text(w.percent(Decimal(now.drawdown_ppb) / PPB).rjust(8))
    worst = f"worst {w.percent(Decimal(now.max_drawdown_ppb) / PPB)}"
    if manifest.drawdown_limit is None:
        return text.append(f", {worst}; no limit is in force")
    limit = Decimal(manifest.drawdown_limit)
    share = float(Decimal(now.drawdown_ppb) / PPB / limit) if limit > 0 else 1.0
    style = "red" if share > 0.66 else "yellow" if share > 0.33 else "green"
    text.append("  ").append(bar(min(max(share, 0.0), 1.0), _BAR).ljust(_BAR, "·"), style=style)
    return text.append(f"  of {w.plain(limit * 100)} %, {worst}")


def _orders(now: Snapshot) -> Text:
    text = Text(f"{w.count(now.sent)} sent, {counted(now.fills, 'fill')}, {w.count(now.working_orders)} working")
    text.append(f" ({w.count(now.working_entries)} of them entries); {w.count(now.approved)} approved")
    text.append(f", {w.count(now.denied)} denied")
    by_rule: Mapping[str, int] = now.denied_by_rule
    if by_rule:
        top = sorted(by_rule.items(), key=lambda one: (-one[1], one[0]))
        named = ", ".join(f"{_plain(rule)} {w.count(count)}" for rule, count in top[:_SHOWN_RULES])
        text.append(f" ({named}{', …' if len(top) > _SHOWN_RULES else ''})", style="dim")
    return text


def _recorder(now: Snapshot, *, running: bool) -> Text:
    recorder = now.recorder
    if not recorder.pid:
        return Text("not started yet", style="yellow") if running else Text("was never started")
    text = Text(
        f"process {recorder.pid}, beat {age(recorder.heartbeat_age_ns)} ago" if running else "ended with the run"
    )
    if not recorder.store_ok:
        text.append("; ").append("STORE FAILED", style="bold red")
    elif running:
        text.append("; store ok")
    behind = backlog(now)
    waits = f"{counted(behind, 'record')} behind" if running else f"{counted(behind, 'record')} not stored yet"
    text.append("; ").append(waits if behind else "nothing waits", style="yellow" if behind else "")
    text.append(f", {counted(recorder.records, 'record')} in {counted(recorder.batches, 'batch/batches')}")
    if recorder.restarts:
        text.append(f"; restarted {counted(recorder.restarts, 'time')}", style="yellow")
    return text


def _positions(manifest: Manifest, now: Snapshot) -> RenderableType:
    shown = held(now)
    if not shown:
        return Text("no positions", style="dim")
    table = _table({"position": "left", "quantity": "right", "entry": "right", "mark": "right", "unrealised": "right",
                    "uncovered": "right"})  # fmt: skip
    instruments = {one.symbol: one for one in manifest.instruments}
    for one in shown:
        instrument = instruments[one.symbol]
        gain, bare = from_units(one.unrealised_units, instrument.quote_scale), instrument.quantity(one.uncovered_lots)
        mark = w.significant(instrument.price(one.mark_ticks), 9) if one.mark_ticks else "—"
        table.add_row(
            Text(_plain(one.symbol)),
            Text(w.significant(one.quantity, 9)),
            Text(w.significant(one.entry_price, 9)),
            Text(mark),
            Text(w.amount(gain, 2, sign=True), style=_tone(gain)),
            Text(w.significant(bare, 9), style="bold red" if bare else ""),
        )
    return table


def _latency(now: Snapshot) -> RenderableType:
    table = _table({"latency": "left"} | dict.fromkeys(("count", "p50", "p99", "max", "failed"), "right"))
    for stage, one in now.latency.items():
        times = [_short(ns) if one.count else "—" for ns in (one.p50, one.p99, one.max)]
        table.add_row(stage, w.count(one.count), *times, w.count(one.errors))
    return table


def _table(columns: Mapping[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold cyan")
    for name, justify in columns.items():
        table.add_column(name, justify=justify, no_wrap=True)
    return table


def _money(units: int, manifest: Manifest, *, sign: bool = False) -> str:
    places = min(2, manifest.reporting_scale)
    return w.amount(from_units(units, manifest.reporting_scale), places, sign=sign)


def _short(ns: int) -> str:
    """A latency with three digits."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns} ns"


def _mode(mode: Mode) -> str:
    return mode.name.replace("_", "-")


def _tone(gain: Decimal | int) -> str:
    return "green" if gain > 0 else "red" if gain < 0 else ""


def _style(life: Life) -> str:
    return _LIFE_STYLE.get(life, "")


def _plain(text: str) -> str:
    return w.printable(text, 64)
