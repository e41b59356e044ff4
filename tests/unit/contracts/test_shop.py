from __future__ import annotations

from pathlib import Path

import pytest

from aura_lake.contracts.contract import Format, Kind
from aura_lake.contracts.load import load_contract, load_shop
from aura_lake.errors import ContractError

from .shops import HEAD, SCHEMA, SERVERS, load, problems, write_shop


def test_twelve_lines_are_a_contract(tmp_path: Path) -> None:
    text = (HEAD + SERVERS + SCHEMA).replace("status: active\n", "").replace("    format: jsonl\n", "")
    text = text.replace("      - name: order_amount\n", "")
    assert text.count("\n") == 12
    shop = load(write_shop(tmp_path, orders=text))
    orders = shop.contracts["orders"]
    assert (shop.id, shop.time_zone, shop.currency) == ("my_shop", "UTC", None)
    assert (orders.kind, orders.key, orders.feed) == (Kind.ROWS, ("order_id",), "shop_orders")
    assert shop.feeds["shop_orders"].location == str(tmp_path / "records")


def test_what_holds_for_the_whole_shop_stands_in_shop_yaml(tmp_path: Path) -> None:
    text = (
        "id: x-1\ntimeZone: Europe/Berlin\ncurrency: EUR\nallowedLatenessHours: 1.5\nowners:\n  default: a@b.example\n"
    )
    shop = load(write_shop(tmp_path, shop=text, orders=HEAD + SERVERS + SCHEMA))
    assert (shop.time_zone, shop.currency, shop.allowed_lateness_hours) == ("Europe/Berlin", "EUR", 1.5)
    assert shop.contracts["orders"].owner == "a@b.example"
    assert shop.feeds["shop_orders"].owner == "a@b.example"
    assert shop.contracts["orders"].column("currency").transform == "'EUR'"


def test_every_problem_of_every_file_is_named_at_once(tmp_path: Path) -> None:
    shop = "id: My Shop\ntimeZone: Mars/Olympus\ncurrency: Euro\nallowedLatenessHours: -1\nowner: x\n"
    shop += "owners:\n  orders: me\n"
    broken = HEAD + SERVERS + SCHEMA.replace("order_amount", "order amount")
    write_shop(tmp_path, shop=shop, orders=broken)
    (tmp_path / "payments.yaml").write_text("x: 1\n")
    assert problems(tmp_path) == [
        "orders.odcs.yaml:15: 'order amount' cannot name a column. Begin with a small letter; then small letters, "
        "digits and _, at most 63 characters.",
        "payments.yaml:1: the file is neither shop.yaml nor a contract. Name a contract payments.odcs.yaml, or move "
        "the file elsewhere.",
        "shop.yaml:1: the shop's id is 'My Shop'. Small letters, digits, - and _, beginning with a letter. A lake "
        "keeps it for ever.",
        "shop.yaml:2: there is no time zone 'Mars/Olympus'. Write e.g. Europe/Berlin.",
        "shop.yaml:3: 'Euro' is no currency. Three capitals of ISO 4217, e.g. EUR.",
        "shop.yaml:4: allowedLatenessHours is -1. Write hours from 0 to 8,784.",
        "shop.yaml:5: the key 'owner' means nothing here. Did you mean 'owners'?",
        "shop.yaml:7: the owner 'me' is no address. Write an e-mail address, or team:name.",
    ]


def test_the_error_counts_the_problems_and_lists_each_with_its_place(tmp_path: Path) -> None:
    write_shop(tmp_path, shop="id: x\ncurency: EUR\n", orders=HEAD + SERVERS + SCHEMA)
    with pytest.raises(ContractError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"1 problem in the shop {tmp_path}:\n"
        f"  {tmp_path}/shop.yaml:2: the key 'curency' means nothing here. Did you mean 'currency'?"
    )


def test_a_folder_without_shop_or_contracts_says_what_to_do(tmp_path: Path) -> None:
    assert problems(tmp_path) == [
        "shop.yaml:1: the folder has no contracts (*.odcs.yaml). `aura init` drafts them from the records.",
        "shop.yaml:1: the shop has no shop.yaml. Create it with a line `id: my_shop`.",
    ]
    with pytest.raises(ContractError, match=r"none: there is no such folder of contracts\. Point AURA_SHOP"):
        load(tmp_path / "none")


def test_two_contracts_for_one_table_are_refused(tmp_path: Path) -> None:
    write_shop(tmp_path, a=HEAD + SERVERS + SCHEMA, b=HEAD + SERVERS + SCHEMA)
    assert problems(tmp_path) == [
        "b.odcs.yaml:12: the table 'orders' is also in a.odcs.yaml. One contract a table: remove one, or "
        "rename its table."
    ]


def test_one_file_holds_one_table(tmp_path: Path) -> None:
    second = SCHEMA.replace("schema:\n", "").replace("orders", "shop_visits").replace("order_id", "visit_id")
    found = problems(write_shop(tmp_path, a=HEAD + SERVERS + SCHEMA + second))
    assert "a.odcs.yaml:16: the contract holds 2 tables. Write one file a table." in found


def test_a_contract_without_schema_is_a_feed_that_lands_in_bronze(tmp_path: Path) -> None:
    shop = load(write_shop(tmp_path, raw=HEAD + SERVERS))
    assert shop.contracts == {}
    assert shop.feeds["shop_orders"].format is Format.JSONL
    assert shop.readers("shop_orders") == ()


def test_one_contract_is_loaded_by_its_file(tmp_path: Path) -> None:
    write_shop(tmp_path, orders=HEAD + SERVERS + SCHEMA, raw=HEAD + SERVERS)
    assert load_contract(tmp_path / "orders.odcs.yaml").table == "orders"
    with pytest.raises(ContractError, match="the contract has no schema, so it is a feed and no table"):
        load_contract(tmp_path / "raw.odcs.yaml")


def test_a_shop_that_is_not_verified_again_reads_the_same(tmp_path: Path) -> None:
    write_shop(tmp_path, orders=HEAD + SERVERS + SCHEMA)
    assert load_shop(tmp_path, "local", {}, verify=False) == load(tmp_path)


@pytest.mark.parametrize("name", ["olist", "rees46", "uci"])
def test_the_shops_of_the_tests_load(name: str) -> None:
    folder = Path(__file__).parents[2] / "shops" / name
    shop = load(folder, {"OLIST_DATA": "/a", "REES46_DATA": "/b", "UCI_DATA": "/c"})
    assert shop.id == name
    assert all(feed.location[:2] in ("/a", "/b", "/c") for feed in shop.feeds.values())
    assert all(contract.description and contract.owner for contract in shop.contracts.values())
    assert all(column.description for contract in shop.contracts.values() for column in contract.columns)
