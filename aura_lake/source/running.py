"""Whether a slot and a connector that run lose or bend nothing: findings from facts.

Hard cases 18 (truncates are skipped by default) and 48 (a slot lost, or made anew behind the connector's back).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aura_lake.source.connector import captures
from aura_lake.source.facts import ConnectorFacts, DatabaseFacts, SlotFacts, TableName, bytes_text, lsn_text
from aura_lake.source.findings import Finding, ok, refuse, warn

#: A slot further behind than this is worth a look.
MUCH_LAG = 1 << 30

READ_ALL_AGAIN = "aura source resnapshot --all"


def look_at_slot(
    name: str, facts: DatabaseFacts, connector: ConnectorFacts, much_lag: int = MUCH_LAG
) -> Iterator[Finding]:
    """The slot: there, ours, read, near, and the one the connector has read from (case 48)."""
    slot = facts.slot
    if slot is None:
        if connector.read_lsn is None:
            yield refuse(name, "slot", "there is none.", "aura source connect postgres")
        else:
            yield refuse(
                name,
                "slot",
                f"it is gone: what was written after {lsn_text(connector.read_lsn)} cannot be read from the log any "
                "more.",
                READ_ALL_AGAIN,
            )
        return
    if slot.plugin != "pgoutput":
        yield refuse(name, "plugin", f"{slot.plugin}: another tool's slot.", "Name another: --slot.")
        return
    if slot.database != facts.server.database:
        yield refuse(name, "slot", f"it is of the database {slot.database}.", "Name another: --slot.")
        return
    yield ok(name, "plugin", "pgoutput")
    if slot.wal_status == "lost":
        yield refuse(
            name, "wal_status", "lost: the log it needs was removed, changes are missing for good.", READ_ALL_AGAIN
        )
        return
    yield from _gap(slot, connector, facts)
    yield _log_kept(slot)
    yield _lag(slot, facts, much_lag)
    if slot.is_active:
        yield ok(name, "active", "read by the connector")
    elif connector.is_in_snapshot and connector.task_state == "RUNNING":
        yield warn(name, "active", "not yet: rows that are there already are read first.", "Look again later.")
    else:
        yield refuse(
            name,
            "active",
            "nobody reads it, and the server keeps its log until somebody does.",
            f"aura source restart --connector {connector.name}" if connector.exists else "aura source connect postgres",
        )


def _gap(slot: SlotFacts, connector: ConnectorFacts, facts: DatabaseFacts) -> Iterator[Finding]:
    """A slot never runs ahead of the connector that moves it: if it does, it was made anew or moved by others."""
    read = connector.read_lsn
    if read is None or slot.confirmed_lsn is None:
        return
    told_by_driver = connector.config.get("lsn.flush.mode") == "connector_and_driver"
    if facts.server.lsn < read:
        yield refuse(
            slot.name,
            "log",
            f"the server's log ends at {lsn_text(facts.server.lsn)} and the connector has read to {lsn_text(read)}: "
            "the server was restored or failed over to an older copy.",
            READ_ALL_AGAIN,
        )
    elif slot.confirmed_lsn > read and not told_by_driver:
        yield refuse(
            slot.name,
            "gap",
            f"it begins at {lsn_text(slot.confirmed_lsn)} and the connector has read to {lsn_text(read)}: it was made "
            f"anew or moved, and {bytes_text(slot.confirmed_lsn - read)} of the log were never read.",
            READ_ALL_AGAIN,
        )
    else:
        yield ok(slot.name, "gap", f"none up to {lsn_text(slot.confirmed_lsn)}")


def _log_kept(slot: SlotFacts) -> Finding:
    room = f", {bytes_text(slot.room)} before it is lost" if slot.room is not None else ""
    if slot.wal_status == "unreserved":
        return refuse(
            slot.name,
            "wal_status",
            f"unreserved{room}: the next checkpoint may remove the log it needs.",
            "Start the connector now, and raise max_slot_wal_keep_size.",
        )
    if slot.wal_status == "extended":
        return warn(
            slot.name,
            "wal_status",
            f"extended{room}: more log is kept than max_wal_size.",
            "Look whether the connector keeps up: aura source check.",
        )
    return ok(slot.name, "wal_status", f"{slot.wal_status or 'reserved'}{room}")


def _lag(slot: SlotFacts, facts: DatabaseFacts, much: int) -> Finding:
    behind = slot.confirmed_lsn if slot.confirmed_lsn is not None else slot.restart_lsn
    if behind is None:
        return warn(slot.name, "lag", "the slot is still being made.", "Look again: a long transaction delays it.")
    lag = max(0, facts.server.lsn - behind)
    limit = min(much, slot.room // 2) if slot.room is not None else much
    if lag > limit:
        return warn(
            slot.name,
            "lag",
            f"{bytes_text(lag)} behind ({lag:,} bytes).",
            "Look whether the connector runs, and what a long transaction holds: SELECT * FROM pg_stat_activity.",
        )
    return ok(slot.name, "lag", f"{bytes_text(lag)} behind")


def look_at_connector(
    connector: ConnectorFacts, facts: DatabaseFacts, slot: str, publication: str, tables: Sequence[TableName]
) -> Iterator[Finding]:
    """The running connector: its state, and each setting that would hide or bend rows."""
    name, config = connector.name, connector.config
    if not connector.exists:
        yield refuse(name, "connector", "Kafka Connect has none of that name.", "aura source connect postgres")
        return
    yield _state(connector)
    yield from _settings(connector)
    for key, wanted in (("slot.name", slot), ("publication.name", publication), ("plugin.name", "pgoutput")):
        given = config.get(
            key, {"slot.name": "debezium", "publication.name": "dbz_publication"}.get(key, "decoderbufs")
        )
        if given != wanted:
            yield refuse(name, key, f"{given}, not {wanted}.", "aura source connect postgres")
    missing = [table for table in tables if not captures(config, table)]
    if missing:
        yield refuse(
            name,
            "tables",
            f"it does not take {', '.join(map(str, missing))}.",
            f"aura source connect postgres --tables {','.join(map(str, missing))}",
        )
    else:
        yield ok(name, "tables", f"it takes all {len(tables)}")
    roots = [table for table in tables if (known := facts.tables.get(table)) is not None and known.partitions]
    if roots and config.get("publish.via.partition.root", "false") != "true":
        yield refuse(
            name,
            "publish.via.partition.root",
            f"false: partitions of {', '.join(map(str, roots))} have topics of their own.",
            "aura source connect postgres",
        )


def _state(connector: ConnectorFacts) -> Finding:
    if connector.state == "RUNNING" and connector.task_state == "RUNNING":
        return ok(connector.name, "connector", "RUNNING")
    if "FAILED" in (connector.state, connector.task_state):
        trouble = f": {connector.trouble}" if connector.trouble else "."
        fix = (
            READ_ALL_AGAIN
            if "no longer available" in connector.trouble
            else f"aura source restart --connector {connector.name}"
        )
        return refuse(connector.name, "connector", f"FAILED{trouble}", fix)
    told = connector.task_state or "no task"
    return refuse(
        connector.name,
        "connector",
        f"{connector.state or 'unknown'}, {told}.",
        f"aura source restart --connector {connector.name}",
    )


#: Settings with the values that lose nothing, Debezium's default, and what another value does.
SETTINGS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("skipped.operations", ("none",), "t", "hides operations; the default hides truncates"),
    ("slot.drop.on.stop", ("false",), "false", "drops the slot when the connector stops, and with it what comes then"),
    ("errors.tolerance", ("none",), "none", "skips records that fail"),
    ("event.processing.failure.handling.mode", ("fail",), "fail", "skips events that fail"),
    ("publication.autocreate.mode", ("disabled", "filtered"), "all_tables", "may replace the publication"),
)


def _settings(connector: ConnectorFacts) -> Iterator[Finding]:
    name, config = connector.name, connector.config
    for key, good, default, harm in SETTINGS:
        given = config.get(key, default)
        if given in good:
            yield ok(name, key, given)
        else:
            yield refuse(name, key, f"{given}: {harm}.", f"aura source connect postgres (sets {key}={good[0]})")
    if config.get("event.converting.failure.handling.mode", "warn") != "fail":
        yield warn(
            name,
            "event.converting.failure.handling.mode",
            "a value that cannot be told becomes null, with a line in the worker's log.",
            "aura source connect postgres (sets it to fail)",
        )
    flattening = [
        alias
        for alias in filter(None, (part.strip() for part in config.get("transforms", "").split(",")))
        if config.get(f"transforms.{alias}.type", "").endswith("ExtractNewRecordState")
    ]
    if flattening:
        yield refuse(
            name,
            "transforms",
            f"{', '.join(flattening)} flattens changes and drops truncates.",
            "Remove the transform: changes are read as Debezium writes them.",
        )
