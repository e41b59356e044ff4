"""Rebuild: a table judged and folded again from bronze, under the contract as it is now."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded, table_columns
from aura_lake.steps.activate import note_activation
from aura_lake.steps.fold import refold, versions
from aura_lake.steps.rewrite import rewrite


@dataclass(frozen=True)
class RebuildReport:
    """Rows before and after; `equal` says whether they are the same rows (history included)."""

    table: str
    rows_before: int
    rows_after: int
    equal: bool


def rebuild(lake: Lake, contract: Contract) -> RebuildReport:
    """Take the place of the log, the history and the current rows of a table, each in one commit: rows, and
    where the contract changed them columns and types."""
    before = _public_rows(lake, contract)
    note_activation(lake, contract, lake.log(contract))
    rewrite(lake, contract)
    if is_folded(contract):
        refold(lake, contract)
    after = _public_rows(lake, contract)
    equal = all(left.equals(right) for left, right in zip(before, after, strict=True))
    return RebuildReport(contract.table, before[0].height, after[0].height, equal)


def _public_rows(lake: Lake, contract: Contract) -> list[pl.DataFrame]:
    """The current rows and the versions, sorted, as people see them."""
    frames = [lake.table(contract.table)]
    if is_folded(contract):
        frames.append(versions(lake.history(contract), list(table_columns(contract))))
    return [frame.collect().sort(pl.all()) for frame in frames]
