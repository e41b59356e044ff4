"""Further forms of values: what broke the type rule is read again, and nothing else is touched."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.cast import cast_field
from aura_lake.contracts.contract import Column
from aura_lake.contracts.extract import KIND
from aura_lake.contracts.readings import is_reading, read_again, respell

MONEY, TIME, DAY, TRUTH, TEXT = pl.Decimal(12, 2), pl.Datetime("us", "UTC"), pl.Date(), pl.Boolean(), pl.String()
LOGICAL = {MONEY: "number", TIME: "timestamp", DAY: "date", TRUTH: "boolean", TEXT: "string"}


def read(dtype: pl.DataType, readings: tuple[str, ...], *values: tuple[str | None, str]) -> list[Any]:
    """The values as the column has them; "!" where one still breaks its type."""
    column = Column("it", dtype, LOGICAL[dtype], source="it", readings=readings)
    text = pl.Series([text for text, _ in values], dtype=pl.String)
    kind = pl.Series([kind for _, kind in values], dtype=KIND)
    cast = read_again(cast_field(text, kind, column, None, "UTC"), text, kind, column, None, "UTC")
    return [
        "!" if broken else value for value, broken in zip(cast.values.to_list(), cast.broken.to_list(), strict=True)
    ]


@pytest.mark.parametrize(
    ("dtype", "reading", "value", "meant"),
    [
        (MONEY, "number_in_text", ("60.04", "string"), Decimal("60.04")),
        (MONEY, "number_in_text", ("60.04 USD", "string"), "!"),
        (MONEY, "decimal_comma", ("1.234,56", "string"), Decimal("1234.56")),
        (MONEY, "grouped_number", ("1,234.56", "string"), Decimal("1234.56")),
        (MONEY, "number_with_currency:USD", ("12.30 USD", "string"), Decimal("12.30")),
        (MONEY, "number_with_currency:USD", ("12.30 EUR", "string"), "!"),
        (MONEY, "number_with_currency:USD", ("$12.30", "string"), Decimal("12.30")),
        (MONEY, "number_with_currency:BRL", ("12.30 R$", "string"), Decimal("12.30")),
        (MONEY, "only_element", ("[12.3]", "array"), Decimal("12.3")),
        (TEXT, "whole_number", ("44600062.0", "number"), "44600062"),
        (TEXT, "whole_number", ("12.5", "number"), "!"),
        (TIME, "epoch_seconds", ("1569888000.25", "number"), datetime(2019, 10, 1, 0, 0, 0, 250000, UTC)),
        (MONEY, "only_element", ("[12.3, 4]", "array"), "!"),
        (TEXT, "only_element", ('["a \\u00e9 \\"b\\""]', "array"), 'a é "b"'),
        (TEXT, "only_element", ("[null]", "array"), "!"),
        (TEXT, "text_of_scalar", ("1.5", "number"), "1.5"),
        (TEXT, "text_of_scalar", ("{}", "object"), "!"),
        (TRUTH, "boolean_words", ("Yes", "string"), True),
        (TRUTH, "boolean_words", ("0", "integer"), False),
        (TRUTH, "boolean_words", ("2", "integer"), "!"),
        (TIME, "epoch_seconds", ("1569888000", "integer"), datetime(2019, 10, 1, tzinfo=UTC)),
        (TIME, "epoch_millis", ("1569888000123", "integer"), datetime(2019, 10, 1, 0, 0, 0, 123000, UTC)),
        (TIME, "epoch_nanos", ("1569888000123456789", "string"), datetime(2019, 10, 1, 0, 0, 0, 123456, UTC)),
        (TIME, "time_form:%d/%m/%Y %H:%M:%S%.f", ("02/10/2019 03:04:05.5", "string"),
         datetime(2019, 10, 2, 3, 4, 5, 500000, UTC)),
        (TIME, "time_form:%d/%m/%Y %H:%M:%S%.f", ("10/31/2019 03:04:05", "string"), "!"),
        (DAY, "date_of_midnight", ("2019-10-01T00:00:00Z", "string"), date(2019, 10, 1)),
        (DAY, "date_of_midnight", ("2019-10-01T01:00:00Z", "string"), "!"),
        (DAY, "time_form:%d.%m.%Y", ("31.10.2019", "string"), date(2019, 10, 31)),
    ],
)  # fmt: skip
def test_a_reading_takes_its_form_and_no_other(
    dtype: pl.DataType, reading: str, value: tuple[str, str], meant: Any
) -> None:
    assert read(dtype, (reading,), value) == [meant]
    assert read(dtype, (), value) == ["!"]


def test_values_that_were_right_stay_and_several_readings_are_tried_in_turn() -> None:
    readings = ("number_in_text", "decimal_comma")
    values = (("1.50", "number"), ("2.50", "string"), ("3,50", "string"), (None, "null"), ("x", "string"))
    assert read(MONEY, readings, *values) == [Decimal("1.50"), Decimal("2.50"), Decimal("3.50"), None, "!"]


def test_a_reading_is_one_of_the_columns_type() -> None:
    column = Column("price", MONEY, "number")
    assert is_reading("number_with_currency:EUR", column)
    assert not is_reading("number_with_currency:€", column)
    assert not is_reading("epoch_seconds", column)


def test_values_that_are_written_otherwise_are_taken_as_meant() -> None:
    assert respell(pl.Series(["VIEW", "cart", None]), (("VIEW", "view"),)).to_list() == ["view", "cart", None]
