"""What changes from one contract to another, by how much it matters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Contract, RowRule, Severity, TableRule
from aura_lake.contracts.difference import Weight, changes_between
from tests.changes import column, things

POSITIVE = RowRule("size_is_positive", "size > 0")


def weights(new: Contract, old: Contract | None = None) -> list[tuple[str, str]]:
    """(what, weight) of each change."""
    old = old or things(row_rules=(POSITIVE,))
    found = changes_between({"things": old}, {"things": new})
    return [(change.what, change.weight.value) for change in found]


def base(**more: Any) -> Contract:
    return things(**{"row_rules": (POSITIVE,), **more})


def with_size(**more: Any) -> Contract:
    contract = base()
    size = replace(contract.column("size"), **more)
    return replace(contract, columns=(*contract.columns[:2], size))


def test_what_is_equal_changes_nothing_in_whatever_order() -> None:
    contract = base()
    assert weights(replace(contract, columns=contract.columns[::-1])) == []


@pytest.mark.parametrize(
    ("more", "weight"),
    [
        ({"dtype": pl.Decimal(38, 4), "logical_type": "number"}, "widening"),
        ({"dtype": pl.Decimal(18, 4), "logical_type": "number"}, "breaking"),
        ({"dtype": pl.String(), "logical_type": "string"}, "breaking"),
        ({"required": True}, "breaking"),
        ({"source": "magnitude"}, "breaking"),
        ({"source": "magnitude", "synonyms": ("size",)}, "widening"),
        ({"synonyms": ("magnitude",)}, "widening"),
        ({"allowed_values": ("1", "2")}, "breaking"),
        ({"personal": True}, "breaking"),
        ({"transform": "cast(size as integer) + 1"}, "breaking"),
        ({"description": "How large it is."}, "safe"),
    ],
)
def test_a_column_that_is_otherwise(more: dict[str, Any], weight: str) -> None:
    assert weights(with_size(**more)) == [("size", weight)]


def test_enumerations_widen_where_values_come_and_break_where_they_go() -> None:
    old, new = with_size(allowed_values=("1", "2")), with_size(allowed_values=("2", "3"))
    assert weights(new, old) == [("size", "breaking"), ("size", "widening")]
    assert weights(with_size(), old) == [("size", "widening")]


def test_columns_that_come_or_go() -> None:
    contract = base()
    assert weights(replace(contract, columns=(*contract.columns, column("tint")))) == [("tint", "safe")]
    assert weights(replace(contract, columns=(*contract.columns, column("tint", required=True)))) == [
        ("tint", "breaking")
    ]
    (gone,) = changes_between({"things": contract}, {"things": replace(contract, columns=contract.columns[:2])})
    assert (gone.weight, gone.columns) == (Weight.BREAKING, ("size",))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((), [("size_is_positive", "widening")]),
        ((replace(POSITIVE, severity=Severity.BLOCK),), [("size_is_positive", "breaking")]),
        ((replace(POSITIVE, severity=Severity.WARN),), [("size_is_positive", "widening")]),
        ((replace(POSITIVE, expression="size > 5"),), [("size_is_positive", "breaking")]),
        ((POSITIVE, RowRule("size_is_small", "size < 9", Severity.WARN)), [("size_is_small", "safe")]),
        ((POSITIVE, RowRule("size_is_small", "size < 9")), [("size_is_small", "breaking")]),
    ],
)
def test_row_rules(rules: tuple[RowRule, ...], expected: list[tuple[str, str]]) -> None:
    assert weights(base(row_rules=rules)) == expected


def test_a_table_rule_matters_where_it_blocks() -> None:
    warns = TableRule("word_is_unique", "unique", ("word",))
    assert weights(base(table_rules=(warns,))) == [("word_is_unique", "safe")]
    blocks = base(table_rules=(replace(warns, severity=Severity.BLOCK),))
    assert weights(blocks) == [("word_is_unique", "breaking")]
    assert weights(base(), blocks) == [("word_is_unique", "widening")]


@pytest.mark.parametrize(
    ("more", "what", "weight"),
    [
        ({"filter": "word = 'a'"}, "filter", "breaking"),
        ({"error_budget": 0.1}, "errorBudget", "breaking"),
        ({"is_enforced": True}, "enforcement", "breaking"),
        ({"aliases": (("word", "term"),)}, "aliases", "widening"),
        ({"version": "2.0.0"}, "version", "safe"),
    ],
)
def test_properties_of_the_table(more: dict[str, Any], what: str, weight: str) -> None:
    assert weights(base(**more)) == [(what, weight)]


def test_tables_that_come_or_go() -> None:
    (gone,), (come,) = changes_between({"things": base()}, {}), changes_between({}, {"things": base()})
    assert (gone.weight, gone.is_whole, come.weight) == (Weight.BREAKING, True, Weight.SAFE)
