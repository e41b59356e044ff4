"""Drafts of contracts for records that lie somewhere: short files that load and run.

A draft is tried on the records it was drawn from; a column that breaks its type there becomes text. What
was guessed is said beside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from aura_lake.contracts.contract import KAFKA, Contract, Format, Shop
from aura_lake.contracts.judge import Judge
from aura_lake.contracts.load import load_shop
from aura_lake.contracts.model import commerce_model
from aura_lake.contracts.observed import observe
from aura_lake.contracts.profile import Guess, Profile, profile_of
from aura_lake.contracts.sampling import Sample, plain_name, sample_feeds
from aura_lake.errors import ContractError
from aura_lake.layouts import BRONZE

#: A column that breaks its type in more than this share of the sampled records is drafted as text.
MOST_BROKEN = 0.02


@dataclass(frozen=True)
class Draft:
    """One contract that was written, and how its sampled records fared under it."""

    table: str
    file: Path
    kind: str
    objects: int
    sampled: int
    verdicts: Mapping[str, int]
    notes: tuple[str, ...] = field(default=())
    columns: int = 0
    personal: tuple[str, ...] = ()  #: columns that look personal


def draft_shop(folder: Path, source: str, environ: Mapping[str, str]) -> list[Draft]:
    """Write `shop.yaml` and one contract a feed into `folder`, and try them; one Draft a contract.

    Raises ContractError where the folder holds a shop already, FeedError where nothing can be read.
    """
    if (folder / "shop.yaml").exists():
        raise ContractError(
            f"{folder}: a shop stands there already.", fix="Choose another name, or edit its contracts."
        )
    samples = sample_feeds(source, environ)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shop.yaml").write_text(_shop_text(folder, source))
    drafting = []
    for sample in samples:
        table = table_name(sample.name)
        drafting.append(_Drafting(folder, sample, profile_of(sample), table, folder / f"{table}.odcs.yaml"))
    for each in drafting:
        each.write()
    for _ in range(3):
        shop = load_shop(folder, environ.get("AURA_ENV", "local"), environ)
        changed = [each for each in drafting if each.mend(shop)]
        if not changed:
            break
    return [each.result() for each in drafting]


def _shop_text(folder: Path, source: str) -> str:
    name = plain_name(folder.name)
    return (
        f"# Drafted by `aura init` from {source}. What holds for the whole shop.\n"
        f"id: {name}\n"
        "timeZone: UTC  # of timestamps that name no zone: check it\n"
        "# currency: EUR\n"
    )


def draft_feed(
    shop: Shop,
    sample: Sample,
    table: str,
    file: Path,
    environment: str,
    environ: Mapping[str, str],
    notes: Sequence[str] = (),
    *,
    by: str = "aura discover",
    servers: Sequence[str] | None = None,
    without: Sequence[Path] = (),
    observes: bool = False,
) -> Draft:
    """Write `file`, the contract of one more feed and its table for `shop`, and try it beside the others.

    `servers`: the lines that say where its records lie, where they stand somewhere already; `without`: contracts of
    the shop that it would take the place of; `observes`: what held in all records is written down as rules that warn.

    It is written as if it lay in the shop's folder, so that it may be moved there. Raises ContractError where it
    does not load beside the shop's contracts; OSError where the file cannot be written.
    """
    profile = profile_of(sample)
    profile.notes += notes
    drafting = _Drafting(shop.path, sample, profile, table, file, by, servers)
    file.parent.mkdir(parents=True, exist_ok=True)
    drafting.write()
    for _ in range(3):
        if not drafting.mend(load_shop(shop.path, environment, environ, also=[file], without=without)):
            break
    if observes:
        drafting.observe()
        drafting.mend(load_shop(shop.path, environment, environ, also=[file], without=without))
    return drafting.result()


def table_name(feed: str) -> str:
    """The table that a feed of this name is drafted as."""
    # The canonical tables have columns and keys of their own; mapping onto them is a person's choice.
    table = f"raw_{feed}" if feed in commerce_model() else feed
    # Those endings are of the tables kept beside each table.
    return f"{table}_rows" if table.endswith(("_log", "_history", "_quarantine", "_restatements")) else table


class _Drafting:
    """One contract while it is drafted."""

    def __init__(
        self,
        folder: Path,
        sample: Sample,
        profile: Profile,
        table: str,
        file: Path,
        by: str = "aura init",
        servers: Sequence[str] | None = None,
    ) -> None:
        self._sample, self._profile, self.table, self._file, self._by = sample, profile, table, file, by
        self._folder, self._servers = folder, servers
        self._judged: pl.DataFrame | None = None
        self._verdicts: dict[str, int] = {}

    def write(self) -> None:
        self._file.write_text(self._text())

    def mend(self, shop: Shop) -> bool:
        """Try the contract on the sample; True where it was changed and must be tried again."""
        contract = shop.contracts.get(self.table)
        if contract is None:
            return False
        self._judged = judged = _try(contract, shop, self._sample)
        self._verdicts = dict(judged["verdict"].value_counts().iter_rows())
        broken = judged.select(pl.col("broken_rules").list.explode()).to_series().drop_nulls().value_counts()
        changed = False
        for rule, count in broken.iter_rows():
            column = next((c for c in self._profile.columns if str(rule).startswith(f"{c.name}_is_")), None)
            is_typed = column is not None and column.logical_type not in ("string", "object")
            if column is not None and is_typed and count > MOST_BROKEN * judged.height:
                column.note = f"not always a {column.logical_type}: text for now"
                column.logical_type, column.physical_type, changed = "object", "json", True
                self._forget_time(column.name)
        if changed:
            self.write()
        return changed

    def observe(self) -> None:
        """Write what held in all sampled records that are sound into the contract."""
        if self._judged is not None:
            observe(self._profile, self._judged)
            self.write()

    def result(self) -> Draft:
        notes = [*self._profile.notes, *(f"{c.name}: {c.note}" for c in self._profile.columns if c.note)]
        kind = self._profile.kind.value if self._profile.columns else "feed"
        count = len(self._sample.objects)
        return Draft(
            self.table,
            self._file,
            kind,
            count,
            len(self._sample.records),
            self._verdicts,
            tuple(notes),
            len(self._profile.columns),
            tuple(column.name for column in self._profile.columns if column.is_personal),
        )

    def _forget_time(self, name: str) -> None:
        profile = self._profile
        profile.event_time = None if profile.event_time == name else profile.event_time
        profile.ordering = None if profile.ordering == name else profile.ordering

    def _text(self) -> str:
        sample, profile = self._sample, self._profile
        lines = [
            f"# Drafted by `{self._by}` from {len(sample.records):,} records of {sample.drawn_from}.",
            "apiVersion: v3.2.0",
            "kind: DataContract",
            f"id: {plain_name(self._folder.name)}-{self.table}".replace("_", "-"),
            "version: 0.1.0",
            "status: draft",
            "servers:",
            *(self._server() if self._servers is None else self._servers),
        ]
        if not profile.columns:
            return "\n".join([*lines, *(f"# {note}" for note in profile.notes)]) + "\n"
        lines += ["schema:", f"  - name: {self.table}", "    customProperties:", _custom("kind", profile.kind.value)]
        for name, value in (
            ("array", profile.array),
            ("eventId", profile.event_id),
            ("eventTime", profile.event_time),
            ("ordering", profile.ordering),
            ("decimals", profile.decimals),
        ):
            lines += [_custom(name, value)] if value else []
        lines.append("    properties:")
        position = 0
        for column in profile.columns:
            position += column.is_key
            lines.append(_property(column, position))
        for at, rule in enumerate(profile.observed):
            lines += ["    quality:"] if at == 0 else []
            lines += [
                f"      - name: {rule.name}",
                f"        description: {_quoted(rule.says)}",
                "        type: custom",
                "        engine: aura",
                f"        implementation: {_quoted(rule.expression)}",
                "        severity: warn",
            ]
        return "\n".join([*lines, *(f"    # {note}" for note in profile.notes)]) + "\n"

    def _server(self) -> list[str]:
        sample = self._sample
        if sample.topic:
            return [
                f"  - server: {sample.name}",
                "    type: kafka",
                f"    host: {_quoted(sample.location.removeprefix(KAFKA))}",
                f"    format: {sample.format.value}",
                "    customProperties:",
                f"      - {{property: topics, value: [{_quoted(sample.topic)}]}}",
            ]
        is_remote = "://" in sample.location
        place = sample.location if is_remote else _place(sample.location, self._folder)
        lines = [
            f"  - server: {sample.name}",
            f"    type: {'s3' if is_remote else 'local'}",
            f"    {'location' if is_remote else 'path'}: {_quoted(place)}",
            f"    format: {sample.format.value}",
        ]
        if sample.endpoint_url:
            lines.append(f"    endpointUrl: {_quoted(sample.endpoint_url)}")
        if sample.format is Format.CSV and sample.delimiter != "," and is_remote:
            lines.append(f"    delimiter: {_quoted(sample.delimiter)}")
        custom = {"layout": sample.layout, "include": sample.include}
        if sample.format is Format.CSV and sample.delimiter != "," and not is_remote:
            custom["delimiter"] = sample.delimiter
        entries = [f"      - {{property: {n}, value: {_quoted(v)}}}" for n, v in custom.items() if v]
        return lines + (["    customProperties:", *entries] if entries else [])


def _place(location: str, folder: Path) -> str:
    """A path from the shop's folder where they lie near each other, else the whole path."""
    relative = os.path.relpath(location, folder)
    return relative if relative.count("..") <= 3 else location


def _custom(name: str, value: str) -> str:
    return f"      - {{property: {name}, value: {_quoted(value)}}}"


def _property(column: Guess, position: int) -> str:
    parts = [f"name: {column.name}"]
    if column.source != column.name:
        parts.append(f"physicalName: {_quoted(column.source)}")
    parts.append(f"logicalType: {column.logical_type}")
    if column.physical_type:
        parts.append(f"physicalType: {_quoted(column.physical_type)}")
    if column.is_key:
        parts += ["primaryKey: true", f"primaryKeyPosition: {position}"]
    if column.required and not column.is_key:
        parts.append("required: true")
    if column.is_personal:
        parts.append("classification: personal")
    return f"      - {{{', '.join(parts)}}}" + (f"  # {column.note}" if column.note else "")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{escaped}"'


def _try(contract: Contract, shop: Shop, sample: Sample) -> pl.DataFrame:
    """The sampled records judged; personal values are only masked, since nothing is kept."""
    names, etags, ordinals = zip(*sample.positions, strict=True)
    known = {"object": names, "etag": etags, "ordinal": ordinals, "value": sample.records}
    frame = pl.DataFrame({n: pl.Series(v, dtype=BRONZE.columns[n]) for n, v in known.items()})
    wanted = ["topic", "partition", "offset", "object", "etag", "ordinal", "byte_offset", "landed_at", "batch", "key"]
    wanted += ["headers", "value", "value_hash"]
    frame = frame.with_columns(pl.lit(None, BRONZE.columns[n]).alias(n) for n in wanted if n not in frame.columns)
    objects = frame.select("object", "etag").unique().with_columns(header=pl.lit(sample.header, pl.Binary))
    judge = Judge(contract, shop, lambda values: values.set(values.is_not_null(), "masked"))
    return judge(frame.select(wanted), objects)
