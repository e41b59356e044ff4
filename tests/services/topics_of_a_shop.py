"""A simulated shop's files as messages of topics: the records that Debezium and a click producer would send."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

#: The demo shop's topics; its clicks are the feed of Firehose objects.
CLICKS = "aura.clickstream"
PARTITIONS = 3


def make_topics(bootstrap: str, folder: Path) -> list[str]:
    """The shop's topics, empty, with three partitions each."""
    names = [*sorted(path.name for path in (folder / "cdc").iterdir()), CLICKS]
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names], wait_for_metadata=True)
    admin.close()
    return names


def send_shop(bootstrap: str, folder: Path) -> int:
    """Send every record of the folder; how many."""
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)
    count = 0
    for topic, key, value in messages(folder):
        producer.send(topic, value, key=key, partition=crc32(key) % PARTITIONS)
        count += 1
    producer.flush()
    producer.close()
    return count


def messages(folder: Path) -> Iterator[tuple[str, bytes, bytes]]:
    """(topic, key, value), topic by topic in the order of the files."""
    for table in sorted((folder / "cdc").iterdir()):
        for path in sorted(table.rglob("*.gz")):
            for line in gzip.decompress(path.read_bytes()).splitlines():
                yield table.name, _key(line), line
    for path in sorted((folder / "firehose").rglob("*.gz")):
        for value in _values(gzip.decompress(path.read_bytes())):
            yield CLICKS, value[:40], value


def _key(line: bytes) -> bytes:
    """Changes of one row go to one partition, as its key does in Debezium; a broken line goes anywhere."""
    try:
        envelope = json.loads(line)
        row = envelope.get("after") or envelope.get("before") or {}
        return json.dumps(
            [value for name, value in sorted(row.items()) if name.endswith(("_id", "_number"))][:1]
        ).encode()
    except (ValueError, AttributeError):
        return b"?"


def _values(content: bytes) -> Iterator[bytes]:
    """Concatenated JSON values, cut as the splitter cuts them."""
    from aura_lake.outside.split_json import JsonSplitter

    splitter = JsonSplitter(1 << 20)
    for chunk in (*splitter.feed(content), *splitter.finish()):
        yield from chunk.values.to_pylist()
