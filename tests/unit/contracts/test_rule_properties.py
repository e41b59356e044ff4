from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_lake.errors import ContractError

from .rule_engines import connect, in_duckdb, in_polars

INTEGERS = st.sampled_from(["i", "0", "1", "-7", "12", "length(t)", "cast(n as bigint)", "year(day)", "null"])
DECIMALS = st.sampled_from(["d", "w", "0.5", "-2.50", "cast(n as decimal(10,2))", "1.255"])
TEXTS = st.sampled_from(["t", "n", "'abc'", "''", "'C5'", "upper(t)", "s"])
TIMES = st.sampled_from(["ts", "now()", "day", "cast(s as timestamp)", "timestamp '2020-01-01'"])


def binary(parts: st.SearchStrategy[str], operators: list[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda a, o, b: f"({a} {o} {b})", parts, st.sampled_from(operators), parts)


def call(form: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(form.format, *parts)


numbers = st.recursive(
    INTEGERS | DECIMALS,
    lambda inner: (
        binary(inner, ["+", "-", "*"])
        | call("coalesce({}, {})", inner, inner)
        | call("nullif({}, {})", inner, inner)
        | call("greatest({}, {})", inner, inner)
        | call("abs({})", inner)
        | call("round({}, 1)", inner)
        | call("floor({})", inner)
        | call("case when b then {} else {} end", inner, inner)
    ),
    max_leaves=4,
)
texts = st.recursive(
    TEXTS,
    lambda inner: (
        call("{} || {}", inner, inner)
        | call("replace({}, 'a', 'bb')", inner)
        | call("split_part({}, '-', 2)", inner)
        | call("trim({})", inner)
        | call("lpad({}, 4, '0')", inner)
        | call("regexp_replace({}, '[0-9]+', '#', 'g')", inner)
    ),
    max_leaves=3,
)
FLOATS = st.sampled_from(["f", "f * 2", "f + 1", "f - f", "round(f)", "-f", "abs(f)", "ceil(f)", "0.5", "2", "f / 0"])
comparisons = ["=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"]
conditions = st.recursive(
    binary(numbers, comparisons)
    | binary(texts, comparisons)
    | binary(FLOATS, comparisons)
    | binary(TIMES, comparisons)
    | call("{} in ({}, {})", numbers, numbers, numbers)
    | call("{} not in ('abc', '', null)", texts)
    | call("{} between {} and {}", numbers, numbers, numbers)
    | call("{} in ({}, 2.5, null)", FLOATS, FLOATS)
    | call("{} like '%a_%'", texts)
    | call("{} is null", numbers)
    | call("contains({}, {})", texts, texts)
    | call("({} - {}) > interval '10 days'", TIMES, TIMES)
    | st.just("b"),
    lambda inner: (
        binary(inner, ["and", "or"])
        | call("(not {})", inner)
        | call("({} is not true)", inner)
        | call("(case when {} then {} end)", inner, inner)
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=conditions | numbers | texts)
def test_small_expressions_mean_the_same_in_polars_and_duckdb(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    try:
        found = in_polars(text)
    except ContractError:  # e.g. the days between two dates compared with an interval
        return
    assert found == in_duckdb(engine, text)
