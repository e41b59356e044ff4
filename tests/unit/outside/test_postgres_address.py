"""Where a database is, without its password; and what refusals say."""

from __future__ import annotations

import pytest

from aura_lake.errors import SourceError, SourceUnavailable
from aura_lake.outside.postgres import connected, read_address


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postgres://me:hunter2@db.example.com:5433/shop", "postgres://me@db.example.com:5433/shop"),
        ("postgresql://me@db.example.com/shop?sslmode=require", "postgres://me@db.example.com/shop"),
        ("host=db dbname=shop password=hunter2", "postgres://db/shop"),
    ],
)
def test_an_address_is_told_without_its_password(text: str, told: str) -> None:
    address = read_address(text)
    assert str(address) == told
    assert "hunter2" not in repr(address)


def test_parts_of_an_address_are_replaced() -> None:
    address = read_address("postgres://me@db/shop").with_parts(dbname="crm", port=6000, host=None)
    assert str(address) == "postgres://me@db:6000/crm"


def test_what_is_no_address_is_refused_without_repeating_it() -> None:
    with pytest.raises(SourceError, match="cannot be read") as error:
        read_address("postgres://me:hunter 2@db/shop")
    assert "hunter" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with (
        pytest.raises(SourceUnavailable, match=r"postgres://me@127\.0\.0\.1:1/shop does not answer") as error,
        connected(read_address("postgres://me:hunter2@127.0.0.1:1/shop")),
    ):
        pass
    assert "hunter2" not in str(error.value)
