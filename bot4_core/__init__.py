"""bot4: a framework for crypto trading bots (see README.md)."""


def __getattr__(name: str) -> str:
    """``__version__``, read from the installed metadata only when somebody asks: importing stays cheap."""
    if name == "__version__":
        from importlib.metadata import version

        return version("bot4-core")
    raise AttributeError(name)
