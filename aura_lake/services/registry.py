"""A schema registry that speaks Confluent's interface: Apicurio."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import ClassVar

from aura_lake.services.artefacts import Artefact
from aura_lake.services.java import JavaService, write_properties
from aura_lake.services.service import loopback
from aura_lake.services.site import HOST

VERSION = "3.0.9"

REGISTRY = Artefact("registry", (f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all",))


class Registry(JavaService):
    """The registry. Its schemas lie in a file of the H2 database, so they outlive a restart."""

    name: ClassVar[str] = "registry"
    parts: ClassVar[tuple[Artefact, ...]] = (REGISTRY,)

    @property
    def url(self) -> str:
        """The interface that Confluent's clients speak."""
        return f"http://{loopback(self.port)}/apis/ccompat/v7"

    @property
    def own_url(self) -> str:
        """Apicurio's own interface, for Apicurio's converters of the 2.x line."""
        return f"http://{loopback(self.port)}/apis/registry/v2"

    @property
    def address(self) -> str:
        """The Confluent-compatible interface."""
        return self.url

    def prepare(self) -> None:
        """Its settings."""
        write_properties(self._file, self.settings())

    def settings(self) -> dict[str, str | int]:
        """Settings of Quarkus and of Apicurio: loopback, a file, few connections to it."""
        return {
            "quarkus.http.host": HOST,
            "quarkus.http.port": self.port,
            "quarkus.http.access-log.enabled": "false",
            "quarkus.log.level": "WARN",
            "apicurio.storage.kind": "sql",
            "apicurio.storage.sql.kind": "h2",
            "apicurio.datasource.url": f"jdbc:h2:file:{self.folder / 'schemas'}",
            "apicurio.datasource.jdbc.initial-size": 1,
            "apicurio.datasource.jdbc.min-size": 1,
            "apicurio.datasource.jdbc.max-size": 10,
        }

    def classpath(self) -> str:
        """The runner, which names all other jars."""
        return str(self.site.artefacts.place_of(REGISTRY) / f"apicurio-registry-app-{VERSION}-runner.jar")

    def command(self) -> list[str]:
        """The registry, in the foreground."""
        java, *options = self.java()
        return [java, f"-Dquarkus.config.locations={self._file}", *options, "io.quarkus.runner.GeneratedMain"]

    def answers(self) -> bool:
        """Whether it lists its subjects."""
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=3) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    @property
    def _file(self) -> Path:
        return self.folder / "registry.properties"
