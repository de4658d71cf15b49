"""Secrets leave no text that is shown or stored."""

from __future__ import annotations

import pytest

from bot4_core.domain.redaction import is_secret, without_password, without_secrets


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
