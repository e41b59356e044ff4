"""Topics of a real broker that no contract names: noticed, landed raw, drafted, accepted without reading them twice."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from aura_lake.contracts.load import load_shop
from aura_lake.discovery.found import Found, State
from aura_lake.lake import Lake
from aura_lake.services.kafka import Kafka
from aura_lake.settings import Settings
from aura_lake.steps.decide_found import accept_found, ignore_found
from aura_lake.steps.discover import Looked, look, read_discovered
from aura_lake.steps.land import land
from aura_lake.steps.pipeline import refresh_silver
from tests.changes import change

pytestmark = pytest.mark.services

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: shop-orders
version: 1.0.0
servers:
  - server: orders
    type: kafka
    host: "{host}"
    customProperties:
      - {{property: topics, value: ["{prefix}.public.orders"]}}
"""


class Shop:
    """A shop with one feed of topics, under a prefix of its own on a broker that others use too."""

    def __init__(self, broker: Kafka, folder: Path) -> None:
        self.broker, self.folder, self.prefix = broker, folder, f"shop{uuid.uuid4().hex[:6]}"
        (folder / "shop").mkdir()
        text = f'id: small\ndiscovery:\n  topics: "_*{self.prefix}.*|debezium-{self.prefix}.*"\n'
        (folder / "shop" / "shop.yaml").write_text(text)
        contract = CONTRACT.format(host=broker.bootstrap, prefix=self.prefix)
        (folder / "shop" / "orders.odcs.yaml").write_text(contract)
        self.make("public.orders")

    @property
    def lake(self) -> Lake:
        home = self.folder / "lake"
        environ = {**os.environ, "AURA_PII_KEY": "k" * 32}
        settings = Settings(self.folder, str(home), home / "state", self.folder / "shop", environ=environ)
        return Lake(settings, load_shop(self.folder / "shop", "local", environ))

    def make(self, *names: str, partitions: int = 2) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
        topics = [NewTopic(f"{self.prefix}.{name}" if name else self.prefix, partitions, 1) for name in names]
        admin.create_topics(topics, wait_for_metadata=True)
        admin.close()

    def send(self, name: str, *values: Any) -> None:
        producer = KafkaProducer(bootstrap_servers=self.broker.bootstrap)
        for number, value in enumerate(values):
            raw = value if isinstance(value, bytes) else json.dumps(value).encode()
            producer.send(f"{self.prefix}.{name}", raw, partition=number % 2)
        producer.flush()
        producer.close()

    def look(self, **more: Any) -> Looked:
        return look(self.lake, **more)

    def found(self, name: str) -> Found:
        return read_discovered(self.lake).found[name]


@pytest.fixture
def shop(live_kafka: Kafka, tmp_path: Path) -> Shop:
    return Shop(live_kafka, tmp_path)


def test_a_new_topic_lands_is_drafted_and_goes_on_as_a_contract(shop: Shop) -> None:
    shop.make("public.things", "", "transaction", "public.debezium_signal")
    shop.send("public.things", *[change("c", n, f"k{n}", "w", n) for n in range(50)])
    looked = shop.look()
    assert (looked.new, looked.records) == (("things",), 50)
    assert looked.discovered.unreadable == {}
    mine = [name for names in looked.discovered.left_out.values() for name in names if name.startswith(shop.prefix)]
    assert sorted(mine) == [shop.prefix, f"{shop.prefix}.public.debezium_signal", f"{shop.prefix}.transaction"]
    assert "__consumer_offsets" not in mine
    assert shop.found("things").guess.startswith("changes of a table")
    shop.send("public.things", *[change("c", n, f"k{n}", "w", n) for n in range(50, 60)])
    assert shop.look().records == 10
    accept_found(shop.lake, "things", who="ann", why="wanted")
    lake = shop.lake
    assert land(lake, lake.shop.feeds["things"]).records == 0, "bronze has it all"
    refresh_silver(lake, lake.shop.contracts["things"])
    assert lake.table("things").collect().height == 60
    assert shop.found("things").state == State.NAMED


def test_a_limit_stops_within_a_topic_and_the_next_look_goes_on(shop: Shop) -> None:
    shop.make("wide")
    shop.send("wide", *[{"n": n, "pad": "x" * 1000} for n in range(100)])
    first = shop.look(most_bytes=1)
    (name,) = first.new
    assert 0 < first.records <= 100
    seen = first.records
    while (more := shop.look(most_bytes=1).records) > 0:
        seen += more
    assert (seen, shop.found(name).waits) == (100, None)


def test_framed_values_land_and_the_draft_asks_for_the_registry(shop: Shop) -> None:
    shop.make("framed")
    shop.send("framed", *[b"\0\0\0\0\x07" + bytes([n, 2, 3]) for n in range(20)])
    (name,) = shop.look().new
    found = shop.found(name)
    assert (found.landed, "schema registry" in found.guess) == (20, True)
    assert "registry" in Path(found.draft or "").read_text()


def test_an_ignored_topic_is_never_read_and_an_empty_one_waits_without_a_draft(shop: Shop) -> None:
    shop.make("empty", "others")
    shop.send("others", {"a": 1})
    shop.look()
    name = next(n for n, each in shop.look().discovered.found.items() if (each.topic or "").endswith("others"))
    empty = next(n for n, each in shop.look().discovered.found.items() if (each.topic or "").endswith("empty"))
    assert shop.found(empty).draft is None
    ignore_found(shop.lake, name, who="ann", why="another team's")
    shop.send("others", {"a": 2})
    assert shop.look().records == 0
    shop.send("empty", {"thing_id": "t1"})
    assert shop.look().records == 1
    assert shop.found(empty).draft is not None
