"""Which judgement of a unit counts, and which copy of a redelivery is the duplicate."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from aura_lake.contracts.contract import Contract, Kind
from aura_lake.delta.table import LakeTable
from aura_lake.layouts import POSITION, table_columns

#: The unit of verdicts.
UNIT = (*POSITION, "part")


def identity(contract: Contract) -> Sequence[str]:
    """The columns that make two records the same change or event; empty where none are ever the same.

    `cdc`: (key, epoch, LSN, operation): an LSN alone is shared by the rows of a COPY and by the two halves of
    a key change. `events`: the id that the contract declares. Either counts within its own period
    (`log_period`): a redelivery carries its old time, so only the periods a batch carries are looked at.
    """
    if contract.kind is Kind.CDC:
        return [*contract.key, "_epoch", "_lsn", "_op"]
    if contract.kind is Kind.EVENTS:
        return list(contract.event_id)
    return []


def mark_duplicates(judged: pl.DataFrame, contract: Contract, seen: pl.DataFrame) -> pl.DataFrame:
    """`judged` with the verdict `duplicate` on valid rows whose identity is in `seen` or stands earlier
    in the frame. Changes without an LSN (incremental snapshot reads) are never duplicates, and events
    whose id is null neither."""
    columns = list(identity(contract))
    if not columns:
        return judged
    must_have = ["_lsn"] if contract.kind is Kind.CDC else columns
    eligible = (pl.col("verdict") == "valid") & pl.all_horizontal(pl.col(name).is_not_null() for name in must_have)
    same = [*columns, "log_period"]
    numbered = judged.with_row_index("_row")
    candidates = numbered.filter(eligible).select("_row", *same)
    again = candidates.filter(~pl.struct(same).is_first_distinct())["_row"]
    before = candidates.join(seen.select(same), on=same, how="semi", nulls_equal=True)["_row"]
    repeated = pl.concat([again, before]).unique()
    if repeated.is_empty():
        return judged
    is_duplicate = pl.col("_row").is_in(repeated.implode())
    emptied = [name for name in table_columns(contract) if name not in columns]
    return numbered.with_columns(
        pl.when(is_duplicate).then(pl.lit("duplicate")).otherwise("verdict").alias("verdict"),
        pl.when(is_duplicate).then(pl.lit("set_aside")).otherwise("outcome").alias("outcome"),
        *(pl.when(~is_duplicate).then(pl.col(name)).alias(name) for name in emptied),
    ).drop("_row")


def rejudged_units(log: LakeTable) -> pl.DataFrame:
    """Units that were judged more than once, with the number of their highest judgement.

    Rare; most logs answer from file statistics alone that there are none.
    """
    schema = {**{name: log.layout.columns[name] for name in UNIT}, "judgement": log.layout.columns["judgement"]}
    files = log.files()
    if "max.judgement" not in files.columns or not (files["max.judgement"] > 0).any():
        return pl.DataFrame(schema=schema)
    again = log.scan().filter(pl.col("judgement") > 0).select(*UNIT, "judgement")
    return again.group_by(UNIT).agg(pl.col("judgement").max()).collect()


def standing_rows(log: LakeTable, outcomes: Sequence[str], again: pl.DataFrame | None = None) -> pl.LazyFrame:
    """The rows of a log that count, of the given outcomes (partitions), each unit once. `again`: its
    `rejudged_units`, where they are known."""
    rows = log.scan().filter(pl.col("outcome").is_in(list(outcomes)))
    again = rejudged_units(log) if again is None else again
    if again.is_empty():
        return rows
    latest = again.lazy().rename({"judgement": "_highest"})
    joined = rows.join(latest, on=UNIT, how="left", nulls_equal=True)
    return joined.filter(pl.col("_highest").is_null() | (pl.col("judgement") == pl.col("_highest"))).drop("_highest")
