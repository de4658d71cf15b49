"""The log of a running bot: flat JSON without secrets, files of bounded size, and nothing that stops trading."""

from __future__ import annotations

import base64
import json
import logging
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from bot4_core import logs
from bot4_core.domain.redaction import remember
from bot4_core.logs import LogFile, set_up

SECRET = "planted hunter2/+ä secret"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "bot4.jsonl"


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """Nothing on stderr but what the log itself says; every handler is gone afterwards."""
    logger.remove()
    yield
    logger.remove()


@contextmanager
def alone(path: Path, **settings: Any) -> Iterator[None]:
    """A log whose lines of the standard library go nowhere else: pytest's own handlers would raise for bad ones."""
    root = logging.getLogger()
    others, root.handlers = root.handlers, []
    try:
        with set_up(path, **settings):
            yield
    finally:
        root.handlers = others


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_is_a_flat_object_with_the_callers_fields(path: Path) -> None:
    with set_up(path):
        logger.bind(symbol="BTC/USDT", price=Decimal("1.10"), lots=-3, level="own", big=2**70).info("sent {}", 7)
    (line,) = written(path)
    moment = datetime.fromisoformat(line.pop("ts"))
    assert moment.utcoffset() is not None
    assert abs(moment.timestamp() - path.stat().st_mtime) < 60
    assert line.pop("line") > 0
    assert line == {
        "level": "INFO", "module": __name__, "message": "sent 7", "symbol": "BTC/USDT", "price": "1.10", "lots": -3,
        "extra_level": "own", "big": str(2**70),
    }  # fmt: skip


def test_a_level_is_kept_to_and_an_exception_is_text(path: Path) -> None:
    with set_up(path, level="WARNING"):
        logger.info("not this")
        try:
            [][1]
        except IndexError:
            logger.exception("that")
    (line,) = written(path)
    assert (line["level"], line["message"]) == ("ERROR", "that")
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("IndexError: list index out of range\n")


def test_what_libraries_log_is_in_it_under_their_name(path: Path) -> None:
    before = logging.getLogger().level
    with alone(path):
        logging.getLogger("a.library").warning("%s of {}", "half")
        logging.getLogger("a.library").debug("not this")
        logging.getLogger("sqlalchemy.engine").info("SELECT 1")
        logging.getLogger("a.library").log(33, "odd")
        logging.getLogger("a.library").error("%d", SECRET)
        logging.getLogger("a.library").error(Mute())
        try:
            raise KeyError("k")
        except KeyError:
            logging.getLogger("a.library").exception("caught")
    assert logging.getLogger().level == before
    lines = written(path)
    assert [(line["module"], line["level"], line["message"]) for line in lines] == [
        ("a.library", "WARNING", "half of {}"),
        ("a.library", "Level 33", "odd"),
        ("a.library", "ERROR", "%d (its arguments do not fit: TypeError)"),
        ("a.library", "ERROR", "Mute (its arguments do not fit: ValueError)"),
        ("a.library", "ERROR", "caught"),
    ]
    assert lines[4]["exception"].endswith("KeyError: 'k'\n")
    logging.getLogger("a.library").info("nobody listens any more")
    assert len(written(path)) == 5


class Telling:
    """An object that shows a secret in each of its faces."""

    def __str__(self) -> str:
        return f"key {SECRET}"

    __repr__ = __str__


class Mute:
    """An object that cannot be shown."""

    def __str__(self) -> str:
        raise ValueError(SECRET)


def provoke(secret: str) -> None:
    """Says a secret in every way that a log line offers."""
    encoded = base64.b64encode(secret.encode()).decode()
    logger.info(secret)
    logger.info("{!r} {}", secret, encoded)
    logger.bind(**{"value": secret, "api_key": "something else", secret: 1}).info("x")
    logger.bind(value={"deep": [secret, {secret: secret}], "password": 5}, telling=Telling(), mute=Mute()).info("x")
    logger.bind(number=20_261_120).info("x")
    logger.bind(raw=secret.encode()).info(json.dumps({"s": secret}))
    logging.getLogger("library").warning("url postgresql://u:%s@h/d", secret)
    logging.getLogger("library").warning("%d", secret)
    local = secret  # a traceback that shows variables would show it
    try:
        raise ValueError(f"refused: {local}")
    except ValueError:
        logger.exception("failed with {}", local)
        logging.getLogger("library").exception("failed")


def test_a_secret_is_in_no_message_no_field_and_no_traceback(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    remember(SECRET)
    remember("20261120")
    with alone(path, level="DEBUG"):
        provoke(SECRET)
    text = path.read_text(encoding="utf-8") + "".join(capfd.readouterr())
    assert len(written(path)) == 10
    for form in (SECRET, "hunter2", base64.b64encode(SECRET.encode()).decode(), SECRET.encode().hex(), "20261120"):
        assert form not in text
    assert "something else" not in text
    assert text.count("***") >= 12
    assert "Mute that cannot be shown" in text
    assert "test_logs.py" in text


def test_a_thousand_provoked_errors_show_no_secret(path: Path) -> None:
    remember(SECRET)
    with alone(path, rotate_mb=100):
        for _ in range(100):
            provoke(SECRET)
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") == 1000
    assert "hunter2" not in text


def test_a_long_text_is_cut_after_it_was_cleaned(path: Path) -> None:
    remember(SECRET)
    with set_up(path):
        logger.info("x" * (logs._MAX_TEXT - 10) + SECRET)
        try:
            raise ValueError("y" * 100_000)
        except ValueError:
            logger.exception("\ud800")
    first, second = written(path)
    assert len(first["message"]) <= logs._MAX_TEXT
    assert "plan" not in first["message"]
    assert second["message"] == "\\ud800"
    assert len(second["exception"]) == logs._MAX_TEXT
    assert second["exception"].endswith("y\n")


def test_files_are_rotated_by_size_and_a_bounded_number_is_kept(path: Path) -> None:
    with set_up(path, rotate_mb=1, keep=2):
        for number in range(4_500):
            logger.bind(pad="p" * 1000).info("{}", number)
    files = [path, path.with_name("bot4.jsonl.1"), path.with_name("bot4.jsonl.2")]
    assert sorted(path.parent.iterdir()) == files
    assert all(file.stat().st_size <= 10**6 for file in files)
    assert all(file.stat().st_size > 990_000 for file in files[1:])
    numbers = [int(line["message"]) for file in reversed(files) for line in written(file)]
    assert numbers == list(range(numbers[0], 4_500))


def test_it_is_for_its_owner_alone_and_goes_on_where_it_ended(path: Path) -> None:
    before = os.umask(0)
    try:
        for number in range(2):
            with set_up(path):
                logger.info("{}", number)
    finally:
        os.umask(before)
    assert [line["message"] for line in written(path)] == ["0", "1"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_line_that_a_kill_cut_short_stays_one_line(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"ts": "20')
    with set_up(path):
        logger.info("after")
    cut, whole = path.read_text().splitlines()
    assert cut == '{"ts": "20'
    assert json.loads(whole)["message"] == "after"


def test_a_log_that_cannot_be_written_is_named_once_and_stops_nothing(
    path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_RETRY_S", 0.0)
    path.mkdir(parents=True)
    with set_up(path) as log:
        for number in range(3):
            logger.info("{}", number)
        assert log.flush()
        assert log.lost == 3
        assert capfd.readouterr().err == f"log {path}: it is a directory; lines are lost until it can be written\n"
        path.rmdir()
        logger.info("again")
        assert log.flush()
        assert log.lost == 0
    assert [line["message"] for line in written(path)] == [
        "3 lines before this one were lost: the log could not be written",
        "again",
    ]
    assert capfd.readouterr().err == ""


def test_a_link_in_the_logs_place_is_not_followed(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path.parent.mkdir()
    other = path.with_name("other")
    other.write_text("precious")
    path.symlink_to(other)
    with set_up(path):
        logger.info("x")
    assert other.read_text() == "precious"
    assert "lines are lost until it can be written" in capfd.readouterr().err


def full_disk(path: Path) -> None:
    """A process whose disk is full after 2,000 bytes; writes lines until then, and one when there is room again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    logs._RETRY_S = 0.0
    with set_up(path) as log:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
        for number in range(50):
            logger.info("{}", number)
        log.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        logger.info("room")


def test_a_full_disk_leaves_whole_lines_and_a_count(path: Path) -> None:
    source = f"import runpy; runpy.run_path({__file__!r})['full_disk'](__import__('pathlib').Path({str(path)!r}))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if line.startswith(f"log {path}: ")]
    assert len(complaints) == 1
    assert "File too large" in complaints[0]
    *before, lost, last = [line["message"] for line in written(path)]
    assert before == [str(number) for number in range(len(before))]
    assert 5 < len(before) < 50
    assert lost == f"{50 - len(before)} lines before this one were lost: the log could not be written"
    assert last == "room"


def test_a_disk_that_hangs_holds_nobody_up_and_what_does_not_fit_is_counted(path: Path) -> None:
    hang, hanging = threading.Event(), threading.Event()

    class Stuck(LogFile):
        def _put(self, line: bytes) -> None:
            hanging.set()
            hang.wait()
            super()._put(line)

    log = Stuck(path, rotate_bytes=10**9, keep=1)
    handler = logger.add(log.take, format="{message}", catch=False)
    logger.info("stuck")
    assert hanging.wait(30)
    for number in range(logs._MAX_WAITING + 5):
        logger.info("{}", number)
    assert log.lost == 5
    assert not log.flush(timeout_s=0.0)
    hang.set()
    logger.remove(handler)
    log.close()
    messages = [line["message"] for line in written(path)]
    assert len(messages) == logs._MAX_WAITING + 2
    assert [one for one in messages if "lost" in one] == [
        "5 lines before this one were lost: the log could not be written"
    ]


def test_two_processes_never_write_one_file(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = "import sys\nfrom bot4_core.logs import *\nfrom bot4_core.logs import logger\nlogger.remove()\n" + (
        f"with set_up(Path({str(path)!r})) as log:\n logger.info('theirs'); log.flush(); print('up', flush=True)\n"
        " sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"up\n"
        with set_up(path):
            logger.info("ours")
        assert "another process writes it" in capfd.readouterr().err
        other.stdin.close()
        assert other.wait(timeout=60) == 0
    assert [line["message"] for line in written(path)] == ["theirs"]


def test_a_process_that_ends_without_closing_its_log_has_written_it(path: Path) -> None:
    source = (
        f"from bot4_core.logs import *\nset_up(Path({str(path)!r}))\nlogger.info('last words')\nraise SystemExit(3)"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, check=False, timeout=60)
    assert done.returncode == 3
    assert [line["message"] for line in written(path)] == ["last words"]
