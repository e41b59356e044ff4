from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from aura_lake.contracts.rules import parse_expression, producer_dtypes

from .rule_engines import in_polars

TIME = pl.Datetime("us", "UTC")


def values(text: str, **columns: pl.Series) -> list[object]:
    return in_polars(text, pl.DataFrame(columns))


def test_in_with_null_is_unknown_for_non_members() -> None:
    status = pl.Series(["paid", "lost", None])
    assert values("status in ('paid', null)", status=status) == [True, None, None]
    assert values("status not in ('paid', null)", status=status) == [False, None, None]


def test_and_or_not_know_three_values() -> None:
    b = pl.Series([True, False, None])
    assert values("b and null", b=b) == [None, False, None]
    assert values("b or null", b=b) == [True, None, None]
    assert values("not b", b=b) == [False, True, None]
    assert values("b is not true", b=b) == [False, True, True]


def test_case_092_nan_is_null_and_never_greater_than_a_number() -> None:
    price = pl.Series([float("nan"), 6.0, float("inf"), None])
    assert values("price > 5", price=price) == [None, True, True, None]
    assert values("price is null", price=price) == [True, False, False, True]


def test_case_093_minus_zero_is_zero_and_two_nans_are_not_distinct() -> None:
    f = pl.Series([-0.0, float("nan")])
    assert values("f = 0", f=f) == [True, None]
    assert values("f is not distinct from f", f=f) == [True, True]


def test_case_096_sums_beyond_64_bits_are_null_and_do_not_wrap() -> None:
    i = pl.Series([2**63 - 1, -(2**63), 1])
    assert values("i + 1", i=i) == [None, -(2**63) + 1, 2]
    assert values("i * 2", i=i) == [None, None, 2]
    assert values("-i", i=i) == [-(2**63) + 1, None, -1]


def test_products_of_decimals_are_exact() -> None:
    a = pl.Series([Decimal("12345678901234.1234")], dtype=pl.Decimal(18, 4))
    b = pl.Series([Decimal("98765432109876.4321")], dtype=pl.Decimal(18, 4))
    assert values("a * b", a=a, b=b) == [Decimal("1219326311370172680262162565.96312114")]


def test_decimals_that_may_overflow_give_null_and_never_raise() -> None:
    w = pl.Series([Decimal("9" * 33 + ".99999"), Decimal("1.5"), None], dtype=pl.Decimal(38, 5))
    assert values("w + w", w=w) == [None, Decimal("3.00000"), None]
    assert values("w * w", w=w) == [None, Decimal("2.2500000000"), None]


def test_the_literal_0_1_is_a_decimal_and_not_a_float() -> None:
    d = pl.Series([Decimal("0.3000")], dtype=pl.Decimal(18, 4))
    assert values("d = 0.1 + 0.2", d=d) == [True]


def test_division_by_zero_is_null() -> None:
    assert values("i / 0", i=pl.Series([1, 0])) == [None, None]


def test_rounding_takes_halves_away_from_zero() -> None:
    d = pl.Series([Decimal("0.0050"), Decimal("-0.0250"), Decimal("1.2450")], dtype=pl.Decimal(18, 4))
    assert values("round(d, 2)", d=d) == [Decimal("0.01"), Decimal("-0.03"), Decimal("1.25")]
    texts = pl.Series(["0.005", "-0.025", "1.2449999"])
    expected = [Decimal("0.01"), Decimal("-0.03"), Decimal("1.24")]
    assert values("cast(n as decimal(10,2))", n=texts) == expected


@pytest.mark.parametrize(
    "text", ["", "abc", "1,5", "1_000", "0x1F", "nan", "Infinity", "1e400", "9" * 60, "--1", "1.2.3"]
)
def test_text_that_is_no_number_casts_to_null(text: str) -> None:
    n = pl.Series([text])
    assert values("cast(n as decimal(18,4))", n=n) == [None]
    assert values("cast(n as bigint)", n=n) == [None]


def test_numbers_are_read_from_text_with_signs_blanks_and_exponents() -> None:
    n = pl.Series([" 12 ", "+3", "-0.5", "1e2", "2.5E-1", "7."])
    expected = [Decimal(t) for t in ("12.00", "3.00", "-0.50", "100.00", "0.25", "7.00")]
    assert values("cast(n as decimal(10,2))", n=n) == expected


def test_an_integer_cast_takes_whole_numbers_only() -> None:
    n = pl.Series(["007", "1.5", "-9223372036854775808", "9223372036854775808"])
    assert values("cast(n as bigint)", n=n) == [7, None, -(2**63), None]


def test_timestamps_are_read_from_iso_text_and_naive_ones_are_utc() -> None:
    s = pl.Series(
        ["2020-01-01", "2020-01-01 10:00", "2020-01-01T10:00:00.25Z", "2020-01-01 10:00:00+05:30", "2020-02-30", "x"]
    )
    moments = [datetime(2020, 1, 1, *clock, tzinfo=UTC) for clock in ((0,), (10,), (10, 0, 0, 250_000), (4, 30))]
    assert values("cast(s as timestamp)", s=s) == [*moments, None, None]


def test_a_cast_from_epoch_beyond_year_9999_is_null() -> None:
    i = pl.Series([0, 2**62])
    assert values("make_timestamp(i)", i=i) == [datetime(1970, 1, 1, tzinfo=UTC), None]


def test_like_takes_a_percent_sign_over_lines_and_an_escape() -> None:
    t = pl.Series(["a\nb", "50%", "50x", "A.b"])
    assert values("t like 'a%b'", t=t) == [True, False, False, False]
    assert values("t like '50!%' escape '!'", t=t) == [False, True, False, False]
    assert values("t ilike 'a.B'", t=t) == [False, False, False, True]


def test_a_digit_in_a_pattern_is_an_ascii_digit() -> None:
    t = pl.Series(["7", "٧"])
    assert values(r"regexp_matches(t, '^\d$')", t=t) == [True, False]


def test_split_part_beyond_the_last_part_is_empty_and_of_null_is_null() -> None:
    t = pl.Series(["17850.0", "17850", None])
    assert values("split_part(t, '.', 1)", t=t) == ["17850", "17850", None]
    assert values("split_part(t, '.', 2)", t=t) == ["0", "", None]


def test_now_is_the_landing_time_of_the_record() -> None:
    landed_at = pl.Series([datetime(2020, 1, 2, tzinfo=UTC), datetime(2020, 1, 4, tzinfo=UTC)], dtype=TIME)
    ordered_at = pl.Series([datetime(2020, 1, 3, tzinfo=UTC)] * 2, dtype=TIME)
    assert values("ordered_at <= now()", landed_at=landed_at, ordered_at=ordered_at) == [False, True]
    expression = parse_expression("ordered_at <= now()")
    assert expression.columns == {"ordered_at"}
    assert expression.uses_landing_time


def test_columns_keep_their_case_and_nested_fields_their_path() -> None:
    expression = parse_expression("address.City = 'x' and \"a.b.c.d.e\" is null and a.b.c.d.e > 'x' and \"User\" = 'y'")
    assert expression.columns == {"address.City", "a.b.c.d.e", "User"}
    assert not expression.uses_landing_time


def test_a_producers_fields_are_text_and_position_words_keep_their_types() -> None:
    expression = parse_expression("_object || '#' || _ordinal || InvoiceNo")
    assert producer_dtypes(expression.columns) == {
        "_object": pl.String(),
        "_ordinal": pl.Int64(),
        "InvoiceNo": pl.String(),
    }
    rows = pl.DataFrame({"_object": ["a.csv"], "_ordinal": [3], "InvoiceNo": ["C1"]})
    assert in_polars("_object || '#' || _ordinal || InvoiceNo", rows) == ["a.csv#3C1"]


def test_a_constant_broadcasts_over_the_rows() -> None:
    assert values("'1'", i=pl.Series([1, 2])) == ["1", "1"]


def test_no_engine_message_can_show_a_value() -> None:
    """Every function of the language runs over text that is nothing but trouble without raising."""
    trouble = pl.Series(["\x00", "￿" * 50, "-", "$", "\\", "9" * 400, "1e-999", "2020-01-01T24:00:00", ""])
    for text in (
        "cast(t as decimal(36,18)) * cast(t as decimal(36,18))",
        "cast(t as bigint) * cast(t as bigint) % 7",
        "cast(t as timestamp) + interval '999999 weeks'",
        "cast(t as double) / cast(t as double)",
        "date_trunc('week', cast(t as date))",
        "epoch_ms(cast(t as bigint))",
        "regexp_replace(t, '[^0-9]+', '', 'g')",
        "split_part(t, '-', 3) || lpad(t, 7, '0')",
    ):
        assert len(values(text, t=trouble)) == len(trouble)
