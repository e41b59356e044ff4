"""Keys of the database are compared with those of silver."""

from __future__ import annotations

import polars as pl
import pytest

from aura_lake.contracts.contract import Column, Contract, Kind
from aura_lake.errors import SourceError
from aura_lake.source.silver_keys import keys_as_silver


def key(name: str, dtype: pl.DataType, position: int, **given: object) -> Column:
    words = {pl.Date(): "date", pl.Int64(): "integer", pl.Datetime("us", "UTC"): "timestamp"}
    return Column(name, dtype, words.get(dtype, "string"), source=name, key_position=position, **given)  # type: ignore[arg-type]


def test_keys_have_the_types_and_names_of_the_contract() -> None:
    columns = (
        key("order_id", pl.String(), 1, physical_type="uuid"),
        key("day", pl.Date(), 2, physical_type="date"),
        key("number", pl.Int64(), 3),
        key("local", pl.Datetime("us", "UTC"), 4, physical_type="timestamp(6)"),
        key("at", pl.Datetime("us", "UTC"), 5, physical_type="timestamptz(6)"),
        Column("note", pl.String(), "string", source="note"),
    )
    contract = Contract("orders", Kind.CDC, "orders", columns, decimals="string")
    frame = pl.DataFrame(
        {
            "day": ["2026-01-02"],
            "order_id": ["1B4E28BA-2FA1-11D2-883F-0016D3CCA427"],
            "number": ["7"],
            "at": ["2026-07-02T03:04:05.000000Z"],
            "local": ["2026-07-02T03:04:05.000000Z"],
        }
    )
    silver = keys_as_silver(frame, contract, "Europe/Berlin")

    assert silver.columns == ["order_id", "day", "number", "local", "at"]
    assert silver.dtypes == [pl.String, pl.Date, pl.Int64, pl.Datetime("us", "UTC"), pl.Datetime("us", "UTC")]
    told = silver.with_columns(pl.col(pl.Datetime).dt.to_string("%H:%M")).row(0)
    assert (told[0], str(told[1]), told[2:]) == (
        "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "2026-01-02",
        (7, "01:04", "03:04"),
    )


def test_a_renamed_key_is_found_under_its_source_or_a_synonym() -> None:
    column = Column("order_id", pl.String(), "string", source="oid", synonyms=("id",), key_position=1)
    contract = Contract("orders", Kind.CDC, "orders", (column,))
    assert keys_as_silver(pl.DataFrame({"id": ["1"]}), contract, "UTC").to_dict(as_series=False) == {"order_id": ["1"]}


@pytest.mark.parametrize(
    "column",
    [
        Column("order_id", pl.String(), "string", source="other", key_position=1),
        Column("order_id", pl.String(), "string", source="id", transform="upper(id)", key_position=1),
    ],
)
def test_a_key_that_is_not_the_tables_own_cannot_be_compared(column: Column) -> None:
    with pytest.raises(SourceError, match="orders has the key"):
        keys_as_silver(pl.DataFrame({"id": ["1"]}), Contract("orders", Kind.CDC, "orders", (column,)), "UTC")
