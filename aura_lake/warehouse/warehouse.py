"""What a warehouse must be able to do: the seam between the lake and SQL.

The one rule holds here too: the warehouse stores, in the same transaction as the rows,
the batch of silver it has loaded; each gold model stores, beside its own rows, how far
it has read the loads.

What stands in a warehouse, besides the silver tables of the commerce model:

    aura.watermarks       table_name, batch, load_id    how far each table was loaded (-1: never)
    aura.touched          table_name, key_value, load_id  first key column of what a load changed
    aura.builds           model, load_id, reading_load_id, made_with  how far each gold model has read the loads
    aura.reading          model, key_hash               keys that a running build recomputes
    aura.changed_periods  model, period                 months that differ from what was published
    aura.changed_keys     model, key_hash, invocation_id  rows that differ: the scope of dbt's tests

Columns whose names begin with `_` are technical and never leave the warehouse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl
import pyarrow as pa

NEVER = -1  #: the watermark of a table that was never loaded
PERIOD_COLUMN = "order_date"  #: facts are published by the month of this column; dimensions whole
UNDATED = "unknown"  #: the period of rows whose `order_date` is null
UNKNOWN_MEMBER = "unknown"  #: `customer_key` and `product_key` of what no dimension row describes


@dataclass(frozen=True)
class TableSpec:
    """A silver table as the warehouse holds it.

    `key`: the columns that the loads replace rows by. A table may hold several rows of
    one key (`users_history`: all versions of a user). Its first column must be text.
    """

    name: str
    columns: tuple[tuple[str, pa.DataType], ...]
    key: tuple[str, ...]

    @classmethod
    def from_polars(cls, name: str, schema: pl.Schema, key: Sequence[str]) -> TableSpec:
        """The spec of a Polars schema: text as string, times as UTC microseconds."""
        arrow = pl.DataFrame(schema=schema).to_arrow().schema
        return cls(name, tuple((field.name, field.type) for field in arrow), tuple(key))

    @property
    def column_names(self) -> tuple[str, ...]:
        """Columns in order."""
        return tuple(name for name, _ in self.columns)


@dataclass(frozen=True)
class LoadReport:
    """What one load did. Counts are rows; `touched` counts keys."""

    table: str
    from_batch: int
    to_batch: int
    load_id: int  #: number of this load in the whole warehouse
    deleted: int
    inserted: int
    touched: int
    seconds: float


@dataclass(frozen=True)
class PublishReport:
    """What readers of the warehouse see anew. `months`: by model; None is the whole table."""

    months: dict[str, tuple[str | None, ...]]
    inserted: dict[str, int]
    seconds: float


class Warehouse(Protocol):
    """DuckDB's file, or a Snowflake database. One process loads and builds at a time."""

    def prepare(self, tables: Sequence[TableSpec]) -> None:
        """Make schemas, silver tables and bookkeeping where they are absent; all DDL is here.

        A column that is new in a spec is added, null in the rows that stand. Raises
        WarehouseError where a column has another type or a spec lost a column.
        """

    def watermark(self, table: str) -> int:
        """The last silver batch that was loaded; -1 when never loaded."""

    def load(
        self,
        spec: TableSpec,
        rows: pa.Table | pa.RecordBatchReader,
        touched: pa.Table,
        from_batch: int,
        to_batch: int,
    ) -> LoadReport:
        """Replace the rows of the touched keys, exactly once, in one transaction without DDL.

        `touched`: the leading key columns of everything that batches (from_batch, to_batch]
        changed or deleted; `rows`: what now stands of them. At a first load (`from_batch`
        -1) `rows` is the whole table and `touched` may be empty. Raises WatermarkError when
        the warehouse has not read exactly to `from_batch`, WarehouseError when `rows` holds
        a key that `touched` does not.
        """

    def reset(self, spec: TableSpec) -> None:
        """Empty a table, mark all its keys as touched and forget its watermark."""

    def last_load_id(self) -> int:
        """The number of the last load of any table; -1 before the first."""

    def builds(self) -> dict[str, int]:
        """By gold model: the last load that its rows contain. dbt writes it with the rows."""

    def forget_touched(self) -> int:
        """Delete the touched keys that every built model has read; how many there were."""

    def changed_periods(self, model: str) -> list[str | None]:
        """Months of `model` that differ from what was published, in order.

        'YYYY-MM', 'unknown' for rows without a date; [None]: the whole table; []: nothing.
        """

    def clear_changed(self, models: Sequence[str]) -> None:
        """Say that what `changed_periods` named of these models is now published."""

    def read(self, model: str, periods: Sequence[str | None] | None = None) -> pa.Table:
        """Rows of a gold model as built, of the given months; None: all of them."""

    def publish(self, models: Sequence[str]) -> PublishReport:
        """Let readers of this warehouse see the tested rows of `models`, all at once."""

    def row_count(self, table: str) -> int:
        """Rows of `schema.table`."""

    def query(self, sql: str) -> pa.Table:
        """The answer to a query of ours; never for text that a person wrote."""

    def release(self) -> None:
        """Let go of the warehouse, so that dbt or another process may open it."""
