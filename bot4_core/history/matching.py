"""Matches files to instruments: which symbol, venue and market the rows of a file belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from ..domain.instrument import Instrument
from ..errors import ConfigError
from .file import SUFFIX
from .listing import Listing, choose_listing, plain, symbol_in_name
from .loading import Selection, markets_in
from .table import open_table

_ENDINGS = (".gz", ".csv", ".txt", ".parquet", SUFFIX)


@frozen(kw_only=True)
class Choice:
    """How the user narrowed files down to instruments and rows.

    Attributes:
        symbols: the instruments wanted; empty: as the file names tell.
        venue: a venue of the instrument source; empty: as the file names tell.
        market_type: ``spot`` or ``um``; None: all that a file holds.
        interval: length of a bar, nanoseconds; None: read off the data.
        bar_time: ``open`` or ``close``; None: as the column says.
    """

    symbols: tuple[str, ...]
    venue: str
    market_type: str | None
    interval: int | None
    bar_time: str | None

    def selection(self, instrument: Instrument, ticker: str, market_type: str, now_ns: int) -> Selection:
        """The reading of one part of a file."""
        return Selection(
            instrument=instrument,
            now_ns=now_ns,
            ticker=ticker,
            market_type=market_type,
            interval_ns=self.interval or 0,
            bar_time=self.bar_time or "",
        )


@frozen
class Part:
    """One instrument's rows of one file.

    Attributes:
        path: the file.
        listing: the instrument.
        market_type: the rows of which market, where the file holds several.
        suffix: what tells this part's name from its siblings', as ``-um``.
    """

    path: Path
    listing: Listing
    market_type: str
    suffix: str


def stem_of(path: Path) -> str:
    """A file's name without its endings: ``x_btcusdt_5m`` of ``x_btcusdt_5m.csv.gz``."""
    name = path.name
    while name.lower().endswith(_ENDINGS):
        name = name.rpartition(".")[0]
    return name


def parts_of(path: Path, listings: Sequence[Listing], choice: Choice) -> Iterator[Part]:
    """What a file is imported as: one part per symbol and, for recorded ticks, per market.

    Raises:
        HistoryError: when the file cannot be read.
        ConfigError: when it does not become clear which instruments are meant.
    """
    markets = markets_in(path)
    if markets and choice.market_type:
        if choice.market_type not in markets:
            raise ConfigError(f"{path}: holds no market {choice.market_type}, only {', '.join(markets)}")
        markets = (choice.market_type,)
    venue = choice.venue or _venue_in_name(listings, path)
    symbols = _symbols(path, listings, choice, venue)
    for market in markets or ("",):
        for symbol in symbols:
            listing = choose_listing(
                listings, symbol=symbol, venue=venue, market_type=market or choice.market_type or ""
            )
            several = [market] if len(markets) > 1 else []
            several += [plain(listing.symbol).lower()] if len(symbols) > 1 else []
            yield Part(path, listing, market, "".join(f"-{part}" for part in several))


def _symbols(path: Path, listings: Sequence[Listing], choice: Choice, venue: str) -> tuple[str, ...]:
    if len(choice.symbols) == 1:
        return choice.symbols
    wanted = {plain(symbol) for symbol in choice.symbols}
    known = [
        item
        for item in listings
        if (not venue or item.venue == venue) and (not wanted or wanted & {plain(item.symbol), plain(item.ticker)})
    ]
    named = symbol_in_name(known, stem_of(path))
    if named:
        return (named,)
    if choice.symbols and "symbol" in open_table(path).columns:
        return choice.symbols
    if len({item.symbol for item in known}) == 1:
        return (known[0].symbol,)
    raise ConfigError(f"{path}: the file name does not tell which instrument this is; say --symbol BASE/QUOTE")


def _venue_in_name(listings: Iterable[Listing], path: Path) -> str:
    parts = set(stem_of(path).lower().replace("-", "_").split("_"))
    found = {item.venue for item in listings if item.venue in parts}
    return found.pop() if len(found) == 1 else ""
