"""A connection to PostgreSQL, and what its refusals mean. No message holds a password or a row's value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aura_lake.errors import AuraError, SourceError, SourceUnavailable

if TYPE_CHECKING:
    from psycopg import Connection

#: Seconds to wait for an answer to the first word.
CONNECT_TIMEOUT = 10

#: What the server's activity list shows.
APPLICATION = "aura-lake"


#: Settings of a session and not of the connection's start: poolers take no others. Names are found in the catalog
#: alone, so that nobody's function is run in place of PostgreSQL's.
_SESSION = """
    SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'iso_8601'; SET bytea_output = 'hex';
    SET search_path = pg_catalog; SET default_transaction_read_only = {read_only}
"""


@dataclass(frozen=True)
class Address:
    """Where a database is, by libpq's words; the password is kept out of sight."""

    parameters: Mapping[str, str] = field(repr=False)

    def __str__(self) -> str:
        told = self.parameters
        user = f"{told['user']}@" if told.get("user") else ""
        port = f":{told['port']}" if told.get("port") else ""
        return f"postgres://{user}{told.get('host', 'localhost')}{port}/{told.get('dbname', told.get('user', ''))}"

    def with_parts(self, **parts: str | int | None) -> Address:
        """The address with some parts replaced."""
        given = {name: str(value) for name, value in parts.items() if value is not None}
        return Address({**self.parameters, **given})


def read_address(text: str) -> Address:
    """The address in a URL (`postgres://user@host/db`) or a list of `key=value`. Raises SourceError."""
    from psycopg import ProgrammingError, conninfo

    try:
        parameters = conninfo.conninfo_to_dict(text.strip())
    except ProgrammingError:
        raise SourceError(
            "The address of the database cannot be read.", fix="Write postgres://user@host:5432/database."
        ) from None
    return Address({name: str(value) for name, value in parameters.items() if value is not None})


@contextmanager
def connected(address: Address, *, read_only: bool = True) -> Iterator[Connection[Any]]:
    """A connection in UTC with ISO dates, each statement a transaction of its own; closed after the block.

    Raises SourceUnavailable where nothing answers, SourceError where the server refuses.
    """
    import psycopg

    try:
        defaults = {"connect_timeout": str(CONNECT_TIMEOUT), "application_name": APPLICATION}
        given: dict[str, Any] = {**defaults, **address.parameters}
        connection = psycopg.connect(psycopg.conninfo.make_conninfo(**given), autocommit=True)
    except psycopg.Error as error:
        raise told(error, address) from None
    try:
        connection.execute(_SESSION.format(read_only="on" if read_only else "off"))
    except psycopg.Error as error:
        connection.close()
        raise told(error, address) from None
    try:
        yield connection
    except psycopg.Error as error:
        raise told(error, address) from None
    finally:
        connection.close()


def told(error: Exception, address: Address) -> AuraError:
    """Our error for one of PostgreSQL's. Only the server's own first line is kept, and never a DETAIL: it may
    hold a row."""
    import psycopg

    state = getattr(error, "sqlstate", None) or ""
    diagnostic = getattr(error, "diag", None)
    said = (getattr(diagnostic, "message_primary", None) or "") if diagnostic is not None else ""
    if not state and isinstance(error, psycopg.OperationalError):
        words = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return _not_connected(words, address)
    if state.startswith("28"):
        return SourceError(
            f"{address}: the server lets the user not in ({said}).",
            fix="Check user and password: in the URL, PGPASSWORD, or ~/.pgpass.",
        )
    if state == "3D000":
        return SourceError(f"{address}: {said}.", fix="Name a database that \\l of psql lists.")
    if state in ("42501", "42P01", "42704", "0A000", "55000", "22023", "42710", "55006", "25006"):
        return SourceError(f"{address}: {said} ({state}).", fix=_FIXES.get(state, "Correct it and run again."))
    if state.startswith(("08", "53", "57", "40", "55P")):
        return SourceUnavailable(f"{address}: {said} ({state}).", fix="Run again.")
    # What it said may quote a value: only where it cannot is it repeated.
    return SourceError(
        f"{address}: the server refused a statement ({state or type(error).__name__}).", fix="Its log says why."
    )


_FIXES = {
    "42501": "Give the user the right, or let an owner run the statement.",
    "55000": "`aura source check` says what the server lacks.",
    "42710": "It was made by somebody else in the meantime: run again.",
    "55006": "Stop what uses it, then run again.",
}


def _not_connected(words: str, address: Address) -> AuraError:
    if "password authentication" in words or "no password" in words:
        return SourceError(
            f"{address}: the server wants a password, or another one.",
            fix="Put it into the URL of AURA_POSTGRES_URL, PGPASSWORD, or ~/.pgpass.",
        )
    if "does not exist" in words or "pg_hba" in words or "SSL" in words or "certificate" in words:
        return SourceError(f"{address}: {_after_colon(words)}.", fix="Correct the URL, or the server's pg_hba.conf.")
    return SourceUnavailable(
        f"{address} does not answer: {_after_colon(words)}.", fix="Check host and port, and that the server runs."
    )


def _after_colon(words: str) -> str:
    """The reason at the end of libpq's line."""
    return words.rpartition("failed: ")[2].removeprefix("FATAL:  ").rstrip(".")
