"""The digest of an installed plugin: one SHA-256 over its files, taken without importing any of them.

What is read: every file that the distribution's RECORD names, and every file in the folder of the package that the
entry point names. The second covers editable installs, and files that were put there after the installation: a
``spec.so`` beside ``spec.py`` would be imported in its place.

What is left out differs from one installation of the same release to the next: RECORD itself, the installers' own
notes, and bytecode that the interpreter wrote here. Bytecode that a release brings along is read: its header says so.

Not covered: the distributions that the plugin requires. Whoever can write into the environment can do anything there
through them; a pin says that this plugin is the one that was looked at.
"""

from __future__ import annotations

import csv
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, EntryPoint
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from ..errors import PluginLoadError, one_line

#: Files in the folder of metadata that an installer writes about itself.
INSTALLER_NOTES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json"})
#: A plugin with more files than this is refused: its folder is probably not the plugin's own.
MAX_FILES = 20_000
_CHUNK_BYTES = 1 << 20
_BYTECODE_HEADER_BYTES = 8


def digest(entry: EntryPoint) -> str:
    """SHA-256, as hex, over the relative path and the content of each file of a plugin.

    Raises:
        PluginLoadError: a file cannot be read or is no regular file; there are none, or too many.
    """
    files = dict(_recorded(entry.dist)) if entry.dist else {}
    for name, path in _package(entry):
        files.setdefault(name, path)
        if len(files) > MAX_FILES:
            raise PluginLoadError(entry.name, f"it has more than {MAX_FILES} files; a pin reads them all")
    if not files:
        raise PluginLoadError(entry.name, f"no file of {entry.module} is found to pin; reinstall it")
    total = hashlib.sha256()
    for name, content in _contents(entry.name, files):
        # the length in front keeps a path and a content from being read as another pair
        total.update(f"{len(name.encode())}:{name}".encode() + content)
    return total.hexdigest()


def _contents(plugin: str, files: Mapping[str, Path]) -> Iterator[tuple[str, bytes]]:
    for name in sorted(files):
        try:
            if not _written_here(files[name]):
                yield name, _file_digest(files[name])
        except OSError as error:
            raise PluginLoadError(plugin, f"{name} cannot be read: {one_line(error.strerror)}; reinstall it") from error


def _file_digest(path: Path) -> bytes:
    found = hashlib.sha256()
    # not to wait for a writer, should it be a pipe
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(0, "not a regular file")
        while chunk := stream.read(_CHUNK_BYTES):
            found.update(chunk)
    return found.digest()


def _written_here(path: Path) -> bool:
    """Whether a file is bytecode that is only believed while it fits the time and size of its source.

    The other sort of bytecode names no time: the interpreter believes it whatever the source says.
    """
    if path.suffix != ".pyc" or path.parent.name != "__pycache__":
        return False
    with open(path, "rb") as stream:
        header = stream.read(_BYTECODE_HEADER_BYTES)
    return header[4:] == b"\0\0\0\0"


def _recorded(distribution: Distribution) -> Iterator[tuple[str, Path]]:
    """Files in RECORD, by the path that stands there."""
    # not Distribution.files: the backport that keyring brings to Python 3.11 leaves out files that are gone
    rows = csv.reader((distribution.read_text("RECORD") or "").splitlines())
    for file in (PurePosixPath(row[0]) for row in rows if row):
        notes = file.parent.suffix == ".dist-info" and file.name in INSTALLER_NOTES
        path = Path(str(distribution.locate_file(file)))
        # an installer may note bytecode that has been swept away since
        if not notes and (file.suffix != ".pyc" or path.exists()):
            yield file.as_posix(), path


def _package(entry: EntryPoint) -> Iterator[tuple[str, Path]]:
    """Files of the package that an entry point names, by their path from the folder that is imported from."""
    spec, depth = _located(entry.module.split("."))
    if spec is None or spec.origin is None:
        return
    origin = Path(spec.origin)
    if spec.submodule_search_locations is None:
        yield _below(origin, depth), origin
        return
    for folder in spec.submodule_search_locations:
        for place, folders, names in os.walk(folder):
            folders.sort()
            up = depth + len(Path(place).relative_to(folder).parts)
            for name in sorted(names):
                path = Path(place) / name
                yield _below(path, up), path


def _located(parts: Sequence[str]) -> tuple[ModuleSpec | None, int]:
    """The first part of a dotted name that is no namespace, and how many folders it lies below the import path.

    Nothing is imported: a namespace has no code, and the search ends at the first package that has some.
    """
    try:
        spec = find_spec(parts[0])
    except ValueError:  # imported already by something that left no spec behind
        spec = None
    depth = 0
    while spec is not None and spec.origin is None and spec.submodule_search_locations and depth + 1 < len(parts):
        depth += 1
        spec = PathFinder.find_spec(".".join(parts[: depth + 1]), list(spec.submodule_search_locations))
    is_package = spec is not None and spec.submodule_search_locations is not None
    return spec, depth + is_package


def _below(path: Path, folders: int) -> str:
    return "/".join(path.parts[-folders - 1 :])
