"""What a person wishes of a source, read from a sentence by a small grammar; no model is asked.

    Connect to the production Aurora PostgreSQL instance. Set up a logical replication slot for the `orders` and
    `users` tables, and stream every mutation into our raw Bronze S3 bucket.

Each rule takes the words that it understands, what is more special first. What no rule takes is named, and so is what
is understood and not done: half a wish carried out would be another wish.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from aura_lake.source.wish import Reading, Wish
from aura_lake.source.words import NAME, NAMES, read_line

Rule = Callable[[Reading, re.Match[str]], None]

OPERATIONS = ("insert", "update", "delete", "truncate")

ENVIRONMENTS = {
    **dict.fromkeys(("production", "prod"), "production"),
    **dict.fromkeys(("staging", "stage", "preprod"), "staging"),
    **dict.fromkeys(("development", "dev"), "development"),
    **dict.fromkeys(("test", "testing", "qa", "sandbox"), "test"),
}
_FLAVOURS = {"aurora": "Aurora", "rds": "RDS", "cloudsql": "Cloud SQL", "cloud sql": "Cloud SQL", "alloydb": "AlloyDB"}
_FLAVOURS |= {"azure": "Azure", "supabase": "Supabase", "neon": "Neon", "heroku": "Heroku"}
_OTHER_ENGINES = "mysql|mariadb|oracle|sql server|mssql|mongodb|mongo|dynamodb|cassandra|db2|sqlite|cockroachdb|vitess"
_OTHER_PLACES = (
    "snowflake|redshift|bigquery|databricks|clickhouse|iceberg|gcs|google cloud storage|azure blob(?: storage)?|adls"
    "|elasticsearch|silver|gold"
)

#: Words before a name that say nothing.
_THE = r"(?:(?:the|our|my|a|an|its|all|this|following) )*"
_PLACE = r"(?:raw|bronze|s3|landing|data|delta|lake|lakehouse|bucket|layer|zone|storage|tables?)"
_RESTRICTED = r"(?:but|only|no|not|never|without|ignoring|ignore|skipping|skip|except|all|every|each|any)"
_CLAUSE = r"[^,;.:!?()¦]*"
_CHANGE = r"(?:changes?|mutations?|modifications?|events?|operations?|insert|update|delete|writes?)"
_OPERATION = r"(?:inserts?|insertions?|updates?|deletes?|deletions?|truncates?|truncations?)"
_AMONG = rf"(?: (?:of|from|in|on|to|for) {_THE}(?P<name>{NAMES}))?"
_TAKE = (
    r"(?:captur\w+|stream\w*|replicat(?:e|es|ing)|cop(?:y|ying)|mirror\w*|sync\w*|ingest\w*|tak(?:e|ing)|follow\w*"
    r"|track\w*|watch\w*|bring|load|pull|fetch|collect|transfer)"
)


def read_wish(sentence: str) -> Wish:
    """The wish in a sentence. Never raises: what is odd stands in `refused` and `not_understood`."""
    reading = Reading(read_line(sentence))
    for pattern, rule in RULES:
        reading.apply(pattern, rule)
    wish = reading.wish
    left_out = {name.lower() for name in wish.left_out}
    wish.tables = list(dict.fromkeys(name for name in wish.tables if name.lower() not in left_out))
    wish.not_understood = reading.rest()
    return wish


def _url(reading: Reading, match: re.Match[str]) -> None:
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


def _refuses(why: str) -> Rule:
    return lambda reading, match: reading.refuse(match, why)


def _means(what: str, value: str) -> Rule:
    return lambda reading, match: reading.note(match, what, value)


def _no_snapshot(reading: Reading, match: re.Match[str]) -> None:
    reading.wish.snapshot = False
    reading.note(match, "rows that are there already", "are not read")


def _leave_out(reading: Reading, match: re.Match[str]) -> None:
    names = reading.names(match)
    reading.wish.left_out.extend(names)
    reading.note(match, "tables left out", ", ".join(names))


def _operations(reading: Reading, match: re.Match[str]) -> None:
    """Inserts, updates and deletes together are every change; fewer are refused. `of orders` names tables."""
    names = reading.names(match)
    reading.wish.tables.extend(names)
    every = ", ".join(OPERATIONS) + (f" of {', '.join(names)}" if names else "")
    if re.search(rf"\b{_CHANGE}\b", match["operations"]) and re.match("every|all|each|any", match["operations"]):
        reading.note(match, "operations", every)
        return
    named = {name for name in OPERATIONS if re.search(rf"\b{name}|\b{name[:-1]}ion", match["operations"])}
    negated = re.search(r"\b(?:no|not|never|without|ignore|ignoring|skip|skipping|except)\b", match["operations"])
    if negated or not {"insert", "update", "delete"} <= named:
        reading.refuse(match, "every change is streamed: without some, the lake would keep what the source has not.")
    else:
        reading.note(match, "operations", every)


def _made(attribute: str) -> Rule:
    """Something that is made, with a name or after the database's."""

    def rule(reading: Reading, match: re.Match[str]) -> None:
        names = reading.names(match)
        if names:
            reading.put(match, attribute, names[0])
        else:
            reading.note(match, attribute, "named after the database")

    return rule


def _everything(reading: Reading, match: re.Match[str]) -> None:
    """Everything in a place is all of its tables; alone it is every change."""
    if match["place"]:
        _all_tables(reading, match)
    else:
        reading.note(match, "operations", ", ".join(OPERATIONS))


def _quoted_tables(reading: Reading, match: re.Match[str]) -> None:
    """Names in quotes that nothing else claims are tables; in single quotes they are values."""
    tokens = [reading.line.tokens[at] for at in reading.line.between(*match.span())]
    if not any(token.written.startswith("'") for token in tokens):
        _tables(reading, match)


def _partitions(reading: Reading, match: re.Match[str]) -> None:
    reading.put(match, "partitions", int(match["count"]), "partitions of a topic")


def _bronze(reading: Reading, match: re.Match[str]) -> None:
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


def _all_tables(reading: Reading, match: re.Match[str]) -> None:
    schemas = reading.names(match, "schema")
    reading.wish.all_tables = True
    reading.wish.schemas.extend(schemas)
    reading.note(match, "tables", f"all of {', '.join(schemas) or 'the database'}")


def _schema(reading: Reading, match: re.Match[str]) -> None:
    schemas = reading.names(match, "schema")
    reading.wish.schemas.extend(schemas)
    reading.note(match, "schema", ", ".join(schemas))


def _tables(reading: Reading, match: re.Match[str]) -> None:
    names = reading.names(match)
    reading.wish.tables.extend(names)
    reading.note(match, "tables", ", ".join(names))


def _environment(reading: Reading, match: re.Match[str]) -> None:
    reading.put(match, "environment", ENVIRONMENTS[match["word"]])


def _flavour(reading: Reading, match: re.Match[str]) -> None:
    reading.put(match, "flavour", _FLAVOURS[match["word"]], "kind of PostgreSQL")


def _host(reading: Reading, match: re.Match[str]) -> None:
    host, _, rest = match["host"].partition(":")
    port, _, database = (rest or match["host"]).partition("/")
    reading.put(match, "host", host.partition("/")[0])
    if port.isdigit():
        reading.wish.port = int(port)
    if database:
        reading.wish.database = database


def _port(reading: Reading, match: re.Match[str]) -> None:
    reading.put(match, "port", int(match["port"]))


def _thing(noun: str) -> tuple[str, str]:
    """Patterns of `a slot named x` and of `a slot` alone."""
    named = (
        rf"\b{_THE}(?:{noun}(?: (?:is )?(?:named|called|with the name) (?P<name>{NAME})| (?P<name_quoted>‹\d+›))"
        rf"|(?P<name_before>‹\d+›) {noun}\b)"
    )
    return named, rf"\b{_THE}{noun}\b"


_SLOT, _ANY_SLOT = _thing(r"(?:logical )?(?:replication )?slots?")
_PUBLICATION, _ANY_PUBLICATION = _thing(r"publications?")
_CONNECTOR, _ANY_CONNECTOR = _thing(r"(?:debezium |kafka connect |kafka )?connectors?")

_WRITTEN: tuple[tuple[str, Rule], ...] = (
    (r"(?:\b(?:from|at|to|into|in) )?(?P<url>«\d+»)", _url),
    (rf"\b(?:{_OTHER_ENGINES})\b", _refuses("only PostgreSQL can be connected.")),
    (
        rf"\b(?:to|into|in) {_THE}(?:{_OTHER_PLACES})\b(?: (?:layer|tables?|warehouse|bucket))?",
        _refuses("changes land in bronze; what follows from there is made by `aura run`."),
    ),
    (r"\b(?:without|no|skip|skipping) (?:the |a |an )?(?:initial )?snapshot\b", _no_snapshot),
    (r"\b(?:(?:starting )?from now on|starting now|new changes only|only (?:the )?new changes)\b", _no_snapshot),
    (
        r"\b(?:(?:with|after|including) )?(?:the |a |an )?initial snapshot\b"
        r"|\bincluding (?:the )?(?:existing (?:rows|data|records)|history)\b",
        _means("rows that are there already", "are read first"),
    ),
    (
        r"\b(?:(?:do not|don't|never|not) (?:include|including|capture|stream|take|copy|replicate|touch|sync)"
        r"|except(?: for)?|excluding|exclude|but not|apart from|other than|leaving out|leave out) "
        rf"{_THE}(?:tables? )?(?P<name>{NAMES})(?: tables?\b)?",
        _leave_out,
    ),
    (
        rf"\b(?:without|ignoring|ignore|skipping|skip|not) {_THE}"
        rf"(?:tables? (?P<name>{NAMES})|(?P<name_before>{NAMES}) tables?\b)",
        _leave_out,
    ),
    (
        rf"\b(?P<operations>(?:{_RESTRICTED} )*"
        rf"{_OPERATION}(?:(?: , and| ,| and| or| but| &) (?:(?:no|not|all) )?{_OPERATION})*(?: only)?)\b"
        rf"(?! (?:the|my|our|a|an|it|every|all)\b){_AMONG}",
        _operations,
    ),
    (
        rf"\b(?P<operations>(?:every|all|each|any) (?:(?:the|single|kinds? of|row|data) )*{_CHANGE})\b{_AMONG}",
        _operations,
    ),
    (
        rf"\beverything\b(?P<place> (?:in|of|from) {_THE}(?:schema (?P<schema>{NAME})|(?P<schema_before>{NAME}) schema"
        r"|database|db)\b)?",
        _everything,
    ),
    (
        rf"\b(?:mask|hash|encrypt|anonymi[sz]e|pseudonymi[sz]e|redact)\b{_CLAUSE}",
        _refuses("personal columns are hashed by their contract: classification: personal."),
    ),
    (
        rf"\b(?:where|filter(?:ed)?|only (?:the )?rows)\b{_CLAUSE}",
        _refuses("every row is streamed; a contract's filter chooses what a table takes."),
    ),
    (
        rf"\b(?:drop|delete|remove|truncate|rename|alter|join|aggregate|transform|grant|revoke)\b{_CLAUSE}",
        _refuses("this connects a source and changes nothing else in it."),
    ),
    (_SLOT, _made("slot")),
    (_ANY_SLOT, _made("slot")),
    (_PUBLICATION, _made("publication")),
    (_ANY_PUBLICATION, _made("publication")),
    (_CONNECTOR, _made("connector")),
    (_ANY_CONNECTOR, _made("connector")),
    (
        rf"\b(?:topics? )?(?:with )?(?:the |a )?(?:topic )?prefix(?:ed)?(?: with| by| is)? (?P<name>{NAME})",
        _made("prefix"),
    ),
    (r"\b(?P<count>\d+) partitions\b(?: (?:per|a|for each|each) (?:topic|table))?", _partitions),
    (
        rf"\b(?:to|into|in|on|of) {_THE}(?P<words>{_PLACE}(?: {_PLACE})*)\b"
        rf"(?: (?:named|called) (?P<name>{NAME})| (?P<name_quoted>‹\d+›))?",
        _bronze,
    ),
    (
        rf"\b(?:all|every|each)(?: of)? {_THE}(?:(?P<schema>{NAME}) schema(?:'s)? )?tables?\b"
        rf"(?: (?:in|of|from) {_THE}(?:schema (?P<schema_after>{NAME})|(?P<schema_before>{NAME}) schema))?",
        _all_tables,
    ),
    (rf"\b(?:(?:in|of|from) )?{_THE}(?:schema (?P<schema>{NAME})|(?P<schema_before>{NAME}) schema)\b", _schema),
    (rf"\b(?P<word>{'|'.join(ENVIRONMENTS)})\b(?: environment)?", _environment),
    (rf"\b(?P<word>{'|'.join(_FLAVOURS)})\b", _flavour),
    (r"\b(?:postgres(?:ql)?|pg)\b", _means("engine", "PostgreSQL")),
    (r"\b(?:on )?port (?P<port>\d{2,5})\b", _port),
    (
        r"\b(?:at|on|from|host|server|to) (?P<host>localhost(?::\d+)?(?:/[\w-]+)?"
        r"|[\w-]+(?:\.[\w-]+){2,}(?::\d+)?(?:/[\w-]+)?|[\w.-]+:\d+(?:/[\w-]+)?)(?![\w.])",
        _host,
    ),
    (rf"\b(?:host|server) (?P<host>{NAME})", _host),
    (rf"\b(?:(?:as|by) )?(?:the )?(?:user|role|username) (?P<name>{NAME})", _made("user")),
    (rf"\b(?:in |of |from )?(?:the )?(?:database|db)(?: named| called)? (?P<name>{NAME})", _made("database")),
    (rf"\b(?:in |of |from )?(?:the )?(?P<name>{NAME}) (?:database|db)\b", _made("database")),
    (
        r"\b(?:(?:with|via|through|using|over|by|into|to) )?(?:the )?(?:debezium|kafka connect|kafka|cdc"
        r"|change data capture|logical replication|logical decoding|pgoutput|wal)\b(?: topics?)?",
        _means("way", "logical replication through Debezium and Kafka"),
    ),
    (rf"\btables? (?:(?:named|called) )?(?P<name>{NAMES})(?: tables?\b)?", _tables),
    (rf"{_THE}(?P<name>{NAMES}) tables?\b", _tables),
    (rf"\b(?:{_CHANGE}|rows|data|records|inserts?) (?:of|from|in|on|to) {_THE}(?P<name>{NAMES})", _tables),
    (rf"\b(?:{_TAKE}|for|of|on) {_THE}(?P<name>{NAMES})", _tables),
    (r"(?P<name>‹\d+›(?:(?: , and| ,| and| &) ‹\d+›)*)", _quoted_tables),
)

#: Where a token begins or ends: `\b` would stand inside `pg.internal` too.
_EDGE = r"(?:(?<![^ ¦])|(?![^ ¦]))"

#: Patterns and rules, in the order in which they are tried.
RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(pattern.replace(r"\b", _EDGE)), rule) for pattern, rule in _WRITTEN
)
