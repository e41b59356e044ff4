from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from aura_lake.contracts.element import Element
from aura_lake.contracts.model import FOLDER, commerce_model
from aura_lake.contracts.odcs import check_standard
from aura_lake.contracts.problems import Problems
from aura_lake.contracts.yaml_source import read_document

#: The tables and columns people rely on: key, then the other columns.
PROMISED = {
    "users": ("user_id", "email_hash name_hash city state zip_code region country created_at"),
    "products": ("product_id", "product_name category brand list_price"),
    "categories": ("category", "category_name"),
    "orders": (
        "order_id",
        "user_id order_status ordered_at updated_at order_amount currency discount_amount tax_amount region "
        "approved_at shipped_at delivered_at",
    ),
    "order_items": ("order_id line_number", "product_id quantity unit_price discount_amount shipping_amount"),
    "payments": ("order_id payment_number", "payment_type amount installments paid_at"),
    "clickstream": (
        "",
        "event_type occurred_at user_id session_id product_id category brand price device_os channel campaign "
        "search_query",
    ),
    "order_touchpoints": (
        "order_id touch_number",
        "occurred_at channel campaign device_os session_id model weight attributed_revenue is_final",
    ),
}


@pytest.mark.parametrize("table", PROMISED)
def test_a_table_of_the_model_has_its_key_and_its_columns(table: str) -> None:
    key, others = (tuple(names.split()) for names in PROMISED[table])
    modelled = commerce_model()[table]
    assert modelled.key == key
    assert tuple(column.silver_name for column in modelled.columns) == (*key, *others)
    assert modelled.computed == (table == "order_touchpoints")


def test_the_model_has_no_other_tables() -> None:
    assert sorted(commerce_model()) == sorted(PROMISED)


def test_everything_in_the_model_is_described() -> None:
    for table in commerce_model().values():
        assert table.description.endswith("."), table.name
        for column in table.columns:
            assert column.description.endswith("."), f"{table.name}.{column.name}"


def test_ids_are_text_times_are_utc_money_has_four_decimals_and_weights_nine() -> None:
    for table in commerce_model().values():
        for column in table.columns:
            name = column.name
            if name.endswith("_id") or name == "line_number":
                assert column.dtype == pl.String(), name
            if name.endswith("_at"):
                assert column.dtype == pl.Datetime("us", "UTC"), name
            if name.endswith(("_amount", "_price", "_revenue")) or name in ("amount", "price"):
                assert column.dtype == pl.Decimal(18, 4), name
    assert commerce_model()["order_touchpoints"].column("weight").dtype == pl.Decimal(18, 9)


def test_the_canonical_words_of_a_status_and_an_event() -> None:
    model = commerce_model()
    assert model["orders"].column("order_status").allowed_values == (
        "created", "pending", "approved", "processing", "invoiced", "shipped", "delivered", "cancelled",
        "unavailable", "returned",
    )  # fmt: skip
    assert model["clickstream"].column("event_type").allowed_values == ("view", "cart", "purchase", "search")


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.odcs.yaml")), ids=lambda file: file.stem)
def test_every_file_of_the_model_is_odcs(file: Path) -> None:
    problems = Problems()
    document = read_document(file, problems)
    assert document is not None
    root = Element.root(document, problems)
    assert root is not None
    check_standard(root, {})
    assert problems.found == []
    assert [schema.value["name"] for schema in root.children("schema")] == [file.name.removesuffix(".odcs.yaml")]
