"""Discover: what no contract names lands raw, and waits for a person with a draft of its contract.

One look notices, lands up to a limit, drafts, and writes the document of what was found. Landing is that of any feed
(positions, batches, watermarks in the commit), so two looks at once, or one that was killed, land nothing twice; and
when the draft becomes a contract its table goes on from what has landed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from aura_lake.contracts.contract import Format
from aura_lake.contracts.draft import draft_feed
from aura_lake.contracts.sampling import Sample
from aura_lake.decisions import decisions
from aura_lake.delta.documents import read_document, write_document
from aura_lake.discovery.found import (
    ACCEPT_FOUND,
    DOCUMENT,
    IGNORE_FOUND,
    Discovered,
    Found,
    State,
    name_for,
    state_of,
    table_for,
    table_of,
)
from aura_lake.errors import AuraError
from aura_lake.lake import Lake
from aura_lake.steps.land_found import land_found
from aura_lake.steps.notice import Noticed, notice
from aura_lake.steps.sample_found import is_framed, is_text, sample_found

#: The folder of drafts in the shop's; nothing in it is a contract.
DRAFTS = "drafts"

#: These land and are drafted: until a contract names it, bronze has to go on for what was accepted too.
OPEN = (State.WAITING, State.ACCEPTED)

_GUESSES = {
    "cdc": "changes of a table, as Debezium writes them",
    "events": "events",
    "rows": "rows of a table",
    "feed": "JSON of no shape that was understood",
}
_FRAMED = "values behind a schema registry's number (Avro or JSON Schema)"
_FRAMED_NOTE = "Its values are framed: add the custom property registry (docs/contracts.md), then its columns."
_NO_TEXT = "Its objects are neither JSON nor CSV: nothing of it lands."


@dataclass(frozen=True)
class Looked:
    """What one look did."""

    discovered: Discovered
    new: tuple[str, ...]  #: names of what was found for the first time
    records: int  #: that landed now

    @property
    def waiting(self) -> list[Found]:
        """What waits for a person."""
        return [each for each in self.discovered.found.values() if each.state == State.WAITING]


def read_discovered(lake: Lake) -> Discovered:
    """What was found until now, each with its state by the contracts and decisions of this moment."""
    discovered = Discovered.from_json(read_document(lake, DOCUMENT))
    return replace(discovered, found=_with_states(lake, discovered.found))


def keep_discovered(lake: Lake, discovered: Discovered) -> None:
    """Write the document."""
    write_document(lake, DOCUMENT, discovered.to_json())


def look(lake: Lake, most_bytes: int | None = None) -> Looked:
    """Look once; land and draft as shop.yaml says. What was found, and what was done about it.

    What cannot be read is named in it. Raises LakeError where the lake may not be written to.
    """
    lake.claim(lake.hash_key)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    before = Discovered.from_json(read_document(lake, DOCUMENT))
    noticed = notice(lake, [each.feed for each in before.found.values()])
    found = _with_states(lake, remember(lake, before, noticed, now))
    there = [name for name, each in found.items() if each.last_seen == now and each.state in OPEN]
    samples: dict[str, Sample] = {}
    for name in there:
        if found[name].format is None or not draft_file(lake, found[name]).exists():
            found[name], sample = _probe(lake, found[name])
            if sample is not None:
                samples[name] = sample
    discovered = Discovered(now, found, noticed.left_out, noticed.roots, noticed.unreadable)
    # Before anything lands under a name and a format, both are written: a look that is killed leaves them.
    keep_discovered(lake, discovered)
    records = 0
    if lake.shop.discovery.lands:
        for each, count in land_found(lake, [found[name] for name in there if found[name].format], most_bytes):
            records += count
            found[each.name] = each
    for name, sample in samples.items():
        found[name] = _draft(lake, found[name], sample)
    keep_discovered(lake, discovered)
    return Looked(discovered, tuple(sorted(found.keys() - before.found.keys())), records)


def remember(lake: Lake, before: Discovered, noticed: Noticed, now: str) -> dict[str, Found]:
    """All that was ever found, with what was noticed now; the new with a name of its own. Reads."""
    found = {name: replace(each, trouble=None) for name, each in before.found.items()}
    shop = lake.shop
    tables = {*shop.contracts, *(each.table for each in found.values() if each.table)}

    def add(wanted: str, place: tuple[str, str | None, str | None], **facts: object) -> Found:
        taken = {*shop.feeds, *found}
        name = name_for(wanted, place, taken)
        if lake.bronze(name).exists:  # of a document that was lost: whose records those are nobody knows
            name = name_for(wanted, place, {*taken, name})
        table = table_for(name, tables)
        tables.add(table)
        new = Found(name, place[0], now, now, topic=place[1], include=place[2], table=table)
        return replace(new, **facts)  # type: ignore[arg-type]  # the members above

    for (location, topic), count in noticed.topics.items():
        where = (location, topic, None)
        known = before.at(where) or add(table_of(topic), where, format=Format.JSON.value)
        found[known.name] = replace(known, last_seen=now, units=count, trouble=None)
    for name, objects in noticed.seen.items():
        size, is_more = sum(info.size for info in objects), found[name].location in noticed.with_more
        found[name] = replace(found[name], last_seen=now, units=len(objects), size=size, is_more=is_more)
    for sample in noticed.samples:
        place = (sample.location, None, sample.include)
        new = add(sample.name, place, layout=sample.layout, endpoint_url=sample.endpoint_url)
        size = sum(info.size for info in sample.objects)
        found[new.name] = replace(
            new, units=len(sample.objects), size=size, is_more=sample.location in noticed.with_more
        )  # fmt: skip
    return found


def draft_file(lake: Lake, found: Found) -> Path:
    """Where its draft stands, or will."""
    return lake.shop.path / DRAFTS / f"{found.table}.odcs.yaml"


def _with_states(lake: Lake, found: Mapping[str, Found]) -> dict[str, Found]:
    decided = decisions(lake, ACCEPT_FOUND, IGNORE_FOUND)
    return {name: replace(each, state=state_of(each, lake.shop, decided).value) for name, each in found.items()}


def _probe(lake: Lake, found: Found) -> tuple[Found, Sample | None]:
    """It, with how it is cut, and records to draft from; none where there are none yet, or none that are text."""
    if not found.units:
        return found, None
    try:
        sample = sample_found(lake, found)
    except AuraError as error:
        return replace(found, trouble=str(error)), None
    if not sample.records:
        return found, None
    if found.topic is None and not is_text(sample):
        return replace(found, trouble=_NO_TEXT, guess="neither JSON nor CSV"), None
    if found.format is None:
        found = replace(found, format=sample.format.value, delimiter=sample.delimiter)
    return found, sample


def _draft(lake: Lake, found: Found, sample: Sample) -> Found:
    """It, with its draft, unless one stands there already: somebody may be at work on it."""
    file = draft_file(lake, found)
    if file.exists():
        return replace(found, draft=str(file))
    framed = found.topic is not None and is_framed(sample.records)
    settings = lake.settings
    try:
        assert found.table is not None
        draft = draft_feed(
            lake.shop, sample, found.table, file, settings.environment, settings.environ,
            notes=[_FRAMED_NOTE] if framed else [],
        )  # fmt: skip
    except AuraError as error:
        file.unlink(missing_ok=True)  # what does not load is no draft; the next look tries again
        return replace(found, trouble=f"No draft could be written: {error}")
    except OSError as error:
        return replace(found, trouble=f"{file}: the draft cannot be written ({error.strerror}).")
    guess = _FRAMED if framed else _GUESSES[draft.kind]
    if draft.columns:
        guess += f", {draft.columns} columns"
    return replace(found, draft=str(file), guess=guess, personal=draft.personal)
