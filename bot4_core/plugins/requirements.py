"""What a distribution requires, compared with what is installed; metadata alone."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, version

from attrs import frozen

from ..errors import PluginLoadError, one_line
from .metadata import normal_name

PYTHON = "python"


@frozen
class Unmet:
    """A requirement that is not met.

    Args:
        name: the distribution that is required, as names are compared; ``python`` for the interpreter.
        wanted: its allowed versions, as ``>=1,<2``; empty = any.
        found: the installed version; None = not installed.
    """

    name: str
    wanted: str
    found: str | None

    def __str__(self) -> str:
        found = "which is not installed" if self.found is None else f"this is {self.found}"
        return f"{self.name}{self.wanted}, {found}"


def unmet(plugin: str, distribution: Distribution) -> Iterator[Unmet]:
    """Every direct requirement of a distribution that this environment does not meet.

    Raises:
        PluginLoadError: the metadata cannot be read as requirements.
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        needed = [Requirement(text) for text in distribution.requires or ()]
        python = SpecifierSet("".join(distribution.metadata.get_all("Requires-Python") or ()))
    except (InvalidRequirement, InvalidSpecifier) as error:
        raise PluginLoadError(plugin, f"its metadata is malformed: {one_line(error)}") from error
    if not python.contains(platform.python_version(), prereleases=True):
        yield Unmet(PYTHON, str(python), platform.python_version())
    for one in needed:
        if one.marker is not None and not one.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(one.name)
        except PackageNotFoundError:
            yield Unmet(normal_name(one.name), str(one.specifier), None)
            continue
        if not one.specifier.contains(found, prereleases=True):
            yield Unmet(normal_name(one.name), str(one.specifier), found)
