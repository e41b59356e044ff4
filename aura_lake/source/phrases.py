"""What each phrase of a wish does to it: one function a phrase."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from aura_lake.source.wish import Reading

Rule = Callable[[Reading, re.Match[str]], None]

OPERATIONS = ("insert", "update", "delete", "truncate")

ENVIRONMENTS = {
    **dict.fromkeys(("production", "prod"), "production"),
    **dict.fromkeys(("staging", "stage", "preprod"), "staging"),
    **dict.fromkeys(("development", "dev"), "development"),
    **dict.fromkeys(("test", "testing", "qa", "sandbox"), "test"),
}
FLAVOURS = {"aurora": "Aurora", "rds": "RDS", "cloudsql": "Cloud SQL", "cloud sql": "Cloud SQL", "alloydb": "AlloyDB"}
FLAVOURS |= {"azure": "Azure", "supabase": "Supabase", "neon": "Neon", "heroku": "Heroku"}

#: One change of a row, as people say it.
CHANGE = r"(?:changes?|mutations?|modifications?|events?|operations?|insert|update|delete|writes?)"


def take_url(reading: Reading, match: re.Match[str]) -> None:
    """A database, a bucket, or neither."""
    url = reading.line.value_of(match["url"])
    parts = urlsplit(url)
    if parts.scheme in ("postgres", "postgresql"):
        if parts.password:
            reading.refuse(match, "a password in a sentence stays in the shell's history: set AURA_POSTGRES_URL.")
            return
        reading.wish.url = url
        reading.note(match, "database", f"{parts.hostname or ''}{parts.path}")
    elif parts.scheme == "s3":
        reading.wish.wants_s3 = True
        reading.put(match, "bucket", url.rstrip("/"), "bronze")
    else:
        reading.refuse(match, f"{parts.scheme}:// is neither a PostgreSQL database nor an S3 bucket.")


def refuses(why: str) -> Rule:
    """Words that are understood and not done."""
    return lambda reading, match: reading.refuse(match, why)


def means(what: str, value: str) -> Rule:
    """Words that mean this and ask for nothing more."""
    return lambda reading, match: reading.note(match, what, value)


def take_no_snapshot(reading: Reading, match: re.Match[str]) -> None:
    """Only what changes from now on."""
    reading.wish.snapshot = False
    reading.note(match, "rows that are there already", "are not read")


def leave_out(reading: Reading, match: re.Match[str]) -> None:
    """Tables that are not meant."""
    names = reading.names(match)
    reading.wish.left_out.extend(names)
    reading.note(match, "tables left out", ", ".join(names))


def take_operations(reading: Reading, match: re.Match[str]) -> None:
    """Inserts, updates and deletes together are every change; fewer are refused. `of orders` names tables."""
    names = reading.names(match)
    reading.wish.tables.extend(names)
    every = ", ".join(OPERATIONS) + (f" of {', '.join(names)}" if names else "")
    if re.search(rf"\b{CHANGE}\b", match["operations"]) and re.match("every|all|each|any", match["operations"]):
        reading.note(match, "operations", every)
        return
    named = {name for name in OPERATIONS if re.search(rf"\b{name}|\b{name[:-1]}ion", match["operations"])}
    negated = re.search(r"\b(?:no|not|never|without|ignore|ignoring|skip|skipping|except)\b", match["operations"])
    if negated or not {"insert", "update", "delete"} <= named:
        reading.refuse(match, "every change is streamed: without some, the lake would keep what the source has not.")
    else:
        reading.note(match, "operations", every)


def made(attribute: str) -> Rule:
    """Something that is made, with a name or after the database's."""

    def rule(reading: Reading, match: re.Match[str]) -> None:
        names = reading.names(match)
        if names:
            reading.put(match, attribute, names[0])
        else:
            reading.note(match, attribute, "named after the database")

    return rule


def take_everything(reading: Reading, match: re.Match[str]) -> None:
    """Everything in a place is all of its tables; alone it is every change."""
    if match["place"]:
        take_all_tables(reading, match)
    else:
        reading.note(match, "operations", ", ".join(OPERATIONS))


def take_quoted_tables(reading: Reading, match: re.Match[str]) -> None:
    """Names in quotes that nothing else claims are tables; in single quotes they are values."""
    tokens = [reading.line.tokens[at] for at in reading.line.between(*match.span())]
    if not any(token.written.startswith("'") for token in tokens):
        take_tables(reading, match)


def take_partitions(reading: Reading, match: re.Match[str]) -> None:
    """How many partitions a topic has."""
    reading.put(match, "partitions", int(match["count"]), "partitions of a topic")


def take_bronze(reading: Reading, match: re.Match[str]) -> None:
    """Where bronze is wished to be; a place that is none of ours is left to others."""
    words = set(match["words"].split())
    if not words & {"bronze", "s3", "bucket", "lake", "lakehouse"} and words not in ({"raw", "layer"}, {"raw", "zone"}):
        return
    if words & {"s3", "bucket"}:
        reading.wish.wants_s3 = True
    names = reading.names(match)
    if names:
        reading.put(match, "bucket", f"s3://{names[0]}", "bronze")
    else:
        reading.note(match, "bronze", "in an S3 bucket" if reading.wish.wants_s3 else "in the lake")


def take_all_tables(reading: Reading, match: re.Match[str]) -> None:
    """Every table, of the database or of a schema."""
    schemas = reading.names(match, "schema")
    reading.wish.all_tables = True
    reading.wish.schemas.extend(schemas)
    reading.note(match, "tables", f"all of {', '.join(schemas) or 'the database'}")


def take_schema(reading: Reading, match: re.Match[str]) -> None:
    """A schema that tables are in."""
    schemas = reading.names(match, "schema")
    reading.wish.schemas.extend(schemas)
    reading.note(match, "schema", ", ".join(schemas))


def take_tables(reading: Reading, match: re.Match[str]) -> None:
    """Tables by name."""
    names = reading.names(match)
    reading.wish.tables.extend(names)
    reading.note(match, "tables", ", ".join(names))


def take_environment(reading: Reading, match: re.Match[str]) -> None:
    """Which of several databases."""
    reading.put(match, "environment", ENVIRONMENTS[match["word"]])


def take_flavour(reading: Reading, match: re.Match[str]) -> None:
    """Who runs the server."""
    reading.put(match, "flavour", FLAVOURS[match["word"]], "kind of PostgreSQL")


def take_host(reading: Reading, match: re.Match[str]) -> None:
    """The server's host, and what stands behind it."""
    host, _, rest = match["host"].partition(":")
    port, _, database = (rest or match["host"]).partition("/")
    reading.put(match, "host", host.partition("/")[0])
    if port.isdigit():
        reading.wish.port = int(port)
    if database:
        reading.wish.database = database


def take_port(reading: Reading, match: re.Match[str]) -> None:
    """The server's port."""
    reading.put(match, "port", int(match["port"]))
