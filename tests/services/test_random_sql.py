"""What the live oracle is made of, without a server: its SQL and its kills come from a seed, and are of every kind."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from tests.services.kills import KILL_UNTIL, PARTS, rounds
from tests.services.random_sql import KEYS, TABLES, RandomSql, Transaction


def transactions(seed: str, count: int = 600) -> list[Transaction]:
    return list(islice(RandomSql(seed), count))


def test_the_same_seed_gives_the_same_sql_and_another_gives_other() -> None:
    assert transactions("7/0") == transactions("7/0")
    assert transactions("7/0") != transactions("7/1")


def test_a_stream_of_sql_has_every_kind_of_statement() -> None:
    made = transactions("7/0")
    kinds = Counter(statement.kind for transaction in made for statement in transaction.statements)
    assert kinds.keys() == {
        "upsert", "insert", "insert many", "update", "update many", "change key", "swap keys", "delete", "delete many",
        "delete and insert", "copy", "truncate", "savepoint", "rollback to savepoint", "release savepoint",
    }  # fmt: skip
    kept = Counter(transaction.is_kept for transaction in made)
    assert kept[True] > kept[False] > 20
    assert any(statement.pause for transaction in made for statement in transaction.statements), "some are long"
    assert any(len(cell or "") > 2_000 for t in made for s in t.statements for row in s.rows for cell in row)


def test_every_table_has_a_key_that_is_among_its_columns() -> None:
    assert KEYS.keys() == TABLES.keys()
    assert all(set(key) <= TABLES[table].keys() for table, key in KEYS.items())
    assert max(len(key) for key in KEYS.values()) > 1


def test_each_part_is_killed_before_one_is_killed_again() -> None:
    planned = rounds(7, 20)
    assert planned[:5] == rounds(7, 5)
    assert planned != rounds(8, 20)
    assert any(len(one.kills) == 2 for one in planned)
    assert all(0 < kill.after < KILL_UNTIL for one in planned for kill in one.kills)
    for first in range(0, 20, len(PARTS)):
        turn = planned[first : first + len(PARTS)]
        assert {kill.part for one in turn for kill in one.kills} == set(PARTS)
