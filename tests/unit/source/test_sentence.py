"""A sentence is understood word by word, and what is not understood is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_lake.source.sentence import MOST_CHARACTERS, read_wish
from aura_lake.source.words import ENDS, JOINING, read_line

ISSUE = (
    "Connect to the production Aurora PostgreSQL instance. Set up a logical replication slot for the `orders` and "
    "`users` tables, and stream every mutation into our raw Bronze S3 bucket."
)


def test_the_sentence_of_the_issue_is_understood_to_its_last_word() -> None:
    wish = read_wish(ISSUE)

    assert wish.tables == ["orders", "users"]
    assert (wish.environment, wish.flavour) == ("production", "Aurora")
    assert (wish.wants_s3, wish.bucket, wish.snapshot) == (True, None, True)
    assert wish.is_clear
    said = {one.what: (one.words, one.value) for one in wish.understood}
    assert said["slot"] == ("a logical replication slot", "named after the database")
    assert said["operations"] == ("every mutation", "insert, update, delete, truncate")
    assert said["bronze"] == ("into our raw Bronze S3 bucket", "in an S3 bucket")
    assert said["tables"] == ("the `orders` and `users` tables", "orders, users")


@pytest.mark.parametrize(
    ("sentence", "wished"),
    [
        ("stream orders and users", {"tables": ["orders", "users"]}),
        ("Capture orders, users, and order_items.", {"tables": ["orders", "users", "order_items"]}),
        ("copy public.orders & sales.users into bronze", {"tables": ["public.orders", "sales.users"]}),
        ("the tables named orders and users, please", {"tables": ["orders", "users"]}),
        ("For production: tables orders, users.", {"tables": ["orders", "users"], "environment": "production"}),
        ('stream `slot` and "select" and `MixedCase Tbl`', {"tables": ["slot", "select", "MixedCase Tbl"]}),
        ("stream table 'orders' and table 'users'", {"tables": ["orders", "users"]}),
        ("Track changes in orders and users", {"tables": ["orders", "users"]}),
        ("stream only orders", {"tables": ["orders"]}),
        ("all changes to orders", {"tables": ["orders"]}),
        ("Set up CDC on orders", {"tables": ["orders"]}),
        ("every insert, update and delete for orders and users", {"tables": ["orders", "users"]}),
        ("stream all tables into the lake", {"all_tables": True, "schemas": []}),
        ("stream every mutation of every table", {"all_tables": True}),
        ("Everything in the sales schema, please", {"all_tables": True, "schemas": ["sales"]}),
        ("Stream all tables of the sales schema from our RDS Postgres", {"schemas": ["sales"], "flavour": "RDS"}),
        (
            "Replicate every table except audit_log and sessions from the staging database",
            {"all_tables": True, "left_out": ["audit_log", "sessions"], "environment": "staging"},
        ),
        ("Stream orders and users. Do not include the users table.", {"tables": ["orders"], "left_out": ["users"]}),
        ("all tables but not `sessions`", {"all_tables": True, "left_out": ["sessions"]}),
        (
            "connect to postgres at db.example.com:5433/shop as user aura and capture orders",
            {"host": "db.example.com", "port": 5433, "database": "shop", "user": "aura", "tables": ["orders"]},
        ),
        (
            "Set up change data capture on the orders table of database shop on host pg.internal port 5433",
            {"host": "pg.internal", "port": 5433, "database": "shop", "tables": ["orders"]},
        ),
        ("Capture orders from the shop database", {"database": "shop", "tables": ["orders"]}),
        ("stream orders from postgres://me@h:1/shop", {"url": "postgres://me@h:1/shop", "tables": ["orders"]}),
        (
            "stream orders with slot named my_slot and publication named my_pub and a connector called c1",
            {"slot": "my_slot", "publication": "my_pub", "connector": "c1"},
        ),
        ("Use the `s1` slot and the publication `p1` for the `orders` table", {"slot": "s1", "publication": "p1"}),
        ("stream orders with topic prefix shop_a and 6 partitions per topic", {"prefix": "shop_a", "partitions": 6}),
        ("Take orders without the initial snapshot", {"snapshot": False}),
        ("stream orders, starting from now on", {"snapshot": False}),
        ("stream orders with an initial snapshot", {"snapshot": True}),
        ("stream orders into s3://acme-bronze/raw", {"bucket": "s3://acme-bronze/raw", "wants_s3": True}),
        ("stream orders to the S3 bucket `acme-raw`", {"bucket": "s3://acme-raw", "wants_s3": True}),
        ("stream orders into the bronze layer of our data lake", {"wants_s3": False, "bucket": None}),
        ("our Cloud SQL postgres: stream orders through Kafka in real time", {"flavour": "Cloud SQL"}),
    ],
)
def test_a_plain_wish_is_understood_whole(sentence: str, wished: dict[str, Any]) -> None:
    wish = read_wish(sentence)

    assert {key: getattr(wish, key) for key in wished} == wished
    assert (wish.not_understood, wish.refused) == ([], [])


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("Hello world", ["Hello world"]),
        ("stream orders every 5 minutes", ["every 5 minutes"]),
        ("stream orders, unless it rains", ["unless it rains"]),
        ("Verbinde dich mit der Datenbank shop", ["Verbinde dich mit der Datenbank shop"]),
        ("stream orders; ideally before Monday (or so)", ["ideally before Monday"]),
        # A word that only joins may be a table where names are listed: it is not passed over.
        ("capture orders and records", ["records"]),
        ("capture orders, users, data.", ["data"]),
        ("capture orders and events", ["events"]),
        ("stream orders and once a day users", ["once a day users"]),
    ],
)
def test_what_is_not_understood_is_named_with_its_words(sentence: str, words: list[str]) -> None:
    wish = read_wish(sentence)

    assert wish.not_understood == words
    assert not wish.is_clear


@pytest.mark.parametrize(
    ("sentence", "words", "why"),
    [
        ("Connect to the MySQL instance and stream orders", "MySQL", "only PostgreSQL"),
        ("stream only inserts of orders", "only inserts of orders", "every change is streamed"),
        ("replicate inserts and updates but no deletes", "inserts and updates but no deletes", "every change"),
        ("stream orders, ignore deletes", "ignore deletes", "every change"),
        ("stream orders into Snowflake", "into Snowflake", "land in bronze"),
        ("stream orders and drop the users table", "drop the users table", "changes nothing else"),
        ("delete the users table", "delete the users table", "changes nothing else"),
        ("stream orders and mask the emails", "mask the emails", "classification: personal"),
        ("stream orders where status = 'paid'", "where status 'paid'", "filter"),
        ("stream orders from production and staging", "staging", "production already"),
        ("stream orders to gs://bucket/x", "to <url>", "neither a PostgreSQL database nor an S3 bucket"),
    ],
)
def test_what_is_understood_and_not_done_is_refused_with_a_reason(sentence: str, words: str, why: str) -> None:
    (refused,) = read_wish(sentence).refused

    assert refused.words == words
    assert why in refused.why


def test_a_password_in_a_sentence_is_refused_and_repeated_nowhere() -> None:
    wish = read_wish("stream orders from postgres://me:hunter2@db.example.com/shop")

    assert wish.refused[0].why.endswith("set AURA_POSTGRES_URL.")
    assert wish.url is None
    assert "hunter2" not in repr(wish)


def test_a_url_is_not_repeated_where_the_words_are_told() -> None:
    wish = read_wish("stream orders from postgres://me@db.example.com/shop")

    assert "me@" not in repr(wish.understood)
    assert "postgres://" not in repr(wish)


def test_an_unquoted_value_in_single_quotes_is_no_table() -> None:
    assert read_wish("stream `orders` now 'paid'").tables == ["orders"]


def test_a_text_that_is_no_sentence_is_not_read() -> None:
    assert read_wish("the " * MOST_CHARACTERS).not_understood == ["a text of 8,000 characters; 2,000 are read"]
    assert read_wish("").understood == []


_SAID = (
    "stream orders and users , the `a` every table except slot named x into bronze s3 bucket . no deletes of in schema "
    "production 5 for with ‹0› ¦ from"
)
_WORDS = st.sampled_from(_SAID.split())


@settings(deadline=None)
@given(st.lists(_WORDS, max_size=25).map(" ".join) | st.text(max_size=60))
def test_no_sentence_makes_it_fail_or_lose_a_word_without_telling(sentence: str) -> None:
    wish = read_wish(sentence)

    told = " ".join([*(one.words for one in (*wish.understood, *wish.refused)), *wish.not_understood])
    means_something = [token for token in read_line(sentence).tokens if token.text not in JOINING | ENDS]
    assert all(token.written in told or token.text.startswith("«") for token in means_something)
    assert {one.lower() for one in wish.tables}.isdisjoint(one.lower() for one in wish.left_out)
