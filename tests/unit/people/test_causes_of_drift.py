"""A field that has another name is told once, with its patch, and instead of the rows that wait for it."""

from __future__ import annotations

import json
from pathlib import Path

from aura_lake.drift.finding import Finding, Happened, Stands
from aura_lake.drift.patch import Patch
from aura_lake.people.cause import Level
from aura_lake.people.incident import Action
from aura_lake.people.slack_card import card
from aura_lake.steps.causes_of_drift import OpenFinding, drift_causes
from aura_lake.steps.look_for_causes import look_for_causes
from tests.changes import column, things
from tests.small_lake import SmallLake
from tests.unit.people.examples import NOW, incident

PATCH = Patch("things", ({"op": "synonym", "field": "word", "also": "term"},))
RENAMED = Finding(
    feed="things", happened=Happened.RENAMED, field="word", became="term", stands=Stands.PROPOSED,
    says="word is now called term.", confidence=0.97, evidence={"values known": 0.98}, patch=PATCH,
    places=("things.word",), rows=1,
)  # fmt: skip


def test_a_renamed_field_is_one_cause_with_its_patch(tmp_path: Path) -> None:
    columns = (column("id", key_position=1), column("word", required=True), column("size"))
    small = SmallLake(tmp_path, things(columns=columns))
    small.arrive("1.jsonl", {"op": "c", "before": None, "after": {"id": "a", "term": "x"}, "source": {"lsn": 1}})
    waits = look_for_causes(small.lake, stopped={}).told()
    open_one = OpenFinding(RENAMED, NOW, waiting=1, before={"word": "null"}, after={"word": "a"})
    look = look_for_causes(small.lake, stopped={}, more={"drift": lambda sight: drift_causes(sight, [open_one])})

    assert [cause.id for cause in waits] == ["word_is_present"]
    (drift,) = look.told()
    assert (drift.kind, drift.level, drift.place, drift.count) == ("drift", Level.ERROR, "bronze.things", 1)
    assert drift.proposal is not None
    assert (drift.proposal.patch, drift.proposal.hash) == (RENAMED.id, PATCH.hash)
    assert drift.command == f"aura drift approve {RENAMED.id}"
    shown = json.dumps(card(incident(drift), Action.TRIGGER, lake="lake", takes_answers=True))
    assert PATCH.hash in shown
    assert "word was renamed to term" in shown


def test_what_passes_without_loss_is_not_told_and_what_is_unclear_is_to_be_looked_at(tmp_path: Path) -> None:
    small = SmallLake(tmp_path, things())
    note = OpenFinding(Finding("things", Happened.ADDED, "x", Stands.NOTE, "x is new.", 1.0), NOW)
    unclear = OpenFinding(Finding("things", Happened.DROPPED, "word", Stands.UNCLEAR, "word is gone.", 0.6), NOW)
    look = look_for_causes(small.lake, stopped={}, more={"drift": lambda sight: drift_causes(sight, [note, unclear])})

    (told,) = look.told()
    assert (told.level, told.proposal) == (Level.WARNING, None)
    assert told.command.startswith("aura drift show ")
