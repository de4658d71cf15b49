"""Property tests are repeatable by default; ``tox run -e fuzz`` lets them look for new cases."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("fuzz" if os.environ.get("BOT4_FUZZ") else "repeatable")
