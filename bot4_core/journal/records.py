"""What a run's journal holds beside the 64-byte records: who ran, and the JSON blobs of intents and refusals.

A record's blob carries what the six words cannot (text, names, reasons). Blobs are JSON, written and read by
msgspec with the structs below; keys that a struct does not name are kept in the journal and ignored by the fold.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec
from attrs import field, frozen
from attrs.validators import in_

from ..domain.instrument import Instrument
from ..domain.redaction import hide, hide_in
from ..errors import StoreError

#: Version of the record and blob conventions, word 0 of RUN_START. A reader refuses a higher one.
JOURNAL_FORMAT = 1

Mode = Literal["backtest", "paper", "live"]
MODES: tuple[Mode, ...] = ("backtest", "paper", "live")

_encode = msgspec.json.Encoder().encode

#: The six words of a record.
Words = tuple[int, int, int, int, int, int]


def new_run_id(created_ns: int) -> str:
    """A run id that no other run has: its start in UTC to the second, and six random digits.

    Args:
        created_ns: wall time of the start, UTC ns.
    """
    return f"{datetime.fromtimestamp(created_ns // 10**9, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


class Record(NamedTuple):
    """One journal record as it is folded: the event record with its place and its blob as JSON text."""

    seq: int
    ts: int
    instrument: int
    kind: int
    flags: int
    v: Words
    blob: str | None


class JournalDamaged(StoreError):
    """A record, or what the database has of a run, that trying again cannot help: a gap, a broken frame or blob."""


def encode_blob(blob: Mapping[str, Any], seq: int) -> str:
    """A blob as JSON text without any secret of this process; StoreError when it is not JSON."""
    try:
        text = _encode(blob).decode()
        if hide(text) != text:  # a strategy's tag, an error's words
            text = _encode(hide_in(blob)).decode()
        return text
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise StoreError(f"the blob of seq {seq} is not JSON: {error}") from error


def start_words() -> Words:
    """The words of RUN_START."""
    return (JOURNAL_FORMAT, 0, 0, 0, 0, 0)


def end_words(summary: Mapping[str, Any]) -> Words:
    """The words of RUN_END: ``events`` and ``wakes`` of the run's summary."""
    return (int(summary.get("events", 0)), int(summary.get("wakes", 0)), 0, 0, 0, 0)


class FailureBlob(msgspec.Struct, frozen=True):
    """One failed rule of a denial; text, because a rule measures in its own terms."""

    rule: str
    measured: str
    limit: str
    unit: str = ""


class IntentBlob(msgspec.Struct, frozen=True):
    """Blob of INTENT and DENIED: the order, and the figures it was judged by (TRADING.md K-8).

    Attributes:
        client_id: the id the venue sees; empty for an order that never got one.
        strategy, exchange: names of the config tables.
        side: buy or sell.
        type, tif, role: lower-case names of OrderType, TimeInForce, Role.
        stop_ticks, target_ticks: protective prices of an entry, 0 for none.
        worst_ticks: the worst fill price that the gate assumed, 0 for none.
        equity: equity at the decision, units of the reporting asset.
        size_fraction: resulting position divided by equity, decimal text; None when not judged.
        signal_strength, ta_score, ml_confidence: why, as the strategy states it.
        failures: the failed rules; only DENIED has them.
    """

    strategy: str
    exchange: str
    side: Literal["buy", "sell"]
    type: str
    client_id: str = ""
    tif: str = "gtc"
    role: Literal["entry", "stop", "target", "close"] = "entry"
    reduce_only: bool = False
    post_only: bool = False
    tag: str = ""
    stop_ticks: int = 0
    target_ticks: int = 0
    worst_ticks: int = 0
    equity: int = 0
    size_fraction: str | None = None
    signal_strength: str | None = None
    ta_score: str | None = None
    ml_confidence: str | None = None
    failures: tuple[FailureBlob, ...] = ()


class HaltBlob(msgspec.Struct, frozen=True):
    """Blob of HALT: the mode entered (TRADING.md K-6) and the rule that tripped."""

    mode: str
    reason: str
    rule: str = ""
    measured: str = ""
    limit: str = ""


def _text(values: Mapping[str, object]) -> dict[str, str]:
    """Keys and values as text: what a report prints and JSON gives back unchanged."""
    return {str(key): value if isinstance(value, str) else _value_text(value) for key, value in values.items()}


def _value_text(value: object) -> str:
    if isinstance(value, (bool, list, tuple, dict)) or value is None:
        return msgspec.json.encode(value, enc_hook=str).decode()
    return str(value)


def _table(instruments: Iterable[Instrument]) -> tuple[Instrument, ...]:
    return tuple(instruments)


@frozen(kw_only=True)
class RunInfo:
    """Everything that says what a run was; the blob of RUN_START.

    Args:
        run_id: the caller's id, unique in the database.
        bot: name of the bot.
        mode: backtest, paper or live.
        created_ns: wall time of the start, UTC ns.
        seed: of the run's random numbers.
        config: the effective config as text, secrets already redacted.
        instruments: the run's instrument table; records name a row of it.
        start_equity: in units of the reporting asset.
        reporting_asset, reporting_scale: what equity is stated in, and its decimals.
        history_hash: of the history that was replayed; empty outside a backtest.
        interval_ns: bar length of the run, 0 when it has none; gives trades their length in bars.
        fill_rules: the simulator's rules in force, name to value.
        limits: the risk limits in force, name to value.
        unguarded: whether the core's limits were switched off (DECISIONS.md D-12).
        versions: distribution to version.
        accounts: exchange table of the config to the venue it uses; the table's own name where it is missing.
        strategies: strategy table of the config to what it uses.
    """

    run_id: str
    bot: str
    mode: Mode = field(validator=in_(MODES))
    created_ns: int
    seed: int
    config: str
    instruments: tuple[Instrument, ...] = field(converter=_table)
    start_equity: int
    reporting_asset: str
    reporting_scale: int = 8
    history_hash: str = ""
    interval_ns: int = 0
    fill_rules: Mapping[str, str] = field(factory=dict, converter=_text)
    limits: Mapping[str, str] = field(factory=dict, converter=_text)
    unguarded: bool = False
    versions: Mapping[str, str] = field(factory=dict, converter=_text)
    accounts: Mapping[str, str] = field(factory=dict, converter=_text)
    strategies: Mapping[str, str] = field(factory=dict, converter=_text)

    def to_blob(self) -> dict[str, Any]:
        """A JSON-ready mapping that :meth:`from_blob` reads back."""
        blob = {name: getattr(self, name) for name in _INFO_FIELDS}
        blob["instruments"] = [instrument.to_mapping() for instrument in self.instruments]
        return blob

    @classmethod
    def from_blob(cls, blob: Mapping[str, Any]) -> RunInfo:
        """The RunInfo of a RUN_START blob; StoreError when it is not one."""
        try:
            known = {name: blob[name] for name in _INFO_FIELDS}
            known["instruments"] = tuple(Instrument.from_mapping(row) for row in blob["instruments"])
            return cls(**known)
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"the journal's RUN_START record cannot be read: {error!r}") from error

    def venue_of(self, exchange: str) -> str:
        """The venue behind an exchange table of the config."""
        return self.accounts.get(exchange, exchange)


_INFO_FIELDS = tuple(a.name for a in RunInfo.__attrs_attrs__)
