"""The native replay kernel and its one Python face."""

from __future__ import annotations

from .kernel import Kernel, Market, Rules, Stream

__all__ = ["Kernel", "Market", "Rules", "Stream"]
