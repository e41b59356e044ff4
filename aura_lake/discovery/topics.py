"""Which topics of a broker are records of a shop, and which belong to the machinery beside them."""

from __future__ import annotations

import re
from collections.abc import Collection

#: Rule -> what the names look like. The first that fits counts.
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("Debezium's heartbeats", re.compile(r"(.*[._-])?_*debezium[._-]?heartbeats?([._-].*)?")),
    ("Kafka's own, hidden by a first _", re.compile(r"_.*")),
    ("Kafka Connect's own", re.compile(r"(.*[._-])?connect[._-](.*[._-])?(configs?|offsets?|status(es)?)")),
    (
        "schemas, not records",
        re.compile(r"(.*[._-])?(schemas?|schema[._-]?(history|changes?)([._-].*)?|kafkasql-journal|registry-events)"),
    ),
    ("signals and notifications of a connector", re.compile(r"(.*[._-])?debezium[._-]?(signals?|notifications?)")),
    ("a connector's marks of transactions", re.compile(r"[^.]+\.transaction")),
    ("kept by Kafka Streams", re.compile(r".*-(changelog|repartition)")),
)

PREFIX_RULE = "a connector's own changes of schema"
PATTERN_RULE = "not under discovery.topics of shop.yaml"


def left_out(topic: str, named: Collection[str], pattern: str | None = None) -> str | None:
    """The rule by which a topic is left alone, or None where it may hold records.

    `named`: topics that contracts name. A topic that is called as their first part is where connectors of some
    databases tell of changed schemas.
    """
    for rule, names in _RULES:
        if names.fullmatch(topic):
            return rule
    if any(other.startswith(f"{topic}.") for other in named):
        return PREFIX_RULE
    if pattern is not None and not re.fullmatch(pattern, topic):
        return PATTERN_RULE
    return None


def names_topic(topics: Collection[str], topic: str) -> bool:
    """Whether these names and patterns (`^…`) of a contract take the topic."""
    return any(re.fullmatch(t, topic) if t.startswith("^") else t == topic for t in topics)
