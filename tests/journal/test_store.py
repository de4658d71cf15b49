"""Writing and reading runs, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from bot4_core.domain.event import Kind
from bot4_core.errors import StoreError
from bot4_core.journal import database, migrate
from bot4_core.journal import tables as t
from bot4_core.journal.records import Words
from bot4_core.journal.store import Store, db_option, default_url
from bot4_core.journal.verify import verify
from bot4_core.journal.writer import JournalWriter

from .build import MINUTE, START_EQUITY, RandomRun, denied, fill, info, intent, write


def test_a_run_reads_back_as_it_was_written(store: Store) -> None:
    digest = write(store)
    record = store.load("run-1")
    assert record.info == info("run-1", created_ns=1001)
    assert record.summary == {"events": 5, "wakes": 3, "net_pnl": "1.5"}
    assert (record.row.finished, record.row.result_hash) == (True, digest)
    assert len(record.orders) == 300
    assert record.fills
    assert record.round_trips
    assert {event.action for event in record.risk_events} == {"denied"}
    assert record.denials == record.risk_events
    assert record.equity.ts.dtype == np.int64
    assert len(record.equity.ts) == len(record.equity.peak) > 100
    assert set(record.equity.peak.tolist()) == {START_EQUITY}
    assert np.all(np.diff(record.equity.ts) >= 0)


def test_folding_the_events_again_gives_the_stored_tables(store: Store) -> None:
    digest = write(store, batch=7)
    verdict = verify(store, "latest")
    assert verdict.differences == ()
    assert verdict.result_hash == digest


def test_a_changed_projection_is_found(store: Store) -> None:
    write(store)
    with store._engine.begin() as connection:
        connection.execute(t.fills.update().where(t.fills.c.trade_id == 3).values(fee_units=123456))
    verdict = verify(store, "run-1")
    assert not verdict.same
    assert [line.split(":")[0] for line in verdict.differences] == ["fills"]
    assert "first difference at row 2" in verdict.differences[0]


def test_a_changed_result_hash_is_found(store: Store) -> None:
    write(store)
    with store._engine.begin() as connection:
        connection.execute(t.runs.update().values(result_hash="0" * 64))
    assert [line.split(":")[0] for line in verify(store, "run-1").differences] == ["result_hash"]


def test_a_missing_row_is_found(store: Store) -> None:
    write(store)
    with store._engine.begin() as connection:
        last = sa.select(sa.func.max(t.equity.c.seq)).scalar_subquery()
        connection.execute(t.equity.delete().where(t.equity.c.seq == last))
    assert [line.split(":")[0] for line in verify(store, "run-1").differences] == ["equity"]


@pytest.mark.parametrize("change", ["update", "delete", "replace", "truncate"])
def test_events_refuse_every_change(store: Store, change: str) -> None:
    write(store, orders=5)
    lite = store.url.get_backend_name() == "sqlite"
    statements: dict[str, sa.sql.base.Executable] = {
        "update": t.events.update().values(v0=1),
        "delete": t.events.delete(),
        "replace": t.events.insert()
        .prefix_with("OR REPLACE" if lite else "")
        .values(run=1, seq=0, ts=1, instrument=0, kind=1, flags=0, v0=0, v1=0, v2=0, v3=0, v4=0, v5=0),
        "truncate": t.events.delete() if lite else sa.text("TRUNCATE events"),
    }
    before = list(store.records("run-1"))
    with pytest.raises(sa.exc.DBAPIError, match=r"append-only|duplicate key"), store._engine.begin() as connection:
        connection.execute(statements[change])
    assert list(store.records("run-1")) == before


def test_a_second_fill_of_one_key_is_refused_by_the_database(store: Store) -> None:
    write(store, orders=20)
    columns = [column for column in t.fills.c if column.name != "seq"]
    names = ["seq", *(column.name for column in columns)]
    with pytest.raises(sa.exc.IntegrityError), store._engine.begin() as connection:
        copy = sa.select(t.fills.c.seq + 1_000_000, *columns).limit(1)
        connection.execute(t.fills.insert().from_select(names, copy))


def test_amounts_keep_all_64_bits(store: Store) -> None:
    high, low = 2**63 - 1, -(2**63)
    with JournalWriter(store, info()) as writer:
        writer.append(high, 0, Kind.EQUITY, 0, (high, low, high - 1, low + 1, 0, 0))
    curve = store.load("latest").equity
    assert [int(c[0]) for c in (curve.ts, curve.equity, curve.exposure, curve.buy_hold, curve.peak)] == [
        high,
        high,
        low,
        high - 1,
        low + 1,
    ]


def test_text_of_any_kind_survives(store: Store) -> None:
    text = "naïve 🚀 'quote\" \\ ; DROP TABLE runs; -- %s :x \x1b[31m\n"
    with JournalWriter(store, info(config=text)) as writer:
        writer.append(*intent(1, 1, tag=text))
        writer.append(*intent(2, 1, tag="a\x00b"))
        writer.finish({"note": text + "\x00"})
    record = store.load("latest")
    assert record.orders[0].tag == text
    assert record.orders[1].tag == "a\N{REPLACEMENT CHARACTER}b"  # PostgreSQL's text has no NUL
    assert record.info.config == text
    assert record.summary["note"] == text + "\x00"
    assert verify(store, "latest").same


def test_runs_are_listed_newest_first(store: Store) -> None:
    for seed in (1, 3, 2):
        write(store, f"run-{seed}", seed=seed, orders=3)
    with JournalWriter(store, info("unfinished", created_ns=5000)):
        pass
    rows = store.runs()
    assert [row.run_id for row in rows] == ["unfinished", "run-3", "run-2", "run-1"]
    assert (rows[0].finished, rows[0].summary, rows[1].finished) == (False, None, True)
    assert store.load("latest").row == rows[0]
    assert store.load("latest").summary == {}


def test_a_run_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    for seed, name in enumerate(("20240101-aa", "20240101-bb", "20240102-aa", "20240102"), 1):
        write(store, name, seed=seed, orders=2)
    assert store.load("20240101-b").row.run_id == "20240101-bb"
    assert store.load("20240102").row.run_id == "20240102"  # exact beats beginning
    with pytest.raises(StoreError, match=r"several runs begin with '202401': .*write more"):
        store.load("202401")
    for wrong in ("x", "", "%", "2024010_"):
        with pytest.raises(StoreError, match="no run"):
            store.load(wrong)


def test_an_empty_journal_says_so(store: Store) -> None:
    assert store.runs() == []
    with pytest.raises(StoreError, match="holds no run yet"):
        store.load("latest")


def test_denials_are_counted_by_rule(store: Store) -> None:
    with JournalWriter(store, info()) as writer:
        for n, rules in enumerate([("stop", "position"), ("position",), ("drawdown",)], 1):
            writer.append(*denied(n, *rules))
        writer.append(1, 0, Kind.HALT, 0, (1, 0, 0, 0, 0, 0), {"mode": "killed", "reason": "position"})
    assert list(store.denials_by_rule("latest").items()) == [("position", 2), ("drawdown", 1), ("stop", 1)]
    assert len(store.load("latest").denials) == 4
    assert len(store.load("latest").risk_events) == 5


def test_what_a_run_is_stands_in_its_tables(store: Store) -> None:
    write(store, "a")
    write(store, "b", seed=2)
    with store._engine.connect() as connection:
        assert connection.execute(sa.select(t.exchanges)).all() == [("sim",)]
        accounts = connection.execute(sa.select(t.trading_accounts).where(t.trading_accounts.c.run == 1)).all()
        assert accounts == [(1, "main", "sim")]
        assert connection.execute(sa.select(t.strategies.c.use)).scalars().first() == "./trend.py:Trend"
        limits = dict(connection.execute(sa.select(t.risk_limits.c.name, t.risk_limits.c.value)).all())
        assert limits == {"position": "0.02", "correlation": '{"max":"0.7"}'}
        symbols = connection.execute(sa.select(t.instruments.c.symbol, t.instruments.c.version)).all()
        assert symbols[:2] == [("BTC/USDT", "7"), ("SHIB/USDT", "1")]


def test_a_run_id_is_used_once(store: Store) -> None:
    write(store, "a", orders=2)
    with pytest.raises(StoreError, match="already has a run a"):
        write(store, "a", orders=2)


def test_two_runs_do_not_mix(store: Store) -> None:
    first = JournalWriter(store, info("a"), batch=3)
    second = JournalWriter(store, info("b"), batch=5)
    for one, two in zip(RandomRun(1, 50).records(), RandomRun(2, 50).records(), strict=False):
        first.append(*one)
        second.append(*two)
    first.finish({})
    second.finish({})
    assert verify(store, "a").same
    assert verify(store, "b").same
    assert store.load("a").fills != store.load("b").fills


def test_a_batch_is_all_or_nothing(store: Store) -> None:
    writer = JournalWriter(store, info())
    writer.append(*intent(1, 1))
    writer.flush()
    writer.append(*intent(2, 1))
    ts, instrument, kind, flags, words, blob = intent(3, 1)
    writer.append(ts, instrument, kind, flags, words, {**(blob or {}), "client_id": "c1"})  # O-7: used before
    with pytest.raises(StoreError) as caught:
        writer.flush()
    assert "\n" not in str(caught.value)
    assert "INSERT" not in str(caught.value)
    assert [order.order_id for order in store.load("latest").orders] == [1]
    assert [record.seq for record in store.records("latest")] == [0, 1]
    assert verify(store, "latest").same
    with pytest.raises(StoreError, match="takes no more records"):
        writer.flush()


@pytest.mark.parametrize("words", [(2**63, 0, 0, 0, 0, 0), (0, 0, 0, -(2**63) - 1, 0, 0)])
def test_a_number_beyond_64_bits_is_one_line(store: Store, words: Words) -> None:
    writer = JournalWriter(store, info())
    writer.append(0, 0, Kind.EQUITY, 0, words)
    with pytest.raises(StoreError, match=r"does not fit 64 bits|out of range") as caught:
        writer.flush()
    assert "\n" not in str(caught.value)
    assert [record.seq for record in store.records("latest")] == [0]


def test_a_run_may_have_no_accounts_strategies_and_limits(store: Store) -> None:
    bare = info(accounts={}, strategies={}, limits={}, fill_rules={}, versions={}, instruments=(), interval_ns=0)
    JournalWriter(store, bare).finish({})
    record = store.load("latest")
    assert record.info == bare
    assert record.equity.ts.shape == (0,)
    assert verify(store, "latest").same


def test_the_default_journal_is_in_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a ?#%20 ü"
    monkeypatch.setenv("BOT4_STATE", str(folder))
    with Store.open(default_url(), mode="backtest") as store:
        write(store, orders=2)
    assert (folder / "journal.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert (folder.stat().st_mode & 0o777) == 0o700
    monkeypatch.delenv("BOT4_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert default_url() == f"sqlite:///{tmp_path / 'state' / 'bot4' / 'journal.db'}"


@pytest.mark.parametrize("folder", ["nope", "nope/deeper", "state/nope"])
@pytest.mark.parametrize("relative", [False, True])
def test_a_named_journal_makes_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, relative: bool
) -> None:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    file = Path(folder, "x.db") if relative else tmp_path / folder / "x.db"
    for act in (lambda: Store.open(f"sqlite:///{file}", mode="paper"), lambda: migrate.upgrade(f"sqlite:///{file}")):
        with pytest.raises(StoreError) as caught:
            act()
        assert str(caught.value) == f"cannot make journal {file}: its directory does not exist; choose another path"
    assert list(tmp_path.iterdir()) == []


def test_the_default_journal_makes_its_folder_when_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "a" / "state"))
    Store.open(f"sqlite:///{tmp_path / 'a' / 'state' / 'journal.db'}", mode="backtest").close()
    assert (tmp_path / "a" / "state" / "journal.db").is_file()
    foreign = tmp_path / "file"
    foreign.touch()
    monkeypatch.setattr(database, "state_dir", lambda: foreign / "state")
    with pytest.raises(StoreError, match="cannot make its directory: Not a directory"):
        database.make_room(foreign / "state" / "journal.db")


def test_reading_makes_no_file(tmp_path: Path) -> None:
    missing = tmp_path / "no" / "journal.db"
    for mode, create in (("read", True), ("backtest", False)):
        with pytest.raises(StoreError, match="there is no journal at"):
            Store.open(f"sqlite:///{missing}", mode=mode, create=create)  # type: ignore[arg-type]  # text on purpose
    assert not missing.parent.exists()


def test_a_reader_reads_while_a_run_is_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    with Store.open(url, mode="paper") as store, Store.open(url, mode="read") as reader:
        writer = JournalWriter(store, info(mode="paper"), batch=1)
        writer.append(*intent(1, 1))
        assert [order.state for order in reader.load("latest").orders] == ["submitted"]
        writer.append(*fill(1, 1, 100, trade_id=1, ts=MINUTE))
        assert [order.state for order in reader.load("latest").orders] == ["filled"]


def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_bytes(b"not a database, and long enough to be read as one" * 50)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(f"sqlite:///{text}", mode="backtest")
    assert text.read_bytes().startswith(b"not a database")

    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(StoreError, match="holds no journal yet: run bot4 db upgrade"):
        Store.open(f"sqlite:///{foreign}", mode="backtest")


def test_an_empty_postgresql_database_wants_an_upgrade(url: str) -> None:
    if url.startswith("sqlite"):
        Store.open(url, mode="backtest").close()
    else:
        with pytest.raises(StoreError, match="run bot4 db upgrade"):
            Store.open(url, mode="backtest")
        migrate.upgrade(url)
    with Store.open(url, mode="backtest") as store:
        assert store.runs() == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://root@localhost/x", "mysql is not supported, only sqlite and postgresql"),
        ("journal.db", "a journal url reads sqlite:///FILE"),
        ("postgresql://me:s3cret@127.0.0.1:1/x?connect_timeout=2", "opening it"),
        ("sqlite:////proc/nowhere/journal.db", "its directory does not exist; choose another path"),
    ],
)
def test_a_url_that_cannot_be_used_is_one_line_without_its_password(url: str, words: str) -> None:
    with pytest.raises(StoreError, match=words) as caught:
        Store.open(url, mode="backtest")
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_no_question_about_one_run_reads_all_runs(sqlite_store: Store) -> None:
    """Every query of the big tables goes by index: the time of a report does not grow with the journal."""
    write(sqlite_store)
    asked: list[tuple[str, object]] = []

    def remember(_connection: object, _cursor: object, sql: str, parameters: object, *_: object) -> None:
        asked.append((sql, parameters))

    sa.event.listen(sqlite_store._engine, "before_cursor_execute", remember)
    verify(sqlite_store, "run-1")
    sqlite_store.denials_by_rule("latest")
    sa.event.remove(sqlite_store._engine, "before_cursor_execute", remember)

    plans = []
    with sqlite_store._engine.connect() as connection:
        for sql, parameters in asked:
            if sql.startswith("SELECT"):
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)  # type: ignore[arg-type]  # as the driver got them
                plans += [row[3] for row in rows]
    assert len(plans) > 12
    big = ("events", "orders", "fills", "round_trips", "risk_events", "equity", "positions")
    assert [plan for plan in plans if any(f"SCAN {name}" in plan for name in big)] == []
    assert any("SEARCH events USING PRIMARY KEY" in plan for plan in plans)


def test_the_examples_of_the_manual_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path))
    with Store.open(default_url(), mode="backtest") as store:
        write(store)
    manual = (Path(__file__).parents[2] / "docs" / "journal.md").read_text(encoding="utf-8")
    example, query = (re.findall(rf"```{kind}\n(.*?)```", manual, re.DOTALL) for kind in ("python", "sql"))
    exec(compile(example[0], "docs/journal.md", "exec"), {})
    assert "'position'" in capsys.readouterr().out
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        assert len(connection.execute(query[0]).fetchall()) == 4
    connection.close()


def test_the_manual_names_every_table() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "journal.md").read_text(encoding="utf-8")
    assert [name for name in t.metadata.tables if f"`{name}`" not in manual] == []


def test_the_option_that_finds_a_journal_again_names_it_without_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT4_STATE", "/somewhere")
    assert db_option(None) == ""
    assert db_option(default_url()) == ""
    assert db_option("sqlite:////my runs/a.db") == " --db 'sqlite:////my runs/a.db'"
    assert db_option("postgresql://me:s3cr3t@host:5/db?sslmode=require&sslpassword=s3cr3t") == (
        " --db 'postgresql+psycopg://me@host:5/db?sslmode=require'"
    )
