"""Which row rules of a contract hold back publication while a row that broke one of them waits."""

from __future__ import annotations

from aura_lake.contracts.cast import SCALE_IS_KNOWN, sent_rule, type_rule
from aura_lake.contracts.contract import Contract, Severity


def blocking_rules(contract: Contract) -> tuple[str, ...]:
    """The names of these rules: those of severity block and, where the contract is enforced, those on the type of
    each column and on the fields that a record has to carry."""
    shape: list[str] = []
    for column in contract.columns if contract.is_enforced else ():
        shape += [type_rule(column), f"{column.name}_{SCALE_IS_KNOWN}"]
        shape += [sent_rule(column)] if column.required and not column.transform else []
    return (*(rule.name for rule in contract.row_rules if rule.severity is Severity.BLOCK), *shape)
