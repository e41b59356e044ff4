"""Turn one schema object of a contract into a `Contract`, and check what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aura_lake.contracts.columns import absent_columns, read_columns
from aura_lake.contracts.contract import LSN_FENCE, Column, Contract, Kind
from aura_lake.contracts.custom_properties import DECIMALS, ENFORCEMENT, TABLE, CustomProperties
from aura_lake.contracts.element import Element
from aura_lake.contracts.model import ModelTable
from aura_lake.contracts.names import check_table_name
from aura_lake.contracts.problems import did_you_mean
from aura_lake.contracts.quality import read_freshness, read_rules

_KINDS = tuple(kind.value for kind in Kind)
_ONLY: Mapping[str, tuple[Kind, ...]] = {
    "ordering": (Kind.ROWS,),
    "period": (Kind.CDC, Kind.ROWS),
    "eventId": (Kind.EVENTS,),
    "eventTime": (Kind.EVENTS,),
    "decimals": (Kind.CDC,),
    "placeholder": (Kind.CDC,),
    "lsnFence": (Kind.CDC,),
}


def read_table(
    contract: Element,
    table: Element,
    feed: str,
    model: Mapping[str, ModelTable],
    *,
    currency: str | None,
    owners: Mapping[str, str],
    verify: bool = True,
) -> Contract | None:
    """The contract of one table; None, and problems noted, where it has no usable name."""
    name = table.text("name")
    if name is None or not check_table_name(table, name):
        return None
    modelled = model.get(name)
    if modelled is not None and modelled.computed:
        table.problem(
            f"{name!r} is computed by Aura Lake and takes no records.",
            "Remove the contract.",
            key="name",
        )
        return None
    model_columns = {c.name: c for c in modelled.columns} if modelled else None
    columns = read_columns(table, model_columns)
    custom = CustomProperties(table, TABLE)
    kind = _kind(table, custom, columns, modelled)
    placed, table_rules = read_rules(table, columns)
    table_rules += read_freshness(contract, name, columns)
    absent = absent_columns(columns, model_columns, currency) if model_columns else ()
    result = Contract(
        table=name,
        kind=kind,
        feed=feed,
        columns=(*columns, *absent),
        row_rules=tuple(rule.rule for rule in placed),
        table_rules=tuple(table_rules),
        filter=custom.text("filter"),
        array=custom.text("array"),
        ordering=_named_column(custom, "ordering", columns),
        period=_time_column(custom, "period", columns),
        event_id=_named_columns(custom, "eventId", columns),
        event_time=_time_column(custom, "eventTime", columns) or _event_time(kind, modelled, columns),
        decimals=custom.choice("decimals", DECIMALS) or "precise",
        placeholder=custom.text("placeholder") or "__debezium_unavailable_value",
        lsn_fence=_lsn_fence(custom),
        is_enforced=custom.choice("enforcement", ENFORCEMENT) == "block",
        error_budget=_error_budget(custom),
        version=contract.text("version") or "1.0.0",
        owner=_owner(contract, name, owners),
        description=_description(contract, table, modelled),
        path=contract.document.file,
    )
    if verify:
        # Imported here: without verification nothing needs the SQL parser.
        from aura_lake.contracts.expressions import check_expressions

        check_expressions(table, custom, result, columns, placed)
    return result


def _kind(table: Element, custom: CustomProperties, columns: Sequence[Column], modelled: ModelTable | None) -> Kind:
    has_key = any(column.key_position is not None for column in columns)
    given = custom.choice("kind", _KINDS)
    kind = Kind(given) if given else Kind.ROWS if has_key else Kind.EVENTS
    if kind is Kind.EVENTS and has_key:
        table.problem(
            "events have no key: each record happened once.",
            "Remove primaryKey and name what identifies an event in eventId; or write kind: rows or cdc.",
        )
    if kind is not Kind.EVENTS and not has_key:
        reason = (
            "the commerce model has no key for it; write kind: events"
            if modelled is not None and not modelled.key
            else "mark the key's columns with primaryKey: true, or write kind: events"
        )
        table.problem(f"a table of kind {kind.value} needs a key.", f"In this table {reason}.")
    for name, kinds in _ONLY.items():
        if name in custom and kind not in kinds:
            listed = " or ".join(option.value for option in kinds)
            custom.problem(
                name,
                f"{name!r} is for tables of kind {listed}, and this one is {kind.value}.",
                "Remove it, or change the kind.",
            )
    return kind


def _named_column(custom: CustomProperties, name: str, columns: Sequence[Column]) -> str | None:
    wanted = custom.text(name)
    column = None if wanted is None else _known(custom, name, wanted, columns)
    return None if column is None else column.silver_name


def _known(custom: CustomProperties, name: str, wanted: str, columns: Sequence[Column]) -> Column | None:
    for column in columns:
        if wanted == column.name:
            return column
    custom.problem(
        name,
        f"{name!r} names the column {wanted!r}, which the table does not have.",
        did_you_mean(wanted, [column.name for column in columns]),
    )
    return None


def _named_columns(custom: CustomProperties, name: str, columns: Sequence[Column]) -> tuple[str, ...]:
    found = (_known(custom, name, wanted, columns) for wanted in custom.texts(name))
    return tuple(column.silver_name for column in found if column is not None)


def _time_column(custom: CustomProperties, name: str, columns: Sequence[Column]) -> str | None:
    wanted = custom.text(name)
    column = _known(custom, name, wanted, columns) if wanted is not None else None
    if column is None:
        return None
    if not column.dtype.is_temporal():
        custom.problem(
            name,
            f"{name!r} names {column.name!r}, which is {column.logical_type}.",
            "Name a timestamp or date column.",
        )
    return column.silver_name


def _event_time(kind: Kind, modelled: ModelTable | None, columns: Sequence[Column]) -> str | None:
    """The model's time of an event, where the contract has that column and names no other."""
    time = modelled.event_time if modelled and kind is Kind.EVENTS else None
    return time if time in {column.name for column in columns} else None


def _error_budget(custom: CustomProperties) -> float | None:
    budget = custom.number("errorBudget")
    if budget is not None and not 0 < budget < 1:
        custom.problem("errorBudget", f"the error budget is {budget}.", "0.01 lets one record in 100 wait.")
    return budget


def _lsn_fence(custom: CustomProperties) -> int:
    given = custom.number("lsnFence")
    if given is not None and given < 1:
        custom.problem("lsnFence", f"the fence is {given}.", "Bytes of log, e.g. 1073741824.")
    return LSN_FENCE if given is None else int(given)


def _owner(contract: Element, table: str, owners: Mapping[str, str]) -> str | None:
    team = contract.value.get("team")
    if isinstance(team, dict) and isinstance(team.get("name"), str):
        return f"team:{team['name']}"
    return owners.get(table) or owners.get("default")


def _description(contract: Element, table: Element, modelled: ModelTable | None) -> str:
    own = table.text("description")
    overall = contract.value.get("description")
    purpose = overall.get("purpose") if isinstance(overall, dict) else None
    return own or purpose or (modelled.description if modelled else "")
