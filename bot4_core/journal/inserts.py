"""Bulk inserts, by the fastest road each database offers.

Rows are tuples in column order, handed to the driver as they are: SQLAlchemy compiles each statement once, and its
per-row parameter handling (half of the writing time at 50,000 rows) is left out. PostgreSQL takes facts by COPY.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..errors import StoreError

Row = tuple[Any, ...]


class BulkInsert:
    """Inserts rows of one table.

    Args:
        table: where to.
        dialect: of the engine that it will run on.
        replace: rows may be there already and take the new values (orders, positions, trades); otherwise a second
            row of the same key is an error.
    """

    def __init__(self, table: sa.Table, dialect: sa.Dialect, *, replace: bool) -> None:
        self._names = [column.name for column in table.c]
        self._copy: str | None = None
        self._named = dialect.name == "postgresql"
        insert = (postgresql.insert if self._named else sqlite.insert)(table)
        if replace:
            key = [column.name for column in table.primary_key]
            changed = {name: insert.excluded[name] for name in self._names if name not in key}
            insert = insert.on_conflict_do_update(index_elements=key, set_=changed)
        elif self._named:
            quote = dialect.identifier_preparer.quote
            self._copy = f"COPY {quote(table.name)} ({', '.join(map(quote, self._names))}) FROM STDIN"
        self._sql = str(insert.compile(dialect=dialect, column_keys=self._names))

    def run(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Inserts the rows, each a value per column of the table.

        Raises:
            StoreError: a number is too large, or COPY fails; other failures are SQLAlchemy's.
        """
        if not rows:
            return
        if self._copy is not None:
            self._copy_in(connection, self._copy, rows)
        elif self._named:
            connection.exec_driver_sql(self._sql, [dict(zip(self._names, row, strict=True)) for row in rows])
        else:
            try:
                connection.exec_driver_sql(self._sql, list(rows))
            except OverflowError as error:  # sqlite3 raises Python's own
                raise StoreError("the journal cannot be written: a number does not fit 64 bits") from error

    def _copy_in(self, connection: sa.Connection, statement: str, rows: Sequence[Row]) -> None:
        driver: Any = connection.connection.driver_connection
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except connection.dialect.loaded_dbapi.Error as error:  # the driver's own: SQLAlchemy did not see this call
            raise StoreError(f"the journal cannot be written: {' '.join(str(error).split())[:300]}") from error
