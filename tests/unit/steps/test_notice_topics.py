"""Which topics beside the shop's are records, and which are machinery; and patterns for loose objects."""

from __future__ import annotations

import pytest

from aura_lake.contracts.contract import Feed, Format
from aura_lake.discovery.found import Found, name_for, table_for, table_of
from aura_lake.discovery.places import Claims, Place
from aura_lake.discovery.topics import left_out, names_topic
from aura_lake.steps.notice import pattern_for

NAMED = {"aura.public.orders", "aura.clickstream"}


@pytest.mark.parametrize(
    "topic",
    [
        "__consumer_offsets",
        "__transaction_state",
        "_schemas",
        "_connect_configs",
        "_confluent-metrics",
        "connect-offsets",
        "my-connect-status",
        "connect_cluster_1_configs",
        "__debezium-heartbeat.aura",
        "aura.public.debezium_heartbeat",
        "aura.public.debezium_signal",
        "debezium-notifications",
        "aura.transaction",
        "schema-changes.inventory",
        "inventory.schema-history",
        "kafkasql-journal",
        "aura",
        "counts-store-changelog",
        "app-by-user-repartition",
    ],
)
def test_machinery_is_left_out_with_a_reason(topic: str) -> None:
    assert left_out(topic, NAMED)


@pytest.mark.parametrize(
    "topic",
    [
        "aura.public.reviews",
        "reviews",
        "iot.device.heartbeat",
        "aura.public.connections",
        "aura.public.transactions",
        "offsets",
        "billing.invoices",
        "au",
    ],
)
def test_records_are_not(topic: str) -> None:
    assert left_out(topic, NAMED) is None


def test_shop_yaml_may_narrow_the_topics() -> None:
    assert left_out("billing.invoices", NAMED, "aura[.].*") == "not under discovery.topics of shop.yaml"
    assert left_out("aura.reviews", NAMED, "aura[.].*") is None


def test_patterns_of_contracts_name_topics_as_a_whole() -> None:
    assert names_topic(["^aura[.]public[.].*"], "aura.public.reviews")
    assert not names_topic(["^aura[.]public"], "aura.public.reviews")


def feed(location: str, **more: str) -> Feed:
    return Feed(location.rsplit("/", 1)[-1], location, Format.JSONL, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("feeds", "roots"),
    [
        (["/d/cdc/a", "/d/cdc/b"], ["/d/cdc"]),
        (["/d/cdc/a", "/d/cdc/b", "/d/clicks"], ["/d"]),
        (["/d/a"], []),
        (["/d/a", "/m/b"], []),
        (["/d/a", "/d/b", "/m/c"], ["/d"]),
        (["s3://shop/a", "s3://shop/b"], ["s3://shop"]),
        (["s3://shop/a", "s3://other/b"], []),
        (["/d/a.csv", "/d/b.csv"], ["/d"]),
        (["/d/a-*.csv", "/d/b-*.csv"], ["/d"]),
    ],
)
def test_a_root_is_where_the_ways_to_feeds_part(feeds: list[str], roots: list[str]) -> None:
    found = Claims.of(map(feed, feeds)).roots(refused=[Place("/")])
    assert [place.location for place in found] == roots


def test_what_the_only_feed_of_a_folder_leaves_there_is_left_on_purpose() -> None:
    alone = Claims.of([feed("/d/clicks", include="*.gz"), feed("/d/orders")])
    assert alone.takes(Place("/d/clicks/notes.txt"))
    shared = Claims.of([feed("/d/a-*.csv"), feed("/d/b-*.csv")])
    assert shared.takes(Place("/d/a-1.csv"))
    assert not shared.takes(Place("/d/c-1.csv"))
    above = Claims.of([feed("/d", include="/loose.csv"), feed("/d/orders")])
    assert above.takes(Place("/d/loose.csv"))
    assert not above.takes(Place("/d/reviews/1.csv"))


@pytest.mark.parametrize(
    ("names", "strangers", "pattern"),
    [
        (["reviews.csv"], [], "/reviews.csv"),
        (["reviews-2026-01.csv"], [], "/reviews-*"),
        (["reviews-1.csv", "reviews-2.csv"], ["orders.csv"], "/reviews-*"),
        (["orders-1.csv"], ["orders-eu.csv"], None),
        (["1.csv", "2.csv"], [], None),
        (["re[views].csv"], [], None),
    ],
)
def test_loose_objects_get_a_pattern_that_takes_nobody_elses(
    names: list[str], strangers: list[str], pattern: str | None
) -> None:
    assert pattern_for(names, strangers) == pattern


def test_names_are_plain_unique_and_the_same_each_time() -> None:
    place = ("/d/a", None, None)
    assert name_for("../../Reviews; drop", place, ()) == "reviews_drop"
    taken = name_for("orders", place, {"orders"})
    assert taken == name_for("orders", place, {"orders"}) != name_for("orders", ("/d/b", None, None), {"orders"})
    assert name_for("decisions", place, ()) != "decisions"
    assert (table_of("aura.public.reviews"), table_of("aura.reviews")) == ("reviews", "aura.reviews")
    assert (table_for("orders", ()), table_for("change_log", ())) == ("raw_orders", "change_log_rows")


def test_a_place_is_told_as_people_call_it() -> None:
    found = Found("a", "/d/a", "t", "t", topic=None)
    assert found.where == "/d/a"
    assert Found("a", "kafka://b:1", "t", "t", topic="x.y").where == "topic x.y at b:1"
