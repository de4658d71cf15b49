"""Proof that the stored tables are what the journal says: fold the events again and compare."""

from __future__ import annotations

from attrs import frozen

from .fold import Fold
from .reading import RunRow
from .result_hash import result_hash
from .rows import Rows
from .store import Store


@frozen
class Verdict:
    """Outcome of :func:`verify`.

    Args:
        seq: of the run's last record.
        differences: one line per table that is not what the events fold to, empty when all are.
        result_hash: of the fold.
    """

    seq: int
    differences: tuple[str, ...]
    result_hash: str

    @property
    def same(self) -> bool:
        """True when every table is the fold of the events."""
        return not self.differences


def verify(store: Store, run: str) -> Verdict:
    """Folds a run's events again and compares with its stored tables and result hash.

    Args:
        store: open journal.
        run: a run id, the beginning of one, or ``latest``.

    Raises:
        StoreError: no such run, or records that cannot be folded (a gap, a damaged blob).
    """
    record = store.load(run)
    fold = Fold(record.info)
    for item in store.records(record.row.run_id):
        fold.apply(*item)
    folded = fold.take()
    folded.positions.sort(key=lambda row: (row.exchange, row.instrument))
    differences = _compare(folded, store.rows(record.row.run_id))
    digest = result_hash(folded, record.info.instruments)
    differences += _compare_hash(record.row, digest)
    return Verdict(fold.next_seq - 1, tuple(differences), digest)


def _compare(folded: Rows, stored: Rows) -> list[str]:
    differences = []
    for name in Rows.__slots__:
        if name.startswith("_"):
            continue
        ours, theirs = getattr(folded, name), getattr(stored, name)
        if ours == theirs:
            continue
        pairs = zip(ours, theirs, strict=False)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))
        differences.append(f"{name}: {len(theirs)} rows stored, {len(ours)} folded, first difference at row {at}")
    return differences


def _compare_hash(row: RunRow, digest: str) -> list[str]:
    if row.result_hash is None or row.result_hash == digest:
        return []
    return [f"result_hash: {row.result_hash} stored, {digest} folded"]
