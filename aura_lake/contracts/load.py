"""Read a shop: its `shop.yaml` and every contract in its folder.

All that is wrong is collected and raised together, each with file, line and fix, before
anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aura_lake.contracts.columns import is_time_zone
from aura_lake.contracts.contract import Contract, Discovery, Feed, Kind, Shop
from aura_lake.contracts.discovery import read_discovery
from aura_lake.contracts.element import Element
from aura_lake.contracts.model import commerce_model
from aura_lake.contracts.odcs import check_standard
from aura_lake.contracts.problems import Problems, did_you_mean
from aura_lake.contracts.servers import read_feeds, same_place
from aura_lake.contracts.table_contract import read_table
from aura_lake.contracts.yaml_source import read_document
from aura_lake.errors import ContractError

SHOP_FILE = "shop.yaml"
CONTRACT_ENDINGS = (".odcs.yaml", ".odcs.yml")
_SHOP_KEYS = ("id", "timeZone", "currency", "allowedLatenessHours", "owners", "approvers", "discovery", "description")
_SHOP_ID = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def load_shop(
    path: Path,
    environment: str,
    environ: Mapping[str, str],
    *,
    verify: bool = True,
    also: Sequence[Path] = (),
    without: Sequence[Path] = (),
) -> Shop:
    """The shop in the folder `path`, with the servers of `environment`.

    `also`: contracts that lie elsewhere, read as if they lay in the folder (drafts, before they are moved there).
    `without`: contracts in the folder that are left out.

    `environ` is what `${VAR}` in a server's location is expanded in. `verify=False` leaves
    out ODCS's JSON Schema and the typing of expressions (half a second, mostly imports), for
    commands that only look at a lake whose contracts were checked when it was written.

    Raises `ContractError` (`ContractProblemsError`) with every problem of every file.
    """
    problems = Problems()
    settings = _read_settings(path, problems)
    reading = _Reading(path, environment, environ, problems, settings, verify)
    for file in (*_contract_files(path, problems), *also):
        if file not in without:
            reading.read(file)
    reading.check_references()
    problems.raise_if_any(f"the shop {path}")
    return Shop(
        id=settings["id"],
        path=path,
        contracts=dict(sorted(reading.contracts.items())),
        feeds=dict(sorted(reading.feeds.items())),
        time_zone=settings["time_zone"],
        currency=settings["currency"],
        allowed_lateness_hours=settings["lateness"],
        owners=settings["owners"],
        approvers=settings["approvers"],
        discovery=settings["discovery"],
    )


def load_contract(file: Path, environment: str = "local", environ: Mapping[str, str] | None = None) -> Contract:
    """The contract in one file, read with its shop; raises as `load_shop` does."""
    shop = load_shop(file.parent, environment, environ or {})
    for contract in shop.contracts.values():
        if contract.path.resolve() == file.resolve():
            return contract
    raise ContractError(
        f"{file}: the contract has no schema, so it is a feed and no table.",
        fix="Add `schema:` with a table's name and properties.",
    )


def _contract_files(path: Path, problems: Problems) -> list[Path]:
    files = sorted(f for f in path.iterdir() if f.suffix in (".yaml", ".yml"))
    contracts = [f for f in files if f.name.endswith(CONTRACT_ENDINGS)]
    for file in files:
        if file not in contracts and file.name != SHOP_FILE:
            problems.add(
                file,
                1,
                "the file is neither shop.yaml nor a contract.",
                f"Name a contract {file.stem}.odcs.yaml, or move the file elsewhere.",
            )
    if not contracts:
        problems.add(
            path / SHOP_FILE,
            1,
            "the folder has no contracts (*.odcs.yaml).",
            "`aura init` drafts them from the records.",
        )
    return contracts


def _read_settings(path: Path, problems: Problems) -> dict[str, Any]:
    """What shop.yaml says; defaults where it says nothing or something wrong."""
    if not path.is_dir():
        raise ContractError(
            f"{path}: there is no such folder of contracts.",
            fix="Point AURA_SHOP at a folder with shop.yaml and *.odcs.yaml.",
        )
    settings: dict[str, Any] = {
        "id": "",
        "time_zone": "UTC",
        "currency": None,
        "lateness": 72.0,
        "owners": {},
        "approvers": {},
        "discovery": Discovery(),
    }
    file = path / SHOP_FILE
    if not file.exists():
        problems.add(file, 1, "the shop has no shop.yaml.", "Create it with a line `id: my_shop`.")
        return settings
    document = read_document(file, problems)
    shop = Element.root(document, problems) if document else None
    if shop is None:
        return settings
    for key in shop.value:
        if key not in _SHOP_KEYS:
            shop.problem(f"the key {key!r} means nothing here.", did_you_mean(key, _SHOP_KEYS), key=key)
    settings["id"] = _shop_id(shop)
    settings["time_zone"] = _shop_time_zone(shop)
    settings["currency"] = _shop_currency(shop)
    settings["lateness"] = _shop_lateness(shop)
    settings["owners"] = _shop_owners(shop)
    settings["approvers"] = _shop_approvers(shop)
    settings["discovery"] = read_discovery(shop, path)
    return settings


def _shop_id(shop: Element) -> str:
    given = shop.text("id") or ""
    if not _SHOP_ID.fullmatch(given):
        shop.problem(
            f"the shop's id is {given!r}.",
            "Small letters, digits, - and _, beginning with a letter. A lake keeps it for ever.",
            key="id",
        )
    return given


def _shop_time_zone(shop: Element) -> str:
    zone = shop.text("timeZone") or "UTC"
    if not is_time_zone(zone):
        shop.problem(f"there is no time zone {zone!r}.", "Write e.g. Europe/Berlin.", key="timeZone")
    return zone


def _shop_currency(shop: Element) -> str | None:
    currency = shop.text("currency")
    if currency is not None and not _CURRENCY.fullmatch(currency):
        shop.problem(f"{currency!r} is no currency.", "Three capitals of ISO 4217, e.g. EUR.", key="currency")
    return currency


def _shop_lateness(shop: Element) -> float:
    hours = shop.value.get("allowedLatenessHours", 72)
    if isinstance(hours, bool) or not isinstance(hours, (int, float)) or not 0 <= hours <= 24 * 366:
        shop.problem(
            f"allowedLatenessHours is {hours!r}.",
            "Write hours from 0 to 8,784.",
            key="allowedLatenessHours",
        )
        return 72.0
    return float(hours)


def _shop_owners(shop: Element) -> dict[str, str]:
    owners = shop.child("owners")
    found = {}
    for name in owners.value if owners else {}:
        owner = owners.text(name) if owners else None
        if owners is not None and owner is not None:
            if "@" not in owner and not owner.startswith("team:"):
                owners.problem(
                    f"the owner {owner!r} is no address.",
                    "Write an e-mail address, or team:name.",
                    key=name,
                )
            found[name] = owner
    return found


def _shop_approvers(shop: Element) -> dict[str, tuple[str, ...]]:
    approvers = shop.child("approvers")
    found: dict[str, tuple[str, ...]] = {}
    for name, people in approvers.value.items() if approvers else ():
        if isinstance(people, list) and people and all(isinstance(p, str) and p.strip() for p in people):
            found[name] = tuple(people)
        elif approvers is not None:
            approvers.problem(f"the approvers of {name!r} are no list of people.", "Write e.g. [U061F7AUR].", key=name)
    return found


class _Reading:
    """The contracts of one shop while they are read."""

    def __init__(
        self,
        shop: Path,
        environment: str,
        environ: Mapping[str, str],
        problems: Problems,
        settings: Mapping[str, Any],
        verify: bool,
    ) -> None:
        self._shop, self._environment, self._environ = shop, environment, environ
        self._problems, self._settings, self._verify = problems, settings, verify
        self.contracts: dict[str, Contract] = {}
        self.feeds: dict[str, Feed] = {}
        self._feed_places: dict[str, Path] = {}
        self._elements: dict[str, Element] = {}

    def read(self, file: Path) -> None:
        """Read one contract file."""
        document = read_document(file, self._problems)
        contract = Element.root(document, self._problems) if document else None
        if contract is None:
            return
        model = commerce_model()
        if self._verify:
            check_standard(contract, model)
        feeds = read_feeds(contract, self._shop, self._environment, self._environ)
        for server, feed in feeds:
            self._add_feed(server, feed, contract)
        tables = contract.children("schema")
        if not tables:
            return
        if len(tables) > 1:
            tables[1].problem(f"the contract holds {len(tables)} tables.", "Write one file a table.", key="name")
        if len(feeds) > 1:
            contract.problem(
                f"the table has {len(feeds)} servers in the environment {self._environment!r}.",
                "A table takes its records from one feed: give each server its environment.",
                key="servers",
            )
        fed = feeds[0][1] if feeds else None
        read = read_table(
            contract,
            tables[0],
            fed.name if fed else "",
            model,
            currency=self._settings["currency"],
            owners=self._settings["owners"],
            verify=self._verify,
        )
        if read is not None:
            self._add_contract(tables[0], self._as_fed(contract, read, fed))

    def _as_fed(self, document: Element, contract: Contract, feed: Feed | None) -> Contract:
        """The contract with what its server says of the way values are written there."""
        if feed is None or feed.decimals is None:
            return contract
        if contract.kind is not Kind.CDC:
            document.problem(
                f"the server {feed.name!r} says how Debezium writes decimals, and {contract.table} is of kind "
                f"{contract.kind.value}.",
                "Take the custom property decimals out of the server.",
                key="servers",
            )
        return replace(contract, decimals=feed.decimals)

    def check_references(self) -> None:
        """Foreign keys have to name a column of a table that exists."""
        model = commerce_model()
        known = {name: {c.name for c in table.columns} for name, table in model.items()}
        for table, contract in self.contracts.items():
            known[table] = {column.name for column in contract.columns}
        for table, contract in self.contracts.items():
            for rule in contract.table_rules:
                target, _, column = (rule.references or "").partition(".")
                if rule.references is not None and column not in known.get(target, set()):
                    self._elements[table].problem(
                        f"the rule {rule.name!r} refers to {rule.references!r}, which no contract has.",
                        did_you_mean(rule.references, [f"{t}.{c}" for t in known for c in known[t]]),
                    )

    def _add_feed(self, server: Element, feed: Feed, contract: Element) -> None:
        standing = self.feeds.get(feed.name)
        owner = self._settings["owners"].get(feed.name) or self._settings["owners"].get("default")
        feed = Feed(**{**vars(feed), "owner": owner})
        if standing is None:
            self.feeds[feed.name] = feed
            self._feed_places[feed.name] = contract.document.file
        elif not same_place(standing, feed):
            server.problem(
                f"the server {feed.name!r} is defined otherwise in "
                f"{self._feed_places[feed.name].name}: one has {_differences(standing, feed)}.",
                "Contracts that name the same server share one feed: make them agree, or name this one otherwise.",
                key="server",
            )
        elif not standing.description:
            self.feeds[feed.name] = feed

    def _add_contract(self, table: Element, contract: Contract) -> None:
        standing = self.contracts.get(contract.table)
        if standing is not None:
            table.problem(
                f"the table {contract.table!r} is also in {standing.path.name}.",
                "One contract a table: remove one, or rename its table.",
                key="name",
            )
            return
        self.contracts[contract.table] = contract
        self._elements[contract.table] = table


def _differences(one: Feed, other: Feed) -> str:
    names = ["location", "format", "delimiter", "endpoint_url", "layout", "include", "topics", "registry"]
    names += ["decimals", "notifications"]
    pairs = [(name, getattr(one, name), getattr(other, name)) for name in names]
    return "; ".join(f"{name} {mine}, the other {its}" for name, mine, its in pairs if mine != its)
