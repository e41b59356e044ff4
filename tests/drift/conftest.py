"""Rows of the three shops, read once for all drifts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drift.shops_rows import FeedRows, mart, olist, rees46


@pytest.fixture(scope="session")
def feeds(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[FeedRows]:
    """The feeds that drift."""
    return [rees46(shared_data), *olist(shared_data), *mart(tmp_path_factory.mktemp("drifting_mart"))]
