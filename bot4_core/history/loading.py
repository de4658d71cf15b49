"""Turns a table of candles, trades or recorded ticks into event records; prices exact, volumes rounded and counted."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attrs import Factory, define, frozen

from ..domain.event import EVENT_DTYPE, Flag, Kind
from ..domain.instrument import Instrument
from ..errors import HistoryError
from .decimals import Ints, Mask, Scaled, parse_column, scale_column
from .findings import Findings, infer_interval
from .layout import Layout, Shape, recognise
from .listing import plain
from .records import Events
from .table import Chunk, Table, line_of, open_table
from .times import TimeReader

Texts = npt.NDArray[np.str_]
Progress = Callable[[int], None]

_TRUE, _FALSE = ("true", "1", "t"), ("false", "0", "f")
_SELL, _BUY = ("sell", "s", "ask"), ("buy", "b", "bid")


class OffTick(Enum):
    """What happens to a price that is no multiple of the instrument's tick."""

    REFUSE = "refuse"
    LIST = "list"
    ROUND = "round"


@frozen(kw_only=True, eq=False)
class Loaded:
    """A table as records, in the order of the file.

    Attributes:
        events: the readable rows of this instrument; bars carry their close as ts.
        rows: their row numbers, from 1.
        rounded: how many volumes of each row were rounded.
        findings: rows that could not be read.
        interval_ns: length of a bar, 0 for ticks.
        inferred: the interval was read off the data.
        skipped: rows of other symbols or markets.
        notes: what the user should know about the reading.
    """

    events: Events
    rows: Ints
    rounded: Ints
    findings: Findings
    interval_ns: int
    inferred: bool
    skipped: int
    notes: tuple[str, ...]


@frozen(kw_only=True)
class Selection:
    """Which rows to take and how to read them.

    Attributes:
        instrument: whose ticks and volume units to use.
        ticker: the venue's symbol, where the table has a symbol column; the instrument's symbol is tried as well.
        any_symbol: take the rows of whatever symbol, as long as there is only one.
        market_type: ``spot`` or ``um``, for recorded ticks that hold both.
        interval_ns: length of a bar; 0: the most frequent step of the data.
        bar_time: ``open`` or ``close``; empty: as the column says, else open.
        off_tick: what to do with a price between two ticks.
        now_ns: the present, UTC nanoseconds.
    """

    instrument: Instrument
    now_ns: int
    ticker: str = ""
    any_symbol: bool = False
    market_type: str = ""
    interval_ns: int = 0
    bar_time: str = ""
    off_tick: OffTick = OffTick.REFUSE


def load(path: Path, selection: Selection, progress: Progress | None = None) -> Loaded:
    """Reads a CSV or Parquet file.

    Args:
        path: the file.
        selection: which rows, and how.
        progress: called with the number of rows read so far.

    Raises:
        HistoryError: for a file that cannot be read at all, holds nothing of the instrument, or has a price off the
            tick under ``OffTick.REFUSE``.
    """
    table = open_table(path)
    try:
        layout = recognise(table.columns, selection.bar_time)
    except HistoryError as error:
        raise HistoryError(f"{path}: {error}") from error
    return _Loading(path, table, layout, selection).run(progress)


def markets_in(path: Path) -> tuple[str, ...]:
    """The markets that a file of recorded ticks holds, sorted; nothing for every other file."""
    table = open_table(path)
    try:
        layout = recognise(table.columns)
    except HistoryError as error:
        raise HistoryError(f"{path}: {error}") from error
    if layout.shape is not Shape.TICKS:
        return ()
    name = layout.columns["market"]
    found: set[str] = set()
    for chunk in table.chunks([name]):
        found.update(np.unique(chunk.columns[name]).tolist())
    return tuple(sorted(found - {"?"}))


@define(eq=False)
class _Block:
    """The chosen rows of one chunk while they become records."""

    texts: dict[str, Texts]
    rows: Ints
    selection: Selection
    events: Events
    rounded: Ints
    bad: dict[int, tuple[str, str]] = Factory(dict)

    def note(self, position: int, kind: str, what: str) -> None:
        self.bad.setdefault(position, (kind, what))

    def scaled(self, role: str, at: Ints, step: Fraction, word: str) -> Scaled:
        texts = self.texts[role][at]
        column = parse_column(texts)
        result = scale_column(column, step)
        for index in np.flatnonzero(result.unfit).tolist():
            reason = "is no plain number" if column.unreadable[index] else "does not fit 64 bits"
            self.note(int(at[index]), "unreadable", f"{word} {str(texts[index])[:40]!r} {reason}")
        return result

    def prices(self, role: str, at: Ints) -> Ints:
        instrument = self.selection.instrument
        result = self.scaled(role, at, Fraction(instrument.tick), role)
        if self.selection.off_tick is not OffTick.ROUND:
            for index in np.flatnonzero(result.inexact).tolist():
                text = self.texts[role][at[index]]
                what = f"{role} {text} is no multiple of the tick {instrument.tick} of {instrument.symbol}"
                self.note(int(at[index]), "off tick", what)
        return result.units

    def volumes(self, role: str, at: Ints, word: str) -> Ints:
        result = self.scaled(role, at, Fraction(1, 10**self.selection.instrument.volume_scale), word)
        self.rounded[at] += result.inexact
        return result.units

    def whole(self, role: str, at: Ints, word: str) -> Ints:
        result = self.scaled(role, at, Fraction(1), word)
        for index in np.flatnonzero(result.inexact).tolist():
            self.note(int(at[index]), "unreadable", f"{word} {self.texts[role][at[index]]} is no whole number")
        return result.units

    def either(self, role: str, at: Ints, yes: tuple[str, ...], no: tuple[str, ...]) -> Mask:
        texts = np.char.lower(self.texts[role][at])
        result: Mask = np.isin(texts, yes)
        for index in np.flatnonzero(~result & ~np.isin(texts, no)).tolist():
            self.note(int(at[index]), "unreadable", f"{role} {texts[index]!s} is neither {yes[0]} nor {no[0]}")
        return result


class _Loading:
    """One run over a file."""

    def __init__(self, path: Path, table: Table, layout: Layout, selection: Selection) -> None:
        self._path, self._table, self._layout, self._selection = path, table, layout, selection
        self._clock = TimeReader(layout.columns["time"], selection.now_ns)
        self._findings = Findings()
        self._parts: list[tuple[Events, Ints, Ints]] = []
        self._symbols: set[str] = set()
        self._markets: set[str] = set()
        self._skipped = 0
        self._numeric_ids: bool | None = None
        self._tickers = {plain(selection.instrument.symbol), plain(selection.ticker)}

    def run(self, progress: Progress | None) -> Loaded:
        done = 0
        for chunk in self._table.chunks(sorted(set(self._layout.columns.values()))):
            self._take(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done)
        if not any(len(rows) for _, rows, _ in self._parts):
            raise HistoryError(self._nothing())
        events = np.concatenate([part[0] for part in self._parts])
        rows, rounded = (np.concatenate([part[number] for part in self._parts]) for number in (1, 2))
        self._parts.clear()
        interval_ns, inferred = self._interval(events)
        if interval_ns and not self._layout.time_is_close:
            events["ts"] += interval_ns
        return Loaded(
            events=events,
            rows=rows,
            rounded=rounded,
            findings=self._findings,
            interval_ns=interval_ns,
            inferred=inferred,
            skipped=self._skipped,
            notes=self._notes(),
        )

    def _nothing(self) -> str:
        if self._findings.total:
            first = self._findings.problems[0]
            return f"{self._path}: no row can be read; {line_of(first.row)}: {first.what}"
        if self._skipped:
            wanted = " ".join(part for part in (self._selection.market_type, self._selection.instrument.symbol) if part)
            held = ", ".join(sorted(self._markets | self._symbols)[:6])
            return f"{self._path}: no row is of {wanted}; the file holds {held}"
        return f"{self._path}: has a header but no rows"

    def _interval(self, events: Events) -> tuple[int, bool]:
        if self._layout.shape is not Shape.CANDLES:
            return 0, False
        if self._selection.interval_ns:
            return self._selection.interval_ns, False
        interval_ns = infer_interval(events["ts"])
        if interval_ns == 0:
            raise HistoryError(f"{self._path}: one bar alone tells no interval; say --interval")
        return interval_ns, True

    def _notes(self) -> tuple[str, ...]:
        notes = [f"market {self._selection.market_type}"] if self._selection.market_type else []
        if self._layout.shape is Shape.TICKS:
            notes.append("ts is the recorder's clock, the only one that both quotes and trades carry")
        if self._layout.shape is Shape.CANDLES and "volume" not in self._layout.columns:
            notes.append("no volume column: volume 0")
        if self._numeric_ids is False:
            notes.append("trade ids are no numbers: left out")
        return tuple(notes)

    def _take(self, chunk: Chunk) -> None:
        texts = {role: chunk.columns[name] for role, name in self._layout.columns.items()}
        keep = self._chosen(texts)
        keep[list(chunk.ragged)] = True  # a row of another length is wrong whatever it was meant to be
        positions = np.flatnonzero(keep)
        self._skipped += len(chunk) - len(positions)
        block = _Block(
            texts={role: column[positions] for role, column in texts.items()},
            rows=positions + chunk.first_row,
            selection=self._selection,
            events=np.zeros(len(positions), dtype=EVENT_DTYPE),
            rounded=np.zeros(len(positions), dtype=np.int64),
        )
        for index, position in enumerate(positions.tolist()):
            if position in chunk.ragged:
                block.note(index, "unreadable", chunk.ragged[position])
        self._fill(block)
        self._close(block)

    def _chosen(self, texts: dict[str, Texts]) -> Mask:
        keep = np.ones(len(texts["time"]), dtype=np.bool_)
        if "symbol" in texts:
            names = np.unique(texts["symbol"]).tolist()
            self._symbols.update(names[:20])
            if not self._selection.any_symbol:
                keep &= np.isin(texts["symbol"], [name for name in names if plain(name) in self._tickers])
            elif len(self._symbols - {"?"}) > 1:
                raise HistoryError(f"{self._path}: holds {', '.join(sorted(self._symbols)[:6])}: say --symbol")
        if "market" in texts and self._selection.market_type:
            keep &= texts["market"] == self._selection.market_type
            self._markets.update(np.unique(texts["market"]).tolist()[:20])
        return keep

    def _fill(self, block: _Block) -> None:
        if not len(block.rows):
            return
        times, bad = self._clock_read(block.texts["time"])
        for position, what in bad.items():
            block.note(position, "unreadable", what)
        block.events["ts"] = times
        everything = np.arange(len(block.rows), dtype=np.int64)
        if self._layout.shape is Shape.CANDLES:
            _fill_candles(block, everything)
        elif self._layout.shape is Shape.TRADES:
            self._fill_trades(block, everything)
        else:
            self._fill_ticks(block)

    def _clock_read(self, texts: Texts) -> tuple[Ints, dict[int, str]]:
        try:
            return self._clock.read(texts)
        except HistoryError as error:
            raise HistoryError(f"{self._path}: {error}") from error

    def _fill_trades(self, block: _Block, at: Ints) -> None:
        values = block.events["v"]
        block.events["kind"][at] = Kind.TRADE
        values[at, 0] = block.prices("price", at)
        values[at, 1] = block.volumes("quantity", at, "quantity")
        if "id" in block.texts and len(at):
            if self._numeric_ids is None:
                self._numeric_ids = not parse_column(block.texts["id"][at[:1]]).unreadable[0]
            if self._numeric_ids:
                values[at, 2] = block.whole("id", at, "trade id")
        if "receive" in block.texts:
            values[at, 3] = block.whole("receive", at, "receive time")
        sold = np.zeros(len(at), dtype=np.bool_)
        if "side" in block.texts:
            sold = block.either("side", at, _SELL, _BUY)
        elif "maker" in block.texts:  # the buyer waited in the book, so the seller came and took
            sold = block.either("maker", at, _TRUE, _FALSE)
        block.events["flags"][at] = np.where(sold, int(Flag.SELL), 0)

    def _fill_ticks(self, block: _Block) -> None:
        kinds = np.char.lower(block.texts["kind"])
        quotes, trades = np.flatnonzero(kinds == "quote"), np.flatnonzero(kinds == "trade")
        for position in np.flatnonzero(~np.isin(kinds, ("quote", "trade"))).tolist():
            block.note(position, "unreadable", f"kind {kinds[position]!s} is neither quote nor trade")
        values, received = block.events["v"], block.events["ts"]
        self._fill_trades(block, trades)
        values[trades, 3] = received[trades]
        venue_times = block.whole("venue_time", trades, "trade time")
        far = np.abs(venue_times - received[trades] // 1_000_000) > 86_400_000
        for index in np.flatnonzero(far).tolist():
            what = f"trade time {venue_times[index]} ms is more than a day from the recorder's"
            block.note(int(trades[index]), "unreadable", what)
        values[trades, 4] = np.where(far, 0, venue_times) * 1_000_000
        block.events["kind"][quotes] = Kind.QUOTE
        values[quotes, 0] = block.prices("bid", quotes)
        values[quotes, 1] = block.volumes("bid_size", quotes, "bid size")
        values[quotes, 2] = block.prices("ask", quotes)
        values[quotes, 3] = block.volumes("ask_size", quotes, "ask size")
        values[quotes, 4] = received[quotes]
        values[quotes, 5] = block.whole("id", quotes, "update id")

    def _close(self, block: _Block) -> None:
        """Sorts out the bad rows; under REFUSE the first price off its tick ends the import (D-4)."""
        for position in sorted(block.bad):
            kind, what = block.bad[position]
            row = int(block.rows[position])
            if kind == "off tick" and self._selection.off_tick is OffTick.REFUSE:
                hint = "name the instrument as it was listed when these data were made (--instrument)"
                raise HistoryError(f"{self._path}: {line_of(row)}: {what}; {hint}")
            self._findings.add(row, kind, what)
        good = np.ones(len(block.rows), dtype=np.bool_)
        good[list(block.bad)] = False
        self._parts.append((block.events[good], block.rows[good], block.rounded[good]))


def _fill_candles(block: _Block, at: Ints) -> None:
    values = block.events["v"]
    block.events["kind"] = Kind.BAR
    for number, role in enumerate(("open", "high", "low", "close")):
        values[:, number] = block.prices(role, at)
    if "volume" in block.texts:
        values[:, 4] = block.volumes("volume", at, "volume")
    if "trades" in block.texts:
        values[:, 5] = block.whole("trades", at, "trade count")
