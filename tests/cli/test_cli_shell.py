"""The command as a shell sees it: exit codes, one-line refusals, streams, signals, start-up time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import click
import pytest
from click.testing import CliRunner

from bot4_core import errors
from bot4_core.cli import VERBS, main, output
from bot4_core.errors import Mistake

BOT4 = [sys.executable, "-P", "-c", "from bot4_core.cli import main; main()"]


def bot4(*args: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BOT4, *args], capture_output=True, text=True, check=False, env=os.environ | changes, timeout=60
    )


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs a verb made for the test in a process of its own; its body sees ``click`` and ``errors``."""

    def run(body: str, *args: str, **changes: str) -> subprocess.CompletedProcess[str]:
        source = dedent(
            """
            import sys, types, click
            from bot4_core import cli, errors
            made = types.ModuleType("bot4_core.cli.made")
            @click.command()
            @click.option("--number", type=int)
            def made_verb(number):
            {body}
            made.made = made_verb
            sys.modules["bot4_core.cli.made"] = made
            cli.VERBS["made"] = ("made", "a verb of the test")
            cli.main(sys.argv[1:])
            """
        ).replace("{body}", "\n".join("    " + line for line in dedent(body).strip().splitlines()))
        command = [sys.executable, "-P", "-c", source, "made", *args]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | changes, timeout=60
        )

    return run


Verb = Callable[..., subprocess.CompletedProcess[str]]


def test_help_names_every_verb_and_imports_none() -> None:
    script = "import sys\nfrom bot4_core.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    script += "print([m for m in sys.modules if m.startswith('bot4_core.') or m in ('numpy', 'sqlalchemy', 'rich')])"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    listed = done.stdout.splitlines()
    needed = "'bot4_core.domain', 'bot4_core.errors', 'bot4_core.domain.redaction', 'bot4_core.cli.hiding'"
    assert listed[-1] == f"[{needed}, 'bot4_core.cli']"
    for name in VERBS:
        assert any(line.strip().startswith(name + " ") for line in listed)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.help


def fastest(*args: str) -> float:
    times = []
    for _ in range(7):
        started = time.perf_counter()
        done = bot4(*args)
        times.append(time.perf_counter() - started)
        assert done.returncode == 0
    return min(times)


def test_help_answers_at_once() -> None:
    bare = min(_bare_start() for _ in range(7))
    # the contract is 0.2 s on an idle machine; a bare interpreter in the same minute is the yardstick on a busy one
    assert fastest("--help") < max(0.2, 6 * bare)


def test_the_list_of_plugins_answers_at_once() -> None:
    bare = min(_bare_start() for _ in range(7))
    assert fastest("plugins", "list") < max(0.3, 9 * bare)


def _bare_start() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - started


def test_without_a_verb_the_help_is_printed() -> None:
    done = bot4()
    assert done.returncode == 0
    assert "Verbs:" in done.stdout


def test_the_version_is_one_line_and_with_v_names_what_it_runs_on() -> None:
    assert bot4("--version").stdout.split() == ["bot4", "0.1.0"]
    lines = bot4("--version", "-v").stdout.splitlines()
    assert lines[1].startswith("native library: ABI ")
    assert lines[2].startswith("Python 3.")
    assert "risk-default: bot4-risk-default 0.1.0" in lines


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["chek"], "bot4: no verb 'chek'; did you mean 'check'? (see `bot4 --help`)"),
        (["--nonsense"], "bot4: No such option '--nonsense'. (see `bot4 --help`)"),
        (["check"], "bot4 check: Missing argument 'BOT.toml'. (see `bot4 check --help`)"),
        (["check", "--nonsense", "x"], "bot4 check: No such option '--nonsense'. (see `bot4 check --help`)"),
        (["plugins", "lst"], "bot4 plugins: No such command 'lst'."),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(args: list[str], message: str) -> None:
    done = bot4(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(message)


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        ("errors.Bot4Error('no')", 1),
        ("errors.ConfigError('no')", 2),
        ("errors.DomainError('no')", 2),
        ("errors.HistoryError('no')", 2),
        ("errors.StoreError('no')", 4),
        ("errors.PluginLoadError('exchange-x', 'no')", 5),
        ("errors.RefusedForSafety('no')", 6),
        ("click.FileError('x', 'no')", 1),
        ("SystemExit(3)", 3),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_one_line(verb: Verb, raised: str, code: int) -> None:
    done = verb(f"raise {raised}")
    assert done.returncode == code
    assert done.stdout == ""
    if "SystemExit" not in raised:
        assert len(done.stderr.splitlines()) == 1
        assert "no" in done.stderr


def test_every_error_of_the_tree_has_a_code_of_the_contract() -> None:
    tree = [errors.Bot4Error]
    for one in tree:
        tree += one.__subclasses__()
    assert {one.exit_code for one in tree} <= {1, 2, 3, 4, 5, 6}


def test_each_mistake_of_a_config_is_a_line(verb: Verb) -> None:
    mistakes = [Mistake("$.a", "is wrong", 3, "bot.toml"), Mistake("", "is too", None, "bot.toml")]
    done = verb(f"raise errors.ConfigError({[(m.path, m.message, m.line, m.source) for m in mistakes]!r} and ["
                + ", ".join(f"errors.Mistake({m.path!r}, {m.message!r}, {m.line!r}, {m.source!r})" for m in mistakes)
                + "])")  # fmt: skip
    assert done.stderr.splitlines() == ["bot.toml:3 $.a: is wrong", "bot.toml is too"]


def test_foreign_control_characters_are_shown_and_not_obeyed(verb: Verb) -> None:
    done = verb(r"raise errors.StoreError('a\x1b[31mb\x07')")
    assert done.stderr == "a\\x1b[31mb\\x07\n"


def test_an_unexpected_error_is_one_line_until_the_traceback_is_asked_for(verb: Verb) -> None:
    done = verb("1 / 0")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("unexpected ZeroDivisionError: division by zero (rerun with BOT4_TRACEBACK=1")
    assert "Traceback" in verb("1 / 0", BOT4_TRACEBACK="1").stderr


def test_ctrl_c_ends_with_130_and_no_traceback(verb: Verb) -> None:
    done = verb("raise KeyboardInterrupt")
    assert done.returncode == 130
    assert done.stderr.strip() == ""


def test_sigterm_ends_with_143_and_unwinds(verb: Verb) -> None:
    done = verb(
        """
        import os, signal
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            print("unwound")
        """
    )
    assert (done.returncode, done.stdout) == (143, "unwound\n")


def test_a_reader_that_leaves_early_ends_the_command_quietly() -> None:
    body = "for n in range(100_000): click.echo(n)"
    source = (
        "import sys, types, click\nfrom bot4_core import cli\nmade = types.ModuleType('bot4_core.cli.made')\n"
        f"@click.command()\ndef made_verb():\n    {body}\n"
        "made.made = made_verb\nsys.modules['bot4_core.cli.made'] = made\n"
        "cli.VERBS['made'] = ('made', '')\ncli.main(['made'])"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


def test_a_broken_pipe_of_something_else_is_an_error(verb: Verb) -> None:
    done = verb("raise BrokenPipeError(32, 'the database left')")
    assert done.returncode == 1
    assert "the database left" in done.stderr


LOGS = "from loguru import logger\nfor level in ('debug', 'info', 'warning', 'error'): getattr(logger, level)(level)"


@pytest.mark.parametrize(
    ("args", "levels"),
    [
        ([], ["warning", "error"]),
        (["-v"], ["info", "warning", "error"]),
        (["-vv"], ["debug", "info", "warning", "error"]),
        (["-v", "-q"], ["warning", "error"]),
        (["-q"], ["error"]),
        (["-qq"], []),
    ],
)
def test_v_and_q_choose_what_is_logged_and_logs_go_to_stderr(verb: Verb, args: list[str], levels: list[str]) -> None:
    done = verb(LOGS, *args)
    assert done.stdout == ""
    assert [line.split()[-1] for line in done.stderr.splitlines()] == levels


def test_arguments_that_are_no_text_are_refused_and_not_fatal() -> None:
    done = subprocess.run([*BOT4, "check", b"\xff.toml"], capture_output=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr == b"\\udcff.toml does not exist; `bot4 init DIR` writes a first one\n"


def test_output_that_the_terminal_cannot_show_is_escaped_and_not_fatal(verb: Verb) -> None:
    done = verb(r"print('\udcff ×')", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stdout) == (0, "\\udcff \\xd7\n")


def test_a_log_level_set_late_replaces_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    from loguru import logger

    output.log_level(2)
    output.log_level(-1)
    logger.warning("quiet")
    logger.error("loud")
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == ["loud"]
    logger.remove()


def test_json_has_exact_amounts_and_no_invalid_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    data = {
        "amount": Decimal("1E-8"),
        "none": [float("nan"), float("inf"), Decimal("NaN")],
        "kind": signal.SIGTERM,
        "path": Path("a/b"),
        "names": {"b", "a"},
        "ratio": 0.5,
    }
    output.emit(data, True, lambda: pytest.fail("rendered"))
    assert json.loads(capsys.readouterr().out) == {
        "amount": "0.00000001",
        "none": [None, None, None],
        "kind": 15,
        "path": "a/b",
        "names": ["a", "b"],
        "ratio": 0.5,
    }


def test_text_that_is_piped_has_no_colours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    output.console().print("[bold red]loud[/]")
    assert capsys.readouterr().out == "loud\n"


def test_completion_offers_the_verbs() -> None:
    done = bot4(_BOT4_COMPLETE="bash_complete", COMP_WORDS="bot4 pl", COMP_CWORD="1")
    assert done.stdout == "plain,plugins\n"
