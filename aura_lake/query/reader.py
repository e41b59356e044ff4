"""Where a lake's readers find its tables: settings, contracts in names, and the versions shown together.

`aura query`, `status` and `why` answer in 0.7 s; that leaves no time for Polars, PyArrow or the loading
of contracts. A `Reader` knows the lake without them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aura_lake.contracts.digest import ShopDigest, read_digest
from aura_lake.delta.snapshot import Snapshot
from aura_lake.errors import LakeError
from aura_lake.settings import Settings

if TYPE_CHECKING:
    from aura_lake.lake import Lake

MANIFEST = "gold/_manifest.json"


class Reader:
    """A lake for reading. Raises LakeError where the home is another shop's."""

    def __init__(self, settings: Settings, digest: ShopDigest | None = None) -> None:
        self.settings = settings
        self.digest = digest or read_digest(settings)
        self._refuse_another_shop()

    @cached_property
    def storage_options(self) -> Mapping[str, str]:
        """What deltalake needs to reach the home; empty for a local one."""
        if self.settings.is_local:
            return {}
        from aura_lake.outside.s3_environment import s3_settings
        from aura_lake.outside.s3_session import s3_storage_options

        return s3_storage_options(s3_settings(self.settings.environ), self.settings.home)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What is published: `tables` with their versions, `published_at`, `held`. Empty before the first time."""
        return self.document(MANIFEST) or {}

    def document(self, name: str) -> dict[str, Any] | None:
        """A small JSON document of the lake, or None."""
        if not self.settings.is_local:
            from aura_lake.delta.documents import read_document

            return read_document(cast("Lake", self), name)  # it asks for settings and storage options alone
        path = Path(self.settings.home) / name
        if not path.is_file():
            return None
        try:
            return dict(json.loads(path.read_bytes()))
        except ValueError as error:
            raise LakeError(
                f"{path}: not a JSON document ({path.stat().st_size} bytes).",
                fix="Restore it from a copy, or remove it and run `aura run`.",
            ) from error

    def open(self, *parts: str, pinned: str | None = None) -> Snapshot | None:
        """A table at the version that the manifest gives for the name `pinned`, else at its newest."""
        version = self.manifest.get("tables", {}).get(pinned) if pinned else None
        return Snapshot.open(self.settings.uri(*parts), self.storage_options, version)

    def gold_models(self) -> list[str]:
        """The published models."""
        prefix = "gold."
        return sorted(name.removeprefix(prefix) for name in self.manifest.get("tables", {}) if name.startswith(prefix))

    def _refuse_another_shop(self) -> None:
        owner = self.document("lake.json")
        if owner is not None and owner.get("shop") != self.digest.id:
            raise LakeError(
                f"{self.settings.home}: the lake is of the shop {owner.get('shop')!r}, and the contracts in "
                f"{self.settings.shop} are of {self.digest.id!r}.",
                fix="Point AURA_HOME at that shop's lake, or AURA_SHOP at this one's contracts.",
            )
