"""What the simulator plays: series of records, and the instruments they belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

from bot4_core.sdk import ConfigError, History, Instrument, Kind

#: kinds that orders match in place of bars
TICKS = 1 << Kind.TRADE | 1 << Kind.QUOTE


@frozen(kw_only=True, eq=False)
class Source:
    """One series of records, read from a file or made up.

    Args:
        instrument: whose data these are.
        kinds: the kinds of record present.
        interval_ns: length of a bar, 0 for ticks.
        events: the records, sorted by time; at least one.
        name: for messages.
        sha256: hex digest of the record bytes; made where it is not known.
    """

    instrument: Instrument
    kinds: tuple[Kind, ...]
    interval_ns: int
    events: npt.NDArray[np.void] = field(repr=False)
    name: str
    sha256: str = ""

    def __attrs_post_init__(self) -> None:
        if not self.sha256:
            object.__setattr__(self, "sha256", hashlib.sha256(self.events.tobytes()).hexdigest())

    @property
    def first_ts(self) -> int:
        """Time of the first record, UTC ns."""
        return int(self.events["ts"][0])

    @property
    def last_ts(self) -> int:
        """Time of the last record, UTC ns."""
        return int(self.events["ts"][-1])


def recorded(history: History) -> Source:
    """A history file as it lies mapped."""
    return Source(
        instrument=history.instrument,
        kinds=history.kinds,
        interval_ns=history.interval_ns,
        events=np.asarray(history.events),
        name=history.path.name,
        sha256=history.sha256,
    )


@frozen(kw_only=True)
class Listing:
    """An instrument with its series, in the order of the settings."""

    instrument: Instrument
    sources: list[Source] = field(factory=list)

    @property
    def kinds(self) -> int:
        """The kinds of record, as a mask of ``1 << kind``."""
        return sum(1 << kind for kind in {kind for each in self.sources for kind in each.kinds})

    @property
    def interval_ns(self) -> int:
        """Length of its bars, 0 when it has ticks only."""
        return max(each.interval_ns for each in self.sources)


def list_instruments(sources: Sequence[Source]) -> list[Listing]:
    """The instruments in the order they are first named, each with its series.

    Raises:
        ConfigError: two series of one instrument contradict each other, or one has nothing that orders could match.
    """
    found: dict[str, Listing] = {}
    for source in sources:
        listing = found.setdefault(source.instrument.symbol, Listing(instrument=source.instrument))
        if listing.instrument != source.instrument:
            raise ConfigError(
                f"{source.name} defines {source.instrument.symbol} otherwise than "
                f"{listing.sources[0].name} (tick, lot, filters or scales); import both from one source"
            )
        for other in listing.sources:
            _check_pair(other, source)
        listing.sources.append(source)
    for listing in found.values():
        if not listing.kinds & (TICKS | 1 << Kind.BAR):
            raise ConfigError(f"{listing.instrument.symbol} has book levels only; add its bars, trades or quotes")
    return list(found.values())


def _check_pair(one: Source, other: Source) -> None:
    """Two series of one instrument must not tell the same thing twice."""
    both = set(one.kinds) & set(other.kinds)
    overlap = one.first_ts <= other.last_ts and other.first_ts <= one.last_ts
    symbol = one.instrument.symbol
    if Kind.BAR in both and one.interval_ns != other.interval_ns:
        raise ConfigError(f"{symbol}: {one.name} and {other.name} have bars of different length; use one")
    if both and overlap:
        raise ConfigError(f"{symbol}: {one.name} and {other.name} overlap in time; cut one of them")


def hash_of(listings: Sequence[Listing]) -> str:
    """SHA-256 hex over all series in instrument order."""
    digest = hashlib.sha256()
    for listing in listings:
        for source in listing.sources:
            digest.update(f"{source.instrument.symbol} {source.sha256}\n".encode())
    return digest.hexdigest()
