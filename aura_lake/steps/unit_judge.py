"""The judgement of a unit: a function of its record, the contract that holds, and what was decided."""

from __future__ import annotations

import polars as pl

from aura_lake.cdc.wire_schema import SchemasOf
from aura_lake.contracts.contract import Contract, Kind
from aura_lake.contracts.discards import discard
from aura_lake.contracts.judge import Judge
from aura_lake.lake import Lake
from aura_lake.privacy.hash import hash_values
from aura_lake.steps.bronze_records import supersede
from aura_lake.steps.concerns import discards_of
from aura_lake.steps.epochs import epochs_of
from aura_lake.steps.schemas import feed_schemas


class UnitJudge:
    """Judges slices of bronze for one table. What was decided is read when it is made.

    `schemas_of` finds the schemas of framed records; `again`: of records that were judged before.
    """

    def __init__(
        self, lake: Lake, contract: Contract, *, again: bool = False, schemas_of: SchemasOf | None = None
    ) -> None:
        known = feed_schemas(lake, lake.shop.feeds[contract.feed]) if schemas_of is None else None
        if known is not None:
            schemas_of = known.remembered if again else known.current
        self._judge = Judge(
            contract,
            lake.shop,
            lambda values: hash_values(values, lake.hash_key),
            schemas_of,
            epochs_of(lake, contract.feed) if contract.kind is Kind.CDC else (),
        )
        self._discarded = discards_of(lake, contract.table)

    def __call__(self, records: pl.DataFrame, headers: pl.DataFrame, live: pl.DataFrame | None) -> pl.DataFrame:
        """The log's rows of these records, all but `log_batch`; which copy is a duplicate is not decided yet.

        `live`: the object versions that count; None: all do. What was discarded stays discarded.
        """
        judged = self._judge(records, headers)
        if live is not None:
            judged = supersede(judged, live)
        return discard(judged, self._discarded)
