"""Aura Lake: the lakehouse where no row disappears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aura_lake.lake import Lake

__all__ = ["Lake"]


def __getattr__(name: str) -> Any:
    """`from aura_lake import Lake`, without paying for it when the command line only prints help."""
    if name == "Lake":
        from aura_lake.lake import Lake

        return Lake
    raise AttributeError(f"module 'aura_lake' has no attribute {name!r}")
