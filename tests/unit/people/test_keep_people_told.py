"""A process that never ends keeps people told, and waits for nobody."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aura_lake.contracts.contract import Feed, Format
from aura_lake.people.cause import Look
from aura_lake.steps.heartbeats import silent_beats
from aura_lake.steps.keep_people_told import PeopleWatch, by_feed
from aura_lake.steps.look_for_causes import Sight
from aura_lake.steps.tell_people import read_incidents
from tests.changes import things
from tests.small_lake import SmallLake


def test_a_turn_does_not_wait_and_the_next_look_comes_when_it_is_due(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things()).lake
    begun: list[float] = []

    def slow(sight: Sight) -> Look:
        begun.append(time.monotonic())
        time.sleep(0.5)
        return Look((), frozenset({"slow"}))

    watch = PeopleWatch(lake, "stream", every_seconds=0.1, more={"slow": slow})
    before = time.monotonic()
    turns = [watch.turn({}) for _ in range(3)]
    assert time.monotonic() - before < 0.4
    assert turns == [True, False, False]
    time.sleep(0.2)
    assert not watch.turn({}), "one look at a time"
    watch.end()

    assert len(begun) == 1
    assert watch.told is not None
    assert watch.trouble is None
    assert silent_beats(lake, "ann", datetime.now(UTC) + timedelta(days=1)).causes == ()


def test_lanes_that_the_follower_knows_to_be_stopped_are_told_of(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things()).lake
    lake.shop = replace(lake.shop, feeds={"t": Feed("t", "kafka://none:1", Format.JSONL, topics=("^shop\\..*",))})
    watch = PeopleWatch(lake, "stream", every_seconds=0.0)
    watch.turn({"shop.orders[0]": "offsets are gone.", "other[1]": "corrupt."})
    watch.end()

    assert [i.cause.name for i in read_incidents(lake).values()] == ["lane_stopped:bronze.t:shop.orders[0]"]
    watch.turn({})
    watch.end()
    assert [i.state.value for i in read_incidents(lake).values()] == ["resolved"]


def test_a_setting_that_is_wrong_is_trouble_and_not_the_streams_end(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things()).lake
    lake.settings = replace(lake.settings, environ={"AURA_ALERT_QUIET": "always"})
    watch = PeopleWatch(lake, "stream")
    watch.turn({})
    watch.end()

    assert watch.trouble is not None
    assert "AURA_ALERT_QUIET" in watch.trouble


def test_a_feed_of_which_no_lane_is_stopped_says_so(tmp_path: Path) -> None:
    feeds = [Feed(name, "kafka://h:1", Format.JSONL, topics=(name,)) for name in ("a", "b")]

    assert by_feed([*feeds, Feed("c", "/x", Format.JSONL)], {"a[0]": "gone"}) == {"a": {"a[0]": "gone"}, "b": {}}
