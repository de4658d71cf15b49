"""The process of one sink of a running bot: ``python -P -m bot4_core.sinks.process``.

The trader starts one for each ``[[sink]]``, so a sink that is slow, hangs or crashes cannot touch trading. The first
line of stdin is a :class:`Request`; afterwards each byte says that there is something new, and the end of stdin that
the trader is done or gone. Only the plugin named there is imported. What goes wrong is one line on stderr.

Exit: 0 the sink saw the run to its end, 2 the request makes no sense, 5 the sink or its plugin failed, else the code of
the error.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from ..domain.event import Kind
from ..domain.redaction import hide
from ..errors import Bot4Error, ConfigError, PluginLoadError, StoreError, one_line
from ..plugins import Pin, describe, load
from ..protocols import SegmentSink, Sink
from ..specs import Services, SinkSpec

if TYPE_CHECKING:
    from ..journal.records import Record
    from ..journal.store import Store

_MAX_REQUEST = 1 << 20
_REQUEST_S = 30.0
#: the journal is asked for news so often, and for so many records at once
_POLL_S = 0.1
_BATCH = 4_096
#: after the trader's end: the recorder may still be writing; RUN_END, so long a silence, or the bound ends the reading
_QUIET_S = 1.0
_DRAIN_S = 10.0
#: a journal that cannot be read for so long is worth a line
_OUTAGE_S = 5.0
#: so long after the trader's end the process ends itself, whatever its sink does
_GRACE_S = 20.0
_FAILED = 5


class PinTable(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A plugin with what the config pins of it (:class:`bot4_core.plugins.Pin`)."""

    name: str
    version: str | None = None
    sha256: str | None = None


class Request(msgspec.Struct, kw_only=True):
    """What the trader wants of this process.

    Attributes:
        plugin: entry-point name or pin table of what offers the sink; None for one of the core's own.
        sink: the spec's name.
        settings: the config's table without ``use``, numbers exact; secrets are still references in it.
        base_dir: the folder that the settings' paths are relative to.
        bot, seed: of the bot.
        segment: path of the run's segment.
        journal: the journal's URL with its password; empty when the sink does not read it.
        run_id: the run.
    """

    plugin: str | PinTable | None
    sink: str
    settings: dict[str, Any]
    base_dir: str
    bot: str
    seed: int
    segment: str
    journal: str
    run_id: str


#: numbers with a point keep every digit, as in the TOML
_decode = msgspec.json.Decoder(Request, float_hook=Decimal).decode


class TraderLine:
    """The other end of stdin, and the signals of whoever supervises this process.

    Attributes:
        gone: the trader is done or gone: finish.
        hurry: it was said once more (SIGTERM after that): finish without what is left.
    """

    def __init__(self, stdin: int) -> None:
        self.gone = False
        self.hurry = False
        self._stdin = stdin
        self._signals, wakeup = os.pipe()
        for fd in (self._signals, wakeup):
            os.set_blocking(fd, False)
        self._poll = select.poll()
        self._poll.register(self._signals, select.POLLIN)
        self._poll.register(stdin, select.POLLIN)
        # a byte in a pipe and not an Event: a handler must not take a lock that the code under it may hold
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        # Ctrl-C on the bot's terminal is for the bot
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def request(self) -> Request:
        """The first line.

        Raises:
            ConfigError: it does not come, or is none.
        """
        deadline, line = time.monotonic() + _REQUEST_S, bytearray()
        reader = select.poll()
        reader.register(self._stdin, select.POLLIN)
        # byte by byte up to the line's end would be slow, and a reader with a buffer would swallow what follows it
        while b"\n" not in line and len(line) <= _MAX_REQUEST:
            if not reader.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise ConfigError(f"no request on stdin within {_REQUEST_S:g} s")
            if not (data := os.read(self._stdin, 65_536)):
                break
            line += data
        try:
            return _decode(bytes(line).partition(b"\n")[0])
        except msgspec.MsgspecError as error:  # its words name the key, never the value
            raise ConfigError(f"the request on stdin is none: {one_line(error)}") from None

    def stop(self, timeout_s: float) -> bool:
        """Waits for news or the trader's end, at most so many seconds; whether it was the end."""
        if self.gone:
            return True
        self._take(timeout_s)
        return self.gone

    def pause(self, timeout_s: float) -> None:
        """Waits after the trader's end, shorter when there is hurry."""
        if not self.hurry:
            self._take(timeout_s)

    def _take(self, timeout_s: float) -> None:
        for fd, _ in self._poll.poll(timeout_s * 1000):
            if fd == self._signals:
                os.read(fd, 64)
                self.hurry = self.gone
                self.gone = True
            elif not os.read(fd, 4_096):
                self._poll.unregister(fd)
                self.gone = True


def say(text: str) -> None:
    """One line on stderr, without secrets; nobody there to read it is no error."""
    with suppress(OSError):
        print(hide(one_line(hide(text))), file=sys.stderr, flush=True)


def run(request: Request, trader: TraderLine) -> int:
    """Makes the sink and lets it work until the trader's end.

    Returns:
        The exit code.

    Raises:
        Bot4Error: the plugin, its settings, or the segment cannot be used.
    """
    spec = _spec(request)
    sink = _create(request, spec)
    if spec.reads == "journal":
        if not isinstance(sink, Sink):
            raise PluginLoadError(spec.name, "create() must give an object with on_batch(events)")
        return _read_journal(request, spec.name, sink, trader)
    if not isinstance(sink, SegmentSink):
        raise PluginLoadError(spec.name, "create() must give an object with serve(view, stop)")
    return _read_segment(request, sink, trader)


def _spec(request: Request) -> SinkSpec:
    plugin = request.plugin
    pins = [Pin(plugin.name, plugin.version, plugin.sha256)] if isinstance(plugin, PinTable) else []
    if isinstance(plugin, str):
        pins = [Pin(plugin)]
    registry = load(pins)
    for reason in registry.missing.values():
        raise PluginLoadError(request.sink, reason)
    spec = registry.find(SinkSpec, request.sink)
    if spec is None:
        raise PluginLoadError(request.sink, registry.explain("sink", request.sink))
    return spec


def _create(request: Request, spec: SinkSpec) -> object:
    from ..config.model import show_path
    from ..config.secrets import SecretReader
    from ..config.structure import Problems, structure

    base_dir = Path(request.base_dir)
    try:
        settings = structure(request.settings, spec.settings, SecretReader(base_dir))
    except Problems as problems:
        raise ConfigError("; ".join(f"{show_path(at)}: {what}" for at, what in problems.found)) from problems
    services = Services(base_dir=base_dir, resolve_history=_resolver(base_dir), seed=request.seed, bot=request.bot)
    try:
        return spec.create(settings, services)
    except Bot4Error:
        raise
    except (Exception, SystemExit) as error:
        raise PluginLoadError(spec.name, f"create() raised {describe(error)}") from error


def _resolver(base_dir: Path) -> Callable[[str], Path]:
    def resolve(name: str) -> Path:
        from ..history.catalogue import Catalogue

        return Catalogue.open().resolve(name, base_dir)

    return resolve


def _read_segment(request: Request, sink: SegmentSink, trader: TraderLine) -> int:
    from ..state.board import BoardView

    view = BoardView.attach(request.segment)
    try:
        sink.serve(view, trader.stop)
    except Bot4Error:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's sink may raise anything; it is one line
        say(f"serve failed: {describe(error)}")
        return _FAILED
    if not trader.gone:
        say("serve returned before the end of the run")
        return _FAILED
    return 0


def _read_journal(request: Request, name: str, sink: Sink, trader: TraderLine) -> int:
    from ..journal.sinks import SinkFeed

    failures: list[str] = []

    def failed(problem: str) -> None:
        failures.append(problem)
        say(problem.removeprefix(f"sink {name}: "))

    with SinkFeed(failed) as feed, _Tail(request) as tail:
        feed.add(name, sink)
        while not failures and not trader.stop(0.0 if tail.behind else _POLL_S):
            feed(tail.read())
        _drain(feed, tail, trader, failures)
    return _FAILED if failures else 0


def _drain(feed: Callable[[list[Record]], None], tail: _Tail, trader: TraderLine, failures: list[str]) -> None:
    """Hands over what the recorder still stores after the trader's end, within bounds."""
    began = heard = time.monotonic()
    while not failures and not tail.ended and not trader.hurry:
        records = tail.read()
        feed(records)
        now = time.monotonic()
        heard = now if records else heard
        if now - heard >= _QUIET_S or now - began >= _DRAIN_S:
            return
        if not records:
            trader.pause(_POLL_S)


class _Tail:
    """A run's records as they come into its journal. A context manager.

    A journal that cannot be read is tried again at each reading; one line says so when it lasts.

    Attributes:
        ended: the run's last record was read.
        behind: there may be more at once.
    """

    def __init__(self, request: Request) -> None:
        self.ended = False
        self.behind = False
        self._url = request.journal
        self._run_id = request.run_id
        self._seq = -1
        self._store: Store | None = None
        self._out_since: float | None = None
        self._told = False

    def __enter__(self) -> _Tail:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def read(self) -> list[Record]:
        """The next records, in order, at most a batch."""
        try:
            records = self._open().records_after(self._run_id, self._seq, _BATCH)
        except StoreError as error:
            self._close()
            self.behind = False
            self._outage(error)
            return []
        self._out_since, self._told = None, False
        self.behind = len(records) == _BATCH
        if records:
            self._seq = records[-1].seq
            self.ended = records[-1].kind == Kind.RUN_END
        return records

    def _open(self) -> Store:
        if self._store is None:
            from ..journal.store import Store

            self._store = Store.open(self._url, mode="read")
        return self._store

    def _outage(self, error: StoreError) -> None:
        now = time.monotonic()
        self._out_since = now if self._out_since is None else self._out_since
        if not self._told and now - self._out_since >= _OUTAGE_S:
            self._told = True
            say(f"cannot read the journal, trying on: {error}")

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def _end_with_trader(stdin: int) -> None:
    """Ends the process some time after the end of stdin, should its sink hang and its supervisor be dead."""
    watched = select.poll()
    watched.register(stdin, 0)  # only the hang-up is reported
    watched.poll()
    time.sleep(_GRACE_S)
    say(f"the sink did not finish within {_GRACE_S:g} s of the trader's end")
    os._exit(_FAILED)


def _environment() -> Mapping[str, str]:
    """How loguru, should a plugin use it, writes: its lines become lines of the bot's log, and tell no variables."""
    return {"LOGURU_FORMAT": "{level} {name}: {message}", "LOGURU_LEVEL": "INFO", "LOGURU_DIAGNOSE": "NO"}


def main() -> NoReturn:
    """Runs the process; ends it without waiting for threads that a plugin left behind."""
    os.dup2(2, 1)  # what a plugin prints is for the log too
    os.environ.update(_environment())
    trader = TraderLine(0)
    threading.Thread(target=_end_with_trader, args=(0,), name="end", daemon=True).start()
    try:
        code = run(trader.request(), trader)
    except Bot4Error as error:
        say(str(error))
        code = error.exit_code
    except Exception as error:  # noqa: BLE001  # a fault of ours is one line too, and never a traceback
        say(f"unexpected {describe(error)}")
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
