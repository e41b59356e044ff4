"""What ODCS has no field for: the `customProperties` Aura Lake reads, and where.

An entry with another `vendor` is left alone; one without is ours, and a name that is
not on the list is a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aura_lake.contracts.element import Element
from aura_lake.contracts.problems import did_you_mean


@dataclass(frozen=True)
class Meaning:
    """What one custom property takes and does; docs/contracts.md lists it."""

    takes: str
    does: str


TABLE: Mapping[str, Meaning] = {
    "kind": Meaning("cdc, events or rows", "what a record is; default: rows with a key, else events"),
    "filter": Meaning("expression", "over the producer's fields; other records are ignored"),
    "array": Meaning("dotted path", "an array of the record: one row for each element"),
    "ordering": Meaning("column", "rows: the record with the highest value stands"),
    "period": Meaning("column", "an immutable time by whose month the state is partitioned"),
    "eventId": Meaning("column or list of columns", "events: what identifies one, for duplicates"),
    "eventTime": Meaning("column", "events: when it happened"),
    "decimals": Meaning("precise, string or double", "cdc: Debezium's decimal.handling.mode"),
    "placeholder": Meaning("text", "cdc: Debezium's unavailable.value.placeholder"),
    "lsnFence": Meaning(
        "bytes", "cdc: a later change with an LSN so much lower shows a log that began anew; default 1 GiB"
    ),
    "enforcement": Meaning(
        "quarantine or block",
        "what a value of another type, or a record without a required field, does; default quarantine",
    ),
    "errorBudget": Meaning("number between 0 and 1", "share of a day's records that may wait"),
}

SERVER: Mapping[str, Meaning] = {
    "layout": Meaning("strftime pattern", "time prefixes of the objects, e.g. %Y/%m/%d/%H"),
    "include": Meaning("glob", "which objects below the location belong to the feed"),
    "delimiter": Meaning("one character", "CSV of a local server: what separates the fields"),
    "topics": Meaning("name or list of names", "Kafka: the topics; one that begins with ^ is a regular expression"),
    "registry": Meaning("URL", "Kafka: the schema registry that Avro and framed JSON name"),
    "decimals": Meaning(
        "precise, string or double", "cdc: Debezium's decimal.handling.mode here; default: the table's"
    ),
    "notifications": Meaning("URL", "S3: the SQS queue that hears of new objects, so that they are listed sooner"),
}

#: What a changed shape does.
ENFORCEMENT = ("quarantine", "block")

#: Debezium's values of decimal.handling.mode.
DECIMALS = ("precise", "string", "double")

SEVERITY: Mapping[str, Meaning] = {
    "severity": Meaning("warn or block", "what a broken table rule does; default warn"),
}


class CustomProperties:
    """The custom properties of one element, by name."""

    def __init__(self, owner: Element, known: Mapping[str, Meaning]) -> None:
        self.owner = owner
        self._entries: dict[str, Element] = {}
        for entry in owner.children("customProperties"):
            name = entry.text("property")
            if name is None or entry.value.get("vendor") not in (None, "aura"):
                continue
            if name not in known:
                entry.problem(
                    f"the custom property {name!r} means nothing here.",
                    f"{did_you_mean(name, known)} A property of another tool names its vendor.",
                    key="property",
                )
            elif name in self._entries:
                entry.problem(f"{name!r} stands twice here.", "Keep one of the two.")
            else:
                self._entries[name] = entry

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def problem(self, name: str, what: str, fix: str) -> None:
        """Note what is wrong with the value of `name`."""
        self._entries.get(name, self.owner).problem(what, fix, key="value")

    def text(self, name: str) -> str | None:
        """The text of `name`."""
        value = self._value(name)
        if value is None or isinstance(value, str):
            return value
        self.problem(name, f"{name!r} is {value!r} and has to be text.", "Quote it.")
        return None

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of `name`: one, or a list of them."""
        value = self._value(name)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if all(isinstance(item, str) for item in values):
            return tuple(values)
        self.problem(name, f"{name!r} is not a list of texts.", "Write e.g. [order_id].")
        return ()

    def number(self, name: str) -> float | None:
        """The number of `name`."""
        value = self._value(name)
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            return None if value is None else float(value)
        self.problem(name, f"{name!r} is {value!r} and has to be a number.", "E.g. 0.01.")
        return None

    def choice(self, name: str, options: tuple[str, ...]) -> str | None:
        """The text of `name`, which has to be one of `options`."""
        value = self.text(name)
        if value is None or value in options:
            return value
        self.problem(name, f"{name!r} is {value!r}.", did_you_mean(value, options))
        return None

    def _value(self, name: str) -> Any:
        entry = self._entries.get(name)
        return None if entry is None else entry.value.get("value")
