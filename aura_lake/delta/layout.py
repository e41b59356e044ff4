"""What a Delta table of the lake looks like: columns, partitions, statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

#: A checkpoint every 20 commits keeps opening a table cheap; the log itself is kept for
#: days, not weeks. `delta.setTransactionRetentionDuration` is never set: with it the
#: watermarks would vanish.
CONFIGURATION: Mapping[str, str] = {
    "delta.checkpointInterval": "20",
    "delta.logRetentionDuration": "interval 7 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}


@dataclass(frozen=True)
class Layout:
    """Columns of a table in order, its partition columns, and which columns carry statistics.

    `statistics` names the columns whose minimum and maximum stand in the Delta log and in
    Parquet footers. Columns that hold people's words never stand there. `counting` names integer columns
    that mostly rise by small steps: they are written as differences.
    """

    columns: Mapping[str, pl.DataType]
    partition_by: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    counting: tuple[str, ...] = ()

    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema of all columns, partition columns included."""
        empty = pl.DataFrame(schema=dict(self.columns))
        return empty.to_arrow().schema

    @property
    def data_columns(self) -> tuple[str, ...]:
        """Columns that stand inside the Parquet files: all but the partition columns."""
        return tuple(name for name in self.columns if name not in self.partition_by)
