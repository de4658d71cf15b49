"""What the verbs of ``bot4 data`` do once their options are read; imported when one is called, for numpy is heavy."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import frozen

from ..domain.instrument import Instrument
from ..errors import Bot4Error, ConfigError
from ..history.catalogue import Catalogue, Damaged, gaps_of
from ..history.checking import Report, check_file, is_history
from ..history.file import SUFFIX, History, write_history
from ..history.importing import Imported, import_file
from ..history.listing import Listing, choose_listing, plain, read_listings
from ..history.loading import markets_in
from ..history.matching import Choice, parts_of, stem_of
from ..history.synth import Market, synth_market
from .data_text import progress, render_imported, render_list, render_reports
from .output import emit


@frozen
class Place:
    """Where new histories go: ``--to``, ``--catalogue`` and ``--force``."""

    to: Path | None
    catalogue: Path | None
    force: bool


@frozen(kw_only=True)
class Made:
    """The instruments of a made-up market: ``--instrument`` and ``--venue``, or ``--tick`` and ``--lot``."""

    source: Path | None
    venue: str
    tick: str
    lot: str


def bring_in(
    files: Sequence[Path],
    source: Path,
    choice: Choice,
    *,
    volume_scale: int | None,
    place: Place,
    repair: bool,
    as_json: bool,
) -> None:
    """``bot4 data import``."""
    listings = read_listings(source)
    parts = [part for path in files for part in parts_of(path, listings, choice)]
    targets = _targets([f"{stem_of(part.path)}{part.suffix}" for part in parts], place)
    done: list[Imported] = []
    with _all_or_none(targets):
        for part, target in zip(parts, targets, strict=True):
            instrument = part.listing.instrument(volume_scale)
            selection = choice.selection(instrument, part.listing.ticker, part.market_type, time.time_ns())
            with progress(f"{part.path.name}{part.suffix}") as advance:
                done.append(import_file(part.path, target, selection, repair=repair, progress=advance))
    _emit_imported(done, as_json)


def show_catalogue(catalogue: Path | None, as_json: bool) -> None:
    """``bot4 data list``."""
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


def examine(names: Sequence[str], source: Path | None, choice: Choice, catalogue: Path | None, as_json: bool) -> bool:
    """``bot4 data check``; whether all is well."""
    home = Catalogue.open(catalogue)
    listings = read_listings(source) if source else ()
    paths = [home.resolve(name, Path()) for name in names]
    reports = [report for path in paths for report in _check_one(path, listings, choice)]
    result = {**_sums(reports), "files": [report.to_mapping() for report in reports]}
    emit(result, as_json, lambda: render_reports(reports))
    return all(report.ok for report in reports)


def make_market(
    name: str,
    symbols: Sequence[str],
    prices: Sequence[Decimal],
    made: Made,
    *,
    kind: str,
    volume: Decimal,
    place: Place,
    as_json: bool,
    **character: Any,
) -> None:
    """``bot4 data synth``; ``character`` is what :class:`Market` takes."""
    if name != Path(name).name:
        raise ConfigError(f"{name!r} is a path, not a name; say where with --to DIR")
    if len(prices) not in (1, len(symbols)):
        raise ConfigError(f"{len(prices)} --price for {len(symbols)} --symbol: give one, or one for each")
    market = Market(**character)
    instruments = _made_instruments(symbols, made)
    several = len(instruments) > 1
    stems = [f"{name}-{plain(item.symbol).lower()}" if several else name for item in instruments]
    targets = _targets(stems, place)
    starts = list(prices) * len(symbols) if len(prices) == 1 else list(prices)
    arrays = synth_market(instruments, market, start_prices=starts, volumes=[volume] * len(instruments), kind=kind)
    length = market.interval_ns if kind == "bars" else 0
    source = f"synth seed {market.seed}"
    done = []
    with _all_or_none(targets):
        for target, instrument, events in zip(targets, instruments, arrays, strict=True):
            history = write_history(target, instrument, events, interval_ns=length, source=source, roundings=0)
            report = check_file(history.path, now_ns=time.time_ns())
            done.append(Imported(history=history, report=report, dropped={}, moved=0))
    _emit_imported(done, as_json)


def _emit_imported(done: Sequence[Imported], as_json: bool) -> None:
    reports = [item.report for item in done]
    result = {**_sums(reports), "files": [item.to_mapping() for item in done]}
    emit(result, as_json, lambda: render_imported(done))


@contextmanager
def _all_or_none(targets: Sequence[Path]) -> Iterator[None]:
    """Takes new files away again when a later one fails."""
    fresh = [target for target in targets if not target.exists()]
    try:
        yield
    except BaseException:  # also Ctrl-C: a half-imported set would look like a whole one
        for target in fresh:
            target.unlink(missing_ok=True)
        raise


def _targets(stems: Sequence[str], place: Place) -> list[Path]:
    """The files to write; refuses two of one name, and existing ones without --force."""
    to = place.to
    if to is not None and to.suffix == SUFFIX:
        if len(stems) != 1:
            raise ConfigError(f"--to {to}: these are {len(stems)} histories; name a directory")
        targets = [to]
    else:
        home = Catalogue(to) if to is not None else Catalogue.open(place.catalogue)
        targets = [home.path_of(stem) for stem in stems]
    for target in targets:
        if targets.count(target) > 1:
            raise ConfigError(f"{target}: two of the files would become this history; import them to different places")
        if target.exists() and not place.force:
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


def _check_one(path: Path, listings: Sequence[Listing], choice: Choice) -> Iterator[Report]:
    with progress(path.name) as advance:
        if is_history(path):
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


def _made_instruments(symbols: Sequence[str], made: Made) -> list[Instrument]:
    if made.source is not None:
        listings = read_listings(made.source)
        return [choose_listing(listings, symbol=symbol, venue=made.venue).instrument() for symbol in symbols]
    try:
        return [Instrument.from_mapping({"symbol": one, "tick": made.tick, "lot": made.lot}) for one in symbols]
    except Bot4Error as error:
        raise ConfigError(f"--symbol, --tick or --lot: {error}") from error
