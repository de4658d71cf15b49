"""The hook specs are the manual: each hook says when, what, since, and shows an example that compiles."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest

from bot4_core import hookspecs
from bot4_core.plugins import HOOK_OF_KIND

HOOKS = {name: value for name, value in vars(hookspecs).items() if name.startswith("bot4_")}

#: Any change here changes the API that plugins are built against: add a changelog line, and see CONTRIBUTING.md.
SIGNATURES = {
    "bot4_exchanges": "() -> 'list[ExchangeSpec]'",
    "bot4_risk_checks": "() -> 'list[RiskSpec]'",
    "bot4_strategies": "() -> 'list[StrategySpec]'",
    "bot4_sinks": "() -> 'list[SinkSpec]'",
    "bot4_starting": "(run: 'RunInfo') -> 'None'",
    "bot4_stopping": "(run: 'RunInfo', reason: 'str') -> 'None'",
}


def test_the_hooks_and_their_signatures_are_the_published_ones() -> None:
    assert {name: str(inspect.signature(hook)) for name, hook in HOOKS.items()} == SIGNATURES


def test_every_kind_of_plugin_has_its_hook() -> None:
    assert set(HOOK_OF_KIND.values()) <= set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented(name: str) -> None:
    text = inspect.getdoc(HOOKS[name]) or ""
    missing = [word for word in ("When:", "Return:", "Since:", "Example::") if word not in text]
    assert not missing
    example = textwrap.dedent(text.partition("Example::")[2])
    (function,) = ast.parse(example).body
    assert isinstance(function, ast.FunctionDef)
    assert function.name == name
    wanted = list(inspect.signature(HOOKS[name]).parameters)
    assert [argument.arg for argument in function.args.args] == wanted
