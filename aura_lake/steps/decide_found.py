"""What a person decides of something that was found: its draft becomes a contract, or it is left alone.

The decision is written first, then the file is moved: accepting again ends what was broken off between the two.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from aura_lake.contracts.load import load_shop
from aura_lake.decisions import decide
from aura_lake.discovery.found import ACCEPT_FOUND, IGNORE_FOUND, Discovered, Found, State, facts_of, is_same_feed
from aura_lake.errors import ContractError, QueryError
from aura_lake.lake import Lake
from aura_lake.steps.discover import draft_file, keep_discovered, read_discovered


def accept_found(lake: Lake, name: str, *, who: str, why: str) -> Path:
    """Make the draft of what was found a contract of the shop; where it stands now.

    Raises QueryError where nothing of that name waits, ContractError where the draft does not load beside the
    shop's contracts, or would read other records than have landed: then nothing was changed.
    """
    discovered = read_discovered(lake)
    found = _named(discovered, name)
    draft = draft_file(lake, found)
    target = lake.shop.path / draft.name
    if found.state == State.NAMED:
        raise QueryError(f"{name!r} is in the contracts already.", fix=f"Look at bronze.{name}.")
    if not draft.is_file():
        raise ContractError(
            f"{name!r} has no draft: there is no {draft}.",
            fix="`aura discover look` writes it once there are records; or write the contract yourself, with the "
            f"server's name {name!r}, so that its table reads what has landed.",
        )
    if target.exists():
        raise ContractError(f"{target} stands there already.", fix=f"Rename {draft}, or remove one of the two.")
    _check(lake, found, draft)
    if found.state != State.ACCEPTED:
        decide(lake, ACCEPT_FOUND, facts_of(found), who=who, why=why)
    try:
        os.replace(draft, target)
    except OSError as error:
        raise ContractError(
            f"{draft} cannot be moved to {target} ({error.strerror}); the decision is written.",
            fix="Move it where the shop's contracts are kept, by hand or through your repository.",
        ) from error
    _keep_state(lake, discovered, found, State.ACCEPTED)
    return target


def ignore_found(lake: Lake, name: str, *, who: str, why: str) -> None:
    """Leave what was found alone from now on. What has landed stays in bronze. Raises QueryError where nothing of
    that name was found, or a contract names it."""
    discovered = read_discovered(lake)
    found = _named(discovered, name)
    if found.state == State.NAMED:
        raise QueryError(
            f"{name!r} is a feed of a contract.", fix="Take its contract out of the shop; then it can be ignored."
        )
    if found.state != State.IGNORED:
        decide(lake, IGNORE_FOUND, facts_of(found), who=who, why=why)
    _keep_state(lake, discovered, found, State.IGNORED)


def _named(discovered: Discovered, name: str) -> Found:
    found = discovered.found.get(name)
    if found is None:
        known = ", ".join(sorted(discovered.found)) or "nothing yet; `aura discover look` looks now"
        raise QueryError(f"Nothing called {name!r} was found.", fix=f"Found: {known}.")
    return found


def _check(lake: Lake, found: Found, draft: Path) -> None:
    """The draft has to load, and to read what has landed: else bronze would hold two feeds in one table."""
    settings = lake.settings
    shop = load_shop(lake.shop.path, settings.environment, settings.environ, also=[draft])
    feed = shop.feeds.get(found.name)
    if feed is None or not is_same_feed(feed, found.feed):
        says = "no server of that name" if feed is None else "another place, format, delimiter or pattern"
        raise ContractError(
            f"{draft}: what landed in bronze.{found.name} came from {found.where} ({found.feed.format.value}), and "
            f"the draft has {says}.",
            fix=f"Keep the server {found.name!r} as it was drafted; or give the server of your contract another "
            "name, move the file yourself, and ignore this one.",
        )


def _keep_state(lake: Lake, discovered: Discovered, found: Found, state: State) -> None:
    kept = {**discovered.found, found.name: replace(found, state=state.value)}
    keep_discovered(lake, replace(discovered, found=kept))
