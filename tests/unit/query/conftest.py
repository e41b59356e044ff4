"""The lake of the ledger's tests, to be asked."""

from __future__ import annotations

from tests.unit.ledger.conftest import lake, whole_lake

__all__ = ["lake", "whole_lake"]
