"""A sink that writes the journal's records to a CSV file while a run goes on."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

import attrs
from attrs import field, frozen

from bot4_core.sdk import ConfigError, DomainError, Kind, Services, SinkSpec, hookimpl

_HEADING = ("seq", "ts", "instrument", "kind", "flags", "v0", "v1", "v2", "v3", "v4", "v5")


def _valid_kinds(_settings: object, _attribute: attrs.Attribute[Any], value: list[str]) -> None:
    unknown = [name for name in value if name not in Kind.__members__]
    if unknown:
        raise DomainError(f"{unknown[0]!r} is no kind of record; there are {', '.join(Kind.__members__)}")


@frozen(kw_only=True)
class CsvSettings:
    """``[[sink]]`` with ``use = "csv"``.

    Args:
        file: where to write, relative to the TOML; written anew by each run.
        kinds: names of the records to keep, such as FILL; empty keeps all.
    """

    file: str = "records.csv"
    kinds: list[str] = field(factory=list, validator=_valid_kinds)


class CsvSink:
    """The sink (``bot4_core.sdk.Sink``)."""

    def __init__(self, settings: CsvSettings, services: Services) -> None:
        self._kinds = {Kind[name] for name in settings.kinds} or set(Kind)
        path = services.base_dir / settings.file
        try:
            self._stream = path.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}; name another file") from error
        self._rows = csv.writer(self._stream, lineterminator="\n")
        self._rows.writerow(_HEADING)

    def on_batch(self, events: Sequence[tuple[int, ...]]) -> None:
        """Writes the records that were asked for, their kind by name."""
        for seq, ts, instrument, kind, flags, *words in events:
            if kind in self._kinds:
                self._rows.writerow((seq, ts, instrument, Kind(kind).name, flags, *words))

    def close(self) -> None:
        """Ends the file."""
        self._stream.close()


@hookimpl
def bot4_sinks() -> list[SinkSpec]:
    """The one sink this plugin offers."""
    return [SinkSpec(name="csv", settings=CsvSettings, create=CsvSink, summary="Journal records as CSV.")]
