"""What readers need of a shop's contracts, kept beside the lake's state so that they start in no time.

Loading contracts checks them against ODCS and the commerce model, and costs a second; a question to the
lake needs names only. The digest is written by whoever loads the contracts, and counts only while the
files are byte for byte the same.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from aura_lake.settings import Settings

if TYPE_CHECKING:
    from aura_lake.contracts.contract import Shop

#: Raised when the digest's form changes.
FORM = 1

NAME = "shop_digest.json"


@dataclass(frozen=True)
class TableDigest:
    """One contract, in names. Columns are silver names."""

    name: str
    kind: str
    feed: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    event_id: tuple[str, ...]
    event_time: str | None
    personal: tuple[str, ...]
    blocking_rules: tuple[str, ...]

    @property
    def is_folded(self) -> bool:
        """Whether the table has current rows and a history beside its log."""
        return self.kind != "events"


@dataclass(frozen=True)
class ShopDigest:
    """A shop, in names."""

    id: str
    tables: dict[str, TableDigest]
    feeds: tuple[str, ...]


def digest_of(shop: Shop) -> ShopDigest:
    """The digest of loaded contracts."""
    from aura_lake.contracts.blocking import blocking_rules

    tables = {
        name: TableDigest(
            name=name,
            kind=contract.kind.value,
            feed=contract.feed,
            columns=tuple(column.silver_name for column in contract.columns),
            key=contract.key,
            event_id=contract.event_id,
            event_time=contract.event_time,
            personal=tuple(column.silver_name for column in contract.columns if column.personal),
            blocking_rules=blocking_rules(contract),
        )
        for name, contract in sorted(shop.contracts.items())
    }
    return ShopDigest(shop.id, tables, tuple(sorted(shop.feeds)))


def read_digest(settings: Settings) -> ShopDigest:
    """The shop's digest: the kept one where it is of these contracts, else made from them and kept.

    Raises ContractError where the contracts are wrong."""
    path, mark = settings.state / NAME, fingerprint(settings)
    if path.is_file():
        kept = _parse(path.read_bytes(), mark)
        if kept is not None:
            return kept
    from aura_lake.contracts.load import load_shop
    from aura_lake.lake import Lake

    filed = load_shop(settings.shop, settings.environment, settings.environ, verify=False)
    return keep_digest(settings, Lake(settings, filed).shop)


def keep_digest(settings: Settings, shop: Shop) -> ShopDigest:
    """The digest of `shop`, written into the state folder where that exists or can be made; it is only
    kept, so a folder that may not be written to costs time and nothing else."""
    digest, path = digest_of(shop), settings.state / NAME
    document = {"mark": fingerprint(settings), **asdict(digest)}
    with suppress(OSError):  # a folder that may not be written to: nothing is kept, and nothing depends on it
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{NAME}.{uuid.uuid4().hex[:8]}.tmp")
        temporary.write_text(json.dumps(document))
        temporary.replace(path)
    return digest


def fingerprint(settings: Settings) -> str:
    """A hash of the contracts' bytes, the environment they are read for, and how far decisions are: an approved
    patch changes the contracts that hold."""
    from aura_lake.approvals import decisions_mark

    total = hashlib.sha256(f"{FORM} {settings.environment} {decisions_mark(settings)}".encode())
    for path in sorted(settings.shop.glob("*.y*ml")):
        total.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return total.hexdigest()


def _parse(text: bytes, mark: str) -> ShopDigest | None:
    try:
        document: dict[str, Any] = json.loads(text)
    except ValueError:
        return None  # half a file, as after a crash: made again
    if document.get("mark") != mark:
        return None
    tables = {name: TableDigest(**_frozen(table)) for name, table in document["tables"].items()}
    return ShopDigest(document["id"], tables, tuple(document["feeds"]))


def _frozen(table: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists as the tuples they were."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
