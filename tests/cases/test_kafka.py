"""Hard cases of Kafka (50 to 61) that need no broker: what bronze and silver make of what a consumer hands out.

Those that only a broker can show are in tests/services/test_kafka.py.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from aura_lake.decisions import ACCEPT_GAP, ACCEPT_TOPIC, Decision, decide, decisions
from aura_lake.delta.watermarks import LANE, of_feed
from aura_lake.ledger.count import count
from aura_lake.outside.kafka import Extent
from aura_lake.steps.land_topics import judge_lanes, known_topics
from tests.changes import change, things
from tests.small_topics import SmallTopicLake, chunk, lane, sent


@pytest.fixture
def lake(tmp_path: Path) -> SmallTopicLake:
    return SmallTopicLake(tmp_path, things())


def test_case_051_offsets_gone_before_they_were_read_stop_the_lane_by_name(lake: SmallTopicLake) -> None:
    plan = judge_lanes(lake.feed, {lane(): 99}, {lane(): Extent(250, 400)}, {"shop.things": "id-1"}, [])
    assert plan.ranges == {}
    assert "read to offset 99, and the broker begins at 250: 150 offsets are gone" in plan.stopped[lane()].says
    assert "aura source accept things" in plan.stopped[lane()].says


def test_case_051_an_accepted_gap_lets_the_lane_go_on_behind_it(lake: SmallTopicLake) -> None:
    lake.arrive_at(lane(), sent(0, change("c", 1, "a")))
    facts = {"feed": "things", "lane": lane().watermark, "from": 1, "to": 250}
    decide(lake.lake, ACCEPT_GAP, facts, who="ada", why="the snapshot of the 4th repairs it")
    decided = decisions(lake.lake, ACCEPT_GAP)
    known = known_topics(lake.bronze)
    plan = judge_lanes(lake.feed, {lane(): 0}, {lane(): Extent(250, 400)}, known, decided)
    assert plan.ranges == {lane(): (250, 400)}
    further = judge_lanes(lake.feed, {lane(): 0}, {lane(): Extent(260, 400)}, known, decided)
    assert lane() in further.stopped, "what was lost after the decision is not covered by it"
    lake.land(chunk(lane(), [sent(250, change("c", 9, "b"))]))
    assert lake.catch_up().rows() == [("a", None, None), ("b", None, None)]
    assert lake.bronze.watermark(lane().watermark) == 250


def test_case_052_holes_between_offsets_are_no_alarm(lake: SmallTopicLake) -> None:
    lake.land(chunk(lane(), [sent(3, change("c", 1, "a")), sent(7, change("c", 2, "b"))], first=0, following=12))
    assert lake.bronze.watermark(lane().watermark) == 11, "markers behind the last message are read too"
    plan = judge_lanes(lake.feed, {lane(): 11}, {lane(): Extent(0, 12)}, {"shop.things": "id-1"}, [])
    assert (plan.ranges, plan.lag, plan.stopped) == ({lane(): (12, 12)}, 0, {})
    assert lake.catch_up().verdicts() == {"valid": 2}


def test_case_053_a_change_that_compaction_took_leaves_the_current_row_right(lake: SmallTopicLake) -> None:
    lake.land(chunk(lane(), [sent(5, change("u", 30, "a", "last"))], first=0))
    assert lake.catch_up().rows() == [("a", "last", None)]
    assert lake.rebuild_is_equal()


def test_case_054_a_key_on_two_partitions_is_ordered_by_lsn(lake: SmallTopicLake) -> None:
    lake.arrive_at(lane(1), sent(0, change("u", 20, "a", "new")))
    lake.arrive_at(lane(0), sent(0, change("c", 10, "a", "old")))
    assert lake.rows() == [("a", "new", None)]
    assert [row[1] for row in lake.history()] == ["old", "new"]


def test_case_054_a_partition_that_was_added_is_read_from_its_beginning(lake: SmallTopicLake) -> None:
    known = {"shop.things": "id-1"}
    plan = judge_lanes(lake.feed, {lane(0): 5, lane(1): -1}, {lane(0): Extent(0, 6), lane(1): Extent(0, 4)}, known, [])
    assert plan.ranges == {lane(0): (6, 6), lane(1): (0, 4)}
    assert any("shop.things[1] is new" in note for note in plan.notes)
    late = judge_lanes(lake.feed, {lane(1): -1}, {lane(1): Extent(2, 4)}, known, [])
    assert lane(1) in late.stopped, "its first two were gone before anybody read them"


def test_case_055_a_topic_made_anew_stops_until_a_person_lets_it_be_read(lake: SmallTopicLake) -> None:
    lake.arrive_at(lane(), sent(0, change("c", 1, "a")), sent(1, change("c", 2, "b")))
    anew = lane(topic_id="id-2")
    known = known_topics(lake.bronze)
    plan = judge_lanes(lake.feed, {anew: -1}, {anew: Extent(0, 1)}, known, [])
    assert "made anew: its id is id-2" in plan.stopped[anew].says
    decide(lake.lake, ACCEPT_TOPIC, {"feed": "things", "topic": anew.topic, "topic_id": "id-2"}, who="ada", why="moved")
    decided = decisions(lake.lake)
    assert judge_lanes(lake.feed, {anew: -1}, {anew: Extent(0, 1)}, known, decided).ranges == {anew: (0, 1)}
    lake.arrive_at(anew, sent(0, change("c", 3, "c")))
    assert [row[0] for row in lake.rows()] == ["a", "b", "c"], "offset 0 of the new topic is another record"
    assert lake.verdicts() == {"valid": 3}


def test_case_056_of_two_landers_of_one_range_one_commits_and_the_other_finds_it_read(lake: SmallTopicLake) -> None:
    both = [sent(0, change("c", 1, "a")), sent(1, change("c", 2, "b"))]
    assert lake.land(chunk(lane(), both), expecting={lane(): -1})
    zombie = lake.land(chunk(lane(), both[:1]), expecting={lane(): -1})
    assert zombie == []
    assert lake.records()["offset"].to_list() == [0, 1]
    assert lake.bronze.watermark(LANE) == 0, "an empty commit would be a batch of nothing"


def test_case_056_landers_of_other_partitions_do_not_hinder_each_other(lake: SmallTopicLake) -> None:
    stale = lake.bronze  # opened before the other commits
    lake.land(chunk(lane(0), [sent(0, change("c", 1, "a"))]))
    from aura_lake.steps.topic_batch import commit_chunks

    assert commit_chunks(stale, [chunk(lane(1), [sent(0, change("c", 2, "b"))])], {lane(1): -1})
    assert lake.catch_up().verdicts() == {"valid": 2}
    assert lake.bronze.watermark(LANE) == 1


def test_case_057_a_poison_record_waits_alone_and_its_bytes_stay(lake: SmallTopicLake) -> None:
    poison = b'{"op": "c", "after": {'
    lake.arrive_at(lane(2), sent(40, change("c", 1, "a")), sent(41, poison), sent(42, change("c", 2, "b")))
    assert lake.verdicts() == {"valid": 2, "quarantined": 1}
    waiting = lake.log().filter(verdict="quarantined").row(0, named=True)
    assert (waiting["topic"], waiting["partition"], waiting["offset"]) == ("shop.things", 2, 41)
    assert poison in lake.records()["value"].to_list()


def test_case_059_nothing_that_moved_on_makes_no_commit(lake: SmallTopicLake) -> None:
    assert lake.land() == []
    assert not lake.bronze.exists


def test_case_060_a_batch_of_quarantined_records_moves_the_watermark(lake: SmallTopicLake) -> None:
    lake.arrive_at(lane(), sent(0, b"not json"), sent(1, b"nor this"))
    log = lake.lake.log(lake.contract)
    assert (lake.verdicts(), log.watermark(of_feed("things"))) == ({"quarantined": 2}, 0)
    assert lake.catch_up().judged.rows_in == 0


def test_case_016_a_tombstone_is_ignored_and_moves_on(lake: SmallTopicLake) -> None:
    lake.arrive_at(
        lane(), sent(0, change("c", 1, "a")), sent(1, change("d", 2, "a")), sent(2, None, key=b"a"), sent(3, None)
    )
    assert (lake.rows(), lake.verdicts()) == ([], {"valid": 2, "ignored": 2})
    assert lake.reasons() == ["tombstone", "tombstone"]


def test_a_decision_needs_a_name_and_a_reason(lake: SmallTopicLake) -> None:
    from aura_lake.errors import SettingsError

    with pytest.raises(SettingsError, match="needs who took it and why"):
        decide(lake.lake, ACCEPT_GAP, {}, who="ada", why=" ")
    first = decide(lake.lake, ACCEPT_GAP, {"n": 1}, who="ada", why="x")
    second = decide(lake.lake, ACCEPT_TOPIC, {"n": 2}, who="bob", why="y")
    found: list[Decision] = decisions(lake.lake)
    assert [d.number for d in (first, second)] == [0, 1]
    assert [(d.kind, d.who, d.why, d.facts) for d in found] == [
        (ACCEPT_GAP, "ada", "x", {"n": 1}),
        (ACCEPT_TOPIC, "bob", "y", {"n": 2}),
    ]
    assert [d.number for d in decisions(lake.lake, ACCEPT_TOPIC)] == [1]


def test_the_ledger_balances_over_topics_and_shows_what_is_wrong_with_them(lake: SmallTopicLake) -> None:
    lake.land(
        chunk(lane(0), [sent(0, change("c", 1, "a")), sent(3, b"poison")], following=5),
        chunk(lane(1), [sent(0, change("c", 2, "b"))]),
    )
    lake.land(chunk(lane(0), [sent(5, change("c", 3, "c"))]))
    lake.catch_up()
    ledger = count(lake.lake)
    assert ledger.problems() == []
    assert (ledger.feeds[0].records, ledger.tables[0].verdicts) == (4, {"quarantined": 1, "valid": 3})

    doubled = lake.bronze.scan().filter((pl.col("row_kind") == "record") & (pl.col("offset") == 3)).collect()
    write_deltalake(lake.bronze.uri, doubled.to_arrow(), mode="append")
    assert any("2 records stand and its range tells" in line or "3 records stand" in line for line in _off(lake))


def test_the_ledger_names_offsets_that_were_jumped_over_and_counts_those_given_up(lake: SmallTopicLake) -> None:
    lake.arrive_at(lane(), sent(0, change("c", 1, "a")))
    lake.arrive_at(lane(), sent(10, change("c", 2, "b")))
    assert any("9 offsets missing" in line for line in _off(lake))
    facts = {"feed": "things", "lane": lane().watermark, "from": 1, "to": 10}
    decide(lake.lake, ACCEPT_GAP, facts, who="ada", why="retention ran over")
    assert count(lake.lake).problems() == []


def _off(lake: SmallTopicLake) -> list[str]:
    return [first for line in count(lake.lake).feeds for equation in line.equations for first in equation.first]
