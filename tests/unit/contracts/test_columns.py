from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from aura_lake import layouts
from aura_lake.contracts.contract import Column
from aura_lake.contracts.names import RESERVED_COLUMNS

from .shops import load_table

TIME = pl.Datetime("us", "UTC")


def columns(folder: Path, *properties: str, table: str = "orders", key: str = "order_id") -> dict[str, Column]:
    """The columns of a table by silver name; each property is `name` and more keys, separated by `; `."""
    listed = "".join("      - name: " + p.replace("; ", "\n        ") + "\n" for p in (key, *properties))
    contract = load_table(folder, f"schema:\n  - name: {table}\n    properties:\n{listed}")
    return {column.silver_name: column for column in contract.columns}


@pytest.mark.parametrize(
    ("types", "dtype"),
    [
        ("logicalType: string", pl.String()),
        ("logicalType: string; physicalType: uuid", pl.String()),
        ("logicalType: integer", pl.Int64()),
        ("logicalType: number", pl.Decimal(18, 4)),
        ("logicalType: number; physicalType: numeric(12,2)", pl.Decimal(12, 2)),
        ("logicalType: number; physicalType: DECIMAL(38, 9)", pl.Decimal(38, 9)),
        ("logicalType: number; physicalType: numeric(12)", pl.Decimal(12, 0)),
        ("logicalType: number; physicalType: double precision", pl.Float64()),
        ("logicalType: number; logicalTypeOptions: {format: f64}", pl.Float64()),
        ("logicalType: boolean", pl.Boolean()),
        ("logicalType: date", pl.Date()),
        ("logicalType: timestamp; physicalType: timestamp(3)", TIME),
        ("logicalType: time", pl.String()),
        ("logicalType: object; physicalType: jsonb", pl.String()),
        ("logicalType: array", pl.String()),
    ],
)
def test_the_type_of_a_column_of_ones_own(tmp_path: Path, types: str, dtype: pl.DataType) -> None:
    assert columns(tmp_path, f"extra; {types}")["extra"].dtype == dtype


def test_a_column_of_the_model_has_the_models_type_and_keeps_the_sources(tmp_path: Path) -> None:
    found = columns(tmp_path, "order_amount; physicalType: numeric(12,2)", "ordered_at; physicalType: timestamp(6)")
    assert (found["order_amount"].dtype, found["order_amount"].physical_type) == (pl.Decimal(18, 4), "numeric(12,2)")
    assert (found["ordered_at"].dtype, found["ordered_at"].physical_type) == (TIME, "timestamp(6)")
    assert found["order_amount"].description.startswith("What the order came to")


def test_ids_are_text_also_where_the_producer_counts(tmp_path: Path) -> None:
    found = columns(tmp_path, "user_id; logicalType: integer; physicalType: bigint")["user_id"]
    assert (found.dtype, found.logical_type) == (pl.String(), "string")


def test_a_column_is_read_from_its_physical_name_and_its_synonyms(tmp_path: Path) -> None:
    found = columns(
        tmp_path,
        "region; physicalName: address.region; synonyms: [{synonym: area}, {synonym: address.area}]",
        "tax_amount",
    )
    assert (found["region"].source, found["region"].synonyms) == ("address.region", ("area", "address.area"))
    assert found["tax_amount"].source == "tax_amount"


def test_columns_of_the_model_that_are_left_out_are_null(tmp_path: Path) -> None:
    found = columns(tmp_path, table="users", key="user_id")
    assert list(found) == [
        "user_id", "email_hash", "name_hash", "city", "state", "zip_code", "region", "country", "created_at",
    ]  # fmt: skip
    assert {column.transform for name, column in found.items() if name != "user_id"} == {"null"}


def test_personal_columns_of_the_model_stand_hashed_without_a_word(tmp_path: Path) -> None:
    found = columns(tmp_path, "email", "name; physicalName: full_name", table="users", key="user_id")
    assert found["email_hash"].personal
    assert (found["name_hash"].name, found["name_hash"].source) == ("name", "full_name")


@pytest.mark.parametrize("classification", ["personal", "PII", "Personal Data", "sensitive"])
def test_a_classification_marks_a_column_as_personal_in_any_case(tmp_path: Path, classification: str) -> None:
    assert "phone_hash" in columns(tmp_path, f"phone; logicalType: string; classification: {classification}")


def test_public_and_confidential_columns_stand_readable(tmp_path: Path) -> None:
    assert "note" in columns(tmp_path, "note; logicalType: string; classification: confidential")


def test_the_canonical_values_hold_and_may_be_narrowed(tmp_path: Path) -> None:
    wide = columns(tmp_path, "order_status")["order_status"].allowed_values
    assert wide is not None
    assert len(wide) == 10
    narrow = columns(tmp_path, "order_status; enum: [{value: created}, {value: shipped}]")
    assert narrow["order_status"].allowed_values == ("created", "shipped")


def test_values_of_an_enumeration_are_compared_as_text(tmp_path: Path) -> None:
    found = columns(tmp_path, "stars; logicalType: integer; enum: [{value: 1}, {value: 2}]")
    assert found["stars"].allowed_values == ("1", "2")


def test_a_columns_own_time_zone(tmp_path: Path) -> None:
    found = columns(tmp_path, "ordered_at; logicalTypeOptions: {defaultTimezone: America/Sao_Paulo}", "updated_at")
    assert (found["ordered_at"].time_zone, found["updated_at"].time_zone) == ("America/Sao_Paulo", None)


def test_no_column_may_be_named_as_those_of_the_log_or_the_history() -> None:
    own = {*layouts.JUDGEMENT, *layouts.CHANGE, *layouts.VERSION, "batch", "lane"}
    assert {name for name in own if not name.startswith("_")} <= RESERVED_COLUMNS
