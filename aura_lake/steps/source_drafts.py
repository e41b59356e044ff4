"""Write drafts of contracts into a shop's folder: beside those that stand there, or a new shop."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aura_lake.contracts.columns import is_time_zone
from aura_lake.contracts.load import SHOP_FILE, load_shop
from aura_lake.contracts.sampling import plain_name
from aura_lake.errors import ContractError
from aura_lake.outside.postgres import Address, connected
from aura_lake.outside.postgres_catalog import read_catalog
from aura_lake.outside.postgres_replication import read_server
from aura_lake.source.agreement import reads
from aura_lake.source.drafts import TableDraft, draft_contracts
from aura_lake.source.facts import DatabaseFacts
from aura_lake.source.plan import Names, PlannedTable, choose_tables, make_plan


@dataclass(frozen=True)
class Written:
    """One contract: `is_new` where it was drafted now, else it reads the table's topic already."""

    table: str
    draft: TableDraft | None
    file: Path
    is_new: bool


def write_drafts(
    folder: Path,
    planned: Sequence[PlannedTable],
    facts: DatabaseFacts,
    environ: Mapping[str, str],
    *,
    format: str = "json",
    registry: str | None = None,
) -> list[Written]:
    """Draft a contract for each table whose topic no contract of the folder reads; then load them all.

    Nothing that stands is changed. Raises ContractError where a file of that name reads something else.
    """
    environment = environ.get("AURA_ENV", "local")
    is_shop = (folder / SHOP_FILE).exists()
    shop = load_shop(folder, environment, environ) if is_shop and any(folder.glob("*.odcs.yaml")) else None
    standing = {
        one.table: contract
        for one in planned
        for contract in (shop.contracts.values() if shop else ())
        if shop is not None and reads(shop.feeds[contract.feed], one.topic)
    }
    shop_id = shop.id if shop is not None else plain_name(folder.name)
    drafts = draft_contracts(
        shop_id,
        [one for one in planned if one.table not in standing],
        facts.tables,
        source=facts.server.address,
        standing=standing,
        format=format,
        registry=registry,
    )
    written = [Written(contract.table, None, contract.path, is_new=False) for contract in standing.values()]
    written += [Written(draft.table, draft, folder / draft.file, is_new=True) for draft in drafts]
    taken = [one for one in written if one.is_new and one.file.exists()]
    if taken:
        raise ContractError(
            f"{taken[0].file} stands already and reads something else than {taken[0].table}'s topic.",
            fix="Rename it, or draft into another folder: --shop.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    if not is_shop:
        (folder / SHOP_FILE).write_text(_shop_text(shop_id, facts), encoding="utf-8")
    for one in written:
        if one.draft is not None:
            one.file.write_text(one.draft.text, encoding="utf-8")
    load_shop(folder, environment, environ)
    return written


def _shop_text(shop_id: str, facts: DatabaseFacts) -> str:
    told = re.sub(r"^(?:Etc/)?(?:UTC|GMT|UCT|Zulu|Universal)$", "UTC", facts.server.time_zone)
    zone = told if is_time_zone(told) else "UTC"
    return (
        f"# Drafted from PostgreSQL's catalog of {facts.server.address}. What holds for the whole shop.\n"
        f"id: {shop_id}\n"
        f"timeZone: {zone}  # of timestamps that name no zone; the database's own: check it\n"
        "# currency: EUR\n"
    )


def draft_database(
    folder: Path, address: Address, tables: Sequence[str], environ: Mapping[str, str]
) -> list[TableDraft]:
    """Draft a new shop for tables of a database (all, where none is named); the drafts, by table.

    Topics are named as `aura source connect postgres` names them. Raises ContractError where a shop stands there.
    """
    if (folder / SHOP_FILE).exists():
        raise ContractError(
            f"{folder}: a shop stands there already.",
            fix="Choose another name; `aura source connect postgres` adds tables to a shop.",
        )
    with connected(address) as connection:
        names = Names.after(connection.info.dbname)
        facts = DatabaseFacts(server=read_server(connection), tables=read_catalog(connection))
    chosen = choose_tables(facts.tables.values(), tables, everything=not tables)
    written = write_drafts(folder, make_plan(facts, chosen, names).tables, facts, environ)
    return sorted((one.draft for one in written if one.draft is not None), key=lambda draft: draft.table)
