"""Contracts that lie elsewhere, read in the place of those that a shop has for their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aura_lake.contracts.contract import Contract, Shop
from aura_lake.contracts.load import CONTRACT_ENDINGS, SHOP_FILE, load_shop
from aura_lake.contracts.problems import Problems
from aura_lake.contracts.yaml_source import read_document
from aura_lake.errors import ContractError


def read_plain(file: Path) -> dict[str, Any]:
    """A contract file as YAML reads it. Raises ContractError where it is none."""
    if not file.is_file():
        raise ContractError(f"{file}: there is no such file.", fix="Name a contract, *.odcs.yaml.")
    problems = Problems()
    document = read_document(file, problems)
    problems.raise_if_any(str(file))
    if document is None or not isinstance(document.data, dict):
        raise ContractError(f"{file}: the file is no contract.", fix="Name a contract, *.odcs.yaml.")
    return document.data


def table_in(document: Mapping[str, Any]) -> str | None:
    """The table that a contract's document is about; None of a feed alone."""
    schema = document.get("schema")
    table = schema[0].get("name") if isinstance(schema, list) and schema and isinstance(schema[0], dict) else None
    return table if isinstance(table, str) else None


def files_of(shop: Path) -> dict[str, Path]:
    """The contract file of each table in a shop's folder, by table; other files are left out."""
    found = {}
    for file in sorted(shop.iterdir()):
        if file.name.endswith(CONTRACT_ENDINGS) and (table := table_in(read_plain(file))) is not None:
            found[table] = file
    return found


def load_beside(shop: Path, files: Sequence[Path], environment: str, environ: Mapping[str, str]) -> Shop:
    """The shop with these contracts in the place of those of the same tables, as if they lay in its folder.

    Raises ContractError as `load_shop` does.
    """
    tables = {table for file in files if (table := table_in(read_plain(file))) is not None}
    inside = {file.resolve() for file in files}
    standing = [file for table, file in files_of(shop).items() if table in tables or file.resolve() in inside]
    return load_shop(shop, environment, environ, also=list(files), without=standing)


def contracts_at(
    place: Path, shop: Path, environment: str, environ: Mapping[str, str]
) -> tuple[Shop, dict[str, Contract]]:
    """(the shop, the contracts meant by table) at a folder with a shop.yaml, or of one file: read with the shop in
    its own folder where it lies in one, else in the place of the table's in `shop`."""
    if place.is_dir():
        loaded = load_shop(place, environment, environ)
        return loaded, dict(loaded.contracts)
    table = table_in(read_plain(place))
    if table is None:
        raise ContractError(f"{place}: the contract has no table.", fix="Add `schema:` with a table.")
    is_home = (place.parent / SHOP_FILE).exists() and place.name.endswith(CONTRACT_ENDINGS)
    loaded = (
        load_shop(place.parent, environment, environ) if is_home else load_beside(shop, [place], environment, environ)
    )
    return loaded, {table: loaded.contracts[table]}
