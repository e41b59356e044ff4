"""Must show: random SQL through PostgreSQL, Debezium, Kafka and `aura stream`, each killed with SIGKILL at random
instants; after every round silver equals the database value by value.

A marked suite. AURA_ROUNDS says how many rounds (20), AURA_SEED which ones, so that CI runs a seeded fifth:

    AURA_ROUNDS=4 AURA_SEED=7 make test-oracle

The stack stays up from round to round, and nobody touches anything but to kill it and to begin it again.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl
import pytest

from aura_lake.ledger.count import count
from tests.services.kills import SQL_SECONDS, Kill, Round, rounds
from tests.services.lake_against_sources import (
    Broker,
    differences,
    is_through,
    rows_in_postgres,
    rows_in_silver,
)
from tests.services.live_chain import LiveChain, live_chain
from tests.services.random_sql import BEATS, KEYS, TABLES, schema
from tests.services.writers import Writers

ROUNDS = int(os.environ.get("AURA_ROUNDS", "20"))
SEED = int(os.environ.get("AURA_SEED", "2024"))
CONNECTIONS = 4

#: How long the chain may take, after the last statement, to bring all of it to silver; and to begin from nothing.
#: Far more than it does: a machine may have much else to do.
SETTLE_SECONDS, BEGIN_SECONDS = 180, 300

PLAN = rounds(SEED, ROUNDS)

pytestmark = [pytest.mark.services, pytest.mark.slow]


@dataclass
class Oracle:
    """The chain, and what has been seen of it. `broken_by`: the round after which nothing can be said any more."""

    chain: LiveChain
    broker: Broker
    broken_by: str | None = None
    seen: Counter[str] = field(default_factory=Counter)

    def unlike_postgres(self) -> list[str]:
        """The first differing rows of each table."""
        lake, found = self.chain.lake(), []
        for table, columns in TABLES.items():
            silver = rows_in_silver(lake, table, columns, KEYS[table])
            wanted = rows_in_postgres(self.chain.url, table, columns, KEYS[table])
            found += [f"{table} {line}" for line in differences(silver, wanted)]
        return found

    def settle(self, number: int, seconds: float = SETTLE_SECONDS) -> None:
        """Return when silver shows the last row of all, and all that the broker has; what differs then is a failure
        only if it stays."""
        self.chain.sql(f"insert into {BEATS} values (%s, %s)", number, number)
        until = time.monotonic() + seconds
        while True:
            assert self.chain.is_streaming(), f"aura stream ended by itself\n{self.chain.last_words()}"
            lake = self.chain.lake()
            is_done = self._shows(lake, number) and self.broker.is_landed(lake) and is_through(lake)
            unlike = self.unlike_postgres() if is_done else ["the last row of the round is not in silver"]
            if is_done and not unlike:
                return
            assert time.monotonic() < until, "\n".join([*unlike, self.chain.last_words()])
            time.sleep(0.2)

    def _shows(self, lake: object, number: int) -> bool:
        found = self.chain.lake().table(BEATS).filter(pl.col("beat") == str(number)).collect()
        return not found.is_empty()


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with live_chain(tmp_path_factory.mktemp("oracle"), "oracle") as chain:
        chain.sql(schema())
        with Writers(chain.url, f"{SEED}/before", CONNECTIONS):
            time.sleep(2.0)  # rows for the connector's first snapshot
        chain.connect(list(TABLES))
        chain.begin("stream")
        oracle = Oracle(chain, Broker(chain.stack.kafka.bootstrap, [f"oracle.public.{table}" for table in TABLES]))
        oracle.settle(-1, BEGIN_SECONDS)
        yield oracle


def kill_in_time(chain: LiveChain, kills: tuple[Kill, ...]) -> None:
    """Kill each part at its instant and begin it again after a while; returns when SQL has run for its seconds."""
    begun = time.monotonic()
    events = [(kill.after, kill.part, True) for kill in kills]
    events += [(kill.after + kill.away, kill.part, False) for kill in kills]
    for at, part, is_end in sorted(events, key=lambda event: (event[0], not event[2])):
        time.sleep(max(0.0, begun + at - time.monotonic()))
        if is_end:
            chain.kill(part)
        else:
            chain.begin(part)
    time.sleep(max(0.0, begun + SQL_SECONDS - time.monotonic()))
    for kill in kills:
        chain.wait(kill.part)


@pytest.mark.parametrize("planned", PLAN, ids=str)
def test_silver_equals_the_database_after_kills(oracle: Oracle, planned: Round) -> None:
    if oracle.broken_by is not None:
        pytest.skip(f"after the failure of round {oracle.broken_by} nothing can be said of this one")
    begun = time.monotonic()
    try:
        with Writers(oracle.chain.url, planned.seed, CONNECTIONS) as writers:
            kill_in_time(oracle.chain, planned.kills)
        written = time.monotonic()
        oracle.settle(planned.number)
        settled = time.monotonic()
        lake = oracle.chain.lake()
        assert oracle.broker.unlike_bronze(lake) == []
        ledger = count(lake)
        assert ledger.problems() == []
    except BaseException:
        oracle.broken_by = str(planned)
        print(f"AURA_SEED={SEED}, round {planned}, {len(PLAN)} planned")
        raise
    oracle.seen += writers.seen
    verdicts: Counter[str] = Counter()
    for line in ledger.tables:
        verdicts.update(line.verdicts)
    print(
        f"round {planned}: {written - begun:.1f} s of SQL ({sum(writers.seen.values())} statements), "
        f"{settled - written:.1f} s to settle, {time.monotonic() - settled:.1f} s to count; {dict(verdicts)}"
    )


def test_the_rounds_were_not_idle(oracle: Oracle) -> None:
    """What was told of the log is of every kind: otherwise the rounds above show less than they say."""
    if oracle.broken_by is not None:
        pytest.skip("a round has failed")
    lake = oracle.chain.lake()
    values = pl.concat(
        lake.bronze(feed).scan().filter(pl.col("row_kind") == "record").select(pl.col("value").cast(pl.String))
        for feed in lake.shop.feeds
    )
    told = values.select(
        operation=pl.col("value").str.extract(r'"op":"(\w)"'),
        is_left_out=pl.col("value").str.contains("__debezium_unavailable_value", literal=True),
    )
    counts = dict(told.group_by("operation").len().collect().iter_rows())
    assert counts.keys() >= {"r", "c", "u", "d", "t"}, counts
    assert told.filter("is_left_out").collect().height > 0, "no long text was left out"
    for kind in ("update", "change key", "swap keys", "delete", "copy", "rolled back", "rollback to savepoint"):
        assert oracle.seen[kind] > 0, (kind, oracle.seen)
    print(f"{counts}, {told.filter('is_left_out').collect().height} with values left out; {dict(oracle.seen)}")
