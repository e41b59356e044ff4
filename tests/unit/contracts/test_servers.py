from __future__ import annotations

from pathlib import Path

import pytest

from aura_lake.contracts.contract import Format

from .shops import HEAD, SCHEMA, SERVERS, load, problems, write_shop

VISITS = """\
schema:
  - name: visits
    properties:
      - name: visited_at
        logicalType: timestamp
"""


def servers(*lines: str) -> str:
    return "servers:\n  - " + "\n    ".join(lines) + "\n"


def test_contracts_that_name_one_server_share_one_feed(tmp_path: Path) -> None:
    shop = load(write_shop(tmp_path, orders=HEAD + SERVERS + SCHEMA, visits=HEAD + SERVERS + VISITS))
    assert list(shop.feeds) == ["shop_orders"]
    assert [contract.table for contract in shop.readers("shop_orders")] == ["orders", "visits"]


def test_definitions_of_one_server_that_disagree_are_refused(tmp_path: Path) -> None:
    other = SERVERS.replace("records", "elsewhere").replace("jsonl", "csv")
    write_shop(tmp_path, orders=HEAD + SERVERS + SCHEMA, visits=HEAD + other + VISITS)
    assert problems(tmp_path) == [
        "visits.odcs.yaml:7: the server 'shop_orders' is defined otherwise in orders.odcs.yaml: one has location "
        "records, the other elsewhere; format jsonl, the other csv. Contracts that name the same server share one "
        "feed: make them agree, or name this one otherwise."
    ]


@pytest.mark.parametrize(
    ("environ", "location"),
    [
        ({}, "data/cdc/orders"),
        ({"SHOP_DATA": ""}, "data/cdc/orders"),
        ({"SHOP_DATA": "other"}, "other/cdc/orders"),
        ({"SHOP_DATA": "/abs/x"}, "/abs/x/cdc/orders"),
        ({"SHOP_DATA": "s3://bucket/x"}, "s3://bucket/x/cdc/orders"),
    ],
)
def test_a_variable_or_its_default_begins_a_location(tmp_path: Path, environ: dict[str, str], location: str) -> None:
    text = SERVERS.replace("records", '"${SHOP_DATA:-data}/cdc/orders"')
    shop = load(write_shop(tmp_path, orders=HEAD + text + SCHEMA), environ)
    expected = location if location.startswith(("/", "s3://")) else str(tmp_path / location)
    assert shop.feeds["shop_orders"].location == expected


def test_a_relative_location_is_relative_to_the_shops_folder(tmp_path: Path) -> None:
    folder = tmp_path / "shops" / "mine"
    folder.mkdir(parents=True)
    text = SERVERS.replace("records", '"${SHOP_DATA:-../../data}"')
    shop = load(write_shop(folder, orders=HEAD + text + SCHEMA))
    assert shop.feeds["shop_orders"].location == str(tmp_path / "data")


def test_a_variable_without_value_and_default_is_named(tmp_path: Path) -> None:
    write_shop(tmp_path, orders=HEAD + SERVERS.replace("records", '"${SHOP_DATA}/x"') + SCHEMA)
    assert problems(tmp_path) == [
        "orders.odcs.yaml:9: the path needs the environment variable SHOP_DATA, which is not set. Set SHOP_DATA, or "
        "give it a default: ${SHOP_DATA:-…}."
    ]


def test_a_broken_variable_is_named(tmp_path: Path) -> None:
    write_shop(tmp_path, orders=HEAD + SERVERS.replace("records", '"${A B:-x}"') + SCHEMA)
    assert problems(tmp_path) == ["orders.odcs.yaml:9: '${A B:-x}' names no variable. Write ${NAME}."]


def test_the_environment_picks_the_server(tmp_path: Path) -> None:
    both = servers(
        "server: shop_orders", "type: local", "path: records", "format: csv", "environment: local"
    ) + servers(
        "server: shop_orders",
        "type: s3",
        "location: s3://bucket/orders/",
        "endpointUrl: http://${S3_HOST:-localhost}:9000",
        "format: csv",
        "delimiter: ';'",
        "environment: production",
    ).replace("servers:\n", "")
    write_shop(tmp_path, orders=HEAD + both + SCHEMA)
    assert load(tmp_path).feeds["shop_orders"].location == str(tmp_path / "records")
    remote = load(tmp_path, environment="production").feeds["shop_orders"]
    assert (remote.location, remote.endpoint_url) == ("s3://bucket/orders", "http://localhost:9000")
    assert (remote.format, remote.delimiter) == (Format.CSV, ";")
    assert problems(tmp_path, environment="test") == [
        "orders.odcs.yaml:6: no server is for the environment 'test'. Set AURA_ENV to one of local, production, or add "
        "a server without environment."
    ]


def test_a_server_of_the_environment_counts_more_than_one_of_all(tmp_path: Path) -> None:
    both = servers("server: a", "type: local", "path: general", "format: csv") + servers(
        "server: a", "type: local", "path: special", "format: csv", "environment: test"
    ).replace("servers:\n", "")
    write_shop(tmp_path, orders=HEAD + both + SCHEMA)
    assert load(tmp_path, environment="test").feeds["a"].location == str(tmp_path / "special")
    assert load(tmp_path).feeds["a"].location == str(tmp_path / "general")


def test_a_table_has_one_feed(tmp_path: Path) -> None:
    both = servers("server: a", "type: local", "path: x", "format: csv") + servers(
        "server: b", "type: local", "path: y", "format: csv"
    ).replace("servers:\n", "")
    found = problems(write_shop(tmp_path, orders=HEAD + both + SCHEMA))
    assert found == [
        "orders.odcs.yaml:6: the table has 2 servers in the environment 'local'. A table takes its records from one "
        "feed: give each server its environment."
    ]


def test_layout_include_and_delimiter_are_custom_properties(tmp_path: Path) -> None:
    custom = [f"  - property: {name}\n        value: '{value}'" for name, value in
              (("layout", "%Y/%m/%d/%H"), ("include", "*.csv.gz"), ("delimiter", "\\t"))]  # fmt: skip
    text = servers("server: a", "type: local", "path: x", "format: csv", "customProperties:", *custom)
    feed = load(write_shop(tmp_path, raw=HEAD + text)).feeds["a"]
    assert (feed.layout, feed.include, feed.delimiter) == ("%Y/%m/%d/%H", "*.csv.gz", "\t")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("type: lokal", "'lokal' is not a value of 'type'. Did you mean 'local'?"),
        ("type: redis", "servers of type 'redis' are not read. Known are: kafka, local, s3."),
        ("type: kafka", "'host' is missing in 'servers'."),
        ("format: jsnl", "the format 'jsnl' is not read. Did you mean 'jsonl'?"),
        ("format: parquet", "the format 'parquet' is not read. Known are: csv, json, jsonl."),
        ("path: 5", "'path' is 5 and has to be text. Quote it."),
        ("server: ../../etc", "'../../etc' cannot name a feed."),
        ("pathh: x", "the key 'pathh' is not in the standard here. Did you mean 'path'?"),
    ],
)
def test_what_a_server_says_wrong_is_named(tmp_path: Path, line: str, problem: str) -> None:
    values = {"server": "a", "type": "local", "path": "x", "format": "csv"}
    key, _, value = line.partition(": ")
    values[key] = value
    text = servers(*(f"{name}: {given}" for name, given in values.items()))
    found = problems(write_shop(tmp_path, orders=HEAD + text + SCHEMA))
    assert any(problem in line for line in found), found


@pytest.mark.parametrize(
    ("name", "expected"),
    [("2020/01/a.csv.gz", Format.CSV), ("a.jsonl", Format.JSONL), ("a.ndjson.gz", Format.JSONL), ("a", Format.JSON)],
)
def test_without_a_format_the_names_of_the_objects_say_it(tmp_path: Path, name: str, expected: Format) -> None:
    text = servers("server: a", "type: local", "path: records")
    write_shop(tmp_path, raw=HEAD + text)
    assert load(tmp_path).feeds["a"].format is Format.JSON
    (tmp_path / "records" / name).parent.mkdir(parents=True)
    (tmp_path / "records" / name).touch()
    assert load(tmp_path).feeds["a"].format is expected


def test_a_contract_without_servers_is_refused(tmp_path: Path) -> None:
    assert problems(write_shop(tmp_path, orders=HEAD + SCHEMA)) == [
        "orders.odcs.yaml:1: the contract has no servers, so nobody knows where its records lie. Add `servers:` with "
        "server, type, path (or location) and format."
    ]


def kafka_server(*custom: str, format: str = "json") -> str:
    lines = ["server: a", "type: kafka", 'host: "${BROKERS:-127.0.0.1:9092}"', f"format: {format}"]
    return servers(*lines, "customProperties:", *custom) if custom else servers(*lines)


def custom_property(name: str, value: str) -> str:
    return f"  - property: {name}\n        value: {value}"


def test_a_kafka_server_names_brokers_and_topics(tmp_path: Path) -> None:
    text = kafka_server(custom_property("topics", "[shop.orders, '^shop\\.eu_.*']"))
    feed = load(write_shop(tmp_path, raw=HEAD + text), environ={"BROKERS": "one:9092,two:9092"}).feeds["a"]
    assert feed.is_topics
    assert (feed.brokers, feed.topics) == ("one:9092,two:9092", ("^shop\\.eu_.*", "shop.orders"))
    assert (feed.format, feed.registry) == (Format.JSON, None)


def test_avro_names_its_registry(tmp_path: Path) -> None:
    topic, registry = custom_property("topics", "clicks"), custom_property("registry", "http://127.0.0.1:8081")
    feed = load(write_shop(tmp_path, raw=HEAD + kafka_server(topic, registry, format="avro"))).feeds["a"]
    assert (feed.format, feed.registry) == (Format.AVRO, "http://127.0.0.1:8081")


@pytest.mark.parametrize(
    ("custom", "format", "problem"),
    [
        ((), "json", "the server names no topics."),
        ((custom_property("topics", "a b"),), "json", "'a b' is not the name of a topic."),
        ((custom_property("topics", "'^a('"),), "json", "'^a(' is not a regular expression"),
        ((custom_property("topics", "a"),), "avro", "the format is avro, and no schema registry is named."),
        ((custom_property("topics", "a"),), "csv", "the format 'csv' is not read from topics."),
        (
            (custom_property("topics", "a"), custom_property("layout", "'%Y'")),
            "json",
            "'layout' means nothing for topics",
        ),
    ],
)
def test_what_a_kafka_server_says_wrong_is_named(
    tmp_path: Path, custom: tuple[str, ...], format: str, problem: str
) -> None:
    found = problems(write_shop(tmp_path, orders=HEAD + kafka_server(*custom, format=format) + SCHEMA))
    assert any(problem in line for line in found), found


def test_a_folder_has_no_topics(tmp_path: Path) -> None:
    text = servers("server: a", "type: local", "path: x", "customProperties:", custom_property("topics", "a"))
    found = problems(write_shop(tmp_path, orders=HEAD + text + SCHEMA))
    assert any("'topics' means nothing for a server of type 'local'" in line for line in found), found


CDC = SCHEMA + "    customProperties:\n      - property: kind\n        value: cdc\n"


def test_a_server_says_how_decimals_are_written_there(tmp_path: Path) -> None:
    files = servers("server: a", "type: local", "path: x", "format: jsonl", "environment: local")
    topic = kafka_server(custom_property("topics", "a"), custom_property("decimals", "string"))
    live = topic.replace("servers:\n", "").replace("format: json", "format: json\n    environment: live")
    write_shop(tmp_path, orders=HEAD + files + live + CDC)
    assert load(tmp_path).contracts["orders"].decimals == "precise"
    assert load(tmp_path, environment="live").contracts["orders"].decimals == "string"


@pytest.mark.parametrize(
    ("value", "schema", "problem"),
    [
        ("strings", CDC, "'decimals' is 'strings'."),
        ("string", SCHEMA, "says how Debezium writes decimals, and orders is of kind rows."),
    ],
)
def test_decimals_that_mean_nothing_on_a_server_are_named(
    tmp_path: Path, value: str, schema: str, problem: str
) -> None:
    topic = kafka_server(custom_property("topics", "a"), custom_property("decimals", value))
    found = problems(write_shop(tmp_path, orders=HEAD + topic + schema))
    assert any(problem in line for line in found), found
