"""Shadow contracts: another contract of a table, judged beside the one that holds on every new batch, and only counted.

A file in `<shop>/shadow/` is the shadow of the table it names. What it would have done with each group of batches is
kept in the lake's document `shadow/<table>.json` and changes nothing else. The counts of a group are written before
its commit, and those of a group that is judged again take the place of what was counted from there on: a death in
between counts nothing twice. A shadow that does not load stops nothing; the document says why it is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import polars as pl

from aura_lake.contracts.beside import load_beside, read_plain, table_in
from aura_lake.contracts.contract import Contract
from aura_lake.contracts.fingerprint import contract_fingerprint
from aura_lake.contracts.load import CONTRACT_ENDINGS
from aura_lake.contracts.tally import RuleCount, Tally, severities
from aura_lake.contracts.verdicts import UNIT
from aura_lake.delta.documents import list_documents, read_document, write_document
from aura_lake.errors import AuraError, ContractError
from aura_lake.lake import Lake
from aura_lake.steps.unit_judge import UnitJudge

#: The folder of shadow contracts in the shop's, and that of what they would have done in the lake.
FOLDER = "shadow"

#: So many groups of batches are kept one by one; earlier ones are kept as their sum, `earlier`.
KEPT = 200

_SUMMED = ("units", "would_pass", "would_wait")
_COUNTS = ("before", "now", "newly", "no_longer")


@dataclass(frozen=True)
class _Found:
    """A shadow contract and the lake under it; or why it cannot be judged."""

    lake: Lake | None
    contract: Contract | None
    trouble: str | None = None


class Shadow:
    """The shadow of one table while its new batches are judged."""

    def __init__(self, lake: Lake, under: Lake, contract: Contract) -> None:
        self._lake, self._contract, self._shop = lake, contract, under.shop
        self._judge = UnitJudge(under, contract, again=True)
        self._tally = Tally()
        self.units = self.passing = self.waiting = 0

    def see(
        self, records: pl.DataFrame, headers: pl.DataFrame, live: pl.DataFrame | None, judged: pl.DataFrame
    ) -> None:
        """Count a slice; `judged`: what the contract that holds made of it. Copies count under neither."""
        copies = judged.filter(pl.col("verdict") == "duplicate").select(UNIT)
        now = self._judge(records, headers, live)
        before, now = (each.join(copies, on=UNIT, how="anti", nulls_equal=True) for each in (judged, now))
        self._tally.add(before, now)

    def keep(self, first: int, last: int) -> None:
        """Write down what was counted since the last time, as that of these batches."""
        tally, self._tally = self._tally, Tally()
        self.units += tally.units
        self.passing += tally.passing
        self.waiting += tally.waiting
        entry = {"from": first, "to": last, "at": datetime.now(UTC).isoformat(timespec="seconds"), **tally.to_json()}
        entry["would_block"] = tally.blocks(self._contract)
        mark = contract_fingerprint(self._contract, self._shop)
        standing = read_document(self._lake, _name(self._contract.table)) or {}
        same = standing.get("fingerprint") == mark
        batches = [each for each in standing.get("batches", []) if same and each["to"] < first] + [entry]
        earlier = standing.get("earlier") if same else None
        for dropped in batches[:-KEPT]:
            earlier = _sum(earlier, dropped)
        document = {
            "table": self._contract.table,
            "file": self._contract.path.name,
            "version": self._contract.version,
            "fingerprint": mark,
            "severities": {name: severity.value for name, severity in severities(self._contract).items()},
            "batches": batches[-KEPT:],
            "earlier": earlier,
        }
        write_document(self._lake, _name(self._contract.table), document)


def shadow_of(lake: Lake, contract: Contract) -> Shadow | None:
    """The shadow of a table; None where it has none, or one that cannot be judged (its document says why)."""
    folder = lake.settings.shop / FOLDER
    if not folder.is_dir():
        return None
    stats = [(file.name, file.stat()) for file in sorted(folder.iterdir()) if file.name.endswith(CONTRACT_ENDINGS)]
    found = _find(lake, contract, tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats))
    if found is None:
        return None
    if found.lake is not None and found.contract is not None:
        return Shadow(lake, found.lake, found.contract)
    trouble: dict[str, Any] = {"table": contract.table, "trouble": found.trouble, "batches": [], "earlier": None}
    if (read_document(lake, _name(contract.table)) or {}).get("trouble") != found.trouble:
        write_document(lake, _name(contract.table), trouble)
    return None


def shadows(lake: Lake) -> list[dict[str, Any]]:
    """What each shadow would have done, by table: its document with `total`, the sum over all its batches."""
    found = []
    for name in list_documents(lake, FOLDER):
        document = read_document(lake, name)
        if document is not None:
            total = document["earlier"]
            for entry in document["batches"]:
                total = _sum(total, entry)
            found.append({**document, "total": total})
    return found


@lru_cache(maxsize=64)
def _find(lake: Lake, contract: Contract, files: tuple[tuple[str, int, int], ...]) -> _Found | None:
    """The shadow of a table among these files (name, time, size): read again only where one of them changed."""
    settings = lake.settings
    for name, _, _ in files:
        file = settings.shop / FOLDER / name
        try:
            if table_in(read_plain(file)) != contract.table:
                continue
            under = Lake(settings, load_beside(settings.shop, [file], settings.environment, settings.environ))
            shadow = under.contract(contract.table)
            if shadow.feed != contract.feed:
                raise ContractError(f"{file}: it reads {shadow.feed}, and {contract.table} reads {contract.feed}.")
            return _Found(under, shadow)
        except AuraError as error:
            return _Found(None, None, str(error))
    return None


def _name(table: str) -> str:
    return f"{FOLDER}/{table}.json"


def _sum(one: Mapping[str, Any] | None, other: Mapping[str, Any]) -> dict[str, Any]:
    """Two entries as one: counts added, the batches from the first to the last."""
    if one is None:
        one = {"from": other["from"], **dict.fromkeys(_SUMMED, 0), "rules": {}}
    none = vars(RuleCount())
    rules = {
        name: {
            **{count: sum(each["rules"].get(name, none)[count] for each in (one, other)) for count in _COUNTS},
            "first": one["rules"].get(name, none)["first"] or other["rules"].get(name, none)["first"],
        }
        for name in sorted({*one["rules"], *other["rules"]})
    }
    summed = {name: one[name] + other[name] for name in _SUMMED}
    return {"from": one["from"], "to": other["to"], **summed, "rules": rules}
