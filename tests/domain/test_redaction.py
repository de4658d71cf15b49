"""Secrets leave no text that is shown or stored."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot4_core.domain.redaction import (
    MAX_SECRETS,
    Redactor,
    hide_in,
    is_secret,
    remember,
    without_password,
    without_secrets,
)
from bot4_core.errors import DomainError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://me:s3cr3t@host:5432/db", "postgresql+psycopg://me:***@host:5432/db"),
        ("postgresql://me:a:b@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:s3@cr3t@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:s3/cr3t@host/db", "postgresql://me:***@host/db"),
        ("postgresql://host/db?user=me&password=s3cr3t&port=5", "postgresql://host/db?user=me&password=***&port=5"),
        ("postgresql://host/db?sslpassword=s3cr3t", "postgresql://host/db?sslpassword=***"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("sqlite:////tmp/a:b/journal.db", "sqlite:////tmp/a:b/journal.db"),
    ],
)
def test_a_password_in_a_url_is_hidden_and_the_rest_kept(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert without_secrets(f'url = "{url}"\nname = "x@y"\n') == f'url = "{shown}"\nname = "x@y"\n'


def test_settings_named_like_a_secret_are_hidden_wherever_they_stand() -> None:
    text = 'api_key = \'s3cr3t\'\nauth = { "client-secret" = "s3cr3t", user = "me" }\nAPIKEY="s3cr3t"\nmode = "paper"\n'
    shown = without_secrets(text)
    assert "s3cr3t" not in shown
    assert 'user = "me"' in shown
    assert 'mode = "paper"' in shown


def test_names_of_secrets_are_known() -> None:
    assert [name for name in ("api_key", "PASSWORD", "client_secret", "key", "url", "seed") if is_secret(name)] == [
        "api_key", "PASSWORD", "client_secret",
    ]  # fmt: skip


SECRET = "ab/c+ü&'d e=\"7Qz9wK3mT"


@pytest.fixture
def redactor() -> Redactor:
    made = Redactor()
    made.remember(SECRET)
    return made


@pytest.mark.parametrize(
    "escape",
    [
        str,
        repr,
        ascii,
        lambda text: repr(repr(text)),
        json.dumps,
        lambda text: json.dumps(json.dumps(text)),
        lambda text: str(text.encode()),
        lambda text: text.encode("unicode_escape").decode(),
        urllib.parse.quote,
        lambda text: urllib.parse.quote(text, safe=""),
        urllib.parse.quote_plus,
        lambda text: urllib.parse.quote(text).replace("%2B", "%2b").replace("%C3", "%c3"),
        html.escape,
        lambda text: text.replace(" ", "\n"),
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
        *(lambda text, n=n: base64.b64encode(b"user:"[:n] + text.encode() + b"!").decode() for n in range(5)),
        lambda text: base64.urlsafe_b64encode(b"?" + text.encode()).decode(),
    ],
)
def test_a_secret_is_found_however_it_is_written(redactor: Redactor, escape: Callable[[str], str]) -> None:
    shown = redactor.hide(f"before {escape(SECRET)} after")
    assert "***" in shown
    assert "Qz9wK3" not in shown
    assert escape(SECRET)[8:-8] not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@pytest.mark.parametrize("kept", range(4, len(SECRET)))
@pytest.mark.parametrize("escape", [str, ascii, urllib.parse.quote])
def test_the_beginning_of_a_secret_is_hidden_where_a_text_was_cut(
    redactor: Redactor, escape: Callable[[str], str], kept: int
) -> None:
    cut = escape(SECRET)[: kept + 1]
    long = "a text that is long enough to have been cut somewhere: "
    assert cut.lstrip("'")[:5] not in redactor.hide(long + cut)
    assert cut.lstrip("'")[:5] not in redactor.hide(f"short {cut}… and more")
    quoted = redactor.hide(f'{{"tag": "{long}{cut}", "x": 1}}')
    assert cut.lstrip("'")[:5] not in quoted or kept < 9


@given(st.text(min_size=4, max_size=40).filter(lambda text: len(text.strip()) >= 4), st.text(max_size=20))
def test_any_secret_is_hidden_in_text_json_and_base64(secret: str, around: str) -> None:
    made = Redactor()
    made.remember(secret)
    for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]):
        assert secret not in made.hide(f"{around} {form} {around}") or secret in "***"
    data = base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode()
    assert data.rstrip("=")[:-1] not in made.hide(data)


def test_every_line_of_a_key_file_is_hidden_by_itself() -> None:
    lines = [f"line-{n}-" + "Zk8" * 20 for n in range(4)]
    made = Redactor()
    made.remember("\n".join(lines))
    for text in (*lines, "\n".join(lines), " ".join(lines), repr("\n".join(lines))):
        assert "Zk8" not in made.hide(text)


def test_a_secret_of_64_kib_is_hidden_in_pieces() -> None:
    made = Redactor()
    secret = "".join(f"{n:05d}/" for n in range(10_000))
    made.remember(secret)
    assert "04321/04322" not in made.hide("x" + secret)


def test_a_longer_secret_leaves_nothing_of_a_shorter_one_inside_it() -> None:
    made = Redactor()
    for secret in ("inner-secret", "outer-inner-secret-outer"):
        made.remember(secret)
    assert made.hide("outer-inner-secret-outer inner-secret") == "*** ***"


def test_text_without_a_secret_stays_as_it_is(redactor: Redactor) -> None:
    text = '{"tag": "abc and the rest of a longer text about ab/c and more of the same kind", "x": "7Qz9"}'
    assert redactor.hide(text) == text
    assert Redactor().hide(text) is text


def test_the_number_of_secrets_is_bounded() -> None:
    made = Redactor()
    for n in range(MAX_SECRETS):
        made.remember(f"secret-number-{n}")
    made.remember("secret-number-0")
    with pytest.raises(DomainError, match="at most 256"):
        made.remember("secret-number-more")


def test_json_is_hidden_without_breaking_its_numbers() -> None:
    remember("77415077")
    found = hide_in({"equity": 77415077, "tag": "id 77415077", "list": ["77415077", None, True]})
    assert found == {"equity": 77415077, "tag": "id ***", "list": ["***", None, True]}
