"""Where a contract's records lie: its `servers`, as feeds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from aura_lake.contracts.contract import KAFKA, Feed, Format
from aura_lake.contracts.custom_properties import DECIMALS, SERVER, CustomProperties
from aura_lake.contracts.element import Element
from aura_lake.contracts.names import check_name
from aura_lake.contracts.problems import did_you_mean

_VARIABLE = re.compile(r"\$\{([^}:]*)(?::-([^}]*))?\}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPES = ("local", "s3", "kafka")
#: What Kafka accepts as a topic's name.
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_QUEUE = re.compile(r"https?://[^/\s]+/[^/\s]+/[^/\s]+")
_SUFFIXES = {".csv": Format.CSV, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL}


def read_feeds(
    contract: Element, shop: Path, environment: str, environ: Mapping[str, str]
) -> list[tuple[Element, Feed]]:
    """The feeds of the contract's servers that belong to `environment`.

    A server without `environment` belongs to all; where one name has both, the one that
    names the environment counts.
    """
    servers = contract.children("servers")
    named = [s for s in servers if s.value.get("environment") == environment]
    names = {s.value.get("server") for s in named}
    general = [s for s in servers if "environment" not in s and s.value.get("server") not in names]
    if not servers:
        contract.problem(
            "the contract has no servers, so nobody knows where its records lie.",
            "Add `servers:` with server, type, path (or location) and format.",
        )
    elif not named and not general:
        others = sorted({str(s.value.get("environment")) for s in servers})
        contract.problem(
            f"no server is for the environment {environment!r}.",
            f"Set AURA_ENV to one of {', '.join(others)}, or add a server without environment.",
            key="servers",
        )
    feeds = ((server, _read_feed(server, shop, environ)) for server in [*named, *general])
    return [(server, feed) for server, feed in feeds if feed is not None]


def same_place(one: Feed, other: Feed) -> bool:
    """Whether two definitions of one server say the same; descriptions may differ."""
    return _definition(one) == _definition(other)


def _definition(feed: Feed) -> tuple[object, ...]:
    return (
        feed.location,
        feed.format,
        feed.delimiter,
        feed.endpoint_url,
        feed.layout,
        feed.include,
        feed.topics,
        feed.registry,
        feed.decimals,
        feed.notifications,
    )


def _read_feed(server: Element, shop: Path, environ: Mapping[str, str]) -> Feed | None:
    name = server.text("server")
    kind = server.text("type")
    if name is None or kind is None or not check_name(server, "server", name, "feed"):
        return None
    if kind not in _TYPES:
        server.problem(
            f"servers of type {kind!r} are not read.",
            did_you_mean(kind, _TYPES),
            key="type",
        )
        return None
    if kind == "kafka":
        return _read_topics(server, name, environ)
    key = "path" if kind == "local" else "location"
    written = server.text(key)
    expanded = _expand(server, key, written, environ) if written else None
    if expanded is None:
        if not written:
            server.problem(f"the server has no {key!r}.", f"Add {key}: where the objects lie.")
        return None
    location = _absolute(expanded, shop)
    if kind == "s3" and not location.startswith("s3://"):
        server.problem(
            f"the location {expanded!r} does not begin with s3://.",
            "Write s3://bucket/prefix, or make the server's type local.",
            key=key,
        )
    custom = CustomProperties(server, SERVER)
    for foreign in ("topics", "registry"):
        if foreign in custom:
            custom.problem(foreign, f"{foreign!r} means nothing for a server of type {kind!r}.", "Make it kafka.")
    if "notifications" in custom and kind != "s3":
        custom.problem("notifications", "only buckets notify a queue.", "Take it out, or make the server's type s3.")
    include = custom.text("include")
    endpoint = server.text("endpointUrl")
    return Feed(
        name=name,
        location=location,
        format=_format(server, location, include),
        delimiter=_delimiter(server, custom),
        endpoint_url=_expand(server, "endpointUrl", endpoint, environ) if endpoint else None,
        layout=custom.text("layout"),
        include=include,
        decimals=custom.choice("decimals", DECIMALS),
        notifications=_queue(server, custom, environ),
        description=server.text("description") or "",
    )


def _queue(server: Element, custom: CustomProperties, environ: Mapping[str, str]) -> str | None:
    """The URL of the queue that hears of new objects, as SQS gives it."""
    written = custom.text("notifications")
    url = _expand(server, "customProperties", written, environ) if written else None
    if url is not None and not _QUEUE.fullmatch(url):
        custom.problem(
            "notifications",
            f"{url!r} is not the URL of a queue.",
            "Write it as SQS shows it: https://sqs.<region>.amazonaws.com/<account>/<queue>.",
        )
        return None
    return url


def _read_topics(server: Element, name: str, environ: Mapping[str, str]) -> Feed | None:
    """A feed of Kafka topics: `host` names the brokers, the custom property `topics` the topics."""
    host = server.text("host")
    if not host:  # ODCS's own schema has already said so
        return None
    brokers = _expand(server, "host", host, environ)
    custom = CustomProperties(server, SERVER)
    for foreign in ("layout", "include", "delimiter", "notifications"):
        if foreign in custom:
            custom.problem(foreign, f"{foreign!r} means nothing for topics.", "Take it out.")
    topics = custom.texts("topics")
    if not topics:
        server.problem("the server names no topics.", "Add the custom property topics, e.g. [aura.public.orders].")
    for topic in topics:
        _check_topic(custom, topic)
    registry = custom.text("registry")
    expanded_registry = _expand(server, "customProperties", registry, environ) if registry else None
    format = _topic_format(server)
    if format is Format.AVRO and not registry:
        server.problem(
            "the format is avro, and no schema registry is named.", "Add the custom property registry: its URL."
        )
    if brokers is None or not topics:
        return None
    return Feed(
        name=name,
        location=KAFKA + brokers.strip(),
        format=format,
        topics=tuple(sorted(topics)),
        registry=expanded_registry,
        decimals=custom.choice("decimals", DECIMALS),
        description=server.text("description") or "",
    )


def _check_topic(custom: CustomProperties, topic: str) -> None:
    if not topic.startswith("^"):
        if not _TOPIC.fullmatch(topic):
            custom.problem(
                "topics", f"{topic!r} is not the name of a topic.", "A regular expression has to begin with ^."
            )
        return
    try:
        re.compile(topic)
    except re.error as error:
        custom.problem("topics", f"{topic!r} is not a regular expression: {error}.", "Mend it, or write the names.")


def _topic_format(server: Element) -> Format:
    written = server.text("format")
    known = {Format.JSON.value, Format.AVRO.value}
    if written is None or written in known:
        return Format(written or Format.JSON)
    server.problem(
        f"the format {written!r} is not read from topics.", did_you_mean(written, sorted(known)), key="format"
    )
    return Format.JSON


def _expand(server: Element, key: str, text: str, environ: Mapping[str, str]) -> str | None:
    """`text` with `${VAR}` and `${VAR:-default}` replaced; None where one has no value."""
    missing = []

    def value_of(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        value = environ.get(name) or default
        if not _VARIABLE_NAME.fullmatch(name):
            server.problem(f"{match.group()!r} names no variable.", "Write ${NAME}.", key=key)
        elif value is None:
            missing.append(name)
        return value or ""

    expanded = _VARIABLE.sub(value_of, text)
    for name in missing:
        server.problem(
            f"the {key} needs the environment variable {name}, which is not set.",
            f"Set {name}, or give it a default: ${{{name}:-…}}.",
            key=key,
        )
    return None if missing else expanded


def _absolute(location: str, shop: Path) -> str:
    """A local path made absolute from the shop's folder; s3:// as it is, without a last slash."""
    if "://" in location:
        return location.rstrip("/")
    return str((shop / Path(location).expanduser()).resolve())


def _format(server: Element, location: str, include: str | None) -> Format:
    """The declared format; without one, what the names of the objects say, else JSON.

    Of a folder one object's name is looked at; JSON values are cut in any case, with
    newlines between them or without.
    """
    written = server.text("format")
    known = tuple(option.value for option in Format if option is not Format.AVRO)
    if written in known:
        return Format(written)
    if written is not None:
        server.problem(
            f"the format {written!r} is not read.",
            f"{did_you_mean(written, known)} Gzip is noticed by itself.",
            key="format",
        )
    folder = Path(location)
    first = next((f.name for f in folder.rglob("*") if f.is_file()), "") if folder.is_dir() else ""
    for name in (include or "", location, first):
        suffix = Path(name.removesuffix(".gz")).suffix.lower()
        if suffix in _SUFFIXES:
            return _SUFFIXES[suffix]
    return Format.JSON


def _delimiter(server: Element, custom: CustomProperties) -> str:
    given = custom.text("delimiter")
    delimiter = server.text("delimiter") if given is None else given
    delimiter = "," if delimiter is None else delimiter.replace("\\t", "\t")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        server.problem(f"the delimiter {delimiter!r} is not one character.", "Write ',' ';' '|' or '\\t'.")
        return ","
    return delimiter
