"""The connector's configuration beside a shop's contracts: `connectors/<name>.json`, in the form Kafka Connect takes.

It says which slot, publication and topics are the shop's, so that `aura source check` needs no arguments. No password
stands in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aura_lake.errors import SourceError
from aura_lake.source.facts import TableName
from aura_lake.source.plan import Names

FOLDER = "connectors"


@dataclass(frozen=True)
class KeptConnector:
    """One connector of the shop, as it was written when it was made."""

    name: str
    config: Mapping[str, str]
    file: Path

    @property
    def names(self) -> Names:
        """What it is called, in the database too."""
        told = self.config
        return Names(
            self.name,
            told.get("slot.name", "debezium"),
            told.get("publication.name", "dbz_publication"),
            told.get("topic.prefix", ""),
        )

    @property
    def signal(self) -> TableName | None:
        """Its signal table."""
        return signal_table(self.config)

    @property
    def address(self) -> dict[str, str]:
        """Where its database is, by libpq's words, as far as the configuration says; never a password."""
        words = {"host": "hostname", "port": "port", "user": "user", "dbname": "dbname"}
        told = {word: self.config[f"database.{key}"] for word, key in words.items() if f"database.{key}" in self.config}
        return {**told, **({"sslmode": mode} if (mode := self.config.get("database.sslmode")) else {})}


def signal_table(config: Mapping[str, str]) -> TableName | None:
    """The signal table of a configuration."""
    schema, _, name = config.get("signal.data.collection", "").partition(".")
    return TableName(schema, name) if name else None


def read_kept(shop: Path) -> list[KeptConnector]:
    """The connectors kept beside a shop's contracts, by name."""
    found = []
    for file in sorted((shop / FOLDER).glob("*.json")):
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            config = {str(key): str(value) for key, value in document["config"].items()}
            found.append(KeptConnector(str(document["name"]), config, file))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError(
                f"{file}: not a connector's configuration.",
                fix='It has the form {"name": …, "config": {…}}: correct it, or write it again with '
                "`aura source connect postgres`.",
            ) from error
    return found


def one_kept(shop: Path, name: str | None) -> KeptConnector:
    """The connector of that name, or the only one there is. Raises SourceError naming those there are."""
    kept = read_kept(shop)
    chosen = [one for one in kept if name is None or one.name == name]
    if len(chosen) == 1:
        return chosen[0]
    if not kept:
        raise SourceError(f"{shop} has no connector yet.", fix="aura source connect postgres --tables …")
    listed = ", ".join(one.name for one in kept)
    raise SourceError(
        f"{shop} has no connector {name!r}." if name else f"{shop} has {len(kept)} connectors.",
        fix=f"Name one with --connector: {listed}.",
    )


def write_kept(shop: Path, name: str, config: Mapping[str, str]) -> Path:
    """Write a configuration beside the contracts; the file."""
    folder = shop / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"name": name, "config": dict(config)}, indent=2) + "\n", encoding="utf-8")
    return file
