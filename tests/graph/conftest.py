"""Dagster warns of its own future; those warnings are not ours to act on."""

from __future__ import annotations

from pathlib import Path

import pytest

_IGNORED = (
    "ignore::dagster_shared.utils.warnings.PreviewWarning",
    "ignore::dagster_shared.utils.warnings.BetaWarning",
    "ignore::dagster_shared.utils.warnings.SupersessionWarning",
    "ignore::DeprecationWarning",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let Dagster's own warnings pass in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for text in _IGNORED:
                item.add_marker(pytest.mark.filterwarnings(text))
