"""What ``bot4 init`` writes takes the place of nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot4_core.errors import ConfigError
from bot4_core.example import write_example


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path: Path) -> None:
    folder, outside = tmp_path / "bot", tmp_path / "outside.py"
    folder.mkdir()
    (folder / "trend.py").symlink_to(outside)
    with pytest.raises(ConfigError, match=r"trend\.py would be overwritten"):
        write_example(folder, 7)
    assert not outside.exists()
    assert [path.name for path in folder.iterdir()] == ["trend.py"]
