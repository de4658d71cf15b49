"""Times of tables: units, ISO 8601, and what is refused."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.errors import ConfigError, HistoryError
from bot4_core.history.times import TimeReader, interval_text, parse_interval, parse_time

NOW_NS = 1_800_000_000_000_000_000
AT_NS = 1_659_312_000_000_000_000
UTC = dt.UTC


def read(*texts: str, column: str = "time") -> tuple[list[int], dict[int, str]]:
    times, bad = TimeReader(column, NOW_NS).read(np.array(texts))
    return times.tolist(), bad


@pytest.mark.parametrize(
    "text",
    [
        "1659312000",
        "1659312000.0",
        "1659312000000",
        "1659312000000000",
        "1659312000000000000",
        "2022-08-01",
        "2022-08-01T00:00",
        "2022-08-01 00:00:00",
        "2022-08-01T00:00:00Z",
        "2022-08-01 00:00:00.000 UTC",
        "2022-08-01T00:00:00+00:00",
        "2022-08-01T00:00:00-0000",
    ],
)
def test_one_moment_in_many_spellings(text: str) -> None:
    assert read(text) == ([AT_NS], {})


def test_fractions_are_exact() -> None:
    assert read("2022-08-01T00:00:00.000000001Z")[0] == [AT_NS + 1]
    assert read("1659312000.123456789")[0] == [AT_NS + 123_456_789]
    assert "finer than a nanosecond" in read("1659312000.1234567891")[1][0]


@given(moment=st.datetimes(dt.datetime(2009, 1, 1), dt.datetime(2026, 12, 31), timezones=st.just(UTC)))
def test_iso_and_microseconds_agree(moment: dt.datetime) -> None:
    micros = (moment - dt.datetime(1970, 1, 1, tzinfo=UTC)) // dt.timedelta(microseconds=1)
    assert read(moment.isoformat()) == read(str(micros)) == ([micros * 1000], {})


def test_a_unit_that_changes_in_the_file_is_named() -> None:
    times, bad = read("1659312000000", "1659312060000000", "1659312120")
    assert times == [AT_NS, 0, 0]
    assert "looks like microseconds in a column of milliseconds: mixed units" in bad[1]
    assert "looks like seconds in a column of milliseconds" in bad[2]


def test_the_unit_holds_for_later_chunks() -> None:
    reader = TimeReader("time", NOW_NS)
    reader.read(np.array(["1659312000000"]))
    assert "mixed units" in reader.read(np.array(["1659312060"]))[1][0]


def test_the_column_name_states_the_unit() -> None:
    assert "mixed units" in read("1659312000", column="open_time_ms")[1][0]
    assert read("1659312000000", column="open_time_ms")[0] == [AT_NS]


@pytest.mark.parametrize("text", ["0", "1", "-1659312000000", "99999999999999", "1230767999999", "1e25"])
def test_absurd_times_are_bad_rows(text: str) -> None:
    assert "outside 2009..tomorrow" in read("1659312000000", text)[1][1]


@pytest.mark.parametrize("text", ["soon", "", "NaN", "1659312000000x"])
def test_no_number_is_a_bad_row(text: str) -> None:
    assert read("1659312000000", text)[1] == {1: "time is no number"}


def test_tomorrow_is_the_limit() -> None:
    day = 86_400_000
    now_ms = NOW_NS // 1_000_000
    assert read("1659312000000", str(now_ms + day))[1] == {}
    assert 1 in read("1659312000000", str(now_ms + day + 1))[1]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (("2022-08-01T00:00:00Z", "2022-08-01T00:00:00"), "mixed zones"),
        (("2022-08-01T00:00:00", "2022-08-01T00:00:00Z"), "mixed zones"),
        (("2022-08-01T00:00:00Z", "2022-08-01T02:00:00+02:00"), "is not UTC"),
        (("2022-08-01T00:00:00Z", "2022-02-30T00:00:00Z"), "is no date"),
        (("2022-08-01T00:00:00Z", "01.08.2022"), "is not ISO 8601"),
        (("2022-08-01T00:00:00Z", "1659312000000"), "is not ISO 8601"),
        (("2022-08-01T00:00:00Z", "1970-01-01T00:00:00Z"), "outside 2009..tomorrow"),
        (("2022-08-01T00:00:00Z", "9999-01-01T00:00:00Z"), "outside 2009..tomorrow"),
    ],
)
def test_iso_times_that_cannot_be_trusted(texts: tuple[str, ...], words: str) -> None:
    times, bad = read(*texts)
    assert list(bad) == [1]
    assert words in bad[1]
    assert times[1] == 0


def test_a_column_of_no_times_is_refused_at_once() -> None:
    with pytest.raises(HistoryError, match=r"row 1 \(line 2\): time '17' in column time is neither ISO 8601"):
        read("17")


def test_intervals_in_words() -> None:
    for text, length in (("1m", 60), ("5m", 300), ("1h", 3600), ("4h", 14400), ("1d", 86400), ("1w", 604800)):
        assert parse_interval(text) == length * 1_000_000_000
        assert interval_text(length * 1_000_000_000) == text
    assert parse_interval("250ms") == 250_000_000
    assert interval_text(1) == "1ns"
    assert interval_text(90_000_000_000) == "90s"


@pytest.mark.parametrize("text", ["", "5", "m", "0m", "-5m", "1.5h", "5M", "5 m", "32d", "999999999w", "٥m"])
def test_other_intervals_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="must read like 1m"):
        parse_interval(text)


def test_times_of_the_command_line() -> None:
    assert parse_time("2022-08-01") == AT_NS
    for text in ("yesterday", "1659312000000", "2022-13-01", "1999-01-01"):
        with pytest.raises(ConfigError, match="write it as"):
            parse_time(text)
