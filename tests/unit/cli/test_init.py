"""Drafts of contracts load, run, and say what was guessed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from aura_lake.contracts.contract import Format, Kind, Shop
from aura_lake.contracts.draft import draft_shop
from aura_lake.contracts.load import load_shop
from aura_lake.contracts.sampling import plain_name, tell_format
from aura_lake.errors import ContractError, FeedError
from aura_lake.lake import Lake
from aura_lake.settings import Settings
from aura_lake.steps.land import land
from aura_lake.steps.pipeline import refresh_silver
from tests.changes import change, write_lines
from tests.unit.cli.conftest import Shell


def draft(folder: Path) -> Shop:
    """The shop drafted from what lies in `folder/in`, loaded."""
    draft_shop(folder / "shop", str(folder / "in"), {})
    return load_shop(folder / "shop", "local", {})


def run(folder: Path, shop: Shop) -> dict[str, int]:
    """Verdicts by name after the drafted shop ran."""
    home = folder / "lake"
    lake = Lake(Settings(folder, str(home), home / "state", folder / "shop", environ={"AURA_PII_KEY": "k" * 32}), shop)
    verdicts: dict[str, int] = {}
    for feed in shop.feeds.values():
        land(lake, feed)
    for contract in shop.contracts.values():
        refresh_silver(lake, contract)
        log = lake.log(contract).scan().collect()
        for verdict, count in log["verdict"].value_counts().iter_rows():
            verdicts[verdict] = verdicts.get(verdict, 0) + count
    return verdicts


def test_change_envelopes_become_a_cdc_table_that_runs(tmp_path: Path) -> None:
    changes = [change("c", n, f"k{n}", "w", n) for n in range(20)]
    for value in changes:
        row = value["after"]
        row["thing_id"] = row.pop("id")
        row["email"] = "a@x.org"
        row["seen_at"] = 1_700_000_000_000_000
    write_lines(tmp_path / "in" / "shop.public.things" / "2026" / "01", "part-0.jsonl.gz", changes)
    shop = draft(tmp_path)

    (things,) = shop.contracts.values()
    assert (things.table, things.kind, things.key) == ("things", Kind.CDC, ("thing_id",))
    assert things.column("email_hash").personal
    assert things.column("seen_at").physical_type == "timestamp(6)"
    assert things.column("size").logical_type == "integer"
    assert shop.feeds["things"].layout == "%Y/%m"
    assert run(tmp_path, shop) == {"valid": 20}


def test_csv_files_beside_each_other_become_tables_with_keys_and_types(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "shops.csv").write_text(
        "Shop ID;Opened At;Zip;Rating\n1;2026-01-02 10:00:00;01234;4.5\n2;2026-01-03 10:00:00;99999;3.25\n"
    )
    (folder / "lines_2026-01-01.csv").write_text("order_id,line_number,amount\no1,1,1.50\no1,2,2.25\n")
    (folder / "lines_2026-01-02.csv").write_text("order_id,line_number,amount\no2,1,1.50\n")
    (folder / "README.md").write_text("not records")
    shop = draft(tmp_path)

    assert sorted(shop.contracts) == ["lines", "shops"]
    shops, lines = shop.contracts["shops"], shop.contracts["lines"]
    assert shop.feeds["shops"].delimiter == ";"
    assert (shops.key, lines.key) == (("shop_id",), ("order_id", "line_number"))
    assert {c.name: c.logical_type for c in shops.columns} == {
        "shop_id": "string",
        "opened_at": "timestamp",
        "zip": "string",
        "rating": "number",
    }
    assert run(tmp_path, shop) == {"valid": 5}


def test_concatenated_json_without_an_id_becomes_events(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "raw" / "2026" / "01" / "01" / "00"
    folder.mkdir(parents=True)
    events = [
        {"event_time": "2026-01-01T00:00:00Z", "user": {"id": n % 3}, "tags": ["x"], "price": 1.123456}
        for n in range(9)
    ]
    (folder / "stream-1-2026-01-01.gz").write_bytes(gzip.compress("".join(map(json.dumps, events)).encode()))
    shop = draft(tmp_path)

    (contract,) = shop.contracts.values()
    assert (contract.kind, contract.event_time, contract.key) == (Kind.EVENTS, "event_time", ())
    assert shop.feeds[contract.feed].format is Format.JSON
    assert contract.column("user_id").source == "user.id"
    assert contract.column("tags").logical_type == "array"
    assert str(contract.column("price").dtype) == "Decimal(precision=38, scale=6)"
    assert run(tmp_path, shop) == {"valid": 9}


def test_a_field_that_is_not_always_its_type_is_drafted_as_text(tmp_path: Path) -> None:
    values = [{"event": str(n), "size": n if n % 3 else "many"} for n in range(30)]
    write_lines(tmp_path / "in", "things.jsonl", values)
    shop = draft(tmp_path)

    assert run(tmp_path, shop) == {"valid": 30}


def test_a_table_of_the_commerce_model_is_left_to_a_person(tmp_path: Path) -> None:
    write_lines(tmp_path / "in", "orders.jsonl", [{"order_id": str(n), "status": "odd"} for n in range(5)])
    shop = draft(tmp_path)

    assert list(shop.contracts) == ["raw_orders"]
    assert run(tmp_path, shop) == {"valid": 5}


def test_columns_that_would_hide_the_logs_own_are_renamed(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "in", "things.jsonl", [{"thing_id": str(n), "batch": 1, "Offset": 2, "1st": "x"} for n in range(5)]
    )
    (contract,) = draft(tmp_path).contracts.values()

    assert [c.name for c in contract.columns] == ["thing_id", "batch_value", "offset_value", "f_1st"]


def test_changes_without_an_id_stay_in_bronze(tmp_path: Path) -> None:
    write_lines(tmp_path / "in", "x.jsonl", [{"op": "c", "before": None, "after": {"word": "w"}} for _ in range(5)])
    shop = draft(tmp_path)

    assert shop.contracts == {}
    assert list(shop.feeds) == ["x"]


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="there is no such file or folder"):
        draft_shop(tmp_path / "shop", str(tmp_path / "nowhere"), {})
    assert not (tmp_path / "shop").exists()


def test_a_shop_that_stands_is_not_overwritten(tmp_path: Path) -> None:
    write_lines(tmp_path / "in", "things.jsonl", [{"thing_id": "1"}])
    draft(tmp_path)

    with pytest.raises(ContractError, match="a shop stands there already"):
        draft(tmp_path)


def test_init_writes_the_contracts_and_says_how_to_run_them(aura: Shell, tmp_path: Path) -> None:
    write_lines(tmp_path / "in", "things.jsonl", [{"thing_id": str(n)} for n in range(3)])
    code, out, _ = aura("init", str(tmp_path / "new" / "drafted"), "--from", str(tmp_path / "in" / "things.jsonl"))

    assert code == 0
    assert f"AURA_SHOP={tmp_path / 'new' / 'drafted'}" in out.replace("\n", "")
    assert list(load_shop(tmp_path / "new" / "drafted", "local", {}).contracts) == ["things"]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"a": 1}\n{"a": 2}\n', (Format.JSONL, ",")),
        (b'{"a": 1}{"a": 2}', (Format.JSON, ",")),
        (b'{"a":\n1}\n{"a": 2}\n', (Format.JSON, ",")),
        (b"\xef\xbb\xbfa;b;c\n1;2;3\n", (Format.CSV, ";")),
        (gzip.compress(b'{"a": 1}\n{"a": 2}\n'), (Format.JSONL, ",")),
    ],
)
def test_a_format_is_told_by_the_beginning_of_an_object(head: bytes, expected: tuple[Format, str]) -> None:
    assert tell_format(head) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [("Order ID", "order_id"), ("eventTime", "event_time"), ("1st", "f_1st"), ("ÄÖ", "f"), ("a-b.c", "a_b_c")],
)
def test_names_become_plain(text: str, name: str) -> None:
    assert plain_name(text) == name
