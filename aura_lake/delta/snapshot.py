"""What a reader needs to know of a table, without Polars or PyArrow, which cost half a second to import.

`LakeTable` reads and writes; a `Snapshot` only tells: version, columns, files, watermarks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from aura_lake.errors import LakeError

if TYPE_CHECKING:
    import pyarrow.dataset as pa_dataset

#: Delta's primitive types as DuckDB names them (Delta protocol, "Primitive Types").
_SQL_TYPES: Mapping[str, str] = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "integer": "INTEGER",
    "short": "SMALLINT",
    "byte": "TINYINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "timestamp_ntz": "TIMESTAMP",
}

#: A table that has never read an upstream.
NEVER = -1


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a table: where it lies, its rows, its partition, and the statistics asked for."""

    uri: str
    records: int
    partition: Mapping[str, str | None]
    maxima: Mapping[str, Any]


class Snapshot:
    """A Delta table at one version."""

    def __init__(self, table: DeltaTable, uri: str) -> None:
        self._table, self.uri = table, uri

    @staticmethod
    def open(uri: str, storage_options: Mapping[str, str], version: int | None = None) -> Snapshot | None:
        """The table at `version` (None: the newest), or None where there is no table. Raises LakeError where
        its log cannot be read or no longer reaches back to that version."""
        try:
            return Snapshot(DeltaTable(uri, version=version, storage_options=dict(storage_options) or None), uri)
        except TableNotFoundError:
            return None
        except DeltaError as error:
            at = "" if version is None else f" at version {version}"
            raise LakeError(
                f"{uri}: the Delta log cannot be read{at} ({type(error).__name__}).",
                fix="Run `aura doctor`; `aura run` publishes a newer version.",
            ) from error

    @property
    def version(self) -> int:
        """The Delta version."""
        return self._table.version()

    def watermark(self, upstream: str) -> int:
        """How far the table has read `upstream`; -1 where it never has."""
        version = self._table.transaction_version(upstream)
        return NEVER if version is None else int(version)

    def columns(self) -> dict[str, str]:
        """Columns in order with their types as DuckDB writes them."""
        return {field.name: _sql_type(field.type) for field in self._table.schema().fields}

    def partition_columns(self) -> list[str]:
        """The columns that stand in the paths, not in the files."""
        return list(self._table.metadata().partition_columns)

    def files(self, maxima: tuple[str, ...] = ()) -> list[DataFile]:
        """The files of this version, with the highest value of the columns named (None: not known)."""
        actions = self._table.get_add_actions(flatten=True)
        names = set(actions.column_names)
        paths = actions.column("path").to_pylist()
        records = actions.column("num_records").to_pylist()
        partitions = {
            name: actions.column(f"partition.{name}").to_pylist()
            for name in self.partition_columns()
            if f"partition.{name}" in names
        }
        highest = {n: actions.column(f"max.{n}").to_pylist() if f"max.{n}" in names else None for n in maxima}
        return [
            DataFile(
                uri=f"{self.uri}/{path}",
                records=int(records[at] or 0),
                partition={n: None if v[at] is None else str(v[at]) for n, v in partitions.items()},
                maxima={name: values and values[at] for name, values in highest.items()},
            )
            for at, path in enumerate(paths)
        ]

    def committed_at(self) -> datetime | None:
        """When this version was committed; None where the log does not say."""
        commits = self._table.history(1)
        millis = commits[0].get("timestamp") if commits else None
        return None if millis is None else datetime.fromtimestamp(millis / 1000, UTC)

    def to_dataset(self) -> pa_dataset.Dataset:
        """The rows as an Arrow dataset, for tables that lie behind an object store."""
        return self._table.to_pyarrow_dataset()


def _sql_type(delta_type: Any) -> str:
    if delta_type.type == "array":
        return f"{_sql_type(delta_type.element_type)}[]"
    name = str(delta_type.type)
    if name.startswith("decimal"):
        return name.upper()
    try:
        return _SQL_TYPES[name]
    except KeyError:
        raise LakeError(
            f"A column of the Delta type {name} is not one that Aura Lake writes.",
            fix="Restore the table from a copy, or remove it and run `aura rebuild`.",
        ) from None
