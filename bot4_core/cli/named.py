"""The bot that a command's argument names. Light imports only: ``bot4 kill`` is in a hurry."""

from __future__ import annotations

from pathlib import Path

from ..errors import Bot4Error, ConfigError
from ..state.folder import BotFolder, bot_folder


def named_bot(name: str, verb: str) -> BotFolder:
    """The folder of a bot that has started here.

    Args:
        name: as typed.
        verb: that it was typed for; a config in the place of a name is answered with the command meant.

    Raises:
        ConfigError: there is no such bot; the message names those that are, and the bot of a config.
        Bot4Error: the state directory cannot be read.
    """
    try:
        return bot_folder(name)
    except ConfigError as error:
        bot = _bot_of(name)
        if bot is None:
            raise
        raise ConfigError(f"{name} is a config, and a bot is named here: bot4 {verb} {bot}") from error


def _bot_of(path: str) -> str | None:
    """The name of the bot that a config describes; None when it is no readable config."""
    try:
        if not Path(path).is_file():
            return None
    except (OSError, ValueError):
        return None
    from ..config import load_config

    try:
        return load_config(path).bot.name
    except Bot4Error:
        return None
