"""What an order is worth, and which click it is credited to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from aura_lake.commerce.revenue import net_revenue_of_orders
from aura_lake.commerce.touchpoints import credit_last_touch
from aura_lake.layouts import POSITION, UTC_MICROS

NOON = datetime(2026, 5, 10, 12, tzinfo=UTC)
MONEY = pl.Decimal(18, 4)


def orders(*rows: tuple[str, str | None, datetime | None]) -> pl.DataFrame:
    schema = {"order_id": pl.String, "user_id": pl.String, "ordered_at": UTC_MICROS}
    return pl.DataFrame(rows, schema=schema, orient="row")


def clicks(*rows: tuple[str | None, timedelta, str | None]) -> pl.DataFrame:
    """(user, time before noon, channel), positions in this order."""
    schema = {
        **POSITION,
        "user_id": pl.String(),
        "occurred_at": UTC_MICROS,
        "channel": pl.String(),
        "campaign": pl.String(),
        "device_os": pl.String(),
        "session_id": pl.String(),
    }
    filled = [
        {
            **dict.fromkeys(schema),
            "object": "o",
            "ordinal": place,
            "user_id": user,
            "occurred_at": NOON - before,
            "channel": channel,
            "session_id": f"s{place}",
        }
        for place, (user, before, channel) in enumerate(rows)
    ]
    return pl.DataFrame(filled, schema=schema)


def credited(order: pl.DataFrame, click: pl.DataFrame) -> dict[str, Any]:
    return dict(credit_last_touch(order, click).select("order_id", "session_id").iter_rows())


HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


def test_the_last_click_that_was_not_direct_is_credited() -> None:
    seen = clicks(("u", 2 * DAY, "email"), ("u", DAY, "ads"), ("u", 2 * HOUR, "direct"), ("u", HOUR, None))
    assert credited(orders(("a", "u", NOON)), seen) == {"a": "s1"}


def test_a_click_at_the_order_counts_and_one_after_it_does_not() -> None:
    seen = clicks(("u", timedelta(), "ads"), ("u", -timedelta(microseconds=1), "email"))
    assert credited(orders(("a", "u", NOON)), seen) == {"a": "s0"}


def test_a_click_counts_for_exactly_seven_days() -> None:
    one = orders(("a", "u", NOON))
    assert credited(one, clicks(("u", WEEK, "ads"))) == {"a": "s0"}
    assert credited(one, clicks(("u", WEEK + timedelta(microseconds=1), "ads"))) == {"a": None}


def test_of_clicks_at_one_instant_the_last_position_counts_in_any_order() -> None:
    seen = clicks(("u", HOUR, "ads"), ("u", HOUR, "email"))
    one = orders(("a", "u", NOON))
    assert credited(one, seen) == credited(one, seen.reverse()) == {"a": "s1"}


def test_clicks_of_others_and_of_nobody_count_for_nobody() -> None:
    seen = clicks(("other", HOUR, "ads"), (None, HOUR, "ads"))
    assert credited(orders(("a", "u", NOON), ("b", None, NOON), ("c", "u", None)), seen) == dict.fromkeys("abc")


def worth(status: str | None, amount: str | None, *lines: tuple[int | None, str | None, str | None]) -> Decimal:
    order = pl.DataFrame(
        [("a", status, amount and Decimal(amount))],
        schema={"order_id": pl.String, "order_status": pl.String, "order_amount": MONEY},
        orient="row",
    )
    rows = [("a", quantity, price and Decimal(price), off and Decimal(off)) for quantity, price, off in lines]
    schema = {"order_id": pl.String, "quantity": pl.Int64, "unit_price": MONEY, "discount_amount": MONEY}
    result = net_revenue_of_orders(order, pl.DataFrame(rows, schema=schema, orient="row"))
    return Decimal(result["net_revenue"].item())


def test_net_revenue_is_quantity_times_price_less_the_lines_discount() -> None:
    assert worth("shipped", "999", (3, "0.1", None), (1, "10", "2.5")) == Decimal("7.8")


def test_nothing_was_sold_where_the_order_is_cancelled_or_unavailable() -> None:
    assert worth("cancelled", "5", (1, "5", None)) == worth("unavailable", "5") == 0


def test_a_credit_note_counts_as_it_stands() -> None:
    assert worth("returned", None, (-2, "4.25", None)) == Decimal("-8.5")


def test_an_order_without_known_lines_counts_its_amount_or_nothing() -> None:
    assert worth("created", "12.34") == Decimal("12.34")
    assert worth("created", None) == worth(None, None) == 0
