"""Each mess changes what it says, counts it, and leaves everything else alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from aura_lake.simulate import MESSES

TABLES = ("users", "products", "orders", "order_items", "payments", "clickstream")
Make = Callable[[str], Any]


def files_that_differ(one: Any, two: Any) -> set[str]:
    """The tables of which an object is missing, new or has other bytes."""

    def table_of(name: str) -> str:
        return "clickstream" if name.startswith("firehose") else name.split("/")[1].rsplit(".", 1)[1]

    names = {*one.report.files, *two.report.files}
    return {
        table_of(name)
        for name in names
        if not (one.folder / name).exists()
        or not (two.folder / name).exists()
        or (one.folder / name).read_bytes() != (two.folder / name).read_bytes()
    }


def differences(clean: Any, spoiled: Any, table: str) -> tuple[Counter[str], Counter[str]]:
    """Values that only the clean shop has, and that only the spoiled one has."""
    before, after = Counter(clean.texts(table)), Counter(spoiled.texts(table))
    return before - after, after - before


def event(text: str) -> str:
    """A change without the times of its processing, which a redelivery has anew."""
    return text.rsplit(',"ts_ms":', 1)[0]


@pytest.mark.parametrize("mess", sorted(MESSES))
def test_a_mess_happens_is_counted_and_agrees_with_the_reader(mess: str, shop_with: Make, reader: Any) -> None:
    shop = shop_with(mess)
    assert shop.report.mess == {mess: shop.report.mess[mess]}
    assert shop.report.mess[mess] > 0
    assert reader.disagreements(shop.report, shop.reading()) == []


@pytest.mark.parametrize(
    ("mess", "tables"),
    [
        ("redeliveries", set(TABLES) - {"products"}),
        ("late_clicks", {"clickstream"}),
        ("negative_amounts", {"orders"}),
        ("null_users", {"orders"}),
        ("amounts_as_strings", {"orders", "clickstream"}),
        ("deletes", {"orders", "order_items", "payments"}),
        ("address_changes", {"users"}),
        ("broken_json", set(TABLES)),
    ],
)
def test_a_mess_touches_only_its_tables(mess: str, tables: set[str], clean_shop: Any, shop_with: Make) -> None:
    differing = files_that_differ(clean_shop, shop_with(mess))
    assert differing <= tables | {"products"} if mess == "redeliveries" else differing == tables


def test_redeliveries_add_copies_in_later_objects_and_change_no_result(clean_shop: Any, shop_with: Make) -> None:
    shop = shop_with("redeliveries")
    added = 0
    for table in TABLES:
        gone, more = differences(clean_shop, shop, table)
        assert not gone
        added += more.total()
        known = {event(text) for text in clean_shop.texts(table)}
        assert {event(text) for text in more} <= known
    assert added == shop.report.mess["redeliveries"]
    assert shop.report.truth.revenue_by_day_and_device == clean_shop.report.truth.revenue_by_day_and_device


def test_a_redelivered_change_stands_in_a_later_object(shop_with: Make, reader: Any) -> None:
    shop = shop_with("redeliveries")
    object_of: dict[str, int] = {}
    copies = 0
    for number, path in enumerate(sorted((shop.folder / "cdc" / "aura.public.orders").rglob("*.gz"))):
        for text in reader.changes_in(path):
            if event(text) in object_of:
                copies += 1
                assert object_of[event(text)] < number
            object_of.setdefault(event(text), number)
    assert copies == shop.report.truth.tables["orders"].duplicate > 0


def test_swaps_change_nothing_but_the_order(clean_shop: Any, shop_with: Make) -> None:
    shop = shop_with("swaps")
    moved = 0
    for table in TABLES:
        before, after = clean_shop.texts(table), shop.texts(table)
        assert Counter(before) == Counter(after)
        moved += sum(one != two for one, two in zip(before, after, strict=True))
    assert moved == 2 * shop.report.mess["swaps"]
    assert shop.report.truth == clean_shop.report.truth


def test_late_clicks_arrive_in_a_later_object_and_all_of_them_arrive(
    clean_shop: Any, shop_with: Make, reader: Any
) -> None:
    shop = shop_with("late_clicks")
    assert Counter(clean_shop.texts("clickstream")) == Counter(shop.texts("clickstream"))
    late = 0
    for path in sorted((shop.folder / "firehose").rglob("*.gz")):
        folder = "-".join(path.parts[-5:-2]) + "T" + path.parts[-2]
        hours = [reader.parsed(text)["event_time"][:13] for text in reader.clicks_in(path)]
        assert all(hour <= folder for hour in hours)
        late += sum(hour < folder for hour in hours)
    assert late == shop.report.mess["late_clicks"]
    assert shop.report.truth == clean_shop.report.truth


@pytest.mark.parametrize(
    ("mess", "field", "is_spoiled"),
    [
        ("negative_amounts", "order_amount", lambda value, reader: reader.cents(value) < 0),
        ("null_users", "user_id", lambda value, _: value is None),
        ("amounts_as_strings", "order_amount", lambda value, _: value.endswith(" USD")),
    ],
)
def test_a_spoiled_order_differs_in_one_field_only(
    mess: str, field: str, is_spoiled: Callable[..., bool], clean_shop: Any, shop_with: Make, reader: Any
) -> None:
    shop = shop_with(mess)
    spoiled = 0
    for before, after in zip(clean_shop.texts("orders"), shop.texts("orders"), strict=True):
        if before != after:
            spoiled += 1
            old, new = reader.parsed(before), reader.parsed(after)
            assert is_spoiled(new["after"][field], reader)
            assert old | {"after": None} == new | {"after": None}
            assert old["after"] | {field: None} == new["after"] | {field: None}
    prices = sum('"price":"' in text for text in shop.texts("clickstream"))
    assert spoiled + prices == shop.report.mess[mess]
    assert shop.report.truth.tables["orders"].quarantined == spoiled
    assert shop.report.truth.tables["clickstream"].quarantined == prices


def test_some_orders_are_spoiled_for_good_and_some_recover(shop_with: Make, clean_shop: Any) -> None:
    spoiled = shop_with("negative_amounts").report.truth.tables["orders"]
    clean = clean_shop.report.truth.tables["orders"]
    orders_spoiled = 3  # numbers 3, 153 and 303 of 400; the second recovers
    assert clean.live - spoiled.live == orders_spoiled - 1


def test_a_purge_deletes_lines_payments_and_order_each_with_a_tombstone(
    clean_shop: Any, shop_with: Make, reader: Any
) -> None:
    shop = shop_with("deletes")
    reading = shop.reading()
    purged = {e["before"]["order_id"] for e in reading.envelopes["orders"] if e["op"] == "d"}
    assert len(purged) == shop.report.mess["deletes"] > 0
    for table in ("orders", "order_items", "payments"):
        assert not purged & {row["order_id"] for row in reading.live[table].values()}
        texts = shop.texts(table)
        deletes = [number for number, text in enumerate(texts) if '"op":"d"' in text]
        assert all(texts[number + 1] == "null" for number in deletes)
        assert texts.count("null") == len(deletes) == shop.report.truth.tables[table].ignored
        keys = {"order_id", "line_number", "payment_number"}
        for number in deletes:
            before = reader.parsed(texts[number])["before"]
            assert {name for name, value in before.items() if value is not None} <= keys
        kept = [text for text in clean_shop.texts(table) if not any(o in text for o in purged)]
        assert [t for t in texts if t != "null" and not any(o in t for o in purged)] == kept


def test_an_address_change_is_an_update_that_stays_in_the_region(clean_shop: Any, shop_with: Make, reader: Any) -> None:
    shop = shop_with("address_changes")
    gone, more = differences(clean_shop, shop, "users")
    assert not gone
    assert more.total() == shop.report.mess["address_changes"] >= clean_shop.plan.days - 1
    old = clean_shop.reading().live["users"]
    for text in more:
        change = reader.parsed(text)
        assert change["op"] == "u"
        user = change["after"]
        before = old[(user["user_id"],)]
        assert user["region"] == before["region"]
        assert user["email"] == before["email"]
        assert user["updated_at"] > before["updated_at"]


def test_a_cut_record_is_followed_by_the_whole_one(clean_shop: Any, shop_with: Make, reader: Any) -> None:
    shop = shop_with("broken_json")
    cut = 0
    for table in TABLES:
        gone, more = differences(clean_shop, shop, table)
        assert not gone
        assert all(reader.parsed(text) == "broken" for text in more)
        cut += more.total()
        texts = shop.texts(table)
        for number, text in enumerate(texts):
            if reader.parsed(text) == "broken":
                assert texts[number + 1].startswith(text)
    assert cut == shop.report.mess["broken_json"]
