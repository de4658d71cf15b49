"""Reads CSV (plain or gzip) and Parquet as chunks of text columns, within stated bounds.

Text, because only text is exact: a price that became a float once cannot be checked against its tick.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import numpy.typing as npt
from attrs import frozen

from ..errors import ConfigError, HistoryError
from .decimals import text_array

#: Bounds of one file. 20 million records are 1.3 GB in memory; split what is larger.
MAX_ROWS = 20_000_000
MAX_RAW_BYTES = 4 * 1024**3
MAX_LINE = 64 * 1024
MAX_COLUMNS = 256
CHUNK_ROWS = 65_536


@frozen(eq=False)
class Chunk:
    """Some rows of a table.

    Attributes:
        first_row: number of the first row here; the row below the header is 1.
        columns: text by column name, all of one length.
        ragged: what is wrong with rows that have not as many fields as the header, by position here.
    """

    first_row: int
    columns: dict[str, npt.NDArray[np.str_]]
    ragged: dict[int, str]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


class Table(Protocol):
    """An opened table."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in lower case."""

    def chunks(self, names: Sequence[str]) -> Iterator[Chunk]:
        """The rows of these columns, from the first on; HistoryError when the file is damaged or too large."""


def open_table(path: Path) -> Table:
    """Opens a CSV or Parquet file by its first bytes.

    Raises:
        HistoryError: the file is missing, empty or has no usable header.
        ConfigError: Parquet without the optional package.
    """
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
    except OSError as error:
        raise HistoryError(f"{path}: cannot be read: {error.strerror}") from error
    if not magic:
        raise HistoryError(f"{path}: is empty")
    return _ParquetTable(path) if magic == b"PAR1" else _CsvTable(path, magic[:2] == b"\x1f\x8b")


def line_of(row: int) -> str:
    """How a row is named in messages."""
    return f"row {row} (line {row + 1})"


def _header(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    columns = tuple(name.strip().lower() for name in names)
    if len(columns) > MAX_COLUMNS:
        raise HistoryError(f"{path}: {len(columns)} columns are more than {MAX_COLUMNS}")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise HistoryError(f"{path}: header names {', '.join(twice)} twice")
    return columns


class _CsvTable:
    def __init__(self, path: Path, zipped: bool) -> None:
        self._path, self._zipped = path, zipped
        with self._open() as stream:
            first = next(self._rows(stream), [])
        self.columns = _header(path, first)

    def _open(self) -> IO[str]:
        if self._zipped:
            return gzip.open(self._path, "rt", encoding="utf-8-sig", newline="")
        return self._path.open(encoding="utf-8-sig", newline="")

    def _lines(self, stream: IO[str]) -> Iterator[str]:
        total = 0
        number = 0
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            total += len(line)
            if len(line) > MAX_LINE:
                raise HistoryError(f"{self._path}: line {number} is longer than {MAX_LINE} characters")
            if total > MAX_RAW_BYTES:
                raise HistoryError(f"{self._path}: is larger than {MAX_RAW_BYTES} bytes unpacked; split it")
            if "\0" in line:
                raise HistoryError(f"{self._path}: line {number} holds a NUL byte: is this a CSV file?")
            yield line

    def _rows(self, stream: IO[str]) -> Iterator[list[str]]:
        """Rows of fields, the header first; every fault of the file becomes a HistoryError."""
        number = 0
        try:
            for row in csv.reader(self._lines(stream), strict=True):
                yield row
                number += 1
        except (OSError, EOFError, zlib.error) as error:
            raise HistoryError(f"{self._path}: is cut or damaged after line {number}: {error}") from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise HistoryError(f"{self._path}: is no UTF-8 CSV near line {number + 1}: {error}") from error

    def chunks(self, names: Sequence[str]) -> Iterator[Chunk]:
        """See :class:`Table`."""
        with self._open() as stream:
            rows = self._rows(stream)
            next(rows, None)  # the header
            first_row, block = 1, []
            for row in rows:
                block.append(row)
                if len(block) == CHUNK_ROWS:
                    yield self._chunk(first_row, block, names)
                    first_row, block = first_row + len(block), []
                if first_row > MAX_ROWS:
                    raise HistoryError(f"{self._path}: has more than {MAX_ROWS} rows; split it")
            while block and not block[-1]:
                block.pop()  # blank lines at the end
            if block:
                yield self._chunk(first_row, block, names)

    def _chunk(self, first_row: int, block: list[list[str]], names: Sequence[str]) -> Chunk:
        width = len(self.columns)
        ragged: dict[int, str] = {}
        for position, row in enumerate(block):
            if len(row) != width:
                ragged[position] = f"{len(row)} fields instead of {width}"
                block[position] = ["?"] * width
        fields = list(zip(*block, strict=True))
        index = {name: number for number, name in enumerate(self.columns)}
        return Chunk(first_row, {name: text_array(fields[index[name]]) for name in names}, ragged)


class _ParquetTable:
    """Parquet through duckdb: floats print as their shortest exact text, time columns as epoch nanoseconds."""

    def __init__(self, path: Path) -> None:
        try:
            duckdb = importlib.import_module("duckdb")  # optional: 66 MB that only this class needs
        except ImportError as error:
            raise ConfigError(
                f"{path}: Parquet needs the extra `data`: install bot4-core[data], or give the file as CSV"
            ) from error
        # no extension may be fetched from anywhere while reading a user's file
        settings: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        self._path, self._errors = path, duckdb.Error
        self._connection = duckdb.connect(":memory:", config=settings)
        try:
            described = self._connection.execute(
                "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet(?))", [str(path)]
            ).fetchall()
        except duckdb.Error as error:
            raise HistoryError(f"{path}: is no readable Parquet file: {_first_line(error)}") from error
        self._names = {str(name).strip().lower(): str(name) for name, _ in described}
        self._types = {str(name).strip().lower(): str(kind) for name, kind in described}
        self.columns = _header(path, [str(name) for name, _ in described])

    def chunks(self, names: Sequence[str]) -> Iterator[Chunk]:
        """See :class:`Table`."""
        fields = ", ".join(self._text_of(name) for name in names)
        try:
            cursor = self._connection.cursor()
            cursor.execute(f"SELECT {fields} FROM read_parquet(?)", [str(self._path)])  # quoted names
            first_row = 1
            while block := cursor.fetchmany(CHUNK_ROWS):
                columns = list(zip(*block, strict=True))
                texts = {name: text_array(column) for name, column in zip(names, columns, strict=True)}
                yield Chunk(first_row, texts, {})
                first_row += len(block)
                if first_row > MAX_ROWS:
                    raise HistoryError(f"{self._path}: has more than {MAX_ROWS} rows; split it")
        except self._errors as error:
            raise HistoryError(f"{self._path}: is damaged: {_first_line(error)}") from error

    def _text_of(self, name: str) -> str:
        quoted = '"' + self._names[name].replace('"', '""') + '"'
        timed = self._types[name].startswith(("TIMESTAMP", "DATE"))
        return f"coalesce(CAST({f'epoch_ns({quoted})' if timed else quoted} AS VARCHAR), '')"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
