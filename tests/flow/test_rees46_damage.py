"""Damage in real Firehose objects: the bad value waits alone, with its object and byte; the rest loads."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.ledger.count import count
from aura_lake.steps.land import object_rows
from tests.flow.shop_run import SHOPS, ShopRun, open_shop
from tests.flow.what_people_see import assert_same, look_at, verdict_totals, without_gold

#: One value of each damage, made of a whole one, and the rule it breaks.
DAMAGES = {
    "truncated": (lambda value: value[: len(value) // 2], "record_is_valid_json"),
    "unbalanced": (lambda value: value[:-1], "record_is_valid_json"),
    "invalid UTF-8": (lambda value: value.replace(b'"view"', b'"vi\xff\xfeew"'), "record_is_valid_utf8"),
    "lone surrogate": (lambda value: value.replace(b'"view"', b'"vi\\ud800ew"'), "record_text_is_valid_unicode"),
}

TABLES = ("clickstream", "orders", "order_items", "products")


@dataclass(frozen=True)
class Planted:
    """Where a bad value was put."""

    damage: str
    object: str
    byte_offset: int
    value: bytes


def values_of(raw: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each value of an object, by plain means."""
    text, decoder, at = raw.decode("ascii"), json.JSONDecoder(), 0
    while at < len(text):
        _, end = decoder.raw_decode(text, at)
        yield at, end
        at = end


def plant(objects: Path) -> list[Planted]:
    """One bad value of each damage at the start, in the middle and at the end of twelve objects."""
    planted = []
    files = sorted(objects.rglob("*.gz"))[:12]
    for number, file in enumerate(files):
        damage, (spoil, _) = list(DAMAGES.items())[number % len(DAMAGES)]
        raw = gzip.decompress(file.read_bytes())
        bounds = list(values_of(raw))
        begin, end = next((b, e) for b, e in bounds if b'"view"' in raw[b:e])
        bad = spoil(raw[begin:end])
        place = (0, bounds[len(bounds) // 2][0], len(raw))[number // len(DAMAGES)]
        file.write_bytes(gzip.compress(raw[:place] + bad + raw[place:], mtime=0))
        planted.append(Planted(damage, file.relative_to(objects).as_posix(), place, bad))
    return planted


def copy_of(objects: Path, folder: Path) -> Path:
    """The objects in a folder where they may be damaged."""
    for file in objects.rglob("*.gz"):
        target = folder / file.relative_to(objects)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    return folder


def open_copy(data: Path, tmp_path: Path) -> ShopRun:
    copy_of(data / "firehose_dev" / "raw-events", tmp_path / "raw-events")
    return open_shop(SHOPS / "rees46", tmp_path / "lake", {"REES46_DATA": str(tmp_path)})


@dataclass(frozen=True)
class DamagedShop:
    """A lake that has read objects with bad values planted in them."""

    shop: ShopRun
    planted: list[Planted]

    def quarantined(self, table: str) -> pl.DataFrame:
        log = self.shop.lake.log(self.shop.lake.contract(table)).scan()
        return log.filter(pl.col("verdict") == "quarantined").collect()


@pytest.fixture(scope="module")
def damaged(rees46_data: Path, tmp_path_factory: pytest.TempPathFactory) -> DamagedShop:
    folder = tmp_path_factory.mktemp("damaged")
    shop = open_copy(rees46_data, folder)
    planted = plant(folder / "raw-events")
    shop.run_silver()
    return DamagedShop(shop, planted)


def test_each_bad_value_is_quarantined_alone_with_its_object_and_byte_and_the_rest_loads(
    damaged: DamagedShop, rees46_expected: dict[str, Any]
) -> None:
    shop, planted = damaged.shop, damaged.planted
    assert Counter(one.damage for one in planted) == dict.fromkeys(DAMAGES, 3)
    whole = rees46_expected["valid_rows"]
    assert verdict_totals(shop.lake, "clickstream") == {"valid": whole, "quarantined": len(planted)}
    rules = {(one.object, one.byte_offset): [DAMAGES[one.damage][1]] for one in planted}
    for table in TABLES:
        waiting = damaged.quarantined(table).select("object", "byte_offset", "broken_rules")
        assert {(name, at): broken for name, at, broken in waiting.iter_rows()} == rules
        assert waiting.height == len(planted)
    records = shop.lake.bronze("raw_events").scan().filter(pl.col("row_kind") == "record")
    kept = {
        (name, at): value for name, at, value in records.select("object", "byte_offset", "value").collect().iter_rows()
    }
    assert all(kept[one.object, one.byte_offset] == one.value for one in planted), "bronze keeps the bytes as they came"
    assert count(shop.lake).problems() == []


def test_good_values_are_what_they_were_without_the_bad_ones(damaged: DamagedShop, rees46: ShopRun) -> None:
    ours = damaged.shop.lake.table("clickstream").collect()
    theirs = rees46.lake.table("clickstream").collect()
    assert ours.sort(pl.all()).equals(theirs.sort(pl.all()))


def test_a_value_that_cannot_be_read_has_nothing_behind_bronze_but_its_position_and_its_rules(
    damaged: DamagedShop,
) -> None:
    for table in TABLES:
        columns = damaged.shop.lake.table(table).collect_schema().names()
        waiting = damaged.quarantined(table)
        assert waiting.height == len(damaged.planted)
        assert waiting.select(columns).null_count().row(0) == (waiting.height,) * len(columns)


CUTS = ("in the middle", "before the trailer", "in the trailer", "a flipped bit", "a tail")


def test_damaged_gzips_are_recorded_as_corrupt_whole_and_load_when_they_come_whole(
    rees46_data: Path, rees46: ShopRun, tmp_path: Path
) -> None:
    shop = open_copy(rees46_data, tmp_path)
    root = tmp_path / "raw-events"
    victims = dict(zip(CUTS, sorted(root.rglob("*.gz"))[-len(CUTS) :], strict=True))
    whole = {cut: file.read_bytes() for cut, file in victims.items()}
    for cut, file in victims.items():
        file.write_bytes(cut_up(whole[cut], cut))
    records = sum(len(list(values_of(gzip.decompress(content)))) for content in whole.values())
    shop.run_silver()
    objects = object_rows(shop.lake.bronze("raw_events"))
    corrupt = objects.filter(pl.col("object_error").is_not_null())
    assert sorted(corrupt["object"]) == sorted(file.relative_to(root).as_posix() for file in victims.values())
    assert corrupt["record_count"].to_list() == [0] * len(CUTS)
    expected = rees46.lake.table("clickstream").collect().height - records
    assert verdict_totals(shop.lake, "clickstream") == {"valid": expected}
    assert count(shop.lake).problems() == []
    for cut, file in victims.items():
        file.write_bytes(whole[cut])
    shop.run_silver()
    assert_same(look_at(shop.lake, gold=False), without_gold(look_at(rees46.lake)))
    assert count(shop.lake).problems() == []


def cut_up(whole: bytes, cut: str) -> bytes:
    middle = len(whole) // 2
    return {
        "in the middle": whole[:middle],
        "before the trailer": whole[:-8],
        "in the trailer": whole[:-3],
        "a flipped bit": whole[:middle] + bytes([whole[middle] ^ 0x10]) + whole[middle + 1 :],
        "a tail": whole + b"and what should not be there",
    }[cut]
