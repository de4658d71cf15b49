"""The command ``bot4``: verbs imported when called, errors as one line, exit codes as CLI.md of the project states.

Exit: 0 done, 1 the work failed, 2 bad usage or config, 3 already running, 4 store, 5 plugin, 6 refused for safety,
130/143 interrupted/terminated. Data goes to stdout, everything else to stderr.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

import click

from ..domain.redaction import hide
from ..errors import Bot4Error, nearest
from .hiding import hidden_output

TRACEBACK_VARIABLE = "BOT4_TRACEBACK"

#: Verb to module and short help. The help stands here so that ``bot4 --help`` imports no verb.
VERBS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "Trade the bundled example on the simulated exchange and print the report."),
    "init": ("init", "Write a bot.toml and a strategy that run at once."),
    "check": ("check", "Print what a bot.toml assembles, or every mistake in it."),
    "config": ("config", "Describe the config to an editor, or show where each value comes from."),
    "backtest": ("backtest", "Run a bot over recorded history."),
    "run": ("run", "Run a bot in real time, on paper."),
    "report": ("report", "Print or export the report of a finished run."),
    "runs": ("runs", "List finished runs."),
    "status": ("status", "Show what a bot does now, or every bot in a line."),
    "kill": ("kill", "Set a bot's kill latch: nothing that raises risk is sent any more."),
    "resume": ("resume", "Release a bot's kill latch, by its name typed out."),
    "doctor": ("doctor", "Check machine, journal, plugins and what bots left behind."),
    "plugins": ("plugins", "List and check installed plugins."),
    "data": ("data", "Import, list, check and make market history."),
    "db": ("db", "Migrate the journal's database."),
    "bench": ("bench", "Measure the library on this machine."),
}


class Verbs(click.Group):
    """A group whose commands are modules of this package, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, in the order a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the verb; each takes ``-q`` and ``-v`` behind its name too."""
        if cmd_name not in VERBS:
            return None
        module, _ = VERBS[cmd_name]
        command: click.Command = getattr(import_module(f".{module}", __package__), cmd_name)
        _add_verbosity(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest verb named for a wrong one."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(f"no verb {args[0]!r}{nearest(args[0], VERBS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs from the table, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the verb; a reader that left before the end of our output ends it quietly."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            if not _reader_left():
                # click would end the command in silence for any broken pipe, a database's too
                raise ConnectionError(str(error)) from error
            _discard_output()
            return 0

    def main(  # type: ignore[override]  # click's overloads promise a result; this one always ends the process
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Runs one command line and ends the process with its exit code."""
        _open_streams()
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="backslashreplace")  # a name the terminal cannot show must not end the command
        with _signals(), hidden_output():
            code = self._run(args, prog_name or "bot4", extra)
        sys.exit(code)

    def _run(self, args: Sequence[str] | None, prog_name: str, extra: dict[str, Any]) -> int:
        extra["standalone_mode"] = False
        try:
            outcome = super().main(args, prog_name, **extra)
            _flush()
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            return 2
        except click.UsageError as error:
            _say(_usage(error))
            return 2
        except click.ClickException as error:
            _say(error.format_message())
            return error.exit_code
        except click.Abort:
            return 130
        except Bot4Error as error:
            for line in hide(str(error)).splitlines():
                _say(line)
            return error.exit_code
        except Exception as error:  # noqa: BLE001  # the last net: whatever is wrong is told, and ends with exit 1
            if os.environ.get(TRACEBACK_VARIABLE):
                import traceback

                click.echo(hide("".join(traceback.format_exception(error))), err=True, nl=False)
                return 1
            _say(f"unexpected {type(error).__name__}: {error} (rerun with {TRACEBACK_VARIABLE}=1 for the traceback)")
            return 1
        return outcome if isinstance(outcome, int) and not isinstance(outcome, bool) else 0


def _open_streams() -> None:
    """Puts the null device where the caller has closed a standard stream: the next file would get its number."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest free number each time
        os.set_inheritable(fd, True)
    os.close(fd)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as the process lives
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # as above
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # as above


def _usage(error: click.UsageError) -> str:
    context = error.ctx
    command = context.command_path if context is not None else "bot4"
    return f"{command}: {error.format_message()} (see `{command} --help`)"


def _say(text: str) -> None:
    """One line to stderr; control characters of foreign text are shown, not obeyed."""
    words = " ".join(hide(text).split())
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    click.echo(clean, err=True)


def _reader_left() -> bool:
    poll = select.poll()
    poll.register(1, select.POLLOUT)
    return any(state & select.POLLERR for _, state in poll.poll(0))


def _discard_output() -> None:
    # the interpreter flushes stdout once more while it ends
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM ends the command with 143, unwinding what it holds; put back afterwards (tests call us in-process)."""

    def terminate(_signal: int, _frame: object) -> NoReturn:
        sys.exit(128 + signal.SIGTERM)

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not in the main thread: its owner decides about signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _count_verbosity(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    root = ctx.find_root()
    state = root.ensure_object(dict)
    state[parameter.name] = state.get(parameter.name, 0) + value
    if state[parameter.name]:
        from .output import log_level

        log_level(state.get("verbose", 0) - state.get("quiet", 0))


def _verbosity_options() -> list[click.Option]:
    return [
        click.Option(["-v", "--verbose"], count=True, expose_value=False, callback=_count_verbosity, help="Log more."),
        click.Option(["-q", "--quiet"], count=True, expose_value=False, callback=_count_verbosity, help="Log less."),
    ]


def _add_verbosity(command: click.Command) -> None:
    taken = {name for parameter in command.params for name in parameter.opts}
    command.params += [option for option in _verbosity_options() if not taken & set(option.opts)]
    if isinstance(command, click.Group):
        for verb in command.commands.values():
            _add_verbosity(verb)


@click.command(cls=Verbs, invoke_without_command=True, params=_verbosity_options())
@click.option("--version", is_flag=True, help="Print the version; with -v also those of everything it runs on.")
@click.pass_context
def main(ctx: click.Context, version: bool) -> None:
    """bot4 trades recorded and simulated markets with strategies you write in Python.

    Start with `bot4 demo`, then `bot4 init mybot` and `bot4 backtest mybot/bot.toml`.
    """
    if version:
        _print_version(verbose=bool(ctx.ensure_object(dict).get("verbose")))
    elif ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    else:
        from .output import log_level

        state = ctx.ensure_object(dict)
        log_level(state.get("verbose", 0) - state.get("quiet", 0))


def _print_version(*, verbose: bool) -> None:
    from .. import __version__

    click.echo(f"bot4 {__version__}")
    if not verbose:
        return
    from ..plugins import listing

    click.echo(f"native library: {_native_version()}")
    click.echo(f"Python {sys.version.split()[0]} ({sys.implementation.name}, {sys.platform})")
    for plugin in listing():
        click.echo(f"{plugin.name}: {plugin.origin}")


def _native_version() -> str:
    try:
        from .. import native
    except (ImportError, Bot4Error) as error:
        return f"cannot be loaded ({error}); reinstall bot4-core"
    return f"ABI {native.ABI}"
