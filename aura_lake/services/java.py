"""Services that run in Java: found, fetched, started with a small heap and with classes that were read before."""

from __future__ import annotations

import hashlib
import re
import subprocess
from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar

from aura_lake.services.artefacts import Artefact
from aura_lake.services.service import Missing, Service
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


class JavaService(Service):
    """A service whose program comes from Maven. `parts`: what is fetched, the program itself first."""

    parts: ClassVar[tuple[Artefact, ...]]
    heap_mb: ClassVar[int] = 256
    #: A start is all computing: on a machine that has much else to do it takes ten times what it takes alone.
    patience_seconds: ClassVar[float] = 240

    @abstractmethod
    def classpath(self) -> str:
        """Where its classes are."""

    def missing(self) -> list[Missing]:
        """Java where it is missing or too old, and Maven where something is still to fetch."""
        lacking = []
        if find_java(self.site) is None:
            why = f"{self.name} runs in Java {LEAST_VERSION} or newer"
            lacking.append(Missing("java", why, apt="default-jre-headless", brew="openjdk@17"))
        is_fetched = all(self.site.artefacts.has(part) for part in self.parts)
        if not is_fetched and self.site.program("mvn") is None:
            lacking.append(Missing("mvn", "fetches Java programs, once", apt="maven", brew="maven"))
        return lacking

    def fetch(self) -> None:
        """All its parts, where they are not in the cache."""
        for part in self.parts:
            self.site.artefacts.fetch(part)

    def java(self) -> list[str]:
        """`java` with its options; the main class and its arguments follow.

        The serial collector and the first compiler tier: on a laptop a start in half the time is worth more than
        the last records a second.
        """
        log4j = self.folder / "log4j2.properties"
        log4j.write_text(_LOG4J)
        return [
            find_java(self.site) or "java",
            f"-Xmx{self.heap_mb}m",
            "-Xms64m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            *self._shared_classes(),
            f"-Dlog4j2.configurationFile={log4j}",
            "-cp",
            self.classpath(),
        ]

    @property
    def class_archive(self) -> Path:
        """The file of classes that Java need not read, check and link again (`java -XX:SharedArchiveFile`).

        It belongs to one release of Java and one set of jars, so both are in its name.
        """
        release = hashlib.sha256(_version(find_java(self.site) or "java").encode()).hexdigest()[:8]
        return self.site.artefacts.folder / f"{self.parts[0].folder_name}-{release}.jsa"

    def _shared_classes(self) -> list[str]:
        """The option that uses the archive, or the one that writes it when the process ends."""
        if self.site.is_rehearsal:
            return [f"-XX:ArchiveClassesAtExit={self.folder / 'classes.jsa'}"]
        return [f"-XX:SharedArchiveFile={self.class_archive}"] if self.class_archive.is_file() else []


def find_java(site: Site) -> str | None:
    """The program `java`, of JAVA_HOME or of PATH, where it is new enough."""
    home = site.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else site.program("java")
    if java is None or not Path(java).is_file():
        return None
    version = re.search(r'version "(\d+)', _version(java))
    return java if version and int(version[1]) >= LEAST_VERSION else None


@cache
def _version(java: str) -> str:
    """What the program says of itself."""
    return subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr


def write_properties(path: Path, properties: Mapping[str, str | int]) -> None:
    """A Java properties file. Backslashes would be escapes, so they are doubled."""
    lines = [f"{key}={str(value).replace(chr(92), chr(92) * 2)}\n" for key, value in properties.items()]
    draft = path.with_name(path.name + ".part")
    draft.write_text("".join(lines))
    draft.replace(path)
