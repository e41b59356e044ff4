"""A topic into Delta with dlt, as its users write it: run by an interpreter that has dlt and confluent-kafka.

`python -m benchmarks.dlt_kafka FOLDER BOOTSTRAP TOPIC COUNT`: runs the pipeline until so many messages are loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Messages of one Arrow table.
CHUNK = 50_000


def main() -> None:
    """Run the pipeline again and again until all messages stand in the table."""
    import dlt

    folder, bootstrap, topic, count = sys.argv[1:]
    target = Path(folder)
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(target / "state"),
        destination=dlt.destinations.filesystem(bucket_url=target.as_uri()),
        dataset_name="bench",
    )
    loaded = 0
    while loaded < int(count):
        told: dict[str, int] = {"rows": 0}
        resource = dlt.resource(
            _messages(bootstrap, topic, loaded == 0, told),
            name="events",
            table_format="delta",
            write_disposition="append",
        )
        pipeline.run(resource)
        loaded += told["rows"]


def _messages(bootstrap: str, topic: str, is_first: bool, told: dict[str, int]) -> Iterator[Any]:
    """What came since the last run, as Arrow tables; the offsets in the state, which dlt keeps with the load."""
    import dlt
    import pyarrow as pa
    from confluent_kafka import Consumer, TopicPartition

    state = dlt.current.resource_state().setdefault("offsets", {})
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "dlt", "enable.auto.commit": False})
    numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, state.get(str(number), 0)) for number in numbers])
    silent = 0
    while silent < 2:
        batch = [message for message in consumer.consume(CHUNK, timeout=0.5) if message.error() is None]
        silent = 0 if len(batch) == CHUNK else silent + 1
        if not batch:
            continue
        for message in batch:
            state[str(message.partition())] = message.offset() + 1
        told["rows"] += len(batch)
        yield pa.table(
            {
                "topic": [message.topic() for message in batch],
                "partition": [message.partition() for message in batch],
                "offset": [message.offset() for message in batch],
                "timestamp": [message.timestamp()[1] for message in batch],
                "key": [message.key() for message in batch],
                "value": [message.value() for message in batch],
            }
        )
    consumer.close()


if __name__ == "__main__":
    main()
