"""Runs benchmarks and says whether the bars hold; exit code 1 where one does not."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks import spark
from benchmarks.measure import table, write_json
from benchmarks.places import bench_home

NAMES = ("landing", "silver", "replay", "upsert", "gold", "startup", "stream", "latency")


def main() -> int:
    """`python -m benchmarks [name…] [--scale small|full] [--no-spark]`"""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all without any")
    parser.add_argument("--scale", choices=("small", "full"), default="full", help="small: to see that it runs")
    parser.add_argument("--no-spark", action="store_true", help="leave out the peers on PySpark")
    parser.add_argument("--results", type=Path, default=bench_home() / "results", help="folder of the JSON results")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.names) - set(NAMES))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    reason = None if chosen.no_spark else spark.missing()
    if reason:
        print(f"Without Spark: {reason}.", file=sys.stderr)
    broken = 0
    for name in chosen.names or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        report = module.run(chosen.scale, spark=not chosen.no_spark and reason is None)
        print(table(report), flush=True)
        write_json(report, chosen.results / f"{name}.json")
        broken += sum(not check.holds for check in report.checks)
    return 1 if broken and chosen.scale == "full" else 0


if __name__ == "__main__":
    sys.exit(main())
