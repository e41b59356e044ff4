"""What the graph of the demo shop is, before there is any data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, AssetSpec, Definitions

from aura_lake.contracts.contract import Shop
from aura_lake.contracts.load import load_shop
from aura_lake.contracts.rule_list import row_rules
from aura_lake.errors import ContractError
from aura_lake.orchestration.discovery import FOUND
from aura_lake.orchestration.run import load_definitions
from tests.graph.graph_list import GOLDEN, MART, list_graph
from tests.graph.tiny import CONTRACTS, settings_for


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("definitions") / "lake"


@pytest.fixture(scope="module")
def defs(home: Path) -> Definitions:
    return load_definitions(settings_for(MART, home, {}))


@pytest.fixture(scope="module")
def mart() -> Shop:
    return load_shop(MART, "local", {})


def specs(defs: Definitions) -> list[AssetSpec]:
    return [spec for assets in defs.assets or [] for spec in assets.specs]  # type: ignore[union-attr]


def tables(defs: Definitions) -> list[AssetSpec]:
    """All assets but the one that is a document and no table."""
    return [spec for spec in specs(defs) if spec.key != FOUND]


def test_the_graph_is_the_golden_one(defs: Definitions) -> None:
    golden: dict[str, Any] = json.loads(GOLDEN.read_text())
    assert list_graph(defs) == golden, "python -m tests.graph.graph_list writes it anew"


def test_definitions_load_without_data_and_write_no_table(defs: Definitions, home: Path) -> None:
    Definitions.validate_loadable(defs)
    assert [path.name for path in home.iterdir()] == ["state"]


def test_every_asset_says_what_it_is_and_who_owns_it(defs: Definitions) -> None:
    for spec in specs(defs):
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.group_name == spec.key.path[0], spec.key
    for spec in tables(defs):
        assert spec.freshness_policy is not None, spec.key
        assert spec.metadata["dagster/table_name"] == ".".join(spec.key.path)
        assert spec.metadata["dagster/uri"].endswith("/".join(spec.key.path).removesuffix("_restated"))


def test_every_column_has_a_description(defs: Definitions) -> None:
    bare = [
        f"{spec.key.to_user_string()}.{column.name}"
        for spec in tables(defs)
        for column in spec.metadata["dagster/column_schema"].columns
        if not column.description
    ]
    assert bare == []


def test_every_rule_of_every_contract_is_a_check(defs: Definitions, mart: Shop) -> None:
    checks = {(key.asset_key, key.name) for key in defs.resolve_asset_graph().asset_check_keys}
    for contract in mart.contracts.values():
        asset = AssetKey(["silver", contract.table])
        names = [rule.name for rule in (*row_rules(contract), *contract.table_rules)]
        assert [name for name in names if (asset, name) not in checks] == []


def test_no_check_blocks_because_it_would_stop_the_whole_dbt_op(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    assert [key for key in graph.asset_check_keys if graph.get(key).blocking] == []


def test_each_op_that_writes_has_a_pool_of_its_own(defs: Definitions) -> None:
    pools = [assets.node_def.pool for assets in defs.assets or []]  # type: ignore[union-attr]
    assert None not in pools
    assert len(pools) == len(set(pools))


def test_a_wrong_contract_is_told_by_file_line_and_fix(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    for file in CONTRACTS.iterdir():
        (shop / file.name).write_text(file.read_text().replace("list_price > 0", "list_prize > 0"))
    with pytest.raises(ContractError, match=r"products\.odcs\.yaml.*list_prize"):
        load_definitions(settings_for(shop, tmp_path / "lake", {"TINY_DATA": str(tmp_path)}))


def test_a_second_look_reads_the_kept_dbt_project(
    home: Path, defs: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(*_: object) -> Path:
        raise AssertionError("dbt was asked again")

    monkeypatch.setattr("aura_lake.warehouse.dbt_runner.DbtGold.parse", parse)
    again = load_definitions(settings_for(MART, home, {}))
    assert list_graph(again) == list_graph(defs)
