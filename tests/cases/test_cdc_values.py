"""Values as Debezium writes them: decimals and times, exact or not at all (cases 31 to 40)."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Column, Contract
from tests.changes import column, things
from tests.small_lake import SmallLake

#: Python's own context rounds to 28 digits.
WIDE = Context(prec=60)

MONEY = column("value", pl.Decimal(18, 4), "number")


def table(value: Column, **more: Any) -> Contract:
    """Key `id` and one column `value`."""
    return things(columns=(column("id", key_position=1), value), **more)


def told(lsn: int, value: Any, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """A created row `id` = LSN with this value; with a Connect schema of the field around it."""
    source = {"lsn": lsn, "ts_ms": lsn * 1000}
    envelope = {"before": None, "after": {"id": str(lsn), "value": value}, "source": source, "op": "c"}
    if schema is None:
        return envelope
    image = {
        "field": "after",
        "type": "struct",
        "fields": [{"field": "id", "type": "string"}, {"field": "value", **schema}],
    }
    return {"schema": {"type": "struct", "fields": [image]}, "payload": envelope}


def values_of(lake: SmallLake, *records: dict[str, Any]) -> list[Any]:
    lake.arrive("1.jsonl", *records)
    return [value for _, value in sorted(lake.rows(), key=lambda row: int(row[0]))]


def encoded(unscaled: int) -> str:
    return base64.b64encode(unscaled.to_bytes((unscaled.bit_length() + 8) // 8, "big", signed=True)).decode()


def connect_decimal(scale: int) -> dict[str, Any]:
    return {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": str(scale)}}


def test_case_031_a_precise_decimal_takes_its_scale_from_the_schema(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", pl.Decimal(18, 5), "number")))
    # KIP-481's own example, two's complement negatives, and the ends of a byte.
    numbers = [("D3J5", "10.12345"), ("/w==", "-0.00001"), (encoded(-1012345), "-10.12345"), (encoded(128), "0.00128")]
    records = [told(n, text, connect_decimal(5)) for n, (text, _) in enumerate(numbers, start=1)]
    assert values_of(lake, *records) == [Decimal(number) for _, number in numbers]
    assert lake.verdicts() == {"valid": 4}


def test_case_031_a_precise_decimal_keeps_all_of_its_38_digits(tmp_path: Path) -> None:
    digits = 12345678901234567890123456789012345678
    lake = SmallLake(tmp_path, table(column("value", pl.Decimal(38, 4), "number")))
    assert values_of(lake, told(1, encoded(-digits), connect_decimal(4))) == [Decimal(f"-{digits}").scaleb(-4, WIDE)]


def test_case_031_a_decimal_written_with_an_exponent_is_as_exact(tmp_path: Path) -> None:
    digits = 12345678901234567890123456789012345678
    lake = SmallLake(tmp_path, table(column("value", pl.Decimal(38, 4), "number"), decimals="string"))
    assert values_of(lake, told(1, f"{digits}E-4"), told(2, "1e3")) == [Decimal(digits).scaleb(-4, WIDE), Decimal(1000)]


NUMERICS = column("value", logical="array", physical_type="numeric(10,4)[]")


def test_case_031_an_array_of_precise_decimals_is_read_by_its_digits(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(NUMERICS))
    records = [told(1, [encoded(15000), None, encoded(-1)]), told(2, []), told(3, None), told(4, ["no base64!"])]
    assert values_of(lake, *records) == ['["1.5000",null,"-0.0001"]', "[]", None]
    assert lake.broken_rules() == ["value_is_json"]


def test_case_031_an_array_takes_its_scale_from_the_schema(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(replace(NUMERICS, physical_type=None)))
    schema = {"type": "array", "items": connect_decimal(2)}
    assert values_of(lake, told(1, [encoded(1999)], schema)) == ['["19.99"]']


def test_case_033_an_array_of_decimals_of_variable_scale_is_read_by_its_digits(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(replace(NUMERICS, physical_type="numeric[]")))
    assert values_of(lake, told(1, [{"scale": 3, "value": encoded(12345)}])) == ['["12.345"]']


def test_case_032_without_a_schema_the_contract_supplies_the_scale(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", pl.Decimal(12, 2), "number", physical_type="numeric(12,2)")))
    assert values_of(lake, told(1, encoded(1999)), told(2, encoded(-1))) == [Decimal("19.99"), Decimal("-0.01")]


def test_case_032_a_decimal_whose_scale_nobody_tells_is_quarantined_by_that_name(tmp_path: Path) -> None:
    required = column("value", pl.Decimal(18, 4), "number", required=True)
    lake = SmallLake(tmp_path, table(required))
    assert values_of(lake, told(1, encoded(1999)), told(2, 19.99)) == [Decimal("19.99")]
    assert lake.broken_rules() == ["value_has_a_known_scale"]


def test_case_032_text_is_no_precise_decimal(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", pl.Decimal(12, 2), "number", physical_type="numeric(12,2)")))
    assert values_of(lake, told(1, "12.50"), told(2, "twelve")) == []
    assert lake.broken_rules() == ["value_is_a_number", "value_is_a_number"]


def test_case_033_a_decimal_of_variable_scale_is_exact(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", pl.Decimal(38, 4), "number", physical_type="numeric")))
    records = [variable(12345, 2), variable(-5, 0), variable(7, -3), variable(10**38 - 1, 4)]
    found = values_of(lake, *(told(n, record) for n, record in enumerate(records, start=1)))
    assert found == [Decimal("123.45"), Decimal(-5), Decimal(7000), Decimal(10**38 - 1).scaleb(-4, WIDE)]


def test_case_033_a_decimal_that_does_not_fit_is_quarantined_and_never_rounded(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", pl.Decimal(38, 4), "number", physical_type="numeric")))
    wide = [(10**38, 4), (1, 5), (10**40, 0), (10**6000, 0), (1, 10**9), (1, -(10**9))]
    assert values_of(lake, *(told(n, variable(*number)) for n, number in enumerate(wide, start=1))) == []
    assert lake.broken_rules() == ["value_is_a_number"] * len(wide)


def test_case_033_a_text_column_holds_more_digits_than_a_decimal(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", physical_type="numeric")))
    assert values_of(lake, told(1, variable(10**38 + 1, 1))) == ["1" + "0" * 36 + "0.1"]


def variable(unscaled: int, scale: int) -> dict[str, Any]:
    return {"scale": scale, "value": encoded(unscaled)}


def test_case_034_money_that_came_as_a_double_is_told_where_it_was_rounded(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(MONEY, decimals="double"))
    assert values_of(lake, told(1, 19.99), told(2, 0.1 + 0.2), told(3, 1e-7), told(4, 12)) == [
        Decimal("19.99"),
        Decimal("0.3"),
        Decimal(0),
        Decimal(12),
    ]
    assert lake.warnings() == ["value_is_rounded_from_a_double", "value_is_rounded_from_a_double"]
    assert lake.verdicts() == {"valid": 4}


def test_case_035_a_numeric_that_is_no_number_waits_alone(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(MONEY, decimals="string"))
    no_numbers = ["NAN", "NaN", "POSITIVE_INFINITY", "NEGATIVE_INFINITY", "Infinity", "-inf"]
    records = [told(n, value) for n, value in enumerate(["1.5", *no_numbers, "2.5"], start=1)]
    assert values_of(lake, *records) == [Decimal("1.5"), Decimal("2.5")]
    assert lake.broken_rules() == ["value_is_a_number"] * len(no_numbers)


def test_case_035_in_precise_mode_it_comes_as_null_and_a_required_column_says_so(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", pl.Decimal(12, 2), "number", required=True)))
    assert values_of(lake, told(1, None)) == []
    assert lake.broken_rules() == ["value_is_present"]


def test_case_035_a_double_that_is_no_number_waits_alone(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", pl.Float64(), "number", physical_type="double precision")))
    assert values_of(lake, told(1, 0.1), told(2, "NaN"), told(3, "-Infinity")) == [0.1]
    assert lake.broken_rules() == ["value_is_a_number", "value_is_a_number"]


def test_case_035_a_text_column_of_a_double_holds_every_value_of_it(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", physical_type="double precision")))
    assert values_of(lake, told(1, 0.1), told(2, "NaN"), told(3, "-Infinity"), told(4, 3)) == [
        "0.1",
        "NaN",
        "-Infinity",
        "3",
    ]


TIME = pl.Datetime("us", "UTC")
SAME = datetime(2026, 3, 29, 2, 30, 0, 123000, UTC)


@pytest.mark.parametrize(
    ("physical", "number"),
    [("timestamp(3)", 1774751400123), ("timestamp(6)", 1774751400123000), ("timestamp", 1774751400123000)],
)
def test_case_036_the_contract_tells_the_unit_of_a_timestamp(tmp_path: Path, physical: str, number: int) -> None:
    lake = SmallLake(tmp_path, table(column("value", TIME, "timestamp", physical_type=physical)))
    assert values_of(lake, told(1, number)) == [SAME]


def test_case_036_the_schema_tells_the_unit_whatever_the_contract_says(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", TIME, "timestamp", physical_type="timestamp(6)")))
    units = {"Timestamp": 1774751400123, "MicroTimestamp": 1774751400123000, "NanoTimestamp": 1774751400123000000}
    named = [(number, {"type": "int64", "name": f"io.debezium.time.{name}"}) for name, number in units.items()]
    assert values_of(lake, *(told(n, *pair) for n, pair in enumerate(named, start=1))) == [SAME] * 3


def test_case_036_a_number_whose_unit_nobody_tells_is_never_guessed_by_its_size(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", TIME, "timestamp")))
    assert values_of(lake, told(1, 1774751400123)) == []
    assert lake.broken_rules() == ["value_is_a_timestamp"]


INFINITE: dict[str, list[int | str]] = {
    "timestamp(6)": [9223372036825200000, -9223372036832400000, -9223372036854775808, "+292278994-08-16T23:00:00Z"],
    "timestamp(3)": [9223372036825200000, -9223372036832400, "-292275055-05-16T23:00:00Z"],
    "timestamptz": ["infinity", "-infinity"],
    "date": [2146033979, -2147472691, "+5877611-06-21Z", "-5877611-06-22Z", "infinity"],
}


@pytest.mark.parametrize("physical", sorted(INFINITE))
def test_case_037_an_infinite_time_is_null_and_flagged(tmp_path: Path, physical: str) -> None:
    logical, dtype = ("date", pl.Date()) if physical == "date" else ("timestamp", TIME)
    lake = SmallLake(tmp_path, table(column("value", dtype, logical, physical_type=physical)))
    values = INFINITE[physical]
    assert values_of(lake, *(told(n, value) for n, value in enumerate(values, start=1))) == [None] * len(values)
    assert lake.warnings() == ["value_is_infinite"] * len(values)


FAR: dict[str, tuple[int | str, list[int | str]]] = {
    "timestamp(6)": (253402300799000000, [253402300800000000, -210863520000000000, "-4712-01-01T00:00:00Z"]),
    "timestamp(3)": (253402300799000, [9224318015999999, 9223372036825200]),
    "timestamptz": ("9999-12-31T23:59:59Z", ["+294276-12-31T23:59:59.999999Z", "-0043-03-15T12:00:00.000000Z"]),
}


@pytest.mark.parametrize("physical", sorted(FAR))
def test_case_038_the_year_9999_is_in_range_and_what_lies_beyond_waits(tmp_path: Path, physical: str) -> None:
    lake = SmallLake(tmp_path, table(column("value", TIME, "timestamp", physical_type=physical)))
    last, beyond = FAR[physical]
    found = values_of(lake, *(told(n, value) for n, value in enumerate([last, *beyond], start=1)))
    assert found == [datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)]
    assert lake.broken_rules() == ["value_is_a_timestamp"] * len(beyond)
    printed = str(lake.log().select("value", "verdict"))
    assert printed.count("quarantined") == len(beyond), "a frame that holds them can be printed"


def test_case_038_a_written_date_outside_the_years_1_to_9999_waits(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", pl.Date(), "date", physical_type="date")))
    written = ["0001-01-01Z", "9999-12-31Z", "-0043-03-15Z", "0000-12-31Z", "+10000-01-01Z"]
    found = values_of(lake, *(told(n, value) for n, value in enumerate(written, start=1)))
    assert found == [date(1, 1, 1), date(9999, 12, 31)]
    assert lake.broken_rules() == ["value_is_a_date"] * 3
    assert lake.log().filter(pl.col("verdict") == "quarantined").rows(), "Python reads what waits"


def test_case_039_a_local_time_and_an_instant_are_different_types(tmp_path: Path) -> None:
    columns = (
        column("id", key_position=1),
        column("value", TIME, "timestamp", physical_type="timestamptz(6)"),
        column("local", TIME, "timestamp", physical_type="timestamp(6)", time_zone="Europe/Berlin"),
    )
    lake = SmallLake(tmp_path, things(columns=columns))
    instant, wall = "2026-07-01T12:00:00.5Z", 1782907200500000  # both read 12:00:00.5 on their clock
    records = [told(1, instant), told(2, "2026-07-01T14:00:00.5+02:00"), told(3, None), told(4, None), told(5, None)]
    written = ["2026-07-01T12:00:00.5", "2026-07-01T12:00:00.5Z", "2026-07-01T12:00:00.5+05:00"]
    for record, local in zip(records, [wall, *written, None], strict=True):
        record["after"]["local"] = local
    lake.arrive("1.jsonl", *records)
    noon, ten, seven = (datetime(2026, 7, 1, hour, 0, 0, 500000, UTC) for hour in (12, 10, 7))
    assert lake.rows() == [("1", noon, ten), ("2", noon, ten), ("3", None, ten), ("4", None, seven), ("5", None, None)]


def test_case_040_a_date_written_with_a_zone_is_that_date(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, table(column("value", pl.Date(), "date", physical_type="date")))
    found = values_of(lake, told(1, "2017-09-15Z"), told(2, "2017-09-15"), told(3, 17424))
    assert found == [date(2017, 9, 15)] * 3
