"""Secrets of settings: read from where the config says, and refused in one line without any of their text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from attrs import field, frozen

from bot4_core.config.secrets import NotFound, SecretReader, secrets_in
from bot4_core.config.structure import Problems, structure
from bot4_core.domain.secret import MAX_SECRET_BYTES, Secret

from .vault import ENTRIES, OwnKeyring

TEXT = "config-test-secret-77"


@frozen(kw_only=True)
class Login:
    key: Secret
    spare: Secret | None = None
    more: tuple[Secret, ...] = ()
    named: dict[str, Secret] = field(factory=dict)


@pytest.fixture
def reader(tmp_path: Path) -> SecretReader:
    return SecretReader(tmp_path, {"KEY": TEXT, "EMPTY": "", "BLANK": "  ", "SHORT": "abc"})


@pytest.fixture
def ring() -> Iterator[dict[tuple[str, str], str]]:
    before = keyring.get_keyring()
    keyring.set_keyring(OwnKeyring())
    ENTRIES["kraken/eu", "main"] = TEXT
    yield ENTRIES
    ENTRIES.clear()
    keyring.set_keyring(before)


def file_of(reader: SecretReader, data: bytes, mode: int = 0o600) -> Path:
    path = reader.base_dir / "key"
    path.write_bytes(data)
    path.chmod(mode)
    return path


def refused(reader: SecretReader, value: object) -> NotFound:
    with pytest.raises(NotFound) as caught:
        reader.read(value)
    assert TEXT not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_environment_gives_its_variable(reader: SecretReader) -> None:
    secret = reader.read({"env": "KEY"})
    assert (secret.reveal(), secret.origin, secret.inline) == (TEXT, "environment variable KEY", False)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_file_of_our_own_gives_its_text_without_the_line_end(reader: SecretReader, mode: int, ending: bytes) -> None:
    path = file_of(reader, TEXT.encode() + ending, mode)
    for name in ("key", str(path)):
        assert reader.read({"file": name}).reveal() == TEXT


def test_lines_inside_a_file_are_kept(reader: SecretReader) -> None:
    file_of(reader, b"-----BEGIN-----\nZm9v\n-----END-----\n")
    assert reader.read({"file": "key"}).reveal() == "-----BEGIN-----\nZm9v\n-----END-----"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o604, 0o602, 0o610, 0o601, 0o666])
def test_a_file_that_others_can_reach_is_refused(reader: SecretReader, mode: int) -> None:
    file_of(reader, TEXT.encode(), mode)
    assert f"has mode {mode:04o}" in str(refused(reader, {"file": "key"}))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"ab", "fewer than 4"),
        (b"ab\xff\xfe", "is not UTF-8"),
        (b"abcd\0efg", "holds a NUL"),
        (b"x" * (MAX_SECRET_BYTES + 1), f"more than {MAX_SECRET_BYTES} bytes"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(reader: SecretReader, data: bytes, words: str) -> None:
    file_of(reader, data)
    assert words in str(refused(reader, {"file": "key"}))


def test_the_largest_file_is_taken(reader: SecretReader) -> None:
    file_of(reader, b"largest-" * (MAX_SECRET_BYTES // 8) + b"\n")
    assert len(reader.read({"file": "key"}).reveal()) == MAX_SECRET_BYTES


def test_what_is_no_regular_file_is_refused_and_not_waited_for(reader: SecretReader) -> None:
    os.mkfifo(reader.base_dir / "pipe", 0o600)
    assert "is no regular file" in str(refused(reader, {"file": "pipe"}))
    assert "Is a directory" in str(refused(reader, {"file": "."}))
    assert "cannot be read" in str(refused(reader, {"file": "a\0b"}))


def test_a_file_of_another_user_is_refused(reader: SecretReader, monkeypatch: pytest.MonkeyPatch) -> None:
    file_of(reader, TEXT.encode())
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert "belongs to another user" in str(refused(reader, {"file": "key"}))


def test_the_keyring_gives_its_entry(reader: SecretReader, ring: dict[tuple[str, str], str]) -> None:
    secret = reader.read({"keyring": "kraken/eu/main"})
    assert (secret.reveal(), secret.origin) == (TEXT, "keyring entry kraken/eu/main")
    assert "has no entry for service 'kraken/eu' and user 'other'" in str(
        refused(reader, {"keyring": "kraken/eu/other"})
    )


def test_a_keyring_that_fails_is_named_by_its_error(reader: SecretReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(service: str, user: str) -> str:
        raise RuntimeError("the collection is locked")

    monkeypatch.setattr(keyring, "get_password", locked)
    error = refused(reader, {"keyring": "a/b"})
    assert str(error) == "the keyring does not answer: RuntimeError: the collection is locked"
    assert error.at == ("keyring",)


def test_without_the_package_it_says_what_to_install(reader: SecretReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    assert str(refused(reader, {"keyring": "a/b"})).endswith("pip install 'bot4-core[keyring]'")


@pytest.mark.parametrize(
    ("value", "at", "words"),
    [
        ({"env": "GONE"}, ("env",), "the environment variable GONE is not set"),
        ({"env": "EMPTY"}, (), "is empty"),
        ({"env": "BLANK"}, (), "is empty"),
        ({"env": "SHORT"}, (), "fewer than 4"),
        ({"env": "A B"}, ("env",), "must be the name of an environment variable"),
        ({"env": 3}, ("env",), "must be text in quotes"),
        ({"env": ""}, ("env",), "must be text in quotes"),
        ({"fiel": "x"}, ("fiel",), "did you mean 'file'"),
        ({}, (), "must name one source"),
        ({"env": "KEY", "file": "x"}, (), "must name one source"),
        ([TEXT], (), "must name a secret"),
        (True, (), "must name a secret"),
        (12345678, (), "must name a secret"),
        ("", (), "is empty"),
        ({"keyring": "/main"}, ("keyring",), "must read SERVICE/USER"),
    ],
)
def test_what_names_no_secret_is_refused_at_its_place(
    reader: SecretReader, value: object, at: tuple[str, ...], words: str
) -> None:
    error = refused(reader, value)
    assert words in str(error)
    assert error.at == at


def test_settings_are_filled_and_their_secrets_found_with_their_places(reader: SecretReader) -> None:
    login = structure(
        {"key": {"env": "KEY"}, "more": ["written-out", {"env": "KEY"}], "named": {"a": {"env": "KEY"}}}, Login, reader
    )
    assert login.key.reveal() == TEXT
    assert login.spare is None
    assert [(at, secret.inline) for at, secret in secrets_in(login, ("x",))] == [
        (("x", "key"), False),
        (("x", "more", 0), True),
        (("x", "more", 1), False),
        (("x", "named", "a"), False),
    ]


def test_every_secret_that_is_missing_is_named_at_once(reader: SecretReader) -> None:
    with pytest.raises(Problems) as caught:
        structure({"key": {"env": "GONE"}, "spare": {"file": "gone"}, "more": [{"env": "LOST"}]}, Login, reader)
    assert [at for at, _ in caught.value.found] == [("key", "env"), ("spare", "file"), ("more", 0, "env")]
