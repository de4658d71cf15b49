"""Migrations: up, down and up again with data, and the schema they make is the one the code uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.sql.elements import quoted_name

import bot4_core
from bot4_core.errors import StoreError
from bot4_core.journal import migrate
from bot4_core.journal import tables as t
from bot4_core.journal.database import connect, parse_url
from bot4_core.journal.store import Store
from bot4_core.journal.verify import verify

from .test_store import write


def table_names(url: str) -> set[str]:
    engine = connect(parse_url(url), "read")
    with engine.connect() as connection:
        names = set(sa.inspect(connection).get_table_names())
    engine.dispose()
    return names


def test_up_down_and_up_again_with_data(url: str) -> None:
    assert migrate.upgrade(url) == "0001"
    with Store.open(url, mode="backtest") as store:
        write(store)
    assert migrate.upgrade(url) == "0001"  # nothing to do, nothing lost
    with Store.open(url, mode="backtest") as store:
        assert verify(store, "run-1").same
    assert migrate.downgrade(url, "-1") is None
    assert table_names(url) == {"alembic_version"}
    assert migrate.current(url) is None
    assert migrate.upgrade(url) == migrate.current(url) == "0001"
    with Store.open(url, mode="backtest") as store:
        assert store.runs() == []
        write(store)
        assert verify(store, "run-1").same


def test_the_migrations_make_the_schema_of_the_code(url: str) -> None:
    migrate.upgrade(url)
    engine = connect(parse_url(url), "read")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, t.metadata) == []
        assert _checks(sa.inspect(connection)) == _checks_of_metadata()
    engine.dispose()


def test_the_comparison_can_fail(url: str) -> None:
    migrate.upgrade(url)
    engine = connect(parse_url(url), "paper")
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE fills ADD COLUMN extra TEXT"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), t.metadata)
    engine.dispose()


def _checks(inspector: sa.Inspector) -> dict[str, list[str]]:
    """Alembic does not compare check constraints: their names by table."""
    return {name: sorted(str(c["name"]) for c in inspector.get_check_constraints(name)) for name in t.metadata.tables}


def _checks_of_metadata() -> dict[str, list[str]]:
    def checks(table: sa.Table) -> list[str]:
        prefix = f"ck_{table.name}_"
        found = [c for c in table.constraints if isinstance(c, sa.CheckConstraint)]
        return sorted(prefix + str(quoted_name(str(c.name), None)).removeprefix(prefix) for c in found)

    return {name: checks(table) for name, table in t.metadata.tables.items()}


def test_the_newest_migration_is_the_schema_the_code_names() -> None:
    assert ScriptDirectory.from_config(migrate.configuration()).get_heads() == [t.HEAD]


def test_sqlite_tables_are_strict(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'j.db'}"
    with Store.open(url, mode="backtest") as store, store._engine.connect() as connection:
        rows = connection.execute(sa.text("PRAGMA table_list")).all()
        ours = {row[1]: row[5] for row in rows if row[1] in t.metadata.tables}
    assert ours == dict.fromkeys(t.metadata.tables, 1)


def _stamp(url: str, revision: str) -> None:
    engine = connect(parse_url(url), "paper")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :new"), {"new": revision})
    engine.dispose()


def test_a_newer_schema_is_refused_by_everything(url: str) -> None:
    migrate.upgrade(url)
    _stamp(url, "9999")
    for attempt in (
        lambda: Store.open(url, mode="backtest"),
        lambda: Store.open(url, mode="read"),
        lambda: migrate.upgrade(url),
        lambda: migrate.downgrade(url, "base"),
    ):
        with pytest.raises(StoreError, match=r"schema 9999, newer than this bot4 knows.*bot4 db upgrade"):
            attempt()
    assert "events" in table_names(url)


def test_an_older_schema_names_the_upgrade(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate.upgrade(url)
    monkeypatch.setattr(t, "HEAD", "0002")
    with pytest.raises(StoreError, match="schema 0001, older than 0002: run bot4 db upgrade --url"):
        Store.open(url, mode="backtest")


def test_an_unknown_revision_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match=r"upgrade to 'nope'.*known: 0001"):
        migrate.upgrade(url, "nope")


def test_current_of_a_missing_file_makes_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no journal.*bot4 db upgrade"):
        migrate.current(f"sqlite:///{tmp_path / 'j.db'}")
    with pytest.raises(StoreError, match="there is no journal"):
        migrate.downgrade(f"sqlite:///{tmp_path / 'j.db'}", "base")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_migration_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise sa.exc.OperationalError("CREATE", {}, Exception("disk full"))

    monkeypatch.setattr("alembic.op.create_index", fail)
    with pytest.raises(StoreError, match="upgrade: disk full"):
        migrate.upgrade(url)
    monkeypatch.undo()
    assert table_names(url) <= {"alembic_version"}
    assert migrate.upgrade(url) == "0001"


def test_processes_that_open_a_new_journal_at_once_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "new"))  # whose folder they make, too
    code = (
        "import sys; from bot4_core.journal.store import Store\n"
        "sys.stdin.readline()\n"
        "with Store.open(sys.argv[1], mode='backtest') as store: print(len(store.runs()))"
    )
    url = f"sqlite:///{tmp_path / 'new' / 'journal.db'}"
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    results = [racer.communicate(timeout=60) for racer in racers]
    assert [out for out, _ in results] == ["0\n"] * 4, results


def test_migrations_are_found_in_the_repository_and_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (migrate.scripts() / "versions").is_dir()
    package = tmp_path / "bot4_core"
    (package / "_migrations").mkdir(parents=True)
    (package / "_migrations" / "env.py").write_text("")
    monkeypatch.setattr(bot4_core, "__file__", str(package / "__init__.py"))
    assert migrate.scripts() == package / "_migrations"


def test_the_migrations_folder_does_not_hide_the_library() -> None:
    repository = Path(__file__).parents[2]
    assert not (repository / "alembic" / "__init__.py").exists()
    code = "import alembic.command"
    subprocess.run([sys.executable, "-c", code], cwd=repository, check=True, timeout=60)
