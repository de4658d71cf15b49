"""The journal's tables (SPEC.md R-61), one definition for SQLite and PostgreSQL.

``events`` is the truth: append-only, refused updates and deletes by trigger in both databases. Everything under
"projections" is a fold of it (fold.py) and can be built again. Amounts are int64: ``_ticks`` and ``_lots`` of the
order's instrument row (which holds tick, lot, scales and their version, TRADING.md O-8), ``_units`` of the quote
asset at ``instruments.quote_scale``, or of the run's reporting asset where a column says equity.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine

#: The schema this code reads and writes; the newest file in alembic/versions (a test keeps them equal).
HEAD = "0001"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: 64 bits in both: SQLite's INTEGER is 64 bits wide, and STRICT tables know no BIGINT.
Int64 = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


class YesNo(TypeDecorator[bool]):
    """BOOLEAN in PostgreSQL; 0 or 1 in SQLite, whose STRICT tables know no BOOLEAN."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """INTEGER for SQLite."""
        return dialect.type_descriptor(sqlite.INTEGER() if dialect.name == "sqlite" else Boolean())

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:
        """A bool again."""
        return None if value is None else bool(value)


def _int(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, Int64, nullable=null)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _flag(name: str) -> Column[bool]:
    return Column(name, YesNo, nullable=False)


def _run() -> Column[int]:
    """Which run a row belongs to, first in every primary key."""
    return Column("run", Integer, ForeignKey("runs.id"), primary_key=True, autoincrement=False)


def _key(name: str) -> Column[int]:
    return Column(name, Int64, primary_key=True, autoincrement=False)


def _name(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _instrument() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["run", "instrument"], ["instruments.run", "instruments.idx"])


def _table(name: str, *parts: Any, rowid: bool = False) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_with_rowid=rowid)


runs = _table(
    "runs",
    Column("id", Integer, primary_key=True),
    _text("run_id"),
    _text("bot"),
    _text("mode"),
    _int("created_ns"),
    _int("seed"),
    _text("config"),
    _text("history_hash"),
    _int("interval_ns"),
    _flag("unguarded"),
    _int("start_equity"),
    _text("reporting_asset"),
    _int("reporting_scale"),
    _text("fill_rules"),
    _text("versions"),
    _flag("finished"),
    _text("result_hash", null=True),
    _text("summary", null=True),
    UniqueConstraint("run_id"),
    CheckConstraint("mode IN ('backtest', 'paper', 'live')", name="mode"),
    Index(None, "created_ns"),
    rowid=True,
)

exchanges = _table("exchanges", _name("name"))

trading_accounts = _table(
    "trading_accounts",
    _run(),
    _name("name"),
    Column("exchange", Text, ForeignKey("exchanges.name"), nullable=False),
)

strategies = _table("strategies", _run(), _name("name"), _text("use"))

instruments = _table(
    "instruments",
    _run(),
    _key("idx"),
    _text("symbol"),
    _text("tick"),
    _text("lot"),
    _text("min_quantity"),
    _text("max_quantity"),
    _text("min_notional"),
    _text("multiplier"),
    _int("volume_scale"),
    _int("base_scale"),
    _int("quote_scale"),
    _text("version"),
)

risk_limits = _table("risk_limits", _run(), _name("name"), _text("value"))

events = _table(
    "events",
    _run(),
    _key("seq"),
    _int("ts"),
    _int("instrument"),
    _int("kind"),
    _int("flags"),
    *(_int(f"v{word}") for word in range(6)),
    _text("blob", null=True),
)

# ---- projections: folds of events ----

orders = _table(
    "orders",
    _run(),
    _key("order_id"),
    _int("seq"),
    _int("ts"),
    _int("updated_ts"),
    _int("instrument"),
    _text("exchange"),
    _text("strategy"),
    _text("client_id", null=True),
    _text("side"),
    _text("type"),
    _text("tif"),
    _text("role"),
    _text("state"),
    _text("reason"),
    _int("quantity_lots"),
    _int("price_ticks"),
    _int("trigger_ticks"),
    _int("parent_id"),
    _int("stop_ticks"),
    _int("target_ticks"),
    _int("worst_ticks"),
    _int("equity_units"),
    _text("size_fraction", null=True),
    _flag("reduce_only"),
    _flag("post_only"),
    _flag("pending_cancel"),
    _int("filled_lots"),
    _int("cost_units"),
    _int("fee_units"),
    _int("reported_lots", null=True),
    _flag("violation"),
    _text("tag"),
    _text("signal_strength", null=True),
    _text("ta_score", null=True),
    _text("ml_confidence", null=True),
    _instrument(),
    UniqueConstraint("run", "client_id"),
    CheckConstraint("side IN ('buy', 'sell')", name="side"),
)

fills = _table(
    "fills",
    _run(),
    _key("seq"),
    _int("ts"),
    _int("order_id"),
    _int("instrument"),
    _text("venue"),
    _text("account"),
    _text("symbol"),
    _int("trade_id"),
    _text("venue_order_id"),
    _text("side"),
    _int("price_ticks"),
    _int("quantity_lots"),
    _int("cost_units"),
    _int("fee_units"),
    _text("fee_asset"),
    _int("fee_scale"),
    _int("fee_quote_units"),
    _flag("maker"),
    _flag("violation"),
    ForeignKeyConstraint(["run", "order_id"], ["orders.run", "orders.order_id"]),
    _instrument(),
    # O-4: a self-trade has two legs with one trade id
    UniqueConstraint(
        "run", "venue", "account", "symbol", "trade_id", "venue_order_id", "side", name="uq_fills_key"
    ),
    CheckConstraint("side IN ('buy', 'sell')", name="side"),
)

positions = _table(
    "positions",
    _run(),
    _name("exchange"),
    _key("instrument"),
    _int("seq"),
    _int("updated_ts"),
    _int("lots"),
    _int("entry_cost_units"),
    _int("entry_fee_units"),
    _int("realised_units"),
    _int("fee_units"),
    _int("opened_ns"),
    _instrument(),
)

round_trips = _table(
    "round_trips",
    _run(),
    _key("seq"),
    _int("instrument"),
    _text("exchange"),
    _text("strategy"),
    _int("entry_order_id"),
    _int("exit_order_id"),
    _text("side"),
    _int("entry_ts"),
    _int("exit_ts"),
    _int("quantity_lots"),
    _int("entry_cost_units"),
    _int("exit_cost_units"),
    _int("entry_fee_units"),
    _int("exit_fee_units"),
    _int("pnl_units"),
    _int("bars", null=True),
    _text("reason"),
    _text("tag"),
    _instrument(),
    CheckConstraint("side IN ('buy', 'sell')", name="side"),
)

risk_events = _table(
    "risk_events",
    _run(),
    _key("seq"),
    _key("n"),
    _int("ts"),
    _text("action"),
    _int("order_id"),
    _int("instrument"),
    _text("strategy"),
    _text("rule"),
    _text("measured"),
    _text("limit"),
    _text("unit"),
    _text("note"),
    Index(None, "run", "rule"),
)

equity = _table(
    "equity",
    _run(),
    _key("seq"),
    _int("ts"),
    _int("equity_units"),
    _int("exposure_units"),
    _int("buy_hold_units"),
    _int("peak_units"),
)

#: What a fold yields, in the order in which it must be inserted (fills name orders).
PROJECTIONS: tuple[Table, ...] = (orders, fills, positions, round_trips, risk_events, equity)
