"""SQL contracts as ODCS text, and as files of a shop that are known to load there."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aura_lake.contracts.beside import files_of, load_beside, read_plain
from aura_lake.contracts.load import SHOP_FILE
from aura_lake.contracts.sql_contract import read_sql
from aura_lake.contracts.sql_odcs import as_yaml, table_of, to_odcs
from aura_lake.errors import ContractError


@dataclass(frozen=True)
class Installed:
    """One contract that was written."""

    table: str
    file: Path
    replaced: bool
    rules: int


def translate(text: str, file: Path) -> list[str]:
    """The statements of a file as ODCS, one text a statement, of no shop yet."""
    return [as_yaml(to_odcs(contract, "shop"), contract, file.name) for contract in read_sql(text, file)]


def install(
    text: str, file: Path, shop: Path, environment: str, environ: Mapping[str, str], replace: bool
) -> list[Installed]:
    """Write the statements of a file into a shop, all or none. Raises ContractError where a table has a contract and
    `replace` is not said, and where one of them would not load there; then nothing is written."""
    if not (shop / SHOP_FILE).exists():
        raise ContractError(f"{shop}: there is no shop.", fix=f"Write {SHOP_FILE} there, with a line `id: my_shop`.")
    standing = files_of(shop)
    texts: dict[Path, str] = {}
    tables: dict[Path, str] = {}
    for contract in read_sql(text, file):
        table = table_of(contract)
        old = standing.get(table)
        if old is not None and not replace:
            raise ContractError(
                f"{shop}: the table {table} has a contract, {old.name}.",
                fix="--replace lays the statement over it; without --into it is only printed.",
            )
        target = old or shop / f"{table}.odcs.yaml"
        document = to_odcs(contract, shop.name, read_plain(old) if old else None)
        texts[target], tables[target] = as_yaml(document, contract, file.name), table
    with tempfile.TemporaryDirectory() as folder:
        tried = [Path(folder) / target.name for target in texts]
        for place, written in zip(tried, texts.values(), strict=True):
            place.write_text(written, encoding="utf-8")
        loaded = load_beside(shop, tried, environment, environ)
    for target, written in texts.items():
        target.write_text(written, encoding="utf-8")
    return [
        Installed(table, target, table in standing, len(loaded.contracts[table].row_rules))
        for target, table in tables.items()
    ]
