"""Arrow rows brought to the exact columns and types of a warehouse table."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from aura_lake.errors import WarehouseError
from aura_lake.warehouse.warehouse import TableSpec


def stored_type(dtype: pa.DataType) -> pa.DataType:
    """The Arrow type that a warehouse stores: UTC times lose their zone, not their instant."""
    if pa.types.is_timestamp(dtype):
        return pa.timestamp("us")
    if pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype):
        return pa.string()
    if pa.types.is_dictionary(dtype):
        return stored_type(dtype.value_type)
    return dtype


def stored_schema(spec: TableSpec) -> pa.Schema:
    """The Arrow schema of a table's stored rows."""
    return pa.schema([(name, stored_type(dtype)) for name, dtype in spec.columns])


def in_utc(rows: pa.Table) -> pa.Table:
    """The same rows with the zone UTC named on their times, and text as plain strings."""
    schema = pa.schema(
        [
            field.with_type(pa.timestamp("us", tz="UTC"))
            if pa.types.is_timestamp(field.type)
            else field.with_type(stored_type(field.type))
            for field in rows.schema
        ]
    )
    return rows.cast(schema)


def conform_rows(spec: TableSpec, rows: pa.Table | pa.RecordBatchReader) -> pa.RecordBatchReader:
    """`rows` as a stream of exactly the spec's columns; raises where one is missing or strange."""
    wanted = stored_schema(spec)
    _refuse_other_columns(spec.name, "rows", rows.schema.names, wanted.names)
    reader = rows.to_reader(max_chunksize=122_880) if isinstance(rows, pa.Table) else rows

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            yield _cast(spec.name, batch, wanted)

    return pa.RecordBatchReader.from_batches(wanted, batches())


def conform_touched(spec: TableSpec, touched: pa.Table) -> pa.Table:
    """`touched` with the leading key columns of the spec, distinct, without nulls.

    Any leading part of the key may be given, in any order; nothing else.
    """
    names = list(spec.key[: len(touched.schema.names)])
    _refuse_other_columns(spec.name, "touched keys", touched.schema.names, names)
    types = dict(spec.columns)
    schema = pa.schema([(name, stored_type(types[name])) for name in names])
    reader = (_cast(spec.name, batch, schema) for batch in touched.to_batches())
    keys = pa.Table.from_batches(reader, schema)
    for name in names:
        if keys.column(name).null_count:
            raise WarehouseError(
                f"{spec.name}: {keys.column(name).null_count} of {keys.num_rows} touched keys have no {name}.",
                fix="A row without its key belongs in quarantine; look at the contract's key.",
            )
    return keys.group_by(names).aggregate([]) if names else keys


def _refuse_other_columns(table: str, what: str, given: list[str], wanted: list[str]) -> None:
    missing = [name for name in wanted if name not in given]
    strange = [name for name in given if name not in wanted]
    if missing or strange or not wanted:
        raise WarehouseError(
            f"{table}: {what} lack {missing or 'no'} columns and have {strange or 'no'} others; wanted are {wanted}.",
            fix="Load what the table's spec names, no more and no less.",
        )


def _cast(table: str, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field in schema:
        column = batch.column(field.name)
        if pa.types.is_timestamp(column.type) and column.type.tz not in (None, "UTC"):
            raise WarehouseError(
                f"{table}.{field.name} is in time zone {column.type.tz}, not UTC.",
                fix="Convert it to UTC before the load.",
            )
        try:
            columns.append(column.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            # Arrow's message would print the value.
            raise WarehouseError(
                f"{table}.{field.name} is {column.type} and does not fit {field.type}.",
                fix="The table's spec and the silver table disagree; rebuild the table.",
            ) from (None if isinstance(error, pa.ArrowInvalid) else error)
    return pa.RecordBatch.from_arrays(columns, schema=schema)
