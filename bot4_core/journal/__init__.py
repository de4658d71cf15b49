"""The journal: an append-only record of everything a run did, and the tables that are folded from it.

Write with :class:`~bot4_core.journal.writer.JournalWriter`, open and read with
:class:`~bot4_core.journal.store.Store`. In paper and live the trader writes through
:class:`~bot4_core.journal.ring.RingWriter` to the process of :mod:`bot4_core.journal.recorder`. docs/journal.md is the
manual.
"""
