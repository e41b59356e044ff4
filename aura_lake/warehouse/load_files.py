"""What a load of Snowflake is written as: Parquet files of one shape, tagged with their batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from aura_lake.warehouse.conform import stored_schema
from aura_lake.warehouse.warehouse import TableSpec

#: Rows of one file: some 100 MB, what Snowflake loads best.
ROWS_A_FILE = 1_000_000


def write_load_files(
    folder: Path, spec: TableSpec, rows: pa.RecordBatchReader, keys: pa.Table | None, batch: str
) -> bool:
    """Whether there was anything to write: the touched keys, as rows with nothing but their key, and the rows.

    Columns: `_batch`, `_is_row` (false for a key), and the spec's.
    """
    schema = pa.schema([("_batch", pa.string()), ("_is_row", pa.bool_()), *stored_schema(spec)])

    def tagged(part: pa.RecordBatch, is_row: bool) -> pa.RecordBatch:
        columns = [pa.repeat(pa.scalar(batch), part.num_rows), pa.repeat(pa.scalar(is_row), part.num_rows)]
        for field in stored_schema(spec):
            there = field.name in part.schema.names
            columns.append(part.column(field.name) if there else pa.nulls(part.num_rows, field.type))
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def parts() -> Iterator[pa.RecordBatch]:
        for part in keys.to_batches() if keys is not None else ():
            yield tagged(part, is_row=False)
        for part in rows:
            yield tagged(part, is_row=True)

    ds.write_dataset(
        pa.RecordBatchReader.from_batches(schema, parts()),
        folder,
        format="parquet",
        basename_template="part_{i}.parquet",
        max_rows_per_file=ROWS_A_FILE,
        max_rows_per_group=min(ROWS_A_FILE, 122_880),
        existing_data_behavior="overwrite_or_ignore",
    )
    return any(folder.iterdir())
