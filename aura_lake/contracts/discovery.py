"""What `shop.yaml` says under `discovery`: whether new topics and prefixes are noticed and landed, and where."""

from __future__ import annotations

import re
from pathlib import Path

from aura_lake.contracts.contract import Discovery
from aura_lake.contracts.element import Element
from aura_lake.contracts.problems import did_you_mean

_KEYS = ("notice", "land", "topics", "roots")


def read_discovery(shop: Element, folder: Path) -> Discovery:
    """The settings; defaults where nothing or something wrong is said. Relative roots begin at `folder`."""
    given = shop.child("discovery")
    if given is None:
        return Discovery()
    for key in given.value:
        if key not in _KEYS:
            given.problem(f"the key {key!r} means nothing here.", did_you_mean(key, _KEYS), key=key)
    is_on = _switch(given, "notice")
    return Discovery(is_on, is_on and _switch(given, "land"), _pattern(given), _roots(given, folder))


def _switch(given: Element, key: str) -> bool:
    value = given.value.get(key, True)
    if not isinstance(value, bool):
        given.problem(f"{key} is {value!r}.", "Write true or false.", key=key)
        return False  # nothing is landed by mistake
    return value


def _pattern(given: Element) -> str | None:
    pattern = given.text("topics")
    if pattern is None:
        return None
    try:
        re.compile(pattern)
    except re.error as error:
        given.problem(f"{pattern!r} is not a regular expression: {error}.", 'Write e.g. "shop[.].*".', key="topics")
        return None
    return pattern


def _roots(given: Element, folder: Path) -> tuple[str, ...]:
    roots = given.value.get("roots", [])
    if not isinstance(roots, list) or not all(isinstance(root, str) and root for root in roots):
        given.problem("roots is not a list of places.", "Write folders or s3://bucket/prefix.", key="roots")
        return ()
    return tuple(
        root.rstrip("/") if "://" in root else str((folder / Path(root).expanduser()).resolve()) for root in roots
    )
