"""A secret shows itself to nobody who does not ask."""

from __future__ import annotations

import copy
import json
import pickle

import attrs
import pytest

from bot4_core.domain.redaction import hide
from bot4_core.domain.secret import MAX_SECRET_BYTES, Secret
from bot4_core.errors import DomainError

TEXT = "test-secret-Kq81/zz"


@pytest.fixture
def secret() -> Secret:
    return Secret(TEXT, "environment variable X")


def test_only_reveal_gives_the_text(secret: Secret) -> None:
    assert secret.reveal() == TEXT
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret!r}", f"{secret} {secret!r}"]
    assert all(TEXT not in one and "***" in one for one in shown)


def test_containers_and_settings_show_none(secret: Secret) -> None:
    @attrs.frozen
    class Settings:
        key: Secret

    assert TEXT not in repr([secret, {"key": secret}, Settings(secret)]) + str(attrs.asdict(Settings(secret)))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(secret: Secret, protocol: int) -> None:
    with pytest.raises(DomainError, match="not pickled"):
        pickle.dumps(secret, protocol)


def test_it_is_no_json(secret: Secret) -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps({"key": secret})
    assert TEXT not in str(caught.value)
    assert json.dumps({"key": secret}, default=str) == '{"key": "***"}'


def test_a_copy_is_the_same_object(secret: Secret) -> None:
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_it_has_no_dictionary_and_does_not_change(secret: Secret) -> None:
    with pytest.raises(TypeError):
        vars(secret)
    for change in (lambda: setattr(secret, "_value", "x"), lambda: delattr(secret, "_value")):
        with pytest.raises(DomainError, match="does not change"):
            change()


def test_equal_texts_are_equal_and_hashes_tell_nothing(secret: Secret) -> None:
    assert secret == Secret(TEXT)
    assert secret != Secret("test-secret-other")
    assert secret != TEXT
    assert hash(secret) == hash(Secret("test-secret-other"))


def test_its_text_is_hidden_from_then_on(secret: Secret) -> None:
    assert hide(f"key {secret.reveal()}") == "key ***"


def test_where_it_came_from_may_be_shown(secret: Secret) -> None:
    assert (secret.origin, secret.inline) == ("environment variable X", False)
    assert Secret(TEXT).inline


@pytest.mark.parametrize(
    ("value", "words"),
    [("abc", "fewer than 4"), (" ab ", "fewer than 4"), ("x" * (MAX_SECRET_BYTES + 1), "bytes"), (None, "is text")],
)
def test_what_cannot_be_held_safely_is_refused_without_its_text(value: object, words: str) -> None:
    with pytest.raises(DomainError, match=words) as caught:
        Secret(value)  # type: ignore[arg-type]  # what a careless caller may give
    assert str(value) not in str(caught.value) or value is None
