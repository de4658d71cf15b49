"""A process beside the trader: started, watched, started again when it dies, asked to finish at the end.

It gets its settings as one line of JSON on stdin, which stays open: the end of stdin tells it that the trader is gone
or done. What it writes to stderr becomes lines of the bot's log.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec

from ..errors import one_line

#: after a death it is started at once, then after these delays; alive for _HEALTHY_S, it starts from the first again
_DELAYS_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_HEALTHY_S = 10.0
_LINE_BYTES = 16_384
#: how long a process that was told to finish, and then to end, is waited for
_TERMINATE_S = 2.0
#: a line may begin with its level; one without is a warning, unless it says the same again
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
#: Decimals as JSON numbers, which their reader takes exactly (parse_float=Decimal)
_ENCODE = msgspec.json.Encoder(decimal_format="number").encode


class Companion:
    """One supervised process.

    Args:
        name: what log lines call it.
        module: run as ``python -P -m MODULE``: nothing in the current folder can shadow what is installed.
        settings: the line of JSON it gets; never shown.
        log: takes ``(level, line)``: what it wrote to stderr, its deaths and restarts.
        fds: file descriptors it inherits.

    Attributes:
        on_lost: called once with the reason, when it died more often than the delays allow and is given up.
        is_lost: whether it was.
        restarts: how often it had to be started again.
        pid: of the present process, 0 while there is none.
    """

    def __init__(
        self,
        name: str,
        module: str,
        settings: Mapping[str, object],
        log: Callable[[str, str], object],
        *,
        fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.on_lost: Callable[[str], object] = lambda reason: None
        self.is_lost = False
        self.restarts = 0
        self.pid = 0
        self._module = module
        self._line = _ENCODE(settings) + b"\n"
        self._log = log
        self._fds = tuple(fds)
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._finishing = False
        self._said = ""

    async def start(self) -> None:
        """Starts it and begins to watch it.

        Raises:
            OSError: no process can be started.
        """
        await self._spawn()
        self._watch = asyncio.create_task(self._supervise())

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", self._module,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            pass_fds=self._fds, start_new_session=True, limit=_LINE_BYTES,
        )  # fmt: skip
        self.pid = self._process.pid
        assert self._process.stdin is not None  # it is a pipe
        with suppress(ConnectionError):  # it died already; the watch sees that
            self._process.stdin.write(self._line)
            await self._process.stdin.drain()

    async def _supervise(self) -> None:
        failures = 0
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            ending = await self._ending()
            if self._finishing:
                return
            failures = 1 if clock() - began >= _HEALTHY_S else failures + 1
            if failures > len(_DELAYS_S):
                self._log("ERROR", f"{self.name} {ending} again and is given up")
                self.is_lost = True
                self.on_lost(f"{self.name} {ending}")
                return
            delay_s = _DELAYS_S[failures - 1]
            when = f" in {delay_s:g} s" if delay_s else ""
            # the log has each, a person at the terminal the first and the last
            self._log("WARNING" if failures == 1 else "INFO", f"{self.name} {ending}; it is started again{when}")
            await asyncio.sleep(delay_s)
            if self._finishing:
                return
            self.restarts += 1
            try:
                await self._spawn()
            except OSError as error:
                self._log("ERROR", f"{self.name} cannot be started: {error.strerror}")
            if self._finishing:
                self._close_stdin()

    async def _ending(self) -> str:
        """Waits for the process's end, its stderr read meanwhile; says how it ended."""
        process = self._process
        assert process is not None and process.stderr is not None  # started, with a pipe
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # longer than the limit; the reader has dropped it
                continue
            if not line:
                break
            said = one_line(line.decode("utf-8", "replace")).removeprefix(f"{self.name}: ")
            level, _, rest = said.partition(" ")
            if level not in _LEVELS:
                level, rest = "INFO" if said == self._said else "WARNING", said
            self._said = said
            self._log(level, f"{self.name}: {rest}")
        code = await process.wait()
        self.pid = 0
        return f"was killed by {_signal(-code)}" if code < 0 else f"ended with exit code {code}"

    async def finish(self, timeout_s: float) -> bool:
        """Ends it: closes its stdin, waits, and kills it when it does not go.

        Args:
            timeout_s: how long it may take to finish what it has to do.

        Returns:
            Whether it ended by itself.
        """
        self._finishing = True
        watch = self._watch
        if watch is None or self._process is None:
            return True
        self._close_stdin()
        done, _ = await asyncio.wait({watch}, timeout=timeout_s)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if done:
                break
            self._log("WARNING", f"{self.name} does not finish; it gets {number.name}")
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
            done, _ = await asyncio.wait({watch}, timeout=_TERMINATE_S)
        watch.cancel()
        return self._process.returncode == 0

    def _close_stdin(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
