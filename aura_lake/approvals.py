"""Patches that were approved, and stand: what makes the contracts that hold out of those in the files.

An approval names one patch by its hash and carries it whole, so that it holds whatever is proposed later. Rolled
back, it no longer stands; approved again, it stands at the end of the line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aura_lake.contracts.contract import Shop
    from aura_lake.decisions import Decision
    from aura_lake.drift.patch import Patch
    from aura_lake.lake import Lake
    from aura_lake.settings import Settings

#: Kinds of decisions on patches. All have `feed`, `id` and `hash`; an approval the `patch`, the `tables` it concerns
#: and the batch of bronze its rows begin with (`from_batch`), and so has what takes it back; a snooze has `until`.
APPROVED, REJECTED, ROLLED_BACK, SNOOZED = "patch_approved", "patch_rejected", "patch_rolled_back", "patch_snoozed"

#: Where decisions stand under a lake's home.
_PLACE = ("bronze", "decisions")


@dataclass(frozen=True)
class Approval:
    """One approved patch that stands."""

    id: str
    patch: Patch
    decision: Decision


def approvals(lake: Lake) -> list[Approval]:
    """The approved patches that stand, in the order of their approvals. Raises PatchRefused where a decision holds
    another patch than it names."""
    from aura_lake.decisions import decisions
    from aura_lake.drift.patch import PatchRefused, read_patch

    if not _may_have_decisions(lake.settings):
        return []
    standing: dict[str, Approval] = {}
    for decision in decisions(lake, APPROVED, ROLLED_BACK):
        facts = decision.facts
        standing.pop(facts["id"], None)
        if decision.kind == APPROVED:
            patch = read_patch(facts["patch"])
            if patch.hash != facts["hash"]:
                raise PatchRefused(
                    f"Decision {decision.number} approves a patch by the hash {facts['hash'][:12]} and holds another.",
                    fix=f"`aura drift rollback {facts['id']}`.",
                )
            standing[facts["id"]] = Approval(facts["id"], patch, decision)
    return list(standing.values())


def effective_shop(filed: Shop, standing: list[Approval]) -> Shop:
    """The contracts that hold. Raises ContractError naming the approval that contradicts the files."""
    from aura_lake.drift.apply import patched_shop
    from aura_lake.drift.patch import PatchRefused

    shop = filed
    for approval in standing:
        try:
            shop = patched_shop(shop, [approval.patch])
        except PatchRefused as refused:
            raise PatchRefused(
                f"The approved patch {approval.id} does not go with the contracts of {approval.patch.feed} any more. "
                f"{refused.what}",
                fix=f"`aura drift rollback {approval.id}`, or take back the change of the contract.",
            ) from refused
    return shop


def decisions_mark(settings: Settings, storage_options: Mapping[str, str] | None = None) -> str:
    """What tells whether anything was decided since: the newest commit of the decisions. Reads a folder's names, or
    the table's log where the lake is remote."""
    if settings.is_local:
        try:
            names = os.listdir(Path(settings.home, *_PLACE, "_delta_log"))
        except FileNotFoundError:
            return ""
        return max((name for name in names if name.endswith(".json")), default="")
    from aura_lake.delta.snapshot import Snapshot

    snapshot = Snapshot.open(settings.uri(*_PLACE), storage_options or _storage_options(settings))
    return "" if snapshot is None else str(snapshot.version)


def _storage_options(settings: Settings) -> dict[str, Any]:
    from aura_lake.outside.s3_environment import s3_settings
    from aura_lake.outside.s3_session import s3_storage_options

    return dict(s3_storage_options(s3_settings(settings.environ), settings.home))


def _may_have_decisions(settings: Settings) -> bool:
    return not settings.is_local or Path(settings.home, *_PLACE).is_dir()
