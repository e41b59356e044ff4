"""The peers on PySpark, with settings that are fair to it (docs/performance.md).

One warm session: its start (8 to 10 s) is left out. `spark.sql.shuffle.partitions` 4 and
`snapshotPartitions` 2, since Delta's default of 50 would cost Spark two to three times as much on so small a
machine. Java 17 is needed; Delta's jars come from Maven, once.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.places import bench_home, fresh
from benchmarks.stopwatch import Stopwatch

DELTA = (
    "io.delta:delta-spark_2.13:4.4.0",
    "io.delta:delta-storage:4.4.0",
    "io.delta:delta-kernel-api:4.4.0",
    "io.delta:delta-kernel-defaults:4.4.0",
    "io.delta:delta-kernel-unitycatalog:4.4.0",
)
RUNS = 3

# Each by itself: what an artefact needs may be named at repositories that are not reached from everywhere.
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>benchmarks</groupId><artifactId>spark-jars</artifactId><version>1</version>
<dependencies>{}</dependencies></project>
"""
_DEPENDENCY = """<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>
"""


def missing() -> str | None:
    """Why Spark cannot be measured here; None where it can."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed (`uv sync --group benchmarks`)"
    if shutil.which("java") is None:
        return "there is no java on the PATH (17 is needed)"
    return None if _delta_jars() else "Delta's jars are not here and there is no Maven to fetch them"


def _delta_jars() -> list[Path]:
    """Delta's own jars; the rest of what they need stands in pyspark already."""
    return fetch_jars("spark-delta-jars", DELTA)


def fetch_jars(name: str, artefacts: Sequence[str]) -> list[Path]:
    """The jars of these artefacts (`group:artefact:version`), and of nothing else; from Maven, once."""
    folder = bench_home() / name
    if not any(folder.glob("*.jar")) and shutil.which("mvn"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pom.xml").write_text(_POM.format("".join(_DEPENDENCY.format(*a.split(":")) for a in artefacts)))
        words = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
        subprocess.run(words, cwd=folder, check=True, timeout=600, stdout=subprocess.DEVNULL)
    return sorted(folder.glob("*.jar"))


def session(jars: Sequence[Path] = ()) -> Any:
    """A local session on two cores with Delta, and further jars."""
    from pyspark.sql import SparkSession

    scratch = fresh("spark")
    settings = {
        "spark.driver.memory": "6g",
        "spark.jars": ",".join(map(str, [*_delta_jars(), *jars])),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.shuffle.partitions": "4",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
    }
    builder = SparkSession.builder.master("local[2]").appName("benchmarks")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def land(stopwatch: Stopwatch, folder: str, warm: str, kind: str) -> dict[str, Any]:
    """gzip lines to one text column in Parquet (zstd) or Delta."""
    spark = session()
    target = fresh(f"spark-{kind}")
    spark.conf.set("spark.sql.parquet.compression.codec", "zstd")
    spark.read.text(warm).write.format(kind).save(str(target / "warm"))
    for run in range(RUNS):
        with stopwatch:
            spark.read.text(folder).write.format(kind).save(str(target / str(run)))
    rows = spark.read.format(kind).load(str(target / "0")).count()
    spark.stop()
    return {"rows": rows}
