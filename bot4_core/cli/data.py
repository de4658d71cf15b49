"""``bot4 data``: import, list, check and make market history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from ..domain.instrument import Instrument
from ..domain.money import parse_decimal
from ..errors import Bot4Error, ConfigError, DomainError
from ..history.catalogue import Catalogue, Damaged, gaps_of
from ..history.checking import Report, check_file
from ..history.file import SUFFIX, History, write_history
from ..history.importing import Imported, import_file
from ..history.listing import Listing, choose_listing, plain, read_listings
from ..history.loading import markets_in
from ..history.matching import Choice, parts_of, stem_of
from ..history.synth import Market, synth_market
from ..history.times import parse_interval, parse_time
from .data_text import progress, render_imported, render_list, render_reports
from .output import emit, json_option

_path = click.Path(path_type=Path)


def _checked(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A click callback that turns our refusal of a value into click's, which names the option."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            if isinstance(value, tuple):
                return tuple(parse(item) for item in value)
            return None if value is None else parse(value)
        except (ConfigError, DomainError) as error:
            raise click.BadParameter(str(error), ctx, parameter) from error

    return callback


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_source_options = _options(
    click.option(
        "--symbol", "symbols", multiple=True, metavar="BASE/QUOTE", help="Which instrument; else by file name."
    ),
    click.option("--venue", "--market", "venue", default="", help="Which venue of the instrument file, as binance."),
    click.option("--type", "market_type", type=click.Choice(["spot", "um"]), help="Spot, or USD-margined futures."),
    click.option("--interval", metavar="5m", callback=_checked(parse_interval), help="Length of a bar; else inferred."),
    click.option("--bar-time", type=click.Choice(["open", "close"]), help="What a candle's time means; else open."),
)
_catalogue_option = click.option(
    "--catalogue", type=_path, metavar="DIR", help="Directory of histories; else $BOT4_HISTORY or the data directory."
)


@click.group()
def data() -> None:
    """Import, list, check and make market history.

    A history (NAME.b4h) holds one instrument's bars or ticks with its tick size and filters. Configs and commands
    find it by path, or by name in the catalogue.
    """


@data.command("import")
@click.argument("files", nargs=-1, required=True, type=_path, metavar="FILE...")
@click.option(
    "--instrument",
    "instrument_file",
    required=True,
    type=_path,
    metavar="FILE",
    help="Where tick, lot and filters come from: TOML, JSON, Binance's exchangeInfo, or LEAN's symbol-properties CSV.",
)
@_source_options
@click.option("--volume-scale", type=click.IntRange(0, 18), help="Decimals of traded volume, instead of 8.")
@click.option("--to", type=_path, metavar="DIR|NAME.b4h", help="Where to write; else the catalogue.")
@_catalogue_option
@click.option("--repair", is_flag=True, help="Leave out repeated and impossible rows, sort, and say so.")
@click.option("--force", is_flag=True, help="Replace a history that exists.")
@json_option
def import_(
    files: tuple[Path, ...],
    instrument_file: Path,
    volume_scale: int | None,
    to: Path | None,
    catalogue: Path | None,
    repair: bool,
    force: bool,
    as_json: bool,
    **choice: Any,
) -> None:
    """Import candles, trades or recorded ticks from CSV, CSV.gz or Parquet files.

    Prices must fit the instrument's tick exactly; a repeated, reversed or impossible row is refused with its number.
    Missing bars are reported. Either every file is imported or none.
    """
    chosen = Choice(**choice)
    listings = read_listings(instrument_file)
    parts = [part for path in files for part in parts_of(path, listings, chosen)]
    targets = _targets([f"{stem_of(part.path)}{part.suffix}" for part in parts], to, catalogue, force)
    done: list[Imported] = []
    fresh = [target for target in targets if not target.exists()]
    try:
        for part, target in zip(parts, targets, strict=True):
            instrument = part.listing.instrument(volume_scale)
            selection = chosen.selection(instrument, part.listing.ticker, part.market_type, time.time_ns())
            with progress(f"{part.path.name}{part.suffix}") as advance:
                done.append(import_file(part.path, target, selection, repair=repair, progress=advance))
    except BaseException:  # also Ctrl-C: a half-imported set would look like a whole one
        for target in fresh:
            target.unlink(missing_ok=True)
        raise
    reports = [item.report for item in done]
    emit(
        {**_sums(reports), "files": [item.to_mapping() for item in done]},
        as_json,
        lambda: render_imported(done),
    )


def _targets(stems: Sequence[str], to: Path | None, catalogue: Path | None, force: bool) -> list[Path]:
    """The files to write; refuses two of one name, and existing ones without --force."""
    if to is not None and to.suffix == SUFFIX:
        if len(stems) != 1:
            raise ConfigError(f"--to {to}: these are {len(stems)} histories; name a directory")
        targets = [to]
    else:
        home = Catalogue(to) if to is not None else Catalogue.open(catalogue)
        targets = [home.path_of(stem) for stem in stems]
    for target in targets:
        if targets.count(target) > 1:
            raise ConfigError(f"{target}: two of the files would become this history; import them to different places")
        if target.exists() and not force:
            raise ConfigError(f"{target}: exists; say --force to replace it")
    return targets


def _sums(reports: Sequence[Report]) -> dict[str, object]:
    filled = [report for report in reports if report.rows]
    return {
        "rows": sum(report.rows for report in reports),
        "gaps": sum(report.gaps for report in reports),
        "from": min((report.from_ns for report in filled), default=None),
        "to": max((report.to_ns for report in filled), default=None),
        "missing": sum(report.missing for report in reports),
        "ok": all(report.ok for report in reports),
    }


@data.command("list")
@_catalogue_option
@json_option
def list_(catalogue: Path | None, as_json: bool) -> None:
    """List the histories of the catalogue."""
    home = Catalogue.open(catalogue)
    entries = home.entries()
    good = [entry for entry in entries if isinstance(entry, History)]
    damaged = [entry for entry in entries if isinstance(entry, Damaged)]
    gaps = {entry.path: gaps_of(entry) for entry in good}
    result = {
        "rows": sum(entry.rows for entry in good),
        "gaps": sum(count for count, _ in gaps.values()),
        "from": min((entry.first_ts - entry.interval_ns for entry in good), default=None),
        "to": max((entry.last_ts for entry in good), default=None),
        "directory": str(home.directory),
        "histories": [_list_mapping(entry, *gaps[entry.path]) for entry in good],
        "damaged": [{"file": str(entry.path), "reason": entry.reason} for entry in damaged],
    }
    emit(result, as_json, lambda: render_list(home, good, damaged, gaps))


def _list_mapping(history: History, gaps: int, missing: int) -> dict[str, object]:
    return {
        "name": history.path.stem,
        "symbol": history.instrument.symbol,
        "version": history.instrument.version,
        "kinds": [kind.name for kind in history.kinds],
        "interval_ns": history.interval_ns,
        "rows": history.rows,
        "from": history.first_ts - history.interval_ns,
        "to": history.last_ts,
        "gaps": gaps,
        "missing": missing,
        "source": history.source,
        "sha256": history.sha256,
    }


@data.command("check")
@click.argument("names", nargs=-1, required=True, metavar="NAME|FILE...")
@click.option("--instrument", "instrument_file", type=_path, metavar="FILE", help="Also judge a table's ticks by this.")
@_source_options
@_catalogue_option
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    instrument_file: Path | None,
    catalogue: Path | None,
    as_json: bool,
    **choice: Any,
) -> None:
    """Check histories, or tables before their import: gaps, repeated, reversed and impossible rows.

    The exit code is 1 when anything is wrong or missing.
    """
    chosen = Choice(**choice)
    home = Catalogue.open(catalogue)
    listings = read_listings(instrument_file) if instrument_file else ()
    paths = [home.resolve(name, Path()) for name in names]
    reports = [report for path in paths for report in _check_one(path, listings, chosen)]
    emit(
        {**_sums(reports), "files": [report.to_mapping() for report in reports]},
        as_json,
        lambda: render_reports(reports),
    )
    if not all(report.ok for report in reports):
        ctx.exit(1)


def _check_one(path: Path, listings: Sequence[Listing], choice: Choice) -> Iterator[Report]:
    with progress(path.name) as advance:
        if path.suffix == SUFFIX:
            yield check_file(path, now_ns=time.time_ns(), progress=advance)
            return
        instruments: list[tuple[Instrument | None, str, str]]
        if listings:
            found = parts_of(path, listings, choice)
            instruments = [(part.listing.instrument(), part.listing.ticker, part.market_type) for part in found]
        else:
            markets = (choice.market_type,) if choice.market_type else markets_in(path) or ("",)
            instruments = [(None, symbol, market) for market in markets for symbol in choice.symbols or ("",)]
        for instrument, ticker, market in instruments:
            yield check_file(
                path,
                now_ns=time.time_ns(),
                instrument=instrument,
                ticker=ticker,
                market_type=market,
                interval_ns=choice.interval or 0,
                bar_time=choice.bar_time or "",
                progress=advance,
            )


@data.command("synth")
@click.argument("name")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same bytes.")
@click.option("--bars", type=click.IntRange(1, 5_000_000), default=10_000, show_default=True)
@click.option("--interval", default="5m", show_default=True, callback=_checked(parse_interval), help="Length of a bar.")
@click.option(
    "--start", default="2024-01-01", show_default=True, callback=_checked(parse_time), help="First open, UTC."
)
@click.option("--kind", type=click.Choice(["bars", "ticks"]), default="bars", show_default=True)
@click.option("--symbol", "symbols", multiple=True, default=("BTC/USDT",), show_default=True, help="One or more.")
@click.option(
    "--price",
    "prices",
    multiple=True,
    default=("20000",),
    show_default=True,
    callback=_checked(parse_decimal),
    help="First price, one for all symbols or one each.",
)
@click.option("--volume", default="10", show_default=True, callback=_checked(parse_decimal), help="Mean per bar, base.")
@click.option("--volatility", type=float, default=0.04, show_default=True, help="Standard deviation of a day's return.")
@click.option("--correlation", type=float, default=0.7, show_default=True, help="Between the symbols.")
@click.option("--quiet-bars", type=float, default=0.002, show_default=True, help="Share of bars without a trade.")
@click.option("--instrument", "instrument_file", type=_path, metavar="FILE", help="Tick, lot and filters; else these:")
@click.option("--venue", "--market", "venue", default="", help="Which venue of the instrument file.")
@click.option("--tick", default="0.01", show_default=True, help="Price step.")
@click.option("--lot", default="0.00001", show_default=True, help="Quantity step.")
@click.option("--to", type=_path, metavar="DIR|NAME.b4h", help="Where to write; else the catalogue.")
@_catalogue_option
@click.option("--force", is_flag=True, help="Replace a history that exists.")
@json_option
def synth(
    name: str,
    seed: int,
    bars: int,
    interval: int,
    start: int,
    kind: str,
    symbols: tuple[str, ...],
    prices: tuple[Decimal, ...],
    volume: Decimal,
    volatility: float,
    correlation: float,
    quiet_bars: float,
    instrument_file: Path | None,
    venue: str,
    tick: str,
    lot: str,
    to: Path | None,
    catalogue: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make a seeded market with trends, storms and jumps: the same bytes on every machine.

    Several symbols move together; each becomes a history NAME-SYMBOL.
    """
    instruments = _synth_instruments(symbols, instrument_file, venue, tick, lot)
    if len(prices) not in (1, len(symbols)):
        raise ConfigError(f"{len(prices)} --price for {len(symbols)} --symbol: give one, or one for each")
    market = Market(
        seed=seed,
        start_ns=start,
        bars=bars,
        interval_ns=interval,
        volatility=volatility,
        correlation=correlation,
        quiet=quiet_bars,
    )
    several = len(instruments) > 1
    stems = [f"{name}-{plain(item.symbol).lower()}" if several else name for item in instruments]
    targets = _targets(stems, to, catalogue, force)
    starts = prices * len(symbols) if len(prices) == 1 else prices
    arrays = synth_market(instruments, market, start_prices=starts, volumes=[volume] * len(instruments), kind=kind)
    length = interval if kind == "bars" else 0
    source = f"synth seed {seed}"
    histories = [
        write_history(target, instrument, events, interval_ns=length, source=source, roundings=0)
        for target, instrument, events in zip(targets, instruments, arrays, strict=True)
    ]
    reports = [check_file(history.path, now_ns=time.time_ns()) for history in histories]
    done = [
        Imported(history=history, report=report, dropped={}, moved=0)
        for history, report in zip(histories, reports, strict=True)
    ]
    emit({**_sums(reports), "files": [item.to_mapping() for item in done]}, as_json, lambda: render_imported(done))


def _synth_instruments(
    symbols: Sequence[str], source: Path | None, venue: str, tick: str, lot: str
) -> list[Instrument]:
    if source is not None:
        listings = read_listings(source)
        return [choose_listing(listings, symbol=symbol, venue=venue).instrument() for symbol in symbols]
    try:
        return [Instrument.from_mapping({"symbol": symbol, "tick": tick, "lot": lot}) for symbol in symbols]
    except Bot4Error as error:
        raise ConfigError(f"--symbol, --tick or --lot: {error}") from error
