"""The Java machine that Kafka, Connect and the registry run in."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from aura_lake.services.service import Missing
from aura_lake.services.site import Site

#: Kafka 4's broker and Debezium 3 want this one at least.
LEAST_VERSION = 17

#: Errors and warnings to the process's own output: its log file.
_LOG4J = """\
status = warn
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


def find_java(site: Site) -> str | None:
    """The program `java`, of JAVA_HOME or of PATH, where it is new enough."""
    home = site.environ.get("JAVA_HOME")
    java = site.program("java") if not home else str(Path(home) / "bin" / "java")
    if java is None or not Path(java).is_file():
        return None
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    return java if version and int(version[1]) >= LEAST_VERSION else None


def missing_java(site: Site, *, is_fetched: bool) -> list[Missing]:
    """Java where it is missing or too old, and Maven where it is still needed to fetch."""
    lacking = []
    if find_java(site) is None:
        why = f"Kafka and Kafka Connect run in Java {LEAST_VERSION} or newer"
        lacking.append(Missing("java", why, apt="openjdk-17-jre-headless", brew="openjdk@17"))
    if not is_fetched and site.program("mvn") is None:
        lacking.append(Missing("mvn", "Maven fetches Java programs, once", apt="maven", brew="maven"))
    return lacking


def java_command(site: Site, folder: Path, classpath: str, heap_mb: int) -> list[str]:
    """`java` with a small heap, logging as above; the main class and its arguments follow.

    The serial collector and the first compiler tier: on a laptop a start in half the time is worth more than
    the last records a second.
    """
    log4j = folder / "log4j2.properties"
    log4j.write_text(_LOG4J)
    return [
        find_java(site) or "java",
        f"-Xmx{heap_mb}m",
        "-Xms64m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        f"-Dlog4j2.configurationFile={log4j}",
        "-cp",
        classpath,
    ]


def write_properties(path: Path, properties: dict[str, str | int]) -> None:
    """A Java properties file. Backslashes would be escapes, so they are doubled."""
    lines = [f"{key}={str(value).replace(chr(92), chr(92) * 2)}\n" for key, value in properties.items()]
    draft = path.with_name(path.name + ".part")
    draft.write_text("".join(lines))
    draft.replace(path)
