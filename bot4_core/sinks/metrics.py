"""The sink ``metrics``: a running bot's figures for Prometheus on ``/metrics``, and whether it is well on ``/health``.

It reads the bot's segment in a process of its own, so a scrape costs the trading process nothing.
"""

from __future__ import annotations

import errno
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from attrs import Attribute, field, frozen

from ..domain.redaction import hide
from ..errors import Bot4Error, DomainError, one_line
from ..hookspecs import hookimpl
from ..specs import Services, SinkSpec

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from ..state.board import BoardView
    from .figures import RunCollector

_MAX_PORT = 65_535
#: requests served at one time; more are turned away
_MAX_REQUESTS = 16
#: a client that is silent for so long is dropped
_CLIENT_TIMEOUT_S = 5.0
_TEXT = ("Content-Type", "text/plain; charset=utf-8")


def _valid_port(_settings: object, _attribute: Attribute[int], value: int) -> None:
    if not 0 <= value <= _MAX_PORT:
        raise DomainError(f"{value} must be from 0 (any free port) to {_MAX_PORT}")


#: for ``bot4 config schema``
_valid_port.json_schema = {"minimum": 0, "maximum": _MAX_PORT}  # type: ignore[attr-defined]  # on a function


def _valid_host(_settings: object, _attribute: Attribute[str], value: str) -> None:
    if not value or not value.isprintable() or " " in value:
        raise DomainError(f"{value!r} is no host name or address; as 127.0.0.1")


@frozen(kw_only=True)
class MetricsSettings:
    """Settings of the sink ``metrics``.

    Args:
        host: the address it listens on; anything but a loopback address shows the bot's equity to the network.
        port: its port; 0 takes any free one and names it in the bot's log.
    """

    host: str = field(default="127.0.0.1", validator=_valid_host)
    port: int = field(default=8080, validator=_valid_port)


@hookimpl
def bot4_sinks() -> list[SinkSpec]:
    """Offers the sink."""
    return [
        SinkSpec(
            name="metrics",
            settings=MetricsSettings,
            create=MetricsSink,
            reads="segment",
            summary="figures for Prometheus on /metrics, the bot's health on /health",
        )
    ]


class MetricsSink:
    """Serves one run's figures over HTTP until the run ends.

    Args:
        settings: where to listen.
        services: of the bot; nothing of them is needed.
    """

    def __init__(self, settings: MetricsSettings, services: Services) -> None:
        self._settings = settings

    def serve(self, view: BoardView, stop: Callable[[float], bool]) -> None:
        """Listens, says where on stderr, and answers scrapes until ``stop`` says so.

        Raises:
            Bot4Error: the address cannot be listened on.
        """
        from ..state.folder import BotFolder
        from .figures import LatchWatch, RunCollector

        collector = RunCollector(view, LatchWatch(BotFolder.of(view.manifest.bot)))
        with _listen(self._settings, make_app(collector)) as server:
            thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
            thread.start()
            print(f"INFO listening on {server.url}/metrics", file=sys.stderr, flush=True)
            try:
                while not stop(60.0):
                    pass
            finally:
                server.shutdown()
                thread.join()


def make_app(collector: RunCollector) -> WSGIApplication:
    """The WSGI application: ``/metrics`` by prometheus_client, ``/health`` in one line."""
    from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app

    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    # what this process itself needs, under a name that nobody takes for the trader's
    ProcessCollector(namespace="bot4_metrics", registry=registry)
    expose: WSGIApplication = make_wsgi_app(registry)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            if environ["PATH_INFO"] == "/metrics":
                # no choice of metrics by query: a collector that is read at each scrape cannot be asked for a part
                return expose({**environ, "QUERY_STRING": ""}, start_response)
            status, text = _page(environ, collector)
        except Exception as error:  # noqa: BLE001  # whatever fails, the client gets an answer and the log one line
            text = hide(one_line(f"{type(error).__name__}: {error}"))
            status = "500 Internal Server Error"
            print(f"{environ['PATH_INFO']} failed: {text}", file=sys.stderr, flush=True)
        start_response(status, [_TEXT])  # a list of its own: the server adds to it
        return [f"{text}\n".encode()]

    return app


def _page(environ: WSGIEnvironment, collector: RunCollector) -> tuple[str, str]:
    if environ["PATH_INFO"] != "/health":
        return "404 Not Found", "there is /metrics and /health"
    if environ["REQUEST_METHOD"] != "GET":
        return "405 Method Not Allowed", "use GET"
    illness = collector.read().illness
    return ("503 Service Unavailable", illness) if illness else ("200 OK", "ok")


def _listen(settings: MetricsSettings, app: WSGIApplication) -> _Server:
    where = f"{settings.host} port {settings.port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        server = _Server(family, address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Bot4Error(f"{where} is taken: give the metrics sink another port, or 0 for any free one") from error
        raise Bot4Error(
            f"cannot listen on {where}: {error.strerror}; change the metrics sink's host or port"
        ) from error
    server.set_app(app)
    return server


class _Server(ThreadingMixIn, WSGIServer):
    """A thread per request, of which there are a bounded number; quiet about clients that leave."""

    daemon_threads = True
    request_queue_size = _MAX_REQUESTS

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self.address_family = family
        self._places = threading.BoundedSemaphore(_MAX_REQUESTS)
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        host = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        return f"http://{host}:{self.server_port}"

    def server_bind(self) -> None:
        # HTTPServer's own would ask the network for the host's full name, and wait for the answer
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]  # text for INET, INET6
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # a client that left, or was silent too long, is no news
            print(f"a request failed: {hide(one_line(error))}", file=sys.stderr, flush=True)


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_TIMEOUT_S

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a line per scrape would be the loudest part of the bot's log."""
