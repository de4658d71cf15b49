"""The journal: runs, the append-only events, and the tables that are folded from them.

Revision ID: 0001
Revises: nothing
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A migration keeps its own copy of types and columns: bot4_core/journal/tables.py goes on changing.
_INT64 = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_YES_NO = sa.Boolean().with_variant(sqlite.INTEGER(), "sqlite")
_TABLES = (
    "runs exchanges trading_accounts strategies instruments risk_limits events"
    " orders fills positions round_trips risk_events equity"
)
#: How each database refuses a change of the journal. SQLite's REPLACE deletes without a delete trigger unless the
#: connection asks for recursive triggers, so an insert over a row is refused too.
_SQLITE_TRIGGERS = {
    "events_no_update": "BEFORE UPDATE ON events",
    "events_no_delete": "BEFORE DELETE ON events",
    "events_no_replace": (
        "BEFORE INSERT ON events WHEN EXISTS (SELECT 1 FROM events WHERE run = NEW.run AND seq = NEW.seq)"
    ),
}
_REFUSAL = "the journal is append-only"


def _ints(names: str, *, null: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, _INT64, nullable=null) for name in names.split()]


def _texts(names: str, *, null: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names.split()]


def _flags(names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _YES_NO, nullable=False) for name in names.split()]


def _run() -> sa.Column[Any]:
    return sa.Column("run", sa.Integer, autoincrement=False, nullable=False)


def _create(name: str, *parts: Any, key: str, rowid: bool = False) -> None:
    columns = [part for part in parts if isinstance(part, sa.Column)]
    foreign = [sa.ForeignKeyConstraint(["run"], ["runs.id"])] if any(c.name == "run" for c in columns) else []
    op.create_table(
        name,
        *parts,
        *foreign,
        sa.PrimaryKeyConstraint(*key.split()),
        sqlite_strict=True,
        sqlite_with_rowid=rowid,
    )


def _of_instrument() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["run", "instrument"], ["instruments.run", "instruments.idx"])


def _a_side(table: str) -> sa.CheckConstraint:
    return sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f(f"ck_{table}_side"))


def upgrade() -> None:
    """Creates every table, then the triggers that keep events append-only."""
    _create_runs()
    _create_events()
    _create_orders()
    _create_positions()
    _create_risk()


def downgrade() -> None:
    """Drops everything; the data goes with it."""
    for name in reversed(_TABLES.split()):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION events_refuse_change()")


def _create_runs() -> None:
    _create(
        "runs",
        sa.Column("id", sa.Integer, nullable=False),
        *_texts("run_id bot mode"),
        *_ints("created_ns seed"),
        *_texts("config history_hash"),
        *_ints("interval_ns"),
        *_flags("unguarded"),
        *_ints("start_equity"),
        *_texts("reporting_asset"),
        *_ints("reporting_scale"),
        *_texts("fill_rules versions"),
        *_flags("finished"),
        *_texts("result_hash summary", null=True),
        sa.UniqueConstraint("run_id"),
        sa.CheckConstraint("mode IN ('backtest', 'paper', 'live')", name=op.f("ck_runs_mode")),
        key="id",
        rowid=True,
    )
    op.create_index(op.f("ix_runs_created_ns"), "runs", ["created_ns"])
    _create("exchanges", *_texts("name"), key="name")
    _create(
        "trading_accounts",
        _run(),
        *_texts("name exchange"),
        sa.ForeignKeyConstraint(["exchange"], ["exchanges.name"]),
        key="run name",
    )
    _create("strategies", _run(), *_texts("name use"), key="run name")
    _create(
        "instruments",
        _run(),
        *_ints("idx"),
        *_texts("symbol tick lot min_quantity max_quantity min_notional multiplier"),
        *_ints("volume_scale base_scale quote_scale"),
        *_texts("version"),
        key="run idx",
    )
    _create("risk_limits", _run(), *_texts("name value"), key="run name")


def _create_events() -> None:
    _create(
        "events",
        _run(),
        *_ints("seq ts instrument kind flags v0 v1 v2 v3 v4 v5"),
        *_texts("blob", null=True),
        key="run seq",
    )
    if op.get_bind().dialect.name == "sqlite":
        for name, when in _SQLITE_TRIGGERS.items():
            op.execute(f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END")
        return
    op.execute(
        "CREATE FUNCTION events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events"
        " FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change()"
    )


def _create_orders() -> None:
    _create(
        "orders",
        _run(),
        *_ints("order_id seq ts updated_ts instrument"),
        *_texts("exchange strategy"),
        *_texts("client_id", null=True),
        *_texts("side type tif role state reason"),
        *_ints("quantity_lots price_ticks trigger_ticks parent_id stop_ticks target_ticks worst_ticks equity_units"),
        *_texts("size_fraction", null=True),
        *_flags("reduce_only post_only pending_cancel"),
        *_ints("filled_lots cost_units fee_units"),
        *_ints("reported_lots", null=True),
        *_flags("violation"),
        *_texts("tag"),
        *_texts("signal_strength ta_score ml_confidence", null=True),
        _of_instrument(),
        sa.UniqueConstraint("run", "client_id"),
        _a_side("orders"),
        key="run order_id",
    )
    _create(
        "fills",
        _run(),
        *_ints("seq ts order_id instrument"),
        *_texts("venue account symbol"),
        *_ints("trade_id"),
        *_texts("venue_order_id side"),
        *_ints("price_ticks quantity_lots cost_units fee_units"),
        *_texts("fee_asset"),
        *_ints("fee_scale fee_quote_units"),
        *_flags("maker violation"),
        sa.ForeignKeyConstraint(["run", "order_id"], ["orders.run", "orders.order_id"]),
        _of_instrument(),
        sa.UniqueConstraint(
            "run", "venue", "account", "symbol", "trade_id", "venue_order_id", "side", name=op.f("uq_fills_key")
        ),
        _a_side("fills"),
        key="run seq",
    )


def _create_positions() -> None:
    _create(
        "positions",
        _run(),
        *_texts("exchange"),
        *_ints("instrument seq updated_ts lots entry_cost_units entry_fee_units realised_units fee_units opened_ns"),
        _of_instrument(),
        key="run exchange instrument",
    )
    _create(
        "round_trips",
        _run(),
        *_ints("seq instrument"),
        *_texts("exchange strategy"),
        *_ints("entry_order_id exit_order_id"),
        *_texts("side"),
        *_ints("entry_ts exit_ts quantity_lots entry_cost_units exit_cost_units"),
        *_ints("entry_fee_units exit_fee_units pnl_units"),
        *_ints("bars", null=True),
        *_texts("reason tag"),
        _of_instrument(),
        _a_side("round_trips"),
        key="run seq",
    )
    _create("equity", _run(), *_ints("seq ts equity_units exposure_units buy_hold_units peak_units"), key="run seq")


def _create_risk() -> None:
    _create(
        "risk_events",
        _run(),
        *_ints("seq n ts"),
        *_texts("action"),
        *_ints("order_id instrument"),
        *_texts("strategy rule measured limit unit note"),
        key="run seq n",
    )
    op.create_index(op.f("ix_risk_events_run_rule"), "risk_events", ["run", "rule"])
