"""What holds for every test.

Property tests are repeatable by default; ``tox run -e fuzz`` lets them look for new cases.
"""

from __future__ import annotations

import os
import signal

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=2000, print_blob=True)
# a shell that starts the tests in the background lets them ignore Ctrl-C, and every process they start would too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.load_profile("fuzz" if os.environ.get("BOT4_FUZZ") else "repeatable")
