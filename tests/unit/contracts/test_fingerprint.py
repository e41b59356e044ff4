"""What makes a contract another one for the rows that were judged by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from aura_lake.contracts.contract import Contract, Feed, Format, RowRule, Severity, Shop, TableRule
from aura_lake.contracts.fingerprint import contract_fingerprint, shape_fingerprint
from tests.changes import things

RULE = RowRule("size_is_positive", "size > 0")


def fingerprint(contract: Contract, feed: Feed | None = None, time_zone: str = "UTC") -> int:
    feeds = {"things": feed or Feed("things", "/in", Format.JSONL)}
    return contract_fingerprint(contract, Shop("test", Path(), {"things": contract}, feeds, time_zone=time_zone))


def test_what_changes_a_verdict_or_a_value_changes_it() -> None:
    base = things(row_rules=(RULE,))
    size = base.columns[2]
    others = [
        things(),
        things(row_rules=(replace(RULE, expression="size > 1"),)),
        things(row_rules=(replace(RULE, severity=Severity.WARN),)),
        things(row_rules=(RULE,), filter="word = 'x'"),
        things(row_rules=(RULE,), columns=(*base.columns[:2], replace(size, synonyms=("length",)))),
        things(row_rules=(RULE,), columns=(*base.columns[:2], replace(size, dtype=pl.Int32()))),
        things(row_rules=(RULE,), columns=(*base.columns[:2], replace(size, readings=("thousands",)))),
    ]
    numbers = [fingerprint(contract) for contract in (base, *others)]
    numbers.append(fingerprint(base, time_zone="Europe/Paris"))
    assert len(set(numbers)) == len(numbers)


def test_what_changes_neither_does_not_change_it() -> None:
    base = things(row_rules=(RULE,))
    column = replace(base.columns[1], description="told")
    others = [
        replace(base, owner="ann", version="2.0.0", description="told", path=Path("elsewhere"), error_budget=0.1),
        replace(base, table_rules=(TableRule("few", "volume", (), minimum=1),)),
        replace(base, row_rules=(replace(RULE, severity=Severity.BLOCK, description="told"),)),
        replace(base, columns=(base.columns[0], column, base.columns[2])),
        replace(base, columns=base.columns[::-1]),
    ]
    assert {fingerprint(contract) for contract in others} == {fingerprint(base)}
    assert fingerprint(base, Feed("things", "kafka://live:9092", Format.AVRO)) == fingerprint(base)


def test_the_number_of_a_contract_stays_what_it_was() -> None:
    """Another number after an upgrade would judge every lake again."""
    assert fingerprint(things(row_rules=(RULE,))) == 1_873_179_407_206_328
    assert shape_fingerprint(things()) == 3_060_584_550_782_477


def test_the_shape_is_about_units_key_and_partitions_alone() -> None:
    assert shape_fingerprint(things(row_rules=(RULE,), filter="word = 'x'")) == shape_fingerprint(things())
    assert shape_fingerprint(things(columns=things().columns[:2])) == shape_fingerprint(things())
    assert shape_fingerprint(things(array="lines")) != shape_fingerprint(things())
    key = replace(things().columns[0], dtype=pl.Int64())
    assert shape_fingerprint(things(columns=(key, *things().columns[1:]))) != shape_fingerprint(things())
