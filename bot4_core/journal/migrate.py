"""Schema migrations, run from the installed wheel as well as from a checkout.

The migrations are the repository's ``alembic/`` folder; the wheel ships it as ``bot4_core/_migrations``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

import bot4_core

from ..errors import StoreError
from .database import connect, one_line, parse_url, show, sqlite_file, writing

#: PostgreSQL advisory lock held while a schema changes: "bot4" as a number.
_LOCK = 0x626F7434


def scripts() -> Path:
    """The folder with env.py: inside the wheel, else (editable install) beside the package in the repository."""
    package = Path(bot4_core.__file__).parent
    packaged = package / "_migrations"
    return packaged if (packaged / "env.py").is_file() else package.parent / "alembic"


def configuration(connection: sa.Connection | None = None) -> Config:
    """An Alembic configuration without an ini file; env.py takes the connection out of it."""
    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def known_revisions() -> frozenset[str]:
    """Every revision that this bot4 has a migration for."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions())


def revision_of(connection: sa.Connection) -> str | None:
    """The schema's revision; None for a database without a journal."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(url: str, revision: str = "head") -> str | None:
    """Brings the schema up to a revision and returns the one it then has.

    Raises:
        StoreError: the database cannot be reached, is newer than this bot4, or the revision is not known.
    """
    return _migrate(url, revision, command.upgrade, "upgrade")


def downgrade(url: str, revision: str) -> str | None:
    """Takes the schema down to a revision (``base`` removes every table, ``-1`` goes one step); data goes with it.

    Raises:
        StoreError: as :func:`upgrade`.
    """
    return _migrate(url, revision, command.downgrade, "downgrade")


def current(url: str) -> str | None:
    """The schema's revision; None for a database without a journal.

    Raises:
        StoreError: the database cannot be reached.
    """
    parsed = parse_url(url)
    require_file(parsed)
    engine = connect(parsed, "read")
    try:
        with one_line(parsed, "reading its revision"), engine.connect() as connection:
            return revision_of(connection)
    finally:
        engine.dispose()


def upgrade_connection(connection: sa.Connection) -> None:
    """Brings the schema up to the newest revision inside the caller's transaction."""
    command.upgrade(configuration(connection), "head")


def require_file(url: sa.URL) -> None:
    """StoreError when the URL names an SQLite file that is not there (SQLite would create an empty one)."""
    file = sqlite_file(url)
    if file is not None and not file.is_file():
        raise StoreError(f"there is no journal at {file}; a run makes one, or: bot4 db upgrade --url {show(url)}")


def refuse_unknown(connection: sa.Connection, url: sa.URL) -> str | None:
    """The schema's revision; StoreError when this bot4 has no migration of that name: a newer one made it."""
    revision = revision_of(connection)
    if revision is not None and revision not in known_revisions():
        raise StoreError(
            f"journal {show(url)} has schema {revision}, newer than this bot4 knows: update bot4-core"
            " (the newer one ran bot4 db upgrade on it)"
        )
    return revision


def _migrate(url: str, revision: str, run: Callable[[Config, str], None], doing: str) -> str | None:
    parsed = parse_url(url)
    if run is command.downgrade:
        require_file(parsed)
    engine = connect(parsed, "paper")
    try:
        with one_line(parsed, doing), writing(engine).begin() as connection:
            if parsed.get_backend_name() == "postgresql":
                # two upgrades at once: the second waits, then finds nothing to do
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            refuse_unknown(connection, parsed)
            run(configuration(connection), revision)
            return revision_of(connection)
    except CommandError as error:
        known = ", ".join(sorted(known_revisions()))
        raise StoreError(f"journal {show(parsed)}: {doing} to {revision!r}: {error}; known: {known}") from error
    finally:
        engine.dispose()
