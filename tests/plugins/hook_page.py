"""The hooks as data, and the two files made from them: docs/hooks.md and hook_signatures.txt.

``python tests/plugins/hook_page.py`` writes both; a test compares them with what it would write.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from bot4_core import hookspecs

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "hooks.md"
SIGNATURES = Path(__file__).parent / "hook_signatures.txt"
SECTIONS = ("When", "Return", "Errors", "Since")

_ROLE = re.compile(r":(?:class|func|mod):`~?([\w.]+)`")


@frozen
class Hook:
    """One hook as its docstring explains it.

    Args:
        name: the function's.
        signature: arguments and what it returns.
        summary: first line.
        sections: the text of each of :data:`SECTIONS` that is there.
        example: source of a plugin that implements it.
    """

    name: str
    signature: inspect.Signature
    summary: str
    sections: dict[str, str]
    example: str


def hooks() -> list[Hook]:
    """Every hook of the core, in the order of the file."""
    return [hook(value) for name, value in vars(hookspecs).items() if name.startswith("bot4_")]


def hook(function: Callable[..., Any]) -> Hook:
    """A hook from its function."""
    text = inspect.getdoc(function) or ""
    manual, _, example = text.partition("\nExample::\n")
    summary, _, rest = manual.partition("\n\n")
    found = re.findall(r"^(\w+): (.*?)(?=^\w+: |\Z)", rest, re.MULTILINE | re.DOTALL)
    sections = {name: " ".join(words.split()) for name, words in found}
    return Hook(function.__name__, inspect.signature(function), summary, sections, textwrap.dedent(example).strip("\n"))


def signatures() -> str:
    """Names, arguments, defaults and Since: what plugins are built against."""
    lines = [
        "# Made by tests/plugins/hook_page.py. A change here is a change of the API that plugins are built against."
    ]
    lines += [f"{one.name}{_plain(one)}  since {one.sections.get('Since', '?')}" for one in hooks()]
    return "\n".join(lines) + "\n"


def page() -> str:
    """docs/hooks.md."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Hooks"
    yield ""
    yield "<!-- Made from bot4_core/hookspecs.py by tests/plugins/hook_page.py: change that, and run this. -->"
    yield ""
    _, _, introduction = inspect.cleandoc(hookspecs.__doc__ or "").partition("\n\n")
    yield _markdown(introduction)
    yield ""
    yield "| hook | a plugin implements it to |"
    yield "|---|---|"
    for one in hooks():
        yield f"| [{one.name}](#{one.name}) | {one.summary.rstrip('.').lower()} |"
    for one in hooks():
        yield from ("", f"## {one.name}", "", one.summary, "", "```python", f"def {one.name}{_plain(one)}", "```", "")
        yield "| | |"
        yield "|---|---|"
        for name in SECTIONS:
            yield f"| **{name}** | {_markdown(one.sections[name])} |"
        yield from ("", "```python", one.example, "```")


def _plain(one: Hook) -> str:
    return str(one.signature).replace("'", "")


def _markdown(text: str) -> str:
    """Text of a docstring as Markdown: names in one pair of quotes, indented blocks fenced."""
    text = _ROLE.sub(lambda role: f"`{role[1].rpartition('.')[2]}`", text).replace("``", "`")
    text = re.sub(r"::\n\n((?:    .*\n)+)", lambda block: f":\n\n```toml\n{textwrap.dedent(block[1])}```\n", text)
    return text


def main() -> None:
    """Writes both files."""
    PAGE.write_text(page(), encoding="utf-8")
    SIGNATURES.write_text(signatures(), encoding="utf-8")


if __name__ == "__main__":
    main()
