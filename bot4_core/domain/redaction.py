"""Text that may be shown or stored.

Two nets, one behind the other. By name: passwords are taken out of URLs, and out of settings that are named like a
secret. By value: every secret that this process has read is remembered, and :func:`hide` takes it out of any text in
each form it may have got there - as it is, escaped, base64, hex, URL-quoted, or cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..errors import DomainError

#: What stands in a secret's place.
HIDDEN = "***"
#: A shorter secret would be found by chance in every other line, and its place would give it away.
MIN_SECRET = 4
#: Distinct secrets that one process may hold; each makes every shown line a little dearer.
MAX_SECRETS = 256
#: A line of a longer secret (a key file) is hidden by itself when it has so many characters.
_MIN_LINE = 8
#: The beginning of a secret is hidden where a text was cut, when so much of it is left: in front of a ``…``, and at
#: the end of a text that is long enough to have been cut.
_MIN_CUT = 4
_MIN_CUT_TEXT = 40
#: Lines of one secret that are hidden by themselves.
_MAX_LINES = 4_096

_SECRET_NAME = r"[\w-]*(?:password|passwd|passphrase|secret|token|api_?key)[\w-]*"
#: ``scheme://user:PASSWORD@``; a password may hold an unescaped ``@`` or ``/``, so it reaches to the last ``@``
_USER_INFO = re.compile(r"""(://[^/@\s"']*?:)[^\s"']*@""")
_QUERY = re.compile(rf"""([?&]{_SECRET_NAME}=)[^&\s"'#]*""", re.IGNORECASE)
#: ``key = "value"`` of a TOML, the key quoted or not
_SETTING = re.compile(rf"""(\b{_SECRET_NAME}["']?[ \t]*=[ \t]*)("[^"\n]*"|'[^'\n]*')""", re.IGNORECASE)


def without_password(text: str) -> str:
    """A URL, or a text with URLs in it, as it may be shown."""
    return _QUERY.sub(rf"\1{HIDDEN}", _USER_INFO.sub(rf"\1{HIDDEN}@", text))


def without_secrets(text: str) -> str:
    """A TOML as it may be stored: as :func:`without_password`, and text behind keys such as ``api_key`` hidden too."""
    return hide(_SETTING.sub(rf'\1"{HIDDEN}"', without_password(text)))


def is_secret(name: str) -> bool:
    """Whether a setting of this name holds something that must not be shown."""
    return re.fullmatch(_SECRET_NAME, name, re.IGNORECASE) is not None


class Redactor:
    """The secrets of one process, and how they are taken out of text. Nothing is ever forgotten.

    Adding is rare and replaces one tuple, so threads may hide while another adds.
    """

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        #: every form of every secret, the longest first, so that no form leaves the rest of a longer one
        self._forms: tuple[str, ...] = ()

    def remember(self, value: str) -> None:
        """Hides this value from now on.

        Raises:
            DomainError: it is shorter than MIN_SECRET, or the process holds MAX_SECRETS others.
        """
        if len(value.strip()) < MIN_SECRET:
            raise DomainError(f"has fewer than {MIN_SECRET} characters; nobody could hide so short a secret")
        if value in self._known:
            return
        if len(self._known) >= MAX_SECRETS:
            raise DomainError(f"is one secret too many: a process holds at most {MAX_SECRETS}")
        forms = {form for form in _forms(value) if len(form) >= MIN_SECRET}
        self._forms = tuple(sorted(forms.union(self._forms), key=lambda form: (-len(form), form)))
        self._known |= {value}

    def hide(self, text: str) -> str:
        """The text with ``***`` in the place of each secret."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return self._without_cut(text) if self._forms else text

    def _without_cut(self, text: str) -> str:
        """The text without a secret's beginning at its end, or in front of the ``…`` where it was cut."""
        parts = text.split("…")
        for at, part in enumerate(parts):
            if at == len(parts) - 1 and len(text) < _MIN_CUT_TEXT:
                break
            body = part.rstrip("\"' \n")
            length = max((_cut(body, form) for form in self._forms), default=0)
            if length:
                parts[at] = body[: len(body) - length] + HIDDEN + part[len(body) :]
        return "…".join(parts)


def _cut(text: str, form: str) -> int:
    """How many characters at the end of the text are the beginning of the form; 0 when fewer than _MIN_CUT."""
    start = form[:_MIN_CUT]
    at = text.find(start, max(0, len(text) - len(form)))
    while at >= 0:
        if form.startswith(text[at:]):
            return len(text) - at
        at = text.find(start, at + 1)
    return 0


def _forms(value: str) -> Iterator[str]:
    """Each way a secret may stand in a text."""
    import html  # only a process with a secret needs these
    import json
    import urllib.parse

    lines = value.splitlines()[:_MAX_LINES]
    for plain in {value, value.strip(), " ".join(value.split()), *(one.strip() for one in lines if len(lines) > 1)}:
        if plain != value and len(plain) < min(_MIN_LINE, len(value.strip())):
            continue
        yield plain
        for ascii_only in (True, False):
            yield json.dumps(plain, ensure_ascii=ascii_only)[1:-1]
        yield repr(plain)[1:-1]
        yield ascii(plain)[1:-1]
        yield plain.encode("unicode_escape").decode()
        yield html.escape(plain)
    data = value.encode("utf-8", "surrogatepass")
    yield repr(data)[2:-1]
    yield data.hex()
    yield data.hex().upper()
    for quoted in (urllib.parse.quote(data, safe=""), urllib.parse.quote(data), urllib.parse.quote_plus(data)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    yield from _base64(data)


def _base64(data: bytes) -> Iterator[str]:
    """The characters that belong to the secret alone, wherever it stands in what was encoded."""
    import base64

    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        sure = whole[-(-8 * shift // 6) : (8 * (shift + len(data))) // 6]
        yield sure
        yield sure.translate(str.maketrans("+/", "-_"))
    yield base64.b64encode(data).decode()
    yield base64.urlsafe_b64encode(data).decode()


_PROCESS = Redactor()


def remember(value: str) -> None:
    """Hides this value from now on, in everything that this process shows or stores (:meth:`Redactor.remember`)."""
    _PROCESS.remember(value)


def hide(text: str) -> str:
    """The text without any secret that this process has read."""
    return _PROCESS.hide(text)


def hide_in(value: object) -> object:
    """A JSON-ready value with every text in it hidden, keys included; other values as they are."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {hide_in(key): hide_in(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_in(item) for item in value]
    return value
