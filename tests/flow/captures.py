"""What becomes of each recorded capture when it is landed as a feed; prints the golden table.

    python -m tests.flow.captures FOLDER_OF_CAPTURES > tests/flow/captures.golden.json

Look at the difference before you keep it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from aura_lake.contracts.contract import Column, Contract, Feed, Format, Kind, Shop
from aura_lake.lake import Lake
from aura_lake.ledger.count import count
from aura_lake.settings import Settings
from aura_lake.steps.land import land
from aura_lake.steps.pipeline import refresh_silver
from tests.flow.shop_run import KEY, PROJECT
from tests.flow.what_people_see import verdicts

#: What the README of the data says is no feed.
NO_FEEDS = ("LICENSE.apache2.txt", "expected_end_state.json", "derived/postgres_real_events.jsonl")

#: The keys of recorded tables that are not called `id` or `_id`.
KEYS = {
    "memiiso/serde-unnested-order-val-withschema.json": ("order_number",),
    "risingwave/bug_bash.1": ("c_id", "c_d_id", "c_w_id"),
}


def captures(folder: Path) -> list[str]:
    """The names of all captures that are feeds."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return [name for name in names if name not in NO_FEEDS and not name.endswith(".slt")]


def format_of(text: str) -> Format:
    """Pretty-printed JSON is one value after the other; everything else comes by the line."""
    try:
        json.loads(text)
    except ValueError:
        return Format.JSONL
    return Format.JSON if "\n" in text.strip() else Format.JSONL


def values_of(text: str, format: Format) -> Iterator[Any]:
    """The values of a capture by plain means; ValueError stands for one that is not JSON."""
    if format is Format.JSON:
        decoder, at = json.JSONDecoder(), 0
        while at < len(text.rstrip()):
            at += len(text[at:]) - len(text[at:].lstrip())
            value, at = decoder.raw_decode(text, at)
            yield value
        return
    for line in text.splitlines():
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                yield error


def lake_of(folder: Path, home: Path) -> Lake:
    """A lake with a feed and a table of changes for each capture."""
    contracts, feeds = {}, {}
    for number, name in enumerate(captures(folder)):
        feed = f"capture_{number:02}"
        place = folder / name
        feeds[feed] = Feed(feed, str(place), format_of(place.read_text(encoding="utf-8")), description=name)
        contracts[feed] = contract_of(name, feed)
    shop = Shop(id="every_capture", path=folder, contracts=contracts, feeds=feeds)
    settings = Settings(
        project=PROJECT, home=str(home), state=home / "state", shop=folder, environ={"AURA_PII_KEY": KEY}
    )
    return Lake(settings, shop)


def contract_of(name: str, feed: str) -> Contract:
    """A table of changes over a feed: its key, and two columns that many of the captures have."""
    keys = KEYS.get(name, ("id",))
    columns = [
        Column(key, pl.String(), "string", source=key, synonyms=("_id",), key_position=position)
        for position, key in enumerate(keys, start=1)
    ]
    columns.append(Column("name", pl.String(), "string", source="name"))
    columns.append(Column("weight", pl.Float64(), "number", source="weight"))
    return Contract(feed, Kind.CDC, feed, tuple(columns), description=name)


def outcome(lake: Lake, feed: Feed) -> dict[str, Any]:
    """What landing and judging the capture of a feed gave: a line of the golden table."""
    report = land(lake, feed)
    refresh_silver(lake, lake.contract(feed.name))
    told: dict[str, Any] = {"format": feed.format.value, "values": report.records}
    for (verdict, reason, broken), units in sorted(verdicts(lake, lake.contract(feed.name)).items(), key=str):
        why = reason or " + ".join(broken)
        if why:
            told.setdefault(verdict, {})[why] = units
        else:
            told[verdict] = told.get(verdict, 0) + units
    name = Path(feed.location).name
    if name in report.waiting:
        told["waiting"] = report.waiting[name]
    return told


def all_outcomes(folder: Path, home: Path) -> tuple[Lake, dict[str, Any]]:
    """The lake, and the golden table."""
    lake = lake_of(folder, home)
    return lake, {feed.description: outcome(lake, feed) for feed in lake.shop.feeds.values()}


def main() -> None:
    """Print the golden table of the captures in argv."""
    with tempfile.TemporaryDirectory() as home:
        lake, table = all_outcomes(Path(sys.argv[1]), Path(home))
        assert count(lake).problems() == []
    print(json.dumps(table, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
