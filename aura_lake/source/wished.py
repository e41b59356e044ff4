"""What is asked for, by options or by a sentence: the address of the database, and the request."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from aura_lake.errors import SourceError
from aura_lake.source.wish import Wish

URL = "AURA_POSTGRES_URL"


@dataclass(frozen=True)
class Request:
    """What is asked for. Names that are None are made after the database."""

    tables: Sequence[str] = ()
    everything: bool = False
    schemas: Sequence[str] = ()
    left_out: Sequence[str] = ()
    events: Collection[str] = ()
    connector: str | None = None
    slot: str | None = None
    publication: str | None = None
    prefix: str | None = None
    signal: str | None = None
    partitions: int = 3
    snapshot: bool = True
    format: str = "json"
    registry: str | None = None
    database_host: str | None = None  #: host[:port] as the worker sees the database
    password: str | None = field(default=None, repr=False)  #: a `${…}` for the worker to resolve


def where(wish: Wish | None, url: str | None, environ: Mapping[str, str]) -> tuple[str, str]:
    """The database's address and what named it: an option, the sentence, or the environment.

    A sentence that says `production` means AURA_POSTGRES_URL_PRODUCTION where that is set. Raises SourceError where
    nothing names a database.
    """
    environment = wish.environment if wish is not None else None
    names = [f"{URL}_{environment.upper()}"] if environment else []
    given = [("--url", url or ""), ("the sentence", (wish.url if wish is not None else None) or "")]
    given += [(name, environ.get(name, "")) for name in (*names, URL)]
    for name, address in given:
        if address.strip():
            return address, name
    if wish is not None and wish.host:
        return f"host={wish.host}", "the sentence"
    raise SourceError(
        "No database is named.",
        fix=f"Set {' or '.join([*names, URL])}=postgres://user@host:5432/database, or give --url.",
    )


def parts_of(wish: Wish | None) -> dict[str, str | int | None]:
    """What a sentence says of the address, by libpq's words."""
    if wish is None:
        return {}
    return {"host": wish.host, "port": wish.port, "dbname": wish.database, "user": wish.user}
