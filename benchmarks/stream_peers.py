"""What a user would pick instead to bring a topic into Delta: dlt, and Spark Structured Streaming.

Each reads the same topics of the same broker and writes value, key and position, as we do. Spark is one warm session
with Delta and its Kafka source from Maven, offsets in its checkpoint. dlt is a resource over confluent-kafka that
yields Arrow tables, the fastest way it takes rows, in an environment of its own; it keeps its offsets in its state.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.places import PROJECT, bench_home, fresh
from benchmarks.stopwatch import Stopwatch

DLT = ("dlt[deltalake]==1.31.0", "confluent-kafka==2.16.1")
#: Where dlt's filesystem destination puts a table: dataset, then table.
DLT_TABLE = "bench/events"


#: Spark's Kafka source and what it needs beside Spark. (Spark itself is 4.2.1; these were the newest to be had.)
SPARK_KAFKA = (
    "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0",
    "org.apache.spark:spark-token-provider-kafka-0-10_2.13:4.0.0",
    "org.apache.kafka:kafka-clients:3.9.2",
    "org.apache.commons:commons-pool2:2.13.1",
)

#: A trickle: messages a second, and for how many seconds.
TRICKLE_RATE, TRICKLE_SECONDS = 400, 40

_COLUMNS = ("topic", "partition", "offset", "timestamp", "key", "value")


def dlt_python() -> str:
    """The interpreter of an environment with dlt, made once."""
    folder = bench_home() / "venv-dlt"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *DLT], check=True, timeout=600)
        (folder / "ready").touch()
    return str(python)


def dlt_backlog(stopwatch: Stopwatch, bootstrap: str, topic: str, count: int) -> dict[str, Any]:
    """Everything the topic holds, in one run of the pipeline."""
    target = fresh("dlt-backlog")
    with stopwatch:
        _dlt(target, bootstrap, topic, count)
    return {"rows": _rows(target / DLT_TABLE)}


def dlt_trickle(stopwatch: Stopwatch, bootstrap: str, topic: str) -> dict[str, Any]:
    """Runs of the pipeline one after the other while messages come."""
    target = fresh("dlt-trickle")
    count = TRICKLE_RATE * TRICKLE_SECONDS
    with stopwatch, _producing(bootstrap, topic):
        _dlt(target, bootstrap, topic, count)
    return ages(target / DLT_TABLE, "timestamp", count)


def _dlt(target: Path, bootstrap: str, topic: str, count: int) -> None:
    words = [dlt_python(), "-m", "benchmarks.dlt_kafka", str(target), bootstrap, topic, str(count)]
    subprocess.run(words, check=True, cwd=PROJECT, stdout=subprocess.DEVNULL)


def spark_backlog(stopwatch: Stopwatch, bootstrap: str, topic: str, count: int) -> dict[str, Any]:
    """Everything the topic holds (`availableNow`), in a warm session."""
    target = fresh("spark-backlog")
    spark = _spark()
    warm = _query(spark, bootstrap, topic, fresh("spark-warm"), 1_000).start()
    while _rows(bench_home() / "scratch" / "spark-warm") < 1_000:
        time.sleep(0.2)
    warm.stop()
    with stopwatch:
        _query(spark, bootstrap, topic, target, 500_000).trigger(availableNow=True).start().awaitTermination()
    spark.stop()
    return {"rows": _rows(target)}


def spark_trickle(stopwatch: Stopwatch, bootstrap: str, topic: str) -> dict[str, Any]:
    """A micro-batch as soon as the one before has ended, while messages come."""
    target = fresh("spark-trickle")
    count = TRICKLE_RATE * TRICKLE_SECONDS
    spark = _spark()
    with stopwatch, _producing(bootstrap, topic):
        query = _query(spark, bootstrap, topic, target, 500_000).start()
        while _rows(target) < count:
            time.sleep(0.5)
        query.stop()
    spark.stop()
    return ages(target, "timestamp", count)


def _spark() -> Any:
    from benchmarks.spark import fetch_jars, session

    return session(jars=fetch_jars("spark-kafka-jars", SPARK_KAFKA))


def _query(spark: Any, bootstrap: str, topic: str, target: Path, most: int) -> Any:
    source = spark.readStream.format("kafka").option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic)
    source = source.option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", most)
    rows = source.load().select(*_COLUMNS)
    checkpoint = str(target.with_name(f"{target.name}-checkpoint"))
    fresh(Path(checkpoint).name)
    return rows.writeStream.format("delta").option("checkpointLocation", checkpoint).option("path", str(target))


def aura_trickle(stopwatch: Stopwatch, bootstrap: str, topic: str) -> dict[str, Any]:
    """The same into bronze, as `aura stream` lands it."""
    from aura_lake.contracts.contract import KAFKA, Feed, Format, Shop
    from aura_lake.lake import Lake
    from aura_lake.settings import Settings
    from aura_lake.steps.follow import Follower

    home = fresh("aura-trickle")
    feed = Feed("events", KAFKA + bootstrap, Format.JSON, topics=(topic,))
    settings = Settings(project=home, home=str(home / "lake"), state=home / "state", shop=home)
    lake = Lake(settings, Shop("bench", home, {}, {"events": feed}))
    count, seen = TRICKLE_RATE * TRICKLE_SECONDS, 0
    with stopwatch, _producing(bootstrap, topic), Follower(lake, [feed]) as follower:
        while seen < count:
            seen += follower.poll(0.25).records
    return ages(home / "lake" / "bronze" / "events", "timestamp", count)


class _producing:  # noqa: N801  # reads as a word of a `with`
    """A process of its own that fills the topic at the trickle's rate while the block runs."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._words = [sys.executable, "-m", "benchmarks.child", "benchmarks.stream_peers:trickle"]
        self._words.append(json.dumps({"bootstrap": bootstrap, "topic": topic}))

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._words, cwd=PROJECT, stdout=subprocess.DEVNULL)

    def __exit__(self, *_: object) -> None:
        self._process.wait(timeout=120)


def trickle(stopwatch: Stopwatch, bootstrap: str, topic: str) -> dict[str, Any]:
    """Messages at an even rate, each with the time at which it was sent."""
    from kafka import KafkaProducer

    from benchmarks.stream import event

    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, acks=1)
    begun = time.monotonic()
    for number in range(TRICKLE_RATE * TRICKLE_SECONDS):
        time.sleep(max(0.0, begun + number / TRICKLE_RATE - time.monotonic()))
        producer.send(topic, event(number), key=b"%d" % (number % 5_000))
    producer.close()
    return {}


def ages(table: Path, column: str, count: int) -> dict[str, Any]:
    """How old messages were when the commit that holds them was made, in seconds; the first five seconds, in which
    readers start, are left out."""
    import polars as pl

    found = []
    for file in sorted((table / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in file.read_text().splitlines()]
        at = next((action["commitInfo"]["timestamp"] / 1000 for action in actions if "commitInfo" in action), None)
        for path in [action["add"]["path"] for action in actions if "add" in action and at is not None]:
            rows = pl.read_parquet(table / path, columns=[column], hive_partitioning=False).drop_nulls()
            found.append(rows.select(sent=_seconds(rows.schema[column], column), at=pl.lit(at)))
    rows = pl.concat(found)
    assert rows.height >= count, f"{rows.height} of {count} messages stand in {table}"
    steady = rows.filter(pl.col("sent") > rows["sent"].min() + 5)  # type: ignore[operator]
    old = steady["at"] - steady["sent"]
    told = {f"age p{share:.0f} s": old.quantile(share / 100, "linear") for share in (50, 95)}
    return {"rows": rows.height, **{name: round(float(value or 0), 2) for name, value in told.items()}}


def _seconds(dtype: Any, column: str) -> Any:
    import polars as pl

    return pl.col(column).cast(pl.Float64) / 1000 if dtype.is_integer() else pl.col(column).dt.epoch("us") / 1e6


def _rows(table: Path) -> int:
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(str(table)):
        return 0
    return int(DeltaTable(str(table)).to_pyarrow_dataset().count_rows())
