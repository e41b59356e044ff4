"""What shop.yaml may say of discovery, a server of its queue, and when a draft is read."""

from __future__ import annotations

from pathlib import Path

from aura_lake.contracts.contract import Discovery
from aura_lake.contracts.load import load_shop

from .shops import HEAD, SCHEMA, SERVERS, load, problems, write_shop

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/landing"
BUCKET = """\
servers:
  - server: shop_orders
    type: s3
    location: s3://shop/orders
    format: jsonl
    customProperties:
      - property: notifications
        value: "{queue}"
"""


def test_a_shop_that_says_nothing_notices_and_lands_what_is_new(tmp_path: Path) -> None:
    assert load(write_shop(tmp_path, orders=HEAD + SERVERS + SCHEMA)).discovery == Discovery(True, True, None, ())


def test_a_shop_says_where_to_look_and_what_to_land(tmp_path: Path) -> None:
    text = 'id: x\ndiscovery:\n  land: false\n  topics: "shop[.].*"\n  roots: [../landing, "s3://shop/raw/"]\n'
    found = load(write_shop(tmp_path, shop=text, orders=HEAD + SERVERS + SCHEMA)).discovery
    assert found == Discovery(True, False, "shop[.].*", (str(tmp_path.parent / "landing"), "s3://shop/raw"))


def test_what_is_not_noticed_is_not_landed(tmp_path: Path) -> None:
    text = "id: x\ndiscovery: {notice: false}\n"
    assert load(write_shop(tmp_path, shop=text, orders=HEAD + SERVERS + SCHEMA)).discovery == Discovery(False, False)


def test_wrong_words_under_discovery_are_named(tmp_path: Path) -> None:
    text = 'id: x\ndiscovery:\n  notise: true\n  land: maybe\n  topics: "("\n  roots: here\n'
    write_shop(tmp_path, shop=text, orders=HEAD + SERVERS + SCHEMA)
    found = problems(tmp_path)
    assert [problem.split(":")[1] for problem in found] == ["3", "4", "5", "6"]
    assert "Did you mean 'notice'?" in found[0]


def test_the_queue_of_a_bucket_is_known(tmp_path: Path) -> None:
    text = HEAD + BUCKET.format(queue="${SHOP_QUEUE}") + SCHEMA
    assert load(write_shop(tmp_path, orders=text), {"SHOP_QUEUE": QUEUE}).feeds["shop_orders"].notifications == QUEUE


def test_a_queue_is_a_url_and_only_of_buckets(tmp_path: Path) -> None:
    write_shop(tmp_path, orders=HEAD + BUCKET.format(queue="arn:aws:sqs:x") + SCHEMA)
    assert "'arn:aws:sqs:x' is not the URL of a queue" in problems(tmp_path)[0]
    folder = BUCKET.format(queue=QUEUE).replace("type: s3", "type: local").replace("location: s3://shop", "path: in")
    write_shop(tmp_path, orders=HEAD + folder + SCHEMA)
    assert "only buckets notify a queue" in problems(tmp_path)[0]


def test_a_draft_is_no_contract_until_it_is_asked_for(tmp_path: Path) -> None:
    write_shop(tmp_path, orders=HEAD + SERVERS + SCHEMA)
    (tmp_path / "drafts").mkdir()
    draft = tmp_path / "drafts" / "visits.odcs.yaml"
    draft.write_text(HEAD + SERVERS.replace("shop_orders", "visits").replace("records", "visits"))
    assert list(load(tmp_path).feeds) == ["shop_orders"]
    asked = load_shop(tmp_path, "local", {}, also=[draft]).feeds
    assert asked["visits"].location == str(tmp_path / "visits")
