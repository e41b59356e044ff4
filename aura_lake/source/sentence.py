"""What a person wishes of a source, read from a sentence by a small grammar; no model is asked.

    Connect to the production Aurora PostgreSQL instance. Set up a logical replication slot for the `orders` and
    `users` tables, and stream every mutation into our raw Bronze S3 bucket.

Each rule takes the words that it understands, what is more special first. What no rule takes is named, and so is what
is understood and not done: half a wish carried out would be another wish.
"""

from __future__ import annotations

import re

from aura_lake.source.phrases import (
    CHANGE,
    ENVIRONMENTS,
    FLAVOURS,
    Rule,
    leave_out,
    made,
    means,
    refuses,
    take_all_tables,
    take_bronze,
    take_environment,
    take_everything,
    take_flavour,
    take_host,
    take_no_snapshot,
    take_operations,
    take_partitions,
    take_port,
    take_quoted_tables,
    take_schema,
    take_tables,
    take_url,
)
from aura_lake.source.wish import Reading, Wish
from aura_lake.source.words import NAME, NAMES, read_line

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
_OPERATION = r"(?:inserts?|insertions?|updates?|deletes?|deletions?|truncates?|truncations?)"
_AMONG = rf"(?: (?:of|from|in|on|to|for) {_THE}(?P<name>{NAMES}))?"
_TAKE = (
    r"(?:captur\w+|stream\w*|replicat(?:e|es|ing)|cop(?:y|ying)|mirror\w*|sync\w*|ingest\w*|tak(?:e|ing)|follow\w*"
    r"|track\w*|watch\w*|bring|load|pull|fetch|collect|transfer)"
)


#: A longer text is no sentence.
MOST_CHARACTERS = 2_000


def read_wish(sentence: str) -> Wish:
    """The wish in a sentence. Never raises: what is odd stands in `refused` and `not_understood`."""
    if len(sentence) > MOST_CHARACTERS:
        return Wish(not_understood=[f"a text of {len(sentence):,} characters; {MOST_CHARACTERS:,} are read"])
    reading = Reading(read_line(sentence))
    for pattern, rule in RULES:
        reading.apply(pattern, rule)
    wish = reading.wish
    left_out = {name.lower() for name in wish.left_out}
    wish.tables = list(dict.fromkeys(name for name in wish.tables if name.lower() not in left_out))
    wish.not_understood = reading.rest()
    return wish


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
    (r"(?:\b(?:from|at|to|into|in) )?(?P<url>«\d+»)", take_url),
    (rf"\b(?:{_OTHER_ENGINES})\b", refuses("only PostgreSQL can be connected.")),
    (
        rf"\b(?:to|into|in) {_THE}(?:{_OTHER_PLACES})\b(?: (?:layer|tables?|warehouse|bucket))?",
        refuses("changes land in bronze; what follows from there is made by `aura run`."),
    ),
    (r"\b(?:without|no|skip|skipping) (?:the |a |an )?(?:initial )?snapshot\b", take_no_snapshot),
    (r"\b(?:(?:starting )?from now on|starting now|new changes only|only (?:the )?new changes)\b", take_no_snapshot),
    (
        r"\b(?:(?:with|after|including) )?(?:the |a |an )?initial snapshot\b"
        r"|\bincluding (?:the )?(?:existing (?:rows|data|records)|history)\b",
        means("rows that are there already", "are read first"),
    ),
    (
        r"\b(?:(?:do not|don't|never|not) (?:include|including|capture|stream|take|copy|replicate|touch|sync)"
        r"|except(?: for)?|excluding|exclude|but not|apart from|other than|leaving out|leave out) "
        rf"{_THE}(?:tables? )?(?P<name>{NAMES})(?: tables?\b)?",
        leave_out,
    ),
    (
        rf"\b(?:without|ignoring|ignore|skipping|skip|not) {_THE}"
        rf"(?:tables? (?P<name>{NAMES})|(?P<name_before>{NAMES}) tables?\b)",
        leave_out,
    ),
    (
        rf"\b(?P<operations>(?:{_RESTRICTED} )*"
        rf"{_OPERATION}(?:(?: , and| ,| and| or| but| &) (?:(?:no|not|all) )?{_OPERATION})*(?: only)?)\b"
        rf"(?! (?:the|my|our|a|an|it|every|all)\b){_AMONG}",
        take_operations,
    ),
    (
        rf"\b(?P<operations>(?:every|all|each|any) (?:(?:the|single|kinds? of|row|data) )*{CHANGE})\b{_AMONG}",
        take_operations,
    ),
    (
        rf"\beverything\b(?P<place> (?:in|of|from) {_THE}(?:schema (?P<schema>{NAME})|(?P<schema_before>{NAME}) schema"
        r"|database|db)\b)?",
        take_everything,
    ),
    (
        rf"\b(?:mask|hash|encrypt|anonymi[sz]e|pseudonymi[sz]e|redact)\b{_CLAUSE}",
        refuses("personal columns are hashed by their contract: classification: personal."),
    ),
    (
        rf"\b(?:where|filter(?:ed)?|only (?:the )?rows)\b{_CLAUSE}",
        refuses("every row is streamed; a contract's filter chooses what a table takes."),
    ),
    (
        rf"\b(?:drop|delete|remove|truncate|rename|alter|join|aggregate|transform|grant|revoke)\b{_CLAUSE}",
        refuses("this connects a source and changes nothing else in it."),
    ),
    (_SLOT, made("slot")),
    (_ANY_SLOT, made("slot")),
    (_PUBLICATION, made("publication")),
    (_ANY_PUBLICATION, made("publication")),
    (_CONNECTOR, made("connector")),
    (_ANY_CONNECTOR, made("connector")),
    (
        rf"\b(?:topics? )?(?:with )?(?:the |a )?(?:topic )?prefix(?:ed)?(?: with| by| is)? (?P<name>{NAME})",
        made("prefix"),
    ),
    (r"\b(?P<count>\d+) partitions\b(?: (?:per|a|for each|each) (?:topic|table))?", take_partitions),
    (
        rf"\b(?:to|into|in|on|of) {_THE}(?P<words>{_PLACE}(?: {_PLACE})*)\b"
        rf"(?: (?:named|called) (?P<name>{NAME})| (?P<name_quoted>‹\d+›))?",
        take_bronze,
    ),
    (
        rf"\b(?:all|every|each)(?: of)? {_THE}(?:(?P<schema>{NAME}) schema(?:'s)? )?tables?\b"
        rf"(?: (?:in|of|from) {_THE}(?:schema (?P<schema_after>{NAME})|(?P<schema_before>{NAME}) schema))?",
        take_all_tables,
    ),
    (rf"\b(?:(?:in|of|from) )?{_THE}(?:schema (?P<schema>{NAME})|(?P<schema_before>{NAME}) schema)\b", take_schema),
    (rf"\b(?P<word>{'|'.join(ENVIRONMENTS)})\b(?: environment)?", take_environment),
    (rf"\b(?P<word>{'|'.join(FLAVOURS)})\b", take_flavour),
    (r"\b(?:postgres(?:ql)?|pg)\b", means("engine", "PostgreSQL")),
    (r"\b(?:on )?port (?P<port>\d{2,5})\b", take_port),
    (
        r"\b(?:at|on|from|host|server|to) (?P<host>localhost(?::\d+)?(?:/[\w-]+)?"
        r"|[\w-]+(?:\.[\w-]+){2,}(?::\d+)?(?:/[\w-]+)?|[\w.-]+:\d+(?:/[\w-]+)?)(?![\w.])",
        take_host,
    ),
    (rf"\b(?:host|server) (?P<host>{NAME})", take_host),
    (rf"\b(?:(?:as|by) )?(?:the )?(?:user|role|username) (?P<name>{NAME})", made("user")),
    (rf"\b(?:in |of |from )?(?:the )?(?:database|db)(?: named| called)? (?P<name>{NAME})", made("database")),
    (rf"\b(?:in |of |from )?(?:the )?(?P<name>{NAME}) (?:database|db)\b", made("database")),
    (
        r"\b(?:(?:with|via|through|using|over|by|into|to) )?(?:the )?(?:debezium|kafka connect|kafka|cdc"
        r"|change data capture|logical replication|logical decoding|pgoutput|wal)\b(?: topics?)?",
        means("way", "logical replication through Debezium and Kafka"),
    ),
    (rf"\btables? (?:(?:named|called) )?(?P<name>{NAMES})(?: tables?\b)?", take_tables),
    (rf"{_THE}(?P<name>{NAMES}) tables?\b", take_tables),
    (rf"\b(?:{CHANGE}|rows|data|records|inserts?) (?:of|from|in|on|to) {_THE}(?P<name>{NAMES})", take_tables),
    (rf"\b(?:{_TAKE}|for|of|on) (?:only )?{_THE}(?P<name>{NAMES})", take_tables),
    (r"(?P<name>‹\d+›(?:(?: , and| ,| and| &) ‹\d+›)*)", take_quoted_tables),
)

#: Where a token begins or ends: `\b` would stand inside `pg.internal` too.
_EDGE = r"(?:(?<![^ ¦])|(?![^ ¦]))"

#: Patterns and rules, in the order in which they are tried.
RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(pattern.replace(r"\b", _EDGE)), rule) for pattern, rule in _WRITTEN
)
