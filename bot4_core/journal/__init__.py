"""The journal: an append-only record of everything a run did, and the tables that are folded from it.

Write with :class:`~bot4_core.journal.writer.JournalWriter`, open and read with
:class:`~bot4_core.journal.store.Store`; docs/journal.md is the manual.
"""
