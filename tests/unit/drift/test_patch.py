"""A patch is data: hashed, applied by a pure function, refused where it contradicts the contract or itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Column, Contract, Feed, Format, Kind, Shop
from aura_lake.drift.apply import patched, patched_shop
from aura_lake.drift.patch import Patch, PatchRefused, read_patch


def column(name: str, dtype: pl.DataType | None = None, **more: Any) -> Column:
    return Column(name=name, dtype=dtype or pl.String(), **{"logical_type": "string", "source": name, **more})


CLICKS = Contract(
    table="visits",
    kind=Kind.EVENTS,
    feed="clicks",
    columns=(
        column("session", source="user_session", required=True),
        column("device", source="ctx.os"),
        column("price", pl.Decimal(12, 2), logical_type="number"),
        column("pieces", pl.Int64(), logical_type="integer"),
        column("kind", allowed_values=("view", "cart")),
        column("shop", transform="upper(store)"),
    ),
    filter="kind = 'view'",
)


PIECES = {"table": "visits", "column": "pieces"}


def under(*operations: dict[str, Any]) -> Contract:
    (found,) = patched([CLICKS], Patch("clicks", operations))
    return found


def test_the_hash_is_that_of_the_canonical_document() -> None:
    one = Patch("clicks", ({"op": "synonym", "field": "a", "also": "b"},))
    same = read_patch({"operations": [{"also": "b", "field": "a", "op": "synonym"}], "feed": "clicks", "version": 1})
    other = Patch("clicks", ({"op": "synonym", "field": "a", "also": "c"},))
    assert one.hash == same.hash != other.hash
    assert len(one.hash) == 64


def test_a_synonym_reaches_columns_filters_and_expressions() -> None:
    found = under(
        {"op": "synonym", "field": "user_session", "also": "session_id"},
        {"op": "synonym", "field": "kind", "also": "what"},
        {"op": "synonym", "field": "store", "also": "branch"},
    )
    assert found.column("session").synonyms == ("session_id",)
    assert found.aliases == (("user_session", "session_id"), ("kind", "what"), ("store", "branch"))


def test_a_new_column_reads_the_field_and_may_be_null() -> None:
    operation = {"op": "column", "table": "visits", "column": "ga_ref", "field": "gaRef", "logical_type": "number"}
    found = under({**operation, "personal": False}).column("ga_ref")
    assert (found.source, found.dtype, found.required) == ("gaRef", pl.Decimal(18, 4), False)
    assert under({**operation, "personal": True}).column("ga_ref_hash").silver_dtype == pl.String()


def test_a_patch_applied_twice_is_the_patch_applied_once() -> None:
    operations = (
        {"op": "synonym", "field": "user_session", "also": "session_id"},
        {"op": "cast", "table": "visits", "column": "price", "reading": "number_in_text"},
        {"op": "optional", "table": "visits", "column": "session"},
        {"op": "allow", "table": "visits", "column": "kind", "values": ["search"]},
        {"op": "respell", "table": "visits", "column": "kind", "values": {"VIEW": "view"}},
        {"op": "exchange", "fields": ["user_session", "price"], "patterns": ["^[a-z]+$", "^[0-9.]+$"]},
        {"op": "widen", **PIECES, "logical_type": "number", "physical_type": "numeric(23,4)"},
    )
    patches = [Patch("clicks", (operation,)) for operation in operations]
    feed = Feed("clicks", "/nowhere", Format.JSON)
    shop = Shop("tests", Path(), {"visits": CLICKS}, {"clicks": feed})
    once = patched_shop(shop, patches)
    assert once.contracts["visits"].column("pieces").dtype == pl.Decimal(23, 4)
    assert patched_shop(once, patches[:-1]) == once
    with pytest.raises(PatchRefused, match="is not wider"):
        patched_shop(once, patches[-1:])


@pytest.mark.parametrize(
    ("operations", "why"),
    [
        ([{"op": "synonym", "field": "nobody", "also": "x"}], "no contract of the feed reads the field 'nobody'"),
        ([{"op": "synonym", "field": "price", "also": "kind"}], "'kind' is already read as"),
        ([{"op": "synonym", "field": "price", "also": "price"}], "another name of itself"),
        (
            [
                {"op": "synonym", "field": "price", "also": "x"},
                {"op": "synonym", "field": "user_session", "also": "x"},
            ],
            "wants two things of 'x'",
        ),
        ([{"op": "cast", "table": "visits", "column": "price", "reading": "epoch_millis"}], "no form 'epoch_millis'"),
        ([{"op": "cast", "table": "visits", "column": "prize", "reading": "number_in_text"}], "no column 'prize'"),
        ([{"op": "optional", "table": "orders", "column": "price"}], "no contract of the feed is of the table"),
        ([{"op": "allow", "table": "visits", "column": "price", "values": ["1"]}], "allows every value"),
        ([{"op": "respell", "table": "visits", "column": "kind", "values": {"v": "nope"}}], "not allowed"),
        ([{"op": "respell", "table": "visits", "column": "kind", "values": {"cart": "view"}}], "would mean another"),
        (
            [{"op": "column", "table": "visits", "column": "price", "field": "x", "logical_type": "number",
              "personal": False}],
            "has a column 'price' already",
        ),
        (
            [{"op": "column", "table": "visits", "column": "verdict", "field": "x", "logical_type": "number",
              "personal": False}],
            "cannot name a column",
        ),
        ([{"op": "exchange", "fields": ["price", "kind"], "patterns": ["(", ")"]}], "no regular expression"),
        ([{"op": "exchange", "fields": ["price", "price"], "patterns": ["a", "b"]}], "needs two fields"),
    ],
)  # fmt: skip
def test_a_patch_that_contradicts_the_contract_or_itself_is_refused(operations: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(PatchRefused, match=why):
        under(*operations)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"version": 2, "feed": "clicks", "operations": [{}]}, "version 2"),
        ({"version": 1, "feed": "clicks", "operations": []}, "no operation"),
        ({"version": 1, "feed": "clicks", "operations": [{"op": "drop"}]}, "nobody knows"),
        ({"version": 1, "feed": "clicks", "operations": [{"op": "synonym", "field": "a"}]}, "not whole: also"),
    ],
)
def test_a_document_that_is_no_patch_is_refused(document: dict[str, Any], why: str) -> None:
    with pytest.raises(PatchRefused, match=why):
        read_patch(document)
