"""Prefixes that no contract names: noticed, landed raw, drafted, and waiting for a person."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from aura_lake.contracts.load import load_shop
from aura_lake.discovery.found import Found, State
from aura_lake.errors import ContractError, QueryError, SettingsError
from aura_lake.lake import Lake
from aura_lake.settings import Settings
from aura_lake.steps.decide_found import accept_found, ignore_found
from aura_lake.steps.discover import Looked, look, read_discovered
from aura_lake.steps.land import land
from aura_lake.steps.pipeline import refresh_silver
from tests.changes import change, write_lines
from tests.conftest import PROJECT

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: shop-{name}
version: 1.0.0
servers:
  - {{server: {name}, type: local, path: ../landing/{place}, format: jsonl}}
"""


FEEDS = ("cdc/orders", "cdc/users", "firehose/clicks")


class Shop:
    """A shop of some feeds under one landing folder, and its lake."""

    def __init__(self, folder: Path, settings: str = "", places: tuple[str, ...] = FEEDS) -> None:
        self.folder, self.landing = folder, folder / "landing"
        (folder / "shop").mkdir()
        (folder / "shop" / "shop.yaml").write_text(f"id: small\n{settings}")
        for place in places:
            self.put(f"{place}/1.jsonl", {"a": 1})
            name = place.rsplit("/", 1)[-1]
            (folder / "shop" / f"{name}.odcs.yaml").write_text(CONTRACT.format(name=name, place=place))

    @property
    def lake(self) -> Lake:
        """Opened anew, as a new process does."""
        home = self.folder / "lake"
        environ = {"AURA_PII_KEY": "k" * 32}
        settings = Settings(PROJECT, str(home), home / "state", self.folder / "shop", environ=environ)
        return Lake(settings, load_shop(self.folder / "shop", "local", environ))

    def put(self, name: str, *values: Any) -> None:
        write_lines((self.landing / name).parent, Path(name).name, values)

    def look(self, **more: Any) -> Looked:
        return look(self.lake, **more)

    def found(self, name: str) -> Found:
        return read_discovered(self.lake).found[name]

    def bronze(self, name: str) -> list[tuple[Any, ...]]:
        """The position of each record in bronze."""
        table = self.lake.bronze(name)
        if not table.exists:
            return []
        return sorted(table.scan().filter(row_kind="record").select("object", "ordinal").collect().iter_rows())


REVIEWS = [{"review_id": f"r{n}", "email": f"u{n}@x.example", "stars": n % 5} for n in range(40)]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_folder_beside_the_feeds_is_noticed_landed_and_drafted(shop: Shop) -> None:
    assert shop.look().discovered.found == {}
    shop.put("cdc/reviews/2026/11/1.jsonl", *REVIEWS)
    looked = shop.look()
    assert (looked.new, looked.records) == (("reviews",), 40)
    found = shop.found("reviews")
    assert (found.state, found.units, found.landed, found.layout) == (State.WAITING, 1, 40, "%Y/%m")
    assert found.guess == "rows of a table, 3 columns"
    assert found.personal == ("email",)
    assert len(shop.bronze("reviews")) == 40
    draft = Path(found.draft or "")
    assert draft == shop.folder / "shop" / "drafts" / "reviews.odcs.yaml"
    assert "classification: personal" in draft.read_text()
    assert "reviews" not in shop.lake.shop.feeds, "a draft is no contract"


def test_a_second_look_lands_only_what_is_new_and_keeps_when_it_was_first_seen(shop: Shop) -> None:
    shop.put("cdc/reviews/1.jsonl", *REVIEWS)
    first = shop.look().discovered.found["reviews"]
    again = shop.look()
    assert (again.new, again.records) == ((), 0)
    shop.put("cdc/reviews/2.jsonl", {"review_id": "r99"})
    assert shop.look().records == 1
    found = shop.found("reviews")
    assert (found.first_seen, found.units, found.landed) == (first.first_seen, 2, 41)


def test_what_is_accepted_goes_on_from_what_has_landed(shop: Shop) -> None:
    shop.put("cdc/reviews/1.jsonl", *REVIEWS)
    shop.look()
    file = accept_found(shop.lake, "reviews", who="ann", why="marketing asked")
    assert file == shop.folder / "shop" / "reviews.odcs.yaml"
    lake = shop.lake
    assert land(lake, lake.shop.feeds["reviews"]).batches == 0, "bronze has it all"
    refresh_silver(lake, lake.shop.contracts["reviews"])
    rows = lake.table("reviews").collect()
    assert (rows.height, "email_hash" in rows.columns) == (40, True)
    assert shop.look().records == 0
    assert shop.found("reviews").state == State.NAMED


def test_what_is_ignored_lands_no_more_until_it_is_accepted(shop: Shop) -> None:
    shop.put("cdc/reviews/1.jsonl", *REVIEWS)
    shop.look()
    with pytest.raises(SettingsError):
        ignore_found(shop.lake, "reviews", who="ann", why=" ")
    ignore_found(shop.lake, "reviews", who="ann", why="another team's")
    shop.put("cdc/reviews/2.jsonl", {"review_id": "r99"})
    looked = shop.look()
    assert (looked.new, looked.records, looked.waiting) == ((), 0, [])
    assert shop.found("reviews").state == State.IGNORED
    accept_found(shop.lake, "reviews", who="ann", why="ours after all")
    lake = shop.lake
    assert land(lake, lake.shop.feeds["reviews"]).records == 1


def test_a_limit_leaves_the_rest_for_the_next_look_and_says_so(shop: Shop) -> None:
    for number in range(3):
        shop.put(f"cdc/reviews/{number}.jsonl", {"review_id": f"r{number}"})
        shop.put(f"cdc/visits/{number}.jsonl", {"visit_id": f"v{number}"})
    assert shop.look(most_bytes=1).records == 1, "an object is taken whatever its size"
    assert "2 objects" in (shop.found("reviews").waits or "")
    assert "3 objects were not looked at yet" in (shop.found("visits").waits or "")
    landed = [shop.look(most_bytes=1).records for _ in range(6)]
    assert sum(landed) == 5
    assert shop.found("reviews").waits is None
    assert len(shop.bronze("reviews")) == len(shop.bronze("visits")) == 3, "each had its turn"


def test_a_look_that_was_killed_lands_nothing_twice(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put("cdc/reviews/1.jsonl", *REVIEWS)

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("aura_lake.steps.discover._draft", dies)
        with pytest.raises(KeyboardInterrupt):
            shop.look()
    assert len(shop.bronze("reviews")) == 40
    again = shop.look()
    assert (again.new, again.records) == ((), 0)
    assert shop.found("reviews").draft is not None
    assert len(shop.bronze("reviews")) == 40


def test_a_document_that_was_lost_mixes_no_two_feeds(shop: Shop) -> None:
    shop.put("exports/reviews/1.jsonl", {"review_id": "r1"})
    assert shop.look().new == ("reviews",)
    (shop.folder / "lake" / "discovered.json").unlink()
    shop.put("cdc/reviews/1.jsonl", {"review_id": "x1"})  # walked before the other
    new = shop.look().new
    assert "reviews" not in new
    assert [len(shop.bronze(name)) for name in new] == [1, 1]
    assert len(shop.bronze("reviews")) == 1


def test_feeds_of_one_new_folder_are_told_apart_and_stay_so(shop: Shop) -> None:
    shop.put("exports/reviews/1.jsonl", {"review_id": "r1"})
    shop.put("exports/returns/1.jsonl", {"return_id": "x1"})
    assert shop.look().new == ("returns", "reviews")
    shop.put("exports/refunds/1.jsonl", {"refund_id": "y1"})
    assert shop.look().new == ("refunds",)
    assert shop.look().new == ()


def test_loose_objects_beside_feeds_are_found_by_a_pattern(shop: Shop) -> None:
    (shop.landing / "cdc" / "stock-2026-01.csv").write_text("sku;count\na;1\nb;2\n")
    (shop.landing / "cdc" / "stock-2026-02.csv").write_text("sku;count\na;3\n")
    assert shop.look().new == ("stock",)
    found = shop.found("stock")
    assert (found.include, found.format, found.delimiter, found.landed) == ("/stock-*", "csv", ";", 3)
    (shop.landing / "cdc" / "stock-2026-03.csv").write_text("sku;count\na;4\n")
    assert (shop.look().records, shop.found("stock").units) == (1, 3)
    accept_found(shop.lake, "stock", who="ann", why="counts")
    lake = shop.lake
    refresh_silver(lake, lake.shop.contracts["stock"])
    assert land(lake, lake.shop.feeds["stock"]).batches == 0


def test_what_is_no_record_is_left_out_by_rule_and_counted(shop: Shop) -> None:
    shop.put("cdc/_tmp/1.jsonl", {"a": 1})
    shop.put("cdc/processing-failed/1.jsonl", {"a": 1})
    (shop.landing / "cdc" / "README.md").write_text("hello")
    looked = shop.look()
    assert looked.new == ()
    assert {rule.split(",")[0]: len(names) for rule, names in looked.discovered.left_out.items()} == {
        "hidden": 2,
        "about records": 1,
    }


def test_pictures_are_noticed_and_do_not_land(shop: Shop) -> None:
    (shop.landing / "pictures").mkdir()
    (shop.landing / "pictures" / "a.bin").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x01" * 50)
    (shop.landing / "broken").mkdir()
    (shop.landing / "broken" / "a.gz").write_bytes(b"\x1f\x8b\xff\xffnothing")
    looked = shop.look()
    assert (looked.new, looked.records) == (("broken", "pictures"), 0)
    assert "neither JSON nor CSV" in (shop.found("pictures").trouble or "")


def test_gzip_and_changes_are_recognised(shop: Shop) -> None:
    lines = "".join(json.dumps(change("c", n, f"k{n}", "w", n)) + "\n" for n in range(30))
    folder = shop.landing / "cdc" / "shop.public.refunds"
    folder.mkdir()
    (folder / "1.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    shop.look()
    assert shop.found("refunds").guess.startswith("changes of a table, as Debezium writes them")


def test_a_name_that_a_feed_has_is_not_taken_again(shop: Shop) -> None:
    shop.put("exports/orders/1.jsonl", {"order_id": "o1"})
    (name,) = shop.look().new
    assert name.startswith("orders_")
    assert len(shop.bronze(name)) == 1
    assert shop.bronze("orders") == []


def test_one_feed_alone_shows_no_root_and_shop_yaml_may_name_it(tmp_path: Path) -> None:
    alone = Shop(tmp_path, places=("cdc/orders",))
    alone.put("cdc/reviews/1.jsonl", *REVIEWS)
    assert alone.look().discovered.roots == []
    (tmp_path / "shop" / "shop.yaml").write_text("id: small\ndiscovery: {roots: [../landing/cdc]}\n")
    assert alone.look().new == ("reviews",)


def test_noticing_without_landing_still_drafts(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "discovery: {land: false}\n")
    shop.put("cdc/reviews/1.jsonl", *REVIEWS)
    assert (shop.look().records, shop.bronze("reviews")) == (0, [])
    assert Path(shop.found("reviews").draft or "").is_file()


def test_the_lake_and_the_contracts_beside_the_feeds_are_never_records(tmp_path: Path) -> None:
    shop = Shop(tmp_path, places=("../orders", "../users"))
    shop.put("../reviews/1.jsonl", *REVIEWS)
    assert shop.look().new == ("reviews",)
    assert shop.look().new == ()
    assert len(shop.look().discovered.left_out["the lake's or the shop's own"]) == 2


def test_a_draft_that_somebody_edited_is_kept_and_one_that_reads_other_records_is_refused(shop: Shop) -> None:
    shop.put("cdc/reviews/1.jsonl", *REVIEWS)
    shop.look()
    draft = shop.folder / "shop" / "drafts" / "reviews.odcs.yaml"
    draft.write_text(draft.read_text().replace("format: jsonl", "format: csv"))
    shop.look()
    assert "format: csv" in draft.read_text()
    with pytest.raises(ContractError, match="another place, format"):
        accept_found(shop.lake, "reviews", who="ann", why="x")
    draft.write_text("nonsense: [")
    with pytest.raises(ContractError):
        accept_found(shop.lake, "reviews", who="ann", why="x")
    assert draft.is_file()
    assert shop.found("reviews").state == State.WAITING


def test_accepting_again_ends_what_was_broken_off(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put("cdc/reviews/1.jsonl", *REVIEWS)
    shop.look()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("aura_lake.steps.decide_found.os.replace", dies)
        with pytest.raises(KeyboardInterrupt):
            accept_found(shop.lake, "reviews", who="ann", why="x")
    assert shop.found("reviews").state == State.ACCEPTED
    shop.put("cdc/reviews/2.jsonl", {"review_id": "r99"})
    assert shop.look().records == 1, "it lands on until a contract names it"
    accept_found(shop.lake, "reviews", who="ann", why="x")
    assert shop.found("reviews").state == State.NAMED


def test_who_is_not_found_cannot_be_decided(shop: Shop) -> None:
    with pytest.raises(QueryError, match="nothing yet"):
        ignore_found(shop.lake, "reviews", who="ann", why="x")
