"""Alembic's environment for the journal. It runs on the connection that bot4_core.journal.migrate hands it,

inside that caller's transaction, so that an interrupted migration leaves nothing behind in either database.
"""

from alembic import context

from bot4_core.errors import StoreError
from bot4_core.journal.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise StoreError("run migrations through bot4 db upgrade, or bot4_core.journal.migrate")

context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite alters a table by copying it; Alembic's batch mode writes migrations that do
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
