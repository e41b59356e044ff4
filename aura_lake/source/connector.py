"""The configuration of Debezium's PostgreSQL connector, as a function of a plan.

Property names and defaults: Debezium's PostgreSQL connector page, "Connector properties", and Kafka Connect's
"Configuring connectors". docs/sources.md says why each of ours is what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aura_lake.errors import SourceError
from aura_lake.source.facts import TableName, as_config
from aura_lake.source.plan import HEARTBEAT, Plan

CLASS = "io.debezium.connector.postgresql.PostgresConnector"

#: What stands in the written file for a password that only Kafka Connect is told.
PASSWORD_PLACE = "${env:AURA_POSTGRES_PASSWORD}"

#: PostgreSQL writes heartbeat messages from this version on.
MESSAGES_FROM = 14

_JSON = "org.apache.kafka.connect.json.JsonConverter"

#: Converters that frame Avro as Confluent does, by the class a worker lists, with what each needs.
AVRO_CONVERTERS: Mapping[str, Mapping[str, str]] = {
    "io.confluent.connect.avro.AvroConverter": {"schema.registry.url": "{registry}"},
    "io.apicurio.registry.utils.converter.AvroConverter": {
        "apicurio.registry.url": "{apicurio}",
        "apicurio.registry.auto-register": "true",
        "apicurio.registry.find-latest": "true",
        "apicurio.registry.as-confluent": "true",
        "apicurio.registry.headers.enabled": "false",
    },
}


@dataclass(frozen=True)
class Login:
    """How the Kafka Connect worker reaches the database. `password`: in clear, or a `${…}` of its config providers."""

    host: str
    port: int
    database: str
    user: str
    password: str | None = field(default=None, repr=False)
    sslmode: str = "prefer"

    @property
    def is_reference(self) -> bool:
        """Whether the password is named and not told."""
        return self.password is None or bool(re.fullmatch(r"\$\{[a-z]+:.+\}", self.password))


def connector_config(plan: Plan, login: Login, version: int, converter: str | None = None) -> dict[str, str]:
    """The whole configuration, the password included, all values as text.

    `version`: the server's major one. `converter`: the worker's Avro converter, for plans of that format.
    """
    names = plan.names
    config: dict[str, object] = {
        "connector.class": CLASS,
        "tasks.max": 1,
        "database.hostname": login.host,
        "database.port": login.port,
        "database.user": login.user,
        "database.dbname": login.database,
        "database.sslmode": login.sslmode,
        "topic.prefix": names.prefix,
        "table.include.list": include_list(one.table for one in plan.tables),
        # The slot and the publication are made by us, with what they need, and outlive the connector.
        "plugin.name": "pgoutput",
        "slot.name": names.slot,
        "slot.drop.on.stop": False,
        "publication.name": names.publication,
        "publication.autocreate.mode": "disabled",
        "publish.via.partition.root": True,
        "snapshot.mode": "initial" if plan.snapshot else "no_data",
        # Every operation, truncates too: the default hides them.
        "skipped.operations": "none",
        "tombstones.on.delete": True,
        "provide.transaction.metadata": False,
        # Values that say what they are, without a schema beside them.
        "decimal.handling.mode": "string",
        "time.precision.mode": "isostring",
        "interval.handling.mode": "string",
        "hstore.handling.mode": "json",
        # A value that cannot be told stops the connector; the default writes null and a warning.
        "event.converting.failure.handling.mode": "fail",
        "event.processing.failure.handling.mode": "fail",
        "errors.tolerance": "none",
        "errors.log.enable": True,
        "errors.log.include.messages": False,
        "poll.interval.ms": 20,
        "heartbeat.interval.ms": 10_000,
        "topic.creation.default.partitions": plan.partitions,
        "topic.creation.default.replication.factor": -1,
        "topic.creation.default.cleanup.policy": "delete",
        "producer.override.compression.type": "lz4",
        **_converters(plan, converter),
    }
    if login.password is not None:
        config["database.password"] = login.password
    if version >= MESSAGES_FROM:
        # Moves the slot on while the captured tables rest and others are written to.
        config["heartbeat.action.query"] = f"SELECT pg_logical_emit_message(false, '{HEARTBEAT}', '')"
        config["message.prefix.exclude.list"] = HEARTBEAT
    if plan.signal is not None:
        config["signal.enabled.channels"] = "source"
        config["signal.data.collection"] = str(plan.signal)
    return as_config(config)


def _converters(plan: Plan, converter: str | None) -> dict[str, object]:
    if plan.format == "json":
        return {
            f"{part}.converter{rest}": value
            for part in ("key", "value")
            for rest, value in (("", _JSON), (".schemas.enable", False))
        }
    if converter is None or converter not in AVRO_CONVERTERS or plan.registry is None:
        raise SourceError(
            "Avro needs a converter in the Kafka Connect worker and a schema registry.",
            fix="Install Confluent's or Apicurio's Avro converter in its plugin.path, and give --registry; "
            "or leave out --avro.",
        )
    apicurio = re.sub(r"/apis/ccompat/v\d+/?$", "/apis/registry/v2", plan.registry)
    wanted = {n: v.format(registry=plan.registry, apicurio=apicurio) for n, v in AVRO_CONVERTERS[converter].items()}
    settings: dict[str, object] = {}
    for part in ("key", "value"):
        settings[f"{part}.converter"] = converter
        settings |= {f"{part}.converter.{name}": value for name, value in wanted.items()}
    # Avro's names have letters, digits and _ only.
    return settings | {"schema.name.adjustment.mode": "avro", "field.name.adjustment.mode": "avro"}


def written_config(config: Mapping[str, str], login: Login) -> dict[str, str]:
    """The configuration as it may stand in a file: a password in clear is replaced by where it belongs."""
    if login.is_reference or "database.password" not in config:
        return dict(config)
    return {**config, "database.password": PASSWORD_PLACE}


def include_list(tables: Iterable[TableName]) -> str:
    """`table.include.list`: a regular expression for each table, anchored by Debezium."""
    return ",".join(sorted(_pattern(table) for table in tables))


def _pattern(table: TableName) -> str:
    """The table's name in Java's regular expressions; a comma would end it."""
    escaped = re.sub(r"([^\w ])", r"\\\1", f"{table.schema}.{table.name}")
    return escaped.replace("\\,", r"\x2C").replace(" ", r"\x20")


def captures(config: Mapping[str, str], table: TableName) -> bool:
    """Whether a running connector's lists take the table, as Debezium reads them."""
    name = str(table)

    def listed(key: str, text: str) -> bool:
        patterns = [pattern.strip() for pattern in config.get(key, "").split(",") if pattern.strip()]
        return any(re.fullmatch(pattern, text, re.IGNORECASE) for pattern in patterns)

    if config.get("schema.include.list") and not listed("schema.include.list", table.schema):
        return False
    if listed("schema.exclude.list", table.schema) or listed("table.exclude.list", name):
        return False
    return not config.get("table.include.list") or listed("table.include.list", name)
