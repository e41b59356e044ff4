from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
import sqlglot

from aura_lake.contracts import rule_polars, rule_sql
from aura_lake.contracts.rule_functions import FUNCTIONS
from aura_lake.contracts.rules import parse_expression

from .rule_engines import DTYPES, connect, in_duckdb, in_plain_duckdb, in_polars

#: Every operation and function at least once. Those of the first group mean what the same
#: text means in DuckDB; in the second the rule language is stricter, and says where.
LIKE_DUCKDB = [
    "i > 0", "i = 1.0", "i > d", "d > -1.5", "t < 'b'", "b = true", "ts <= now()", "day > date '2000-01-01'",
    "b and i > 0", "b or i > 0", "not b", "b is true", "b is not true", "b is false", "b is not false",
    "b is null", "i is not null", "i is distinct from 1", "i is not distinct from 1",
    "d in (1.255, 0)", "i in (1, null)", "i not in (1, 2)", "i not in (1, null)", "t in ('abc', 'x')", "i in (i, 3)",
    "i between -7 and 1", "d not between 0 and 2", "t between 'a' and 'b'",
    "t like 'a%'", "t like 'a_c'", "t ilike 'A_C%'", "t not like '%c'", "t like 'A!_c!%%' escape '!'",
    "case when b then 1 when i > 0 then 2 end", "case i when 1 then 'a' else 'b' end", "case when b then d else i end",
    "coalesce(i, 0)", "coalesce(null, d, 1)", "nullif(i, 1)", "nullif(d, 0)", "greatest(i, 3)", "least(d, 2)",
    "greatest(t, 'b')", "greatest(day, date '2000-01-01')",
    "i - 1", "i % 5", "-d", "abs(d)", "d + 1", "d - 0.5", "d + d", "w - 1.5", "round(d)", "round(d, 2)",
    "floor(d)", "ceil(d)", "d / 4", "i / 2",
    "lower(t)", "upper(t)", "length(t)", "trim(t)", "ltrim(t)", "rtrim(t)", "trim(t, 'ac')", "substring(t, 2, 2)",
    "substring(t, 3)", "left(t, 2)", "right(t, 2)", "lpad(t, 5, '*')", "rpad(t, 2, '*')", "replace(t, 'b', '$1')",
    "starts_with(t, 'a')", "ends_with(t, 'c')", "contains(t, 'b')", "contains(t, n)",
    "regexp_matches(t, '^[a-c]+$')", r"regexp_matches(t, '\d+\.')", r"regexp_matches(t, '(^|-)[^\d-]{1,2}(?:c|5)')",
    "regexp_replace(t, '[0-9]', 'x', 'g')", "regexp_replace(t, '[0-9]', 'x')",
    "split_part(t, '-', 2)", "split_part(t, '-', 9)", "t || '#' || i", "t || d", "b || ''", "day || ''",
    "cast(d as varchar)", "i::double", "cast(b as integer)",
    "try_cast(d as bigint)",
    "year(day)", "month(day)", "day(day)", "date_part('isodow', day)", "date_part('week', day)",
    "extract(quarter from day)", "day - date '2020-01-01'", "1", "'x'", "0.50", "true",
]  # fmt: skip

STRICTER = [
    "d * d", "round(f)", "floor(f)", "ceil(f)", "cast(d as integer)", "cast(d as decimal(10,1))",
    "i + i", "i * i", "-i", "abs(i)", "d / 0", "i / 0", "w + w", "w * w", "w * 1000000.5", "w - w", "d * i",
    "f > 1", "f = f", "f + f", "f - f", "f / f", "f * 2", "-f", "f > d", "f is null", "i > null", "null",
    "cast(n as integer)", "cast(n as decimal(10,2))", "cast(n as decimal(36,4))", "cast(t as decimal(10,2))",
    "cast(n as double)", "cast(n as boolean)", "cast(t as boolean)", "cast(s as date)", "cast(s as timestamp)",
    "cast(s as timestamptz)", "cast(ts as date)", "cast(day as timestamp)", "cast(i as decimal(10,2))",
    "ts > '2000-01-01'", "day >= '2000-01-01'", "ts > day", "ts in ('1970-01-01', '2024-01-01')",
    "ts > timestamp '2000-01-01 10:00'", "ts = timestamptz '1970-01-01 02:00+02'", "year(ts)", "hour(ts)",
    "date_trunc('day', ts)", "date_trunc('week', ts)", "date_trunc('quarter', ts)", "date_trunc('minute', ts)",
    "date_trunc('month', day)", "date_trunc('hour', day)", "date_part('minute', ts)", "extract(hour from ts)",
    "ts + interval '1 day' > now()", "now() - ts > interval 30 days", "ts - interval '1 hour'", "ts - day",
    "interval '2 weeks' + ts", "to_timestamp(i)", "epoch_ms(i)", "make_timestamp(i)",
    "epoch_ms(cast(n as bigint))", "current_timestamp > ts",
]  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def plain_engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect("UTC") as connection:
        connection.execute("create macro now() as timestamptz '2024-01-01 00:00:00+00'")
        yield connection


@pytest.mark.parametrize("text", LIKE_DUCKDB + STRICTER)
def test_polars_and_duckdb_give_the_same_value_in_every_row(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    assert in_polars(text) == in_duckdb(engine, text)


@pytest.mark.parametrize("text", LIKE_DUCKDB)
def test_the_text_means_what_it_means_in_duckdb(plain_engine: duckdb.DuckDBPyConnection, text: str) -> None:
    assert in_polars(text) == in_plain_duckdb(plain_engine, text)


@pytest.mark.parametrize("text", LIKE_DUCKDB + STRICTER)
def test_the_sql_for_snowflake_parses(text: str) -> None:
    sql = parse_expression(text).to_sql("snowflake", DTYPES)
    parsed = sqlglot.parse_one(f"select {sql} as result", read="snowflake")
    assert not list(parsed.find_all(sqlglot.exp.Command))


def test_every_engine_renders_the_same_operations() -> None:
    assert rule_polars.OPERATIONS == rule_sql.OPERATIONS


def test_every_function_of_the_language_is_tried_on_the_engines() -> None:
    tried = " ".join(LIKE_DUCKDB + STRICTER)
    assert [f.name for f in FUNCTIONS if f"{f.name}(" not in tried] == []
