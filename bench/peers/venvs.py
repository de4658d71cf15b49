"""Virtual environments for the peers we are measured against (DECISIONS.md D-19).

A peer is another trading engine, installed from PyPI at a pinned version into an environment of its own and run only
as a subprocess. Nothing of ours imports a peer, and no peer sees our packages.

    python bench/peers/venvs.py backtesting nautilus     # builds them, prints their interpreters

The environments live in `.peers/<name>/` under the repository, or under the directory named by BOT4_PEERS_DIR.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
INSTALL_TIMEOUT_S = 900


class PeerInstallError(RuntimeError):
    """A peer could not be installed; the text holds the installer's last lines and what to do next."""


def known() -> tuple[str, ...]:
    """Return the names of the peers, one per `requirements-<name>.txt` beside this file."""
    return tuple(sorted(path.stem.removeprefix("requirements-") for path in HERE.glob("requirements-*.txt")))


def peers_dir() -> Path:
    """Return the directory that holds the environments: BOT4_PEERS_DIR, or `.peers` under the repository."""
    return Path(os.environ.get("BOT4_PEERS_DIR") or REPOSITORY / ".peers")


def peer_environ() -> dict[str, str]:
    """Return the environment a peer runs in: ours without the variables that would let it import our packages."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}


def ensure(name: str) -> Path:
    """Return the Python interpreter of a peer's environment, building the environment first when it is needed.

    The environment counts as built when its marker file, which is written last, holds the fingerprint of the
    requirements and of the Python that built it. Anything else (interrupted build, new pin, other Python) is removed
    and built again. A lock file makes two processes that ask at once wait for one build.

    Args:
        name: a name from `known()`.

    Raises:
        PeerInstallError: unknown name, or the installer failed.
    """
    if name not in known():
        raise PeerInstallError(f"no peer is called {name!r}; known: {', '.join(known())}")
    requirements = HERE / f"requirements-{name}.txt"
    where = peers_dir() / name
    python = where / "bin" / "python"
    marker = where / "ready"
    fingerprint = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    where.parent.mkdir(parents=True, exist_ok=True)
    with _locked(where.parent / f"{name}.lock"):
        if marker.is_file() and marker.read_text() == fingerprint and python.exists():
            return python
        if where.exists():
            shutil.rmtree(where)
        _install(where, python, requirements)
        marker.write_text(fingerprint)
    return python


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive advisory lock on a file; the operating system drops it when the process dies."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install(where: Path, python: Path, requirements: Path) -> None:
    """Create the environment and install the requirements, with uv where there is one and pip where there is not."""
    uv = shutil.which("uv")
    if uv:
        _call([uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(where)])
        _call([uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(requirements)])
    else:
        _call([sys.executable, "-m", "venv", str(where)])
        _call([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)])


def _call(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, env=peer_environ(), check=False
        )
    except subprocess.TimeoutExpired as slow:
        raise PeerInstallError(f"`{' '.join(command)}` took over {INSTALL_TIMEOUT_S} s: check the network") from slow
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise PeerInstallError(
            f"`{' '.join(command)}` ended with {done.returncode}:\n{tail}\n"
            "Peers come from the package index: check the network, or point BOT4_PEERS_DIR at built environments."
        )


if __name__ == "__main__":
    for peer in sys.argv[1:] or known():
        print(peer, ensure(peer))
