"""A frame with every kind of column and many nulls, and one expression over it in each engine."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl

from aura_lake.contracts.rules import parse_expression

TIME = pl.Datetime("us", "UTC")

ROWS = pl.DataFrame(
    {
        "i": [1, -7, None, 2**63 - 1, 0, 12],
        "d": [Decimal("1.2550"), Decimal("-2.5"), None, Decimal(0), Decimal("99999999999999.9999"), Decimal("3.005")],
        "w": [Decimal("9" * 28 + ".99999"), Decimal(-1), None, Decimal("0.00001"), Decimal("2.5"), Decimal("0.5")],
        "f": [1.5, float("nan"), None, -0.0, float("inf"), 2.5],
        "t": ["abc", "  12.345 ", None, "", "C5-1-2", "A_c%\n"],
        "n": ["12", "1e2", "x", "-3.5", "007", None],
        "b": [True, False, None, True, False, None],
        "day": [date(2020, 2, 29), date(1999, 12, 31), None, date(2024, 1, 1), date(1970, 1, 1), date(2021, 1, 3)],
        "ts": [
            datetime(2020, 2, 29, 13, 5, 1, 123456, tzinfo=UTC),
            datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
            None,
            datetime(1970, 1, 1, tzinfo=UTC),
            datetime(2024, 1, 1, tzinfo=UTC),
            datetime(2021, 1, 3, 0, 30, tzinfo=UTC),
        ],
        "s": [
            "2020-01-01",
            "2020-01-01 10:00",
            "2020-01-01T10:00:00.5Z",
            "2020-01-01 10:00:00+05:30",
            "2020-13-01",
            None,
        ],
        "landed_at": [datetime(2024, 1, 1, tzinfo=UTC)] * 6,
    },
    schema={
        "i": pl.Int64(),
        "d": pl.Decimal(18, 4),
        "w": pl.Decimal(38, 5),
        "f": pl.Float64(),
        "t": pl.String(),
        "n": pl.String(),
        "b": pl.Boolean(),
        "day": pl.Date(),
        "ts": TIME,
        "s": pl.String(),
        "landed_at": TIME,
    },
)

DTYPES = dict(ROWS.schema)


def connect(time_zone: str = "America/New_York") -> duckdb.DuckDBPyConnection:
    """DuckDB with the frame as the table `rows`; by default its session is far from UTC."""
    connection = duckdb.connect()
    connection.execute(f"set TimeZone = '{time_zone}'")
    connection.register("frame", ROWS.to_arrow())
    connection.execute("create table rows as select * from frame")
    return connection


def in_polars(text: str, rows: pl.DataFrame = ROWS) -> list[Any]:
    """The expression's value in each row, by Polars; its type is the one that was promised."""
    expression = parse_expression(text)
    dtypes = dict(rows.schema)
    values = rows.with_columns(expression.to_polars(dtypes).alias("result"))["result"]
    assert values.dtype == expression.dtype(dtypes), text
    return [as_comparable(value) for value in values.to_list()]


def in_duckdb(connection: duckdb.DuckDBPyConnection, text: str) -> list[Any]:
    """The same by DuckDB, from the SQL the expression renders."""
    sql = parse_expression(text).to_sql("duckdb", DTYPES)
    return [as_comparable(value) for (value,) in connection.execute(f"select {sql} from rows").fetchall()]


def in_plain_duckdb(connection: duckdb.DuckDBPyConnection, text: str) -> list[Any]:
    """The text itself, as DuckDB alone understands it."""
    return [as_comparable(value) for (value,) in connection.execute(f"select {text} from rows").fetchall()]


def as_comparable(value: Any) -> Any:
    """Lengths of time as microseconds, instants in UTC, minus zero as zero."""
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return 0.0 if isinstance(value, float) and value == 0 else value
