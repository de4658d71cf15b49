"""A bot whose plugins and strategy do everything wrong with the secrets they hold, and a search for what got out."""

from __future__ import annotations

import base64
import json
import os
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import field, frozen
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError, PasswordSetError

from bot4_core.history.file import write_history
from bot4_core.testing import bars_from_closes

SOURCES = ("env", "file", "keyring")
#: How much of a secret may stay where a text was cut.
CUT = 12

SECRETS = {source: f"cnry-{source}-0b5f/+ü&'x y=\"7Qz9wK3mT" for source in SOURCES}

#: What a text looks like that holds the secret; tried in every place.
FORMS = (
    "raw", "repr", "ascii", "json", "bytes", "base64", "urlsafe", "basic", "hex", "HEX", "quoted", "plus", "lower",
    "html", "cut", "cause", "note", "group",
)  # fmt: skip

_SPILL = '''\
"""Every way to put a secret into an error."""

import base64
import html
import json
import urllib.parse


def text(secret, form):
    data = secret.encode()
    return {
        "repr": lambda: repr(secret), "ascii": lambda: ascii(secret), "json": lambda: json.dumps({"key": secret}),
        "bytes": lambda: repr(data), "base64": lambda: base64.b64encode(data).decode(),
        "urlsafe": lambda: base64.urlsafe_b64encode(data).decode(),
        "basic": lambda: base64.b64encode(b"user:" + data + b"\\n").decode(),
        "hex": lambda: data.hex(), "HEX": lambda: data.hex().upper(), "html": lambda: html.escape(secret),
        "quoted": lambda: urllib.parse.quote(secret, safe=""), "plus": lambda: urllib.parse.quote_plus(secret),
        "lower": lambda: urllib.parse.quote(secret, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
        "cut": lambda: "x" * 225 + " " + secret,
    }.get(form, lambda: f"refused: {secret}")()


def spill(secret, form):
    words = text(secret.reveal(), form)
    error = RuntimeError(words)
    if form == "cause":
        raise RuntimeError("behind it: " + words) from ValueError(words)
    if form == "note":
        error.add_note(words)
    if form == "group":
        raise ExceptionGroup(words, [ValueError(words)])
    raise error
'''

_RISK = """\
from attrs import field, frozen
from bot4_canary_spill import spill
from bot4_core.sdk import RiskSpec, Secret, hookimpl


def _judge(settings, attribute, value):
    if settings.place == "validator":
        spill(value, settings.form)


@frozen(kw_only=True)
class Settings:
    place: str = ""
    form: str = ""
    key: Secret = field(validator=_judge)

    def __attrs_post_init__(self):
        if self.place == "init":
            spill(self.key, self.form)


class Leaky:
    limits = {}

    def __init__(self, settings, services):
        self.settings = settings
        KEEP.append(settings)
        if settings.place == "create":
            spill(settings.key, settings.form)

    def check(self, wish, account):
        if self.settings.place == "policy":
            spill(self.settings.key, self.settings.form)
        return None


KEEP = []


@hookimpl
def bot4_risk_checks():
    return [RiskSpec(name="leaky", settings=Settings, create=Leaky)]


@hookimpl
def bot4_starting(run):
    if KEEP and KEEP[-1].place == "starting":
        spill(KEEP[-1].key, KEEP[-1].form)
"""

_SINK = """\
from attrs import frozen
from bot4_canary_spill import spill
from bot4_core.sdk import Secret, SinkSpec, hookimpl


@frozen(kw_only=True)
class Settings:
    place: str = ""
    form: str = ""
    key: Secret


class Leaky:
    def __init__(self, settings, services):
        self.settings = settings
        if settings.place == "sink":
            spill(settings.key, settings.form)

    def on_batch(self, events):
        if self.settings.place == "batch":
            spill(self.settings.key, self.settings.form)


@hookimpl
def bot4_sinks():
    return [SinkSpec(name="leaky", settings=Settings, create=Leaky)]
"""

_STRATEGY = """\
import logging
import sys

from bot4_canary_spill import spill, text
from bot4_core.sdk import Secret, Strategy
from loguru import logger


class Leaky(Strategy):
    place: str = ""
    form: str = ""
    key: Secret

    def on_start(self, ctx):
        if self.place == "start":
            spill(self.key, self.form)

    def on_bar(self, ctx, bar):
        words = text(self.key.reveal(), self.form)
        if self.place == "bar":
            spill(self.key, self.form)
        if self.place == "tag":
            tag = "".join(c for c in words if c.isprintable())[:256]
            ctx.buy(bar.instrument, fraction="0.01", stop="0.02", tag=tag)
        if self.place == "words":
            print(words)
            print(words, file=sys.stderr)
            logger.error("{}", words)
            logger.debug("{}", {"key": words})
            logging.getLogger("leaky").error(words)
            raise RuntimeError("said it all")
"""

#: Where a secret gets out while a bot is checked, and while it runs.
CHECKED = ("validator", "init", "create")
RUNNING = ("starting", "sink", "batch", "start", "bar", "tag", "words", "policy")


class CanaryKeyring(KeyringBackend):  # type: ignore[no-untyped-call]  # keyring's metaclass is not typed
    """Holds the one secret that is planted in a keyring."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return SECRETS["keyring"] if (service, username) == ("canary", "bot") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError("this keyring is read only")

    def delete_password(self, service: str, username: str) -> None:
        raise PasswordDeleteError("this keyring is read only")


@frozen
class Canary:
    """A folder with a bot that holds secrets.

    Args:
        folder: of the bot; its journal is there too.
        site: of the plugins, on the import path.
        planted: files that hold a secret on purpose.
    """

    folder: Path
    site: Path
    planted: set[Path] = field(factory=set)

    def prepare(self) -> None:
        """Writes history, strategy, secret file and plugins; the environment is the caller's."""
        for name, source in (("spill", _SPILL), ("risk", _RISK), ("sink", _SINK)):
            (self.site / f"bot4_canary_{name}.py").write_text(source, encoding="utf-8")
        for kind in ("risk", "sink"):
            info = self.site / f"bot4_canary_{kind}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bot4-canary-{kind}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[bot4]\n{kind}-leaky = bot4_canary_{kind}\n")
        (self.folder / "leaky.py").write_text(_STRATEGY, encoding="utf-8")
        secret = self.folder / "secret"
        secret.write_text(SECRETS["file"] + "\n", encoding="utf-8")
        secret.chmod(0o600)
        self.planted.add(secret)
        instrument, events = bars_from_closes([100, 101, 102, 103, 104])
        write_history(self.folder / "btc.b4h", instrument, events, interval_ns=60 * 10**9, source="test", roundings=0)

    def text(self, source: str, place: str = "", form: str = "raw") -> str:
        """The bot.toml; its plugins misbehave at ``place`` with a secret from ``source`` in this form."""
        key = {"env": '{ env = "CANARY" }', "file": '{ file = "secret" }', "keyring": '{ keyring = "canary/bot" }'}
        misdeed = f'place = "{place}"\nform = "{form}"\nkey = {key[source]}\n'
        return f"""\
[bot]
name = "canary"
plugins = ["exchange-sim", "risk-leaky", "sink-leaky"]
[journal]
url = "sqlite:///runs.db"
[log]
keep = 2
[exchange.main]
use = "sim"
history = ["btc.b4h"]
balances = {{ USDT = "100000" }}
[[risk]]
use = "leaky"
{misdeed}[strategy.leaky]
use = "./leaky.py:Leaky"
trade = ["main:BTC/USDT"]
default_stop = 0.02
{misdeed}[[sink]]
use = "leaky"
{misdeed}"""

    def write(self, text: str) -> str:
        """Puts the text into the bot.toml and gives its path."""
        path = self.folder / "bot.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def files(self, *more: Path) -> Iterator[Path]:
        """What the bot left behind: every file of its folder, and of more folders, but for the planted ones."""
        for folder in (self.folder, *more):
            yield from (path for path in folder.rglob("*") if path.is_file() and path not in self.planted)


def traces() -> dict[str, bytes]:
    """Each form in which a planted secret must not be found; made without the code under test."""
    found: dict[str, bytes] = {}
    for source, secret in SECRETS.items():
        data = secret.encode()
        found |= {
            f"{source} raw": data,
            f"{source} beginning": secret[:CUT].encode(),
            f"{source} hex": data.hex().encode(),
            f"{source} HEX": data.hex().upper().encode(),
            f"{source} quoted": urllib.parse.quote(secret, safe="").encode(),
            f"{source} plus": urllib.parse.quote_plus(secret).encode(),
            f"{source} json": json.dumps(secret)[1:-1].encode(),
        }
        for before in range(3):
            whole = base64.b64encode(b"x" * before + data + b"x" * (-(before + len(data)) % 3))
            found[f"{source} base64 {before}"] = whole[4:-4]
            found[f"{source} urlsafe {before}"] = whole[4:-4].translate(bytes.maketrans(b"+/", b"-_"))
    return found


TRACES = traces()


def leaks(data: bytes) -> list[str]:
    """Which forms of which secrets stand in these bytes, whatever their line breaks and case of URL quotes."""
    joined = b"".join(data.split())
    upper = urllib.parse.unquote_to_bytes(data)
    looked = (data, joined, upper)
    return [
        name
        for name, trace in TRACES.items()
        if any(one in each for one in (trace, b"".join(trace.split())) for each in looked)
    ]


def leaks_of(paths: Iterable[Path]) -> dict[str, list[str]]:
    """The same for files, by path; empty when none holds a secret."""
    found = {str(path): leaks(path.read_bytes()) for path in paths}
    return {name: forms for name, forms in found.items() if forms}


def environment() -> dict[str, str]:
    """The variables of a process that the secrets are planted in."""
    return {**os.environ, "CANARY": SECRETS["env"]}
