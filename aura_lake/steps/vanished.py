"""Rows that silver holds and their source no longer has, as the deletes that nobody sent."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from aura_lake.cdc.absence import NoRow, delete_like
from aura_lake.cdc.framed import unframe
from aura_lake.contracts.contract import Contract, Format
from aura_lake.errors import SourceError
from aura_lake.lake import Lake
from aura_lake.layouts import POSITION
from aura_lake.source.facts import Lsn
from aura_lake.steps.epochs import epochs_of
from aura_lake.steps.schemas import feed_schemas


def deletes_of_vanished(
    lake: Lake, contract: Contract, keys: pl.DataFrame, lsn: Lsn, taken_at: datetime
) -> list[bytes]:
    """A delete for each live row of a table whose key is not among `keys`, in the form in which the row came.

    In: the keys that the source has, as silver has them; the place in its log, and the time, at which they were read.
    A row whose last change lies behind that place is left alone: it may have been made since.
    Raises SourceError where a row's last record in bronze tells no key any more.
    """
    live = lake.current(contract).scan().select(contract.key).collect()
    gone = live.join(keys, on=list(contract.key), how="anti") if keys.height else live
    return _deletes(lake, contract, _last_changes(lake, contract, gone, lsn, taken_at), lsn, taken_at)


def _last_changes(lake: Lake, contract: Contract, gone: pl.DataFrame, lsn: Lsn, taken_at: datetime) -> pl.DataFrame:
    """The positions of the last changes of these keys, as far as they lie at or below the place of the look."""
    if gone.is_empty():
        return pl.DataFrame(schema=dict(POSITION))
    rows = lake.history(contract).scan().filter("_is_latest").select(*contract.key, *POSITION, "_epoch", "_lsn")
    latest = rows.join(gone.lazy(), on=list(contract.key), how="semi").collect(engine="streaming")
    epoch = sum(begun < taken_at for begun in epochs_of(lake, contract.feed))
    is_known = pl.col("_lsn").is_null() | (pl.col("_epoch") < epoch) | (pl.col("_lsn") <= int(lsn))
    return latest.filter(is_known).select(POSITION.keys())


def _deletes(lake: Lake, contract: Contract, told: pl.DataFrame, lsn: Lsn, taken_at: datetime) -> list[bytes]:
    """A delete for each of the records at these positions."""
    if told.is_empty():
        return []
    feed = lake.shop.feeds[contract.feed]
    bronze = lake.bronze(feed.name).scan().filter(pl.col("row_kind") == "record")
    found = bronze.select(*POSITION, "value").join(told.lazy(), on=list(POSITION), how="semi", nulls_equal=True)
    records = found.collect(engine="streaming").with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    schemas = feed_schemas(lake, feed)
    if schemas is not None:
        records = unframe(records, schemas.remembered, all_framed=feed.format is Format.AVRO).records
    fields = _key_fields(contract)
    deletes = []
    for value in records["value"]:
        try:
            deletes.append(delete_like(value, fields, int(lsn), taken_at))
        except (NoRow, TypeError) as error:
            raise SourceError(
                f"A row of {contract.table} is gone at the source, and its last record cannot be read: {error}.",
                fix=f"aura rebuild {contract.table}, then sweep again.",
            ) from error
    return deletes


def _key_fields(contract: Contract) -> list[tuple[str, ...]]:
    columns = [column for column in contract.columns if column.key_position is not None]
    return [(column.source or column.name, *column.synonyms) for column in columns]
