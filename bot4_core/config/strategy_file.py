"""Strategies that are a file of the user's own: ``use = "./trend.py:Trend"``."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path

from ..errors import nearest, one_line
from ..strategy import Strategy
from .structure import Problems


def is_file_use(use: str) -> bool:
    """Whether ``use`` names a class in a file rather than a plugin's strategy."""
    return use.rpartition(":")[0].endswith(".py")


def load_strategy_file(use: str, base_dir: Path) -> type[Strategy]:
    """The class that ``PATH.py:CLASS`` names.

    Args:
        use: the text of the config; PATH is relative to ``base_dir``.
        base_dir: the folder of the bot's TOML.

    Raises:
        Problems: the file is missing, raises while it is imported (with its own file and line), has no such class,
            or the class is no Strategy.
    """
    file, _, name = use.rpartition(":")
    path = (base_dir / file).resolve()
    if not path.is_file():
        raise Problems([((), f"the file {file} does not exist beside the config")])
    # the folder is part of the name, so that two bots' files of one name stay apart in one process
    module_name = f"bot4_strategy_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise Problems([((), f"{file} is no Python file")])
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # annotations are read through it later
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the user's own code may raise, or exit, in any way
        del sys.modules[module_name]
        raise Problems([((), _user_error(error, path, file))]) from error
    classes = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy
    }
    if name not in classes:
        wrong = "is no Strategy class" if hasattr(module, name) else "does not exist"
        known = ", ".join(classes) if classes else "none"
        raise Problems([((), f"{name!r} {wrong} in {file}; strategies there: {known}{nearest(name, classes)}")])
    return classes[name]


def _user_error(error: BaseException, path: Path, file: str) -> str:
    """``./trend.py:7: NameError: ...``: the last line of the user's own file that was involved."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{file}:{error.lineno}: SyntaxError: {one_line(error.msg)}"
    own = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    where = f"{file}:{own[-1]}" if own else file
    if isinstance(error, SystemExit):
        return f"{where}: it calls exit() while it is imported"
    return f"{where}: {type(error).__name__}: {one_line(error)}"
