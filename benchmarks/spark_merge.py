"""Spark's MERGE with deletion vectors, the peer of upsert."""

from __future__ import annotations

import shutil
from typing import Any

from benchmarks.places import fresh
from benchmarks.stopwatch import Stopwatch

RUNS = 3


def merge(stopwatch: Stopwatch, count: int, spread: str) -> dict[str, Any]:
    """The same changes into the same plain table, on a warm session; the touched days are literals."""
    from benchmarks.spark import session
    from benchmarks.upsert import changes, plain_path, touched_days

    spark = session()
    source = fresh("spark-changes") / "changes.parquet"
    frame = changes(count, spread)
    frame.write_parquet(source)
    literals = ", ".join(f"'{day}'" for day in touched_days(count, spread))
    columns = [name for name in frame.columns if name != "op"]
    assignments = ", ".join(f"t.{name} = s.{name}" for name in columns)
    for run in range(-1, RUNS):  # the first warms the session up
        target = fresh("spark-merge")
        shutil.copytree(plain_path(count), target, dirs_exist_ok=True)
        spark.sql(f"alter table delta.`{target}` set tblproperties ('delta.enableDeletionVectors' = 'true')")
        statement = f"""
            merge into delta.`{target}` as t using parquet.`{source}` as s
            on t.order_id = s.order_id and t.day in ({literals})
            when matched and s.op = 'd' then delete
            when matched and s.op = 'u' then update set {assignments}
            when not matched and s.op = 'c' then insert ({", ".join(columns)})
                values ({", ".join(f"s.{n}" for n in columns)})
        """
        if run < 0:
            spark.sql(statement)
            continue
        with stopwatch:
            merged = spark.sql(statement).collect()[0]
    spark.stop()
    return {"keys": int(merged["num_affected_rows"])}
