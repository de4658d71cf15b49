"""The sink keeps the promises of a sink, whether it keeps all records or some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bot4_sink_csv import bot4_sinks

from bot4_core.sdk import Kind, SinkSpec
from bot4_core.testing import SinkContract


class TestCsv(SinkContract):
    def spec(self) -> SinkSpec:
        (spec,) = bot4_sinks()
        return spec

    def output(self, folder: Path) -> str:
        return (folder / "records.csv").read_text(encoding="utf-8")

    def seqs(self, folder: Path) -> Sequence[int]:
        return [int(line.split(",")[0]) for line in self.output(folder).splitlines()[1:]]


class TestFillsOnly(TestCsv):
    def settings(self) -> Mapping[str, object]:
        return {"kinds": ["FILL"]}

    def wanted(self, records: Sequence[tuple[int, ...]]) -> Sequence[int]:
        return [record[0] for record in records if record[3] == Kind.FILL]
