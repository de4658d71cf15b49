"""The report on a terminal: 80 to 120 columns, colour and blocks where they can be shown, plain text where not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, tzinfo
from decimal import Decimal

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from . import wording as w
from .blocks import TO_ASCII, bar, block_rows, resample, resample_extreme
from .figures import (
    Figure,
    annualisation,
    costs,
    key_figures,
    missing,
    open_title,
    period,
    rules_in_force,
    sign_of,
)
from .model import Report
from .trades import Trade

MIN_WIDTH, MAX_WIDTH = 80, 120
_EQUITY_ROWS = 5
_SHOWN_TRADES = 3
_MARGIN = 1
#: columns enough for any command
_WHOLE_LINE = 10_000
#: Room of the blocks of key figures: amounts are long.
_BLOCK_SHARES = (0.36, 0.32, 0.32)
_TONE = {1: "green", -1: "red", 0: ""}


def render_terminal(report: Report, console: Console, zone: tzinfo = UTC, db: str = "") -> None:
    """Prints the report.

    Args:
        report: from ``model.build``.
        console: decides about colour, width and encoding; the text keeps within 80 to 120 columns, but for
            the commands at its end.
        zone: of the times shown.
        db: option that the commands under "next" need to find the run, as `` --db sqlite:///runs.db``.
    """
    width = min(max(console.width, MIN_WIDTH), MAX_WIDTH)
    body = Padding(Group(*_sections(report, width - 2 * _MARGIN, zone)), (0, _MARGIN))
    print_plainly(console, body, width)
    print_plainly(console, _next(report, db), _WHOLE_LINE)


def print_plainly(console: Console, body: RenderableType, width: int | None = None) -> None:
    """Prints without blanks at line ends, and with ASCII signs where the encoding has no others."""
    before = console.width
    console.width = width or before  # print() itself only takes less than the terminal has
    with console.capture() as capture:
        console.print(body)
    console.width = before
    text = "\n".join(line.rstrip() for line in capture.get().split("\n"))
    if console.options.ascii_only:
        text = text.translate(TO_ASCII).encode("ascii", "replace").decode("ascii")
    console.file.write(text)


def _sections(report: Report, width: int, zone: tzinfo) -> Iterable[RenderableType]:
    yield from _head(report, zone)
    yield _curves(report, width)
    yield Text()
    yield _figures(report, width, zone)
    parts: tuple[tuple[str, Callable[[], RenderableType | None]], ...] = (
        ("Instruments", lambda: _instruments(report)),
        ("Trades", lambda: _trades(report, width, zone)),
        ("Denied by the gate", lambda: _denials(report, width, zone)),
        ("Stopped", lambda: _halts(report, zone)),
        ("Costs", lambda: _pairs(costs(report))),
        (open_title(report), lambda: _positions(report)),
        ("Fill rules in force", lambda: _pairs(rules_in_force(report))),
        ("Limits in force", lambda: _limits(report)),
        ("How it was measured", lambda: _pairs(annualisation(report))),
        ("Run", lambda: _run(report)),
    )
    for title, part in parts:
        shown = part()
        if shown is not None:
            yield Text()
            yield Text(title, style="bold cyan")
            yield shown


def _head(report: Report, zone: tzinfo) -> Iterable[RenderableType]:
    info = report.info
    title = Text(w.printable(info.bot, 40), style="bold")
    title.append(f"  {info.mode}  ", style="dim")
    title.append(w.printable(report.reason, 90), style="green" if report.reason == "finished" else "bold yellow")
    yield Text()
    yield title
    symbols = [w.printable(row.symbol, 20) for row in report.instruments]
    named = ", ".join(symbols[:7]) + (f" and {len(symbols) - 7} more" if len(symbols) > 7 else "")
    yield Text(period(report, zone, "→"), style="dim")
    yield Text(named, style="dim")
    if info.unguarded:
        yield Text("UNGUARDED: the core's position, drawdown and stop limits were switched off", style="bold red")
    yield Text()


def _curves(report: Report, width: int) -> RenderableType:
    """Equity in several rows, the other curves in one each, all over the same time."""
    places = w.places_for(report.start_equity, report.info.reporting_scale)
    curve = report.curve
    if len(curve.ts) < 2:
        return Text(f"no curve: {w.counted(len(curve.ts), 'equity sample')}", style="dim")
    chart = width - 14 - 21
    grid = Table.grid(padding=(0, 1), pad_edge=False)
    for column in (13, chart, 20):
        grid.add_column(width=column, no_wrap=True)

    def money(units: int, *, digits: int = places) -> str:
        return w.amount(Decimal(units).scaleb(-report.info.reporting_scale), digits)

    low, high = int(curve.equity.min()), int(curve.equity.max())
    side = Text(f"{money(high)}\n", style="dim")
    side.append("\n" * (_EQUITY_ROWS - 2) + money(low), style="dim")
    rows = block_rows(resample(curve.equity.tolist(), chart), _EQUITY_ROWS)
    label = Text(f"equity\n{report.asset[:13]}", style="bold")
    label.append(f"\n{w.percent(report.net_return.value, sign=True)}", style=_tone(report.net_pnl))
    add_row(grid, label, Text("\n".join(rows), style="cyan"), side)
    if report.hold is not None:
        line = block_rows(resample(curve.hold.tolist(), chart), 1)[0]
        add_row(grid, "buy and hold", Text(line, style="blue"), w.percent(report.hold.net_return.value, sign=True))
    dips = block_rows(resample_extreme(curve.drawdown.tolist(), chart), 1, low=0.0)[0]
    add_row(grid, "drawdown", Text(dips, style="red"), f"max {w.percent(report.max_drawdown)}")
    risk = block_rows(resample_extreme(curve.exposure.tolist(), chart), 1, low=0.0)[0]
    most = w.percent(report.exposure.max_gross) if report.exposure else "n/a"
    add_row(grid, "exposure", Text(risk, style="magenta"), f"max {most}")
    return grid


def _figures(report: Report, width: int, zone: tzinfo) -> RenderableType:
    blocks = key_figures(report, zone)
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    room = width - 2 * (len(blocks) - 1)
    cells = []
    for (title, figures), share in zip(blocks, _BLOCK_SHARES, strict=True):
        grid.add_column(width=int(room * share))
        table = Table.grid(padding=(0, 1), pad_edge=False, expand=True)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", overflow="fold")
        add_row(table, Text(title, style="bold cyan"), "")
        for figure in figures:
            add_row(table, Text(figure.name, style="dim"), _value(figure))
        cells.append(table)
    grid.add_row(*cells)
    notes = missing(report)
    return Group(grid, *(Text(f"n/a: {note}", style="dim") for note in notes))


def _value(figure: Figure) -> Text:
    return Text(figure.text, style=_TONE[figure.tone])


def add_row(table: Table, *cells: str | Text) -> None:
    """Adds a row; plain strings become Text, because rich would read square brackets in them as markup."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def _table(*columns: tuple[str, str], gap: int = 2) -> Table:
    """A table without lines; columns as (heading, "l" or "r", with "x" for one that may wrap), ``gap`` cells apart."""
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim", show_edge=False)
    for heading, kind in columns:
        table.add_column(heading, justify="right" if "r" in kind else "left", no_wrap="x" not in kind, overflow="fold")
    return table


def _instruments(report: Report) -> RenderableType | None:
    if not report.instruments:
        return None
    table = _table(
        ("", "l"), ("orders", "r"), ("denied", "r"), ("fills", "r"), ("trades", "r"), ("win rate", "r"),
        ("P&L", "r"), ("fees", "r"), ("traded", "r"),
    )  # fmt: skip
    places = w.places_for(report.start_equity, report.info.reporting_scale)
    for row in report.instruments:
        add_row(
            table,
            w.printable(row.symbol, 14),
            w.count(row.orders),
            w.count(row.denied),
            w.count(row.fills),
            w.count(row.trades),
            w.percent(row.win_rate.value, places=1) if row.win_rate.value is not None else "—",
            Text(w.amount(row.pnl, places, sign=True), style=_tone(row.pnl)),
            w.amount(row.fees, places),
            w.amount(row.traded, 0 if abs(row.traded) >= 1000 else places),
        )
    return table


def _trades(report: Report, width: int, zone: tzinfo) -> RenderableType:
    if not report.trades:
        return Text("none was closed", style="dim")
    table = _table(
        ("", "l"), ("exit", "l"), ("", "l"), ("", "l"), ("from", "r"), ("to", "r"), ("P&L", "r"), ("", "r"),
        ("by", "l"),
        gap=2 if width >= 100 else 1,
    )  # fmt: skip
    ordered = sorted(report.trades, key=lambda trade: trade.pnl)
    most = _SHOWN_TRADES
    if len(report.trades) <= 3 * most:
        _add_trades(table, "", report.trades, report, zone)
    else:
        _add_trades(table, "best", ordered[::-1][:most], report, zone)
        _add_trades(table, "worst", ordered[:most], report, zone)
        _add_trades(table, "last", report.trades[-most:], report, zone)
    return table


def _add_trades(table: Table, name: str, trades: Sequence[Trade], report: Report, zone: tzinfo) -> None:
    places = w.places_for(report.start_equity, report.info.reporting_scale)
    for n, trade in enumerate(trades):
        add_row(
            table,
            Text(name if n == 0 else "", style="dim"),
            w.short_clock(trade.exit_ts, zone),
            w.printable(trade.symbol, 12),
            "▲" if trade.side == "long" else "▼",
            w.significant(trade.entry_price, 6),
            w.significant(trade.exit_price, 6),
            Text(w.amount(trade.pnl, places, sign=True), style=_tone(trade.pnl)),
            w.percent(trade.result, sign=True),
            w.printable(trade.reason, 10),
        )


def _denials(report: Report, width: int, zone: tzinfo) -> RenderableType | None:
    if not report.denials:
        return None
    most = max(denial.count for denial in report.denials)
    cells = 10 if width < 100 else 20
    table = _table(
        ("rule", "lx"), ("", "r"), ("", "l"), ("first measured", "rx"), ("limit", "rx"), ("for", "l"), ("at", "l"),
        gap=2 if width >= 100 else 1,
    )  # fmt: skip
    for denial in report.denials:
        unit = f" {denial.unit}" if denial.unit else ""
        add_row(
            table,
            w.printable(denial.rule, 24),
            w.count(denial.count),
            Text(bar(denial.count / most, cells), style="yellow"),
            w.printable(denial.measured + unit, 30),
            w.printable(denial.limit, 20),
            w.printable(denial.symbol, 12),
            w.short_clock(denial.ts, zone),
        )
    attempts = report.denied_orders + report.orders
    sent = "was refused before it was sent" if attempts == 1 else "were refused before they were sent"
    line = f"{w.count(report.denied_orders)} of {w.counted(attempts, 'order')} {sent}"
    return Group(table, Text(line, style="dim"))


def _halts(report: Report, zone: tzinfo) -> RenderableType | None:
    if not report.halts:
        return None
    table = _table(("at", "l"), ("mode", "l"), ("rule", "lx"), ("measured", "rx"), ("limit", "rx"))
    for halt in report.halts:
        row = [halt.mode, halt.rule, halt.measured, halt.limit]
        add_row(table, w.clock(halt.ts, zone), *(w.printable(text, 30) for text in row))
    return table


def _positions(report: Report) -> RenderableType:
    if not report.positions:
        return Text("nothing", style="dim")
    table = _table(("", "l"), ("quantity", "r"), ("entry", "r"), ("marked at", "r"), ("unrealised", "r"))
    places = w.places_for(report.start_equity, report.info.reporting_scale)
    for position in report.positions:
        gain = position.unrealised
        add_row(
            table,
            w.printable(position.symbol, 14),
            w.significant(position.quantity),
            w.significant(position.average_entry),
            w.significant(position.mark),
            Text("—") if gain is None else Text(w.amount(gain, places, sign=True), style=_tone(gain)),
        )
    return table


def _limits(report: Report) -> RenderableType | None:
    if not report.info.limits:
        return None
    limits = (f"{w.printable(name)} {w.printable(value, 40)}" for name, value in report.info.limits.items())
    return Text("  ".join(limit.replace(" ", "\u00a0") for limit in limits))  # a limit stays on one line


def _pairs(rows: Sequence[tuple[str, str]]) -> RenderableType | None:
    if not rows:
        return None
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(max_width=26)
    table.add_column(overflow="fold")
    for name, text in rows:
        add_row(table, Text(w.printable(name, 50), style="dim"), w.printable(text, 400))
    return table


def _run(report: Report) -> RenderableType:
    info = report.info
    rows = [("run id", info.run_id)]
    if report.result_hash:
        rows.append(("result hash", report.result_hash))
    if info.history_hash:
        rows.append(("history hash", info.history_hash))
    rows.append(("seed", str(info.seed)))
    if report.wall_s is not None and report.events is not None and report.wakes is not None:
        speed = f", {w.count(round(report.events_per_s))} a second" if report.events_per_s else ""
        events = f"{w.counted(report.events, 'event')}, {w.counted(report.wakes, 'wake')}"
        rows.append(("replayed", f"{events} in {report.wall_s:.2f} s{speed}"))
    shown = _pairs(rows)
    assert shown is not None  # there is always a run id
    return shown


def _next(report: Report, db: str) -> RenderableType:
    """What can be done now. A command is never folded: whoever copies it wants it whole."""
    run = w.printable(report.info.run_id, 64)
    rows = [
        ("next", f"bot4 report {run}{db} --html report.html"),
        ("", f"bot4 report {run}{db} --csv trades.csv"),
        ("", f"bot4 runs{db}"),
    ]
    return Group(*(Text.assemble((f" {name:<14}", "dim"), command) for name, command in rows))


def _tone(value: Decimal | None) -> str:
    return _TONE[sign_of(value)]
