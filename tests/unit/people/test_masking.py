"""What is shown of a row: nothing that could be a person's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from aura_lake.people.masking import mask_row, mask_value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ann.lee@example.com", "aaa.aaa@aaaaaaa.aaa"),
        ("Ann Lee", "Aaa Aaa"),
        ("+49 151 1234567", "+99 999 9999999"),
        ("Ångström Žižek 中村", "Aaaaaaaa Aaaaa aa"),
        ("4111111111111111", "9999999999999999"),
        (4111111111111111, "9999999999999999"),
        (Decimal("12345678.90"), "99999999.99"),
        (1234567.5, "9999999.9"),
        ("a" * 100, "a" * 24 + "…"),
        ("\u202eemag\u0000", "xaaaax"),
        (["x", "y"], "2 elements"),
        ({"name": "Ann"}, "1 fields"),
        (b"Ann", "3 bytes"),
    ],
)
def test_a_value_that_may_be_a_persons_shows_its_shape(value: Any, shown: str) -> None:
    assert mask_value(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-3, "-3"),
        (Decimal("-3.50"), "-3.50"),
        (float("nan"), "nan"),
        (True, "true"),
        (None, "null"),
        (datetime(2026, 3, 2, 10, tzinfo=UTC), "2026-03-02 10:00:00+00:00"),
        (date(2026, 3, 2), "2026-03-02"),
    ],
)
def test_what_cannot_be_a_persons_is_shown(value: Any, shown: str) -> None:
    assert mask_value(value) == shown


def test_a_value_is_shown_where_the_contract_enumerates_it_and_only_then() -> None:
    allowed = {"status": ("shipped", "created")}

    shown = mask_row({"status": "shipped"}, allowed=allowed), mask_row({"status": "Ann Lee"}, allowed=allowed)
    assert shown == ({"status": "shipped"}, {"status": "Aaa Aaa"})


def test_a_hash_is_cut_and_what_is_no_hash_in_its_column_shows_its_shape() -> None:
    row = {"email_hash": "1a2b3c4d:" + "ef" * 32, "name_hash": "Ann Lee", "city": None}

    assert mask_row(row, hashed=["email_hash", "name_hash"]) == {
        "email_hash": "hash efefefef…",
        "name_hash": "Aaa Aaa",
    }
