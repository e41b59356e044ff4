"""A mapping inside a contract file: typed look-ups that note a problem instead of raising."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aura_lake.contracts.problems import Problems
from aura_lake.contracts.yaml_source import Document, Path_


@dataclass(frozen=True)
class Element:
    """One mapping of a document, and the list of problems it reports to."""

    document: Document
    problems: Problems
    value: Mapping[str, Any]
    path: Path_ = ()

    @staticmethod
    def root(document: Document, problems: Problems) -> Element | None:
        """The whole document; None, and a problem noted, where it is not a mapping."""
        if isinstance(document.data, dict):
            return Element(document, problems, document.data)
        problems.add(
            document.file,
            1,
            "the file holds no keys.",
            "A contract begins with apiVersion, kind, id, version and status.",
        )
        return None

    def __contains__(self, key: str) -> bool:
        return self.value.get(key) is not None

    def problem(self, what: str, fix: str, *, key: str | int | None = None) -> None:
        """Note what is wrong with this element, or with the value under `key`."""
        path = self.path if key is None else (*self.path, key)
        self.problems.add(self.document.file, self.document.line(path), what, fix)

    def text(self, key: str) -> str | None:
        """The text under `key`."""
        found: str | None = self._typed(key, str, "text", "Quote it.")
        return found

    def flag(self, key: str) -> bool | None:
        """The true or false under `key`."""
        found: bool | None = self._typed(key, bool, "true or false", "Write true or false.")
        return found

    def integer(self, key: str) -> int | None:
        """The whole number under `key`."""
        found: int | None = self._typed(key, int, "a whole number", "Write its digits.")
        return found

    def child(self, key: str) -> Element | None:
        """The mapping under `key`."""
        found: dict[str, Any] | None = self._typed(key, dict, "a mapping", "Give it keys.")
        return None if found is None else self._below(found, key)

    def children(self, key: str) -> list[Element]:
        """The mappings of the list under `key`."""
        found: list[Any] = self._typed(key, list, "a list", "Begin each entry with '- '.") or []
        below = []
        for position, item in enumerate(found):
            if isinstance(item, dict):
                below.append(self._below(item, key, position))
            else:
                at = self.document.line((*self.path, key, position))
                self.problems.add(self.document.file, at, f"an entry of {key!r} has no keys.", "Give it keys.")
        return below

    def _below(self, value: dict[str, Any], *steps: str | int) -> Element:
        return Element(self.document, self.problems, value, (*self.path, *steps))

    def _typed(self, key: str, wanted: type, called: str, fix: str) -> Any:
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
            return value
        self.problem(f"{key!r} is {value!r} and has to be {called}.", fix, key=key)
        return None
