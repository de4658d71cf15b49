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
#: the end of a text, or of one in quotes, that is long enough to have been cut.
_MIN_CUT = 4
_MIN_CUT_TEXT = 40
_MIN_CUT_QUOTED = 8
#: characters in front of a cut that are looked at
_CUT_WINDOW = 6 * 256
_CUTS = re.compile('(…|")')
#: A line of a longer secret (a key file) is hidden by itself when it has so many characters.
_MIN_LINE = 8
#: A longer secret is hidden piece by piece.
_MAX_PIECE = 256
#: What may be left of an escape where a text was cut, characters.
_MAX_ESCAPE = 8

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


#: One character, but a run of blanks, or of backslashes, is one step: each may be written longer or shorter.
_STEP = re.compile(r"\s+|\\+|.", re.DOTALL)
_BLANKS = r"(?:\s|\+|%(?:20|09|0[aAdD])|\\+(?:[nrtfv]|x20|x0[9adAD]|u00(?:20|0[9adAD])))+"


class _Piece:
    """One stretch of a secret's text, found however its characters are escaped.

    Letters and digits stand for themselves in every escape in use (repr, JSON, URL, HTML), so their longest run is
    looked for first: a text without it is done with at once.
    """

    def __init__(self, text: str) -> None:
        self._steps = [re.compile(_escaped(one)) for one in _STEP.findall(text)]
        self._whole = re.compile("".join(step.pattern for step in self._steps))
        self._begins = re.compile("".join(step.pattern for step in self._steps[:_MIN_CUT]))
        runs = re.findall("[A-Za-z0-9]+", text) or [""]
        self._anchor = max(runs, key=len)
        self.start = runs[0][:_MIN_CUT]

    def hide(self, text: str) -> str:
        return self._whole.sub(HIDDEN, text) if self._anchor in text else text

    def cut(self, text: str) -> int:
        """How many characters at the end of the text are the beginning of this piece; 0 for none."""
        if self.start not in text:
            return 0
        for found in self._begins.finditer(text):
            at = found.end()
            for step in self._steps[_MIN_CUT:]:
                match = step.match(text, at)
                if match is None:
                    break
                at = match.end()
            rest = text[at:]
            if not rest or (len(rest) < _MAX_ESCAPE and rest[0] in "\\%&"):
                return len(text) - found.start()
        return 0


class _Literal:
    """A form that encodes the whole secret: base64, hex."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.start = text[:_MIN_CUT]

    def hide(self, text: str) -> str:
        return text.replace(self._text, HIDDEN) if self._text in text else text

    def cut(self, text: str) -> int:
        start = self.start
        at = text.find(start, max(0, len(text) - len(self._text)))
        while at >= 0:
            if self._text.startswith(text[at:]):
                return len(text) - at
            at = text.find(start, at + 1)
        return 0


class Redactor:
    """The secrets of one process, and how they are taken out of text. Nothing is ever forgotten.

    Adding is rare and replaces one tuple, so threads may hide while another adds.
    """

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        #: the longest secret first, so that none leaves the rest of another that it is part of
        self._forms: tuple[_Piece | _Literal, ...] = ()

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
        known = self._known | {value}
        ordered = sorted(known, key=lambda one: (-len(one), one))
        self._forms = tuple(form for one in ordered for form in _forms(one))
        self._known = known

    def hide(self, text: str) -> str:
        """The text with ``***`` in the place of each secret."""
        if not self._forms:
            return text
        for form in self._forms:
            text = form.hide(text)
        return self._without_cut(text)

    def _without_cut(self, text: str) -> str:
        """The text without a secret's beginning where the text, or one in quotes inside it, was cut."""
        able = [form for form in self._forms if form.start in text]
        if not able:
            return text
        whole = _MIN_CUT if len(text) >= _MIN_CUT_TEXT else len(text) + 1
        ends = [(found.start(), _MIN_CUT if found[0] == "…" else _MIN_CUT_QUOTED) for found in _CUTS.finditer(text)]
        for end, least in reversed([*ends, (len(text), whole)]):
            body = text[max(0, end - _CUT_WINDOW) : end].rstrip("\"' \n")
            length = max(form.cut(body) for form in able)
            if length >= least:
                stop = max(0, end - _CUT_WINDOW) + len(body)
                text = text[: stop - length] + HIDDEN + text[stop:]
        return text


def _escaped(one: str) -> str:
    """A pattern of one step of a secret, as it is and in every escape in use."""
    if one.isascii() and one.isalnum():
        return one
    if one.isspace():
        return _BLANKS
    if one[0] == "\\":
        return r"(?:\\|%5[cC])+"
    data = one.encode("utf-8", "surrogatepass")
    code = ord(one)
    slashes = r"\\+"
    forms = [
        slashes + re.escape(one) if one in "\"'/" else re.escape(one),
        re.escape(one),
        "".join(f"(?i:%{byte:02x})" for byte in data),
        slashes + "(?i:" + slashes.join(f"x{byte:02x}" for byte in data) + ")",
        slashes + f"(?i:x{code:02x}|u{code:04x}|U{code:08x})",
        f"(?i:&#{code};|&#x{code:x};)",
    ]
    if code > 0xFFFF:
        high, low = 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF)
        forms.append(slashes + f"(?i:u{high:04x}){slashes}(?i:u{low:04x})")
    if one in _NAMED:
        forms.append(f"&{_NAMED[one]};")
    if not one.isprintable():
        forms.append(r"\?")  # as foreign text is shown
    return "(?:" + "|".join(dict.fromkeys(forms)) + ")"


_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


def _forms(value: str) -> Iterator[_Piece | _Literal]:
    """What finds a secret in each of its forms."""
    import base64  # only a process with a secret needs it

    text = value.strip()
    for at in range(0, len(text), _MAX_PIECE):
        piece = text[at : at + _MAX_PIECE]
        # a short rest is found with what stands before it
        yield _Piece(piece if len(piece) >= _MIN_LINE or at == 0 else text[-_MAX_PIECE:])
    lines = text.splitlines()
    for line in lines if len(lines) > 1 else ():
        if len(line.strip()) >= _MIN_LINE:
            yield _Piece(line.strip()[:_MAX_PIECE])
    for data in {value.encode("utf-8", "surrogatepass"), text.encode("utf-8", "surrogatepass")}:
        yield _Literal(data.hex())
        yield _Literal(data.hex().upper())
        for shift in range(3):
            # the characters that belong to the secret alone, wherever it stands in what was encoded
            whole = base64.b64encode(b"\0" * shift + data).decode()
            sure = whole[-(-8 * shift // 6) : (8 * (shift + len(data))) // 6]
            for form in dict.fromkeys((sure, sure.translate(str.maketrans("+/", "-_")))):
                if len(form) >= MIN_SECRET:
                    yield _Literal(form)


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
