"""Reading the import rules out of ARCHITECTURE.md, and the modules they are about."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = "bot4_core"

_BLOCK = re.compile(r"^## Allowed imports$.*?^```text$(.*?)^```$", re.DOTALL | re.MULTILINE)


def allowed_imports(document: str) -> dict[str, frozenset[str]]:
    """Part to the parts it may import, from the block under "Allowed imports".

    Raises:
        ValueError: the block is missing or has a line that is no rule.
    """
    block = _BLOCK.search(document)
    if block is None:
        raise ValueError("ARCHITECTURE.md has no ```text block under '## Allowed imports'")
    groups: dict[str, list[str]] = {}
    rules: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, block[1].splitlines())):
        left, sign, right = re.split(r"(->|=)", line, maxsplit=1) if re.search("->|=", line) else ("", "", "")
        if not left.strip():
            raise ValueError(f"no rule: {line!r}")
        names = [name.strip() for name in right.split(",") if name.strip()]
        for part in left.split(","):
            (groups if sign == "=" else rules)[part.strip()] = names
    return {
        part: frozenset(name for one in names for name in (groups.get(one, [one]) if part.find("/") < 0 else [one]))
        for part, names in rules.items()
    }


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Every Python module of core and plugins, with the part it belongs to."""
    for path in sorted((root / CORE).rglob("*.py")):
        first = path.relative_to(root / CORE).parts[0]
        yield first.removesuffix(".py"), path
    for folder in ("src", "tests"):
        for path in sorted(root.glob(f"plugins/*/{folder}/**/*.py")):
            yield f"plugins/*/{folder}", path


def core_imports(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Line and part for each import of core in one module, wherever in the module it stands."""
    package = list(path.relative_to(root).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            names = [f"{module}.{one.name}" for one in node.names]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            if top == CORE and rest:
                yield node.lineno, rest.split(".")[0]


def forbidden_imports(root: Path, rules: Mapping[str, frozenset[str]]) -> list[str]:
    """``file:line: a may not import b`` for every import that the rules do not list."""
    found = []
    for part, path in modules(root):
        if part == "__init__":
            allowed: frozenset[str] = frozenset()
        elif part in rules:
            # its own part, and the version in the package's __init__
            allowed = rules[part] | {part, "__version__"}
        else:
            found.append(f"{path.relative_to(root)}: ARCHITECTURE.md has no rule for {part}")
            continue
        for line, target in core_imports(path, root):
            if target not in allowed:
                found.append(f"{path.relative_to(root)}:{line}: {part} may not import {target}")
    return found
