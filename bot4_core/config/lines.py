"""Which line of a TOML text each key, table and list item stands on.

The standard parser keeps no positions, so this reads the text a second time. It trusts tomllib to have refused
malformed text, and only needs to find its way through well-formed one; :func:`nesting` is safe on any text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

# No alternative can fail after a long scan (an open string runs to the end), so reading stays linear on any text.
_TOKEN = re.compile(
    r'"""(?:\\?.)*?(?:"{3,5}|\Z)'  # multi-line basic string; up to two quotes may touch its end
    r"|'''.*?(?:'{3,5}|\Z)"
    r'|"(?:\\.|[^"\\\n])*+"?'
    r"|'[^'\n]*'?"
    r"|\#[^\n]*"
    r"|[^\s=\[\]{},\"'#]+"
    r"|.",
    re.DOTALL,
)
_IGNORED = frozenset(" \t\r")
_KEY_END = frozenset("\n=],")

#: Where a value stands in the document: keys and list positions.
Place = tuple[str | int, ...]


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token not in _IGNORED and token[0] != "#":
            yield token, line
        line += token.count("\n")


def nesting(text: str) -> int:
    """How deep brackets, or the parts of a dotted key, go at most; safe on text that is no TOML."""
    deepest = depth = dots = 0
    for token, _ in _tokens(text):
        if token in "[{":
            depth += 1
        elif token in "]}":
            depth -= 1
        if token in _KEY_END:
            dots = 0
        elif token[0] not in "\"'":
            dots += token.count(".")
        deepest = max(deepest, depth, dots)
    return deepest


def find_lines(text: str) -> dict[Place, int]:
    """The 1-based line of every key, table and list item of a well-formed TOML text.

    Returns:
        paths such as ``("risk", 0, "position")`` to lines; ``()`` is line 1.
    """
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens = [*_tokens(text), ("", 0)]
        self.at = 0
        self.lines: dict[Place, int] = {(): 1}
        self.counts: dict[Place, int] = {}

    def read(self) -> dict[Place, int]:
        table: Place = ()
        while (token := self.peek()) != "":
            if token == "\n":
                self.at += 1
            elif token == "[":
                table = self.header()
            else:
                self.pair(table)
        return self.lines

    def peek(self) -> str:
        return self.tokens[self.at][0]

    def skip_newlines(self) -> None:
        while self.peek() == "\n":
            self.at += 1

    def header(self) -> Place:
        line = self.tokens[self.at][1]
        self.at += 1
        many = self.peek() == "["
        self.at += many
        keys = self.keys("]")
        self.at += 1 + many
        path: Place = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            self.lines.setdefault(path, line)
            if many and position == len(keys) - 1:
                self.counts[path] = self.counts.get(path, -1) + 1
            if path in self.counts:
                path = (*path, self.counts[path])
        self.lines.setdefault(path, line)
        return path

    def keys(self, end: str) -> list[str]:
        found: list[str] = []
        while (token := self.peek()) not in (end, ""):
            if token[0] in "\"'":
                found.append(next(iter(tomllib.loads(f"{token} = 0"))))
            else:
                found.extend(part for part in token.split(".") if part)
            self.at += 1
        return found

    def pair(self, table: Place) -> None:
        line = self.tokens[self.at][1]
        path = table
        for key in self.keys("="):
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at += 1
        self.value(path)

    def value(self, path: Place) -> None:
        if self.peek() == "[":
            self.items(path, "]")
        elif self.peek() == "{":
            self.items(path, "}")
        else:
            # a date and time may be two tokens: everything up to the end of the value belongs to it
            while self.peek() not in ("\n", ",", "]", "}", ""):
                self.at += 1

    def items(self, path: Place, end: str) -> None:
        self.at += 1
        count = 0
        self.skip_newlines()
        while self.peek() not in (end, ""):
            if end == "}":
                self.pair(path)
            else:
                self.lines[(*path, count)] = self.tokens[self.at][1]
                self.value((*path, count))
                count += 1
            self.skip_newlines()
            self.at += self.peek() == ","
            self.skip_newlines()
        self.at += 1
