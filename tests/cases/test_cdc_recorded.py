"""A real connector's records, laid down as files, end in the rows that PostgreSQL held.

Four configurations of Debezium, with redeliveries after a SIGKILL, key changes together with unchanged TOAST
and across partitions, deletes and inserts in one transaction, truncates, interleaved transactions, an
incremental snapshot and a partitioned table inside. The oracle is a dump of PostgreSQL itself.
tests/services/test_recorded_topics.py sends the same records through a broker.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from aura_lake.contracts.contract import Kind
from aura_lake.contracts.load import load_shop
from aura_lake.contracts.problems import ContractProblemsError
from aura_lake.lake import Lake
from aura_lake.settings import Settings
from aura_lake.source.facts import TableName
from aura_lake.source.findings import Level
from aura_lake.source.preflight import look_at_tables
from aura_lake.steps.land import land
from tests.recorded_truth import assert_as_postgresql_held, assert_events_are_counted, bring_to_silver
from tests.recordings import (
    CONFIGURATIONS,
    KEYLESS,
    KEYS,
    Recording,
    draft,
    local_server,
    recording,
    shop_of,
    table_of,
    write,
)

#: What tells the configurations apart, in seconds: types, TOAST, key changes, truncates, partitions, several topics.
TELLING = {
    "a_json_precise": ("orders", "events"),
    "b_schema_precise": ("customers", "inventory", "orders"),
    "c_string_isostring": ("customers", "orders", "inventory", "carts", "events", "clicks"),
    "d_unwrap_rewrite": ("customers", "orders", "carts", "cart_lines", "events", "clicks"),
}


def lay_down(told: Recording, root: Path, half: int) -> None:
    """The first or the second half of each partition as an object; a tombstone is a `null`, as in any file."""
    lanes: dict[tuple[str, str, int], list[bytes]] = {}
    for record in told.records:
        if (table := table_of(record["topic"])) is not None:
            lane = lanes.setdefault((table, record["topic"], record["partition"]), [])
            lane.append((record["value"] or "null").encode() + b"\n")
    for (table, topic, partition), lines in lanes.items():
        middle = len(lines) // 2
        place = root / table / topic / str(partition)
        place.mkdir(parents=True, exist_ok=True)
        half_of_it = lines[middle:] if half else lines[:middle]
        (place / f"{half}.jsonl.gz").write_bytes(gzip.compress(b"".join(half_of_it), mtime=0))


def lake_of_files(told: Recording, folder: Path, tables: Sequence[str]) -> Lake:
    """A lake that got the second half of each partition first."""
    shop = shop_of(told, folder / "shop", local_server(folder / "in"), tables)
    home = folder / "lake"
    lake = Lake(Settings(project=folder, home=str(home), state=home / "state", shop=shop.path, environ={}), shop)
    for half in (1, 0):
        lay_down(told, folder / "in", half)
        for feed in shop.feeds.values():
            land(lake, feed)
        bring_to_silver(lake)
    return lake


@pytest.mark.parametrize("configuration", TELLING)
def test_a_real_connectors_files_end_in_the_rows_of_postgresql(
    shared_data: Path, tmp_path: Path, configuration: str
) -> None:
    told, tables = recording(shared_data, configuration), TELLING[configuration]
    assert_as_postgresql_held(lake_of_files(told, tmp_path, tables), told, tables)


@pytest.mark.slow
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_every_table_of_a_real_connectors_files_ends_in_the_rows_of_postgresql(
    shared_data: Path, tmp_path: Path, configuration: str
) -> None:
    told = recording(shared_data, configuration)
    everything = (*KEYS, *KEYLESS)
    assert_as_postgresql_held(lake_of_files(told, tmp_path, everything), told, everything)


def test_thousands_of_rows_written_at_once_end_in_the_rows_of_postgresql(shared_data: Path, tmp_path: Path) -> None:
    told = recording(shared_data, "c_string_isostring")
    assert_as_postgresql_held(lake_of_files(told, tmp_path, ["order_items"]), told, ["order_items"])


def test_recorded_tables_without_a_key_are_events_and_every_insert_stands(shared_data: Path, tmp_path: Path) -> None:
    told = recording(shared_data, "b_schema_precise")
    assert_events_are_counted(lake_of_files(told, tmp_path, KEYLESS), told, KEYLESS)


@pytest.mark.parametrize("table", KEYLESS)
def test_case_029_a_recorded_table_without_a_key_is_refused_as_cdc_by_its_name(
    shared_data: Path, tmp_path: Path, table: str
) -> None:
    facts = recording(shared_data, "a_json_precise").facts(table)
    findings = look_at_tables([facts], {TableName("public", table): "cdc"})
    refused = [finding for finding in findings if finding.level is Level.REFUSE and finding.check == "primary_key"]
    assert [f"public.{table} has no primary key" in finding.says for finding in refused] == [True]

    drafted = draft(facts, Kind.CDC.value)
    (tmp_path / "shop.yaml").write_text("id: recorded\n")
    write(tmp_path / drafted.file, yaml.safe_load(drafted.text))
    with pytest.raises(ContractProblemsError, match=rf"{drafted.file}:\d+: a table of kind cdc needs a key"):
        load_shop(tmp_path, "local", {})
