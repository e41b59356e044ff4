"""What a question may hold: reading known tables, and nothing else (cases 108 and 109)."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from aura_lake.contracts.digest import digest_of
from aura_lake.errors import QueryError
from aura_lake.lake import Lake
from aura_lake.query import run_query
from aura_lake.query.gate import MAX_CHARACTERS, read_question
from aura_lake.query.reader import Reader
from aura_lake.query.run import _Engine

TABLES = {"silver.orders", "silver.orders_history", "gold.fct_orders", "bronze.raw"}


def question(sql: str) -> tuple[tuple[str, str], ...]:
    return read_question(duckdb.connect(":memory:"), sql, TABLES).tables


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select 1", ()),
        ("select * from silver.orders", (("silver", "orders"),)),
        ('SELECT * FROM Silver."ORDERS"', (("silver", "orders"),)),
        ("from gold.fct_orders", (("gold", "fct_orders"),)),
        ("describe silver.orders", (("silver", "orders"),)),
        ("summarize silver.orders", (("silver", "orders"),)),
        ("with a as (select * from bronze.raw) select * from a", (("bronze", "raw"),)),
        ("with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select sum(n) from t", ()),
        ("select 1 union all select 2 except select 3", ()),
        (
            "select (select max(x) from silver.orders), (select 1 from gold.fct_orders)",
            (("gold", "fct_orders"), ("silver", "orders")),
        ),
        ("select unnest([1, 2]), n from range(3) t(n)", ()),
        (
            "select sum(x) over (partition by y order by z) from silver.orders qualify row_number() over () = 1",
            (("silver", "orders"),),
        ),
        (
            "select case when a like 'x%' then b || 'c' else d::decimal(18,4) end from silver.orders o",
            (("silver", "orders"),),
        ),
        ("select list_transform(l, lambda e: e + 1), {'a': 1}, a[1], s.f from silver.orders", (("silver", "orders"),)),
        (
            "select * exclude (a) from silver.orders left join gold.fct_orders using (id) order by all limit 3",
            (("gold", "fct_orders"), ("silver", "orders")),
        ),
        ("values (1), (2)", ()),
    ],
)
def test_a_question_that_reads_is_let_through_with_its_tables(sql: str, tables: tuple[tuple[str, str], ...]) -> None:
    assert question(sql) == tables


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("with a as (delete from silver.orders returning *) select * from a", "may only read; this one holds a DELETE"),
        ("with a as (insert into silver.orders values (1) returning *) select * from a", "may only read"),
        ("with a as (update silver.orders set x = 1 returning *) select * from a", "may only read"),
        ("select * from (with a as (delete from silver.orders returning *) select * from a)", "may only read"),
        ("select * from '/etc/passwd'", "There is no table '/etc/passwd'"),
        ('select * from "/etc/passwd"', "There is no table '/etc/passwd'"),
        ("select * from 'https://example.org/x.parquet'", "There is no table"),
        ("select * from orders", "There is no table 'orders'"),
        ("select * from memory.silver.orders", r"There is no table 'memory\.silver\.orders'"),
        ("select * from information_schema.tables", "There is no table"),
        ("select * from duckdb_settings", "There is no table"),
        (
            "select * from (with \"/etc/passwd\" as (select 1) select 1), '/etc/passwd'",
            "There is no table '/etc/passwd'",
        ),
        ("select * from silver.orders at (version => 1)", "reads the published version only"),
        ("insert into silver.orders values (1)", "Only SELECT"),
        ("update silver.orders set a = 1", "Only SELECT"),
        ("copy (select 1) to '/tmp/x'", "Only SELECT"),
        ("attach '/tmp/x.db'", "Only SELECT"),
        ("pragma version", "Only SELECT|SHOW|table function"),
        ("set threads = 1", "Only SELECT"),
        ("install httpfs", "Only SELECT"),
        ("create table x (a int)", "Only SELECT"),
        ("call pragma_version()", "Only SELECT"),
        ("explain analyze select 1", "Only SELECT"),
        ("export database '/tmp/x'", "Only SELECT"),
        ("show tables", "SHOW is not a question"),
        ("show all tables", "SHOW is not a question|Only SELECT"),
        ("select ?", "holds a parameter"),
        ("select $secret", "holds a parameter"),
        ("select 1; select 2", "One query at a time: the text holds 2"),
        ("", "One query at a time: the text holds 0"),
        ("selec 1", "The SQL cannot be read"),
        ("select getenv('HOME')", r"The function getenv\(\)"),
        ("select current_setting('home_directory')", r"The function current_setting\(\)"),
        ("select getvariable('x')", r"The function getvariable\(\)"),
        ("select main.getvariable('x')", "may call"),
        ("select sleep_ms(1000000)", r"The function sleep_ms\(\)"),
        ("select nextval('x')", r"The function nextval\(\)"),
        ("select write_log('x')", r"The function write_log\(\)"),
    ],
)
def test_case_109_what_does_not_only_read_known_tables_is_refused(sql: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        question(sql)


@pytest.mark.parametrize(
    "function",
    [
        "read_csv('/etc/passwd')",
        "read_text('/etc/passwd')",
        "read_blob('/etc/passwd')",
        "read_parquet('x')",
        "read_json('x')",
        "glob('/*')",
        "query('select 1')",
        "query_table('x')",
        "duckdb_secrets()",
        "duckdb_settings()",
        "pragma_version()",
        "json_execute_serialized_sql('x')",
        "parquet_metadata('x')",
        "sniff_csv('x')",
        "arrow_scan(1, 2, 3)",
    ],
)
def test_case_109_a_table_function_that_reaches_out_is_refused(function: str) -> None:
    with pytest.raises(QueryError, match="table function"):
        question(f"select * from {function}")


def test_the_refusal_lists_the_tables_there_are() -> None:
    with pytest.raises(QueryError) as error:
        question("select * from nowhere")
    assert error.value.fix == "The tables of this lake: bronze.raw, gold.fct_orders, silver.orders[_history]."


def test_a_question_as_long_as_a_book_is_refused() -> None:
    with pytest.raises(QueryError, match=f"{MAX_CHARACTERS + 8:,} characters; {MAX_CHARACTERS:,} are allowed"):
        question("select " + "1" * (MAX_CHARACTERS + 1))


def test_a_question_as_deep_as_a_well_is_refused() -> None:
    with pytest.raises(QueryError):
        question("select " + "(" * 900 + "1" + ")" * 900 + " + (" * 300 + "1" + ")" * 300)


def test_case_108_the_engine_itself_reaches_nothing_but_the_tables_that_are_asked(lake: Lake, tmp_path: Path) -> None:
    """Even a text that got past the gate finds the engine locked."""
    secret = tmp_path / "secret.csv"
    secret.write_text("password\nhunter2\n")
    other = next((tmp_path / "lake" / "silver" / "visits_log").rglob("*.parquet"))
    bait = [1]  # a Python object that a replacement scan would find

    with _Engine(Reader(lake.settings, digest_of(lake.shop))) as engine:
        assert engine.prepare("select count(*) from silver.things").rows(None) == [(2,)]
        for sql in (
            f"select * from '{secret}'",
            f"select * from read_csv('{secret}')",
            f"select * from read_parquet('{other}')",
            f"copy (select 1) to '{tmp_path / 'out.csv'}'",
            f"attach '{tmp_path / 'out.db'}'",
            "set enable_external_access = true",
            "set allowed_paths = ['/']",
            "select * from bait",
            "install httpfs",
        ):
            with pytest.raises(duckdb.Error):
                engine.connection.execute(sql).fetchall()
            with pytest.raises(duckdb.Error):
                engine.connection.sql(sql).fetchall()
    assert bait == [1]
    assert not (tmp_path / "out.csv").exists()
    assert not (tmp_path / "out.db").exists()


def test_case_112_a_table_name_that_climbs_out_of_the_lake_is_refused(lake: Lake) -> None:
    with pytest.raises(QueryError, match="There is no table"):
        run_query(lake, 'select * from silver."../../../etc"')
