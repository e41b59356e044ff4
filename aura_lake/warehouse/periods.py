"""The months by which facts are rebuilt and published."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aura_lake.errors import WarehouseError
from aura_lake.warehouse.warehouse import PERIOD_COLUMN, UNDATED

_MONTH = re.compile(r"(\d{4})-(\d{2})")


def periods_condition(columns: Sequence[str], periods: Sequence[str | None] | None) -> str:
    """A condition that holds for the rows of the given periods; None, alone or among them: all rows.

    A table without the period's column has but one period, all of it.
    """
    if periods is None or None in periods or (periods and PERIOD_COLUMN not in columns):
        return "true"
    return " or ".join(_within(period) for period in periods) or "false"


def _within(period: str | None) -> str:
    """As a range, so that blocks of other months are skipped without reading them."""
    if period == UNDATED:
        return f"{PERIOD_COLUMN} is null"
    month = _MONTH.fullmatch(period or "")
    if month is None:
        raise WarehouseError(f"{period!r} is not a period.", fix="Periods are 'YYYY-MM', or 'unknown' without a date.")
    year, number = int(month[1]), int(month[2])
    end = f"{year + number // 12:04d}-{number % 12 + 1:02d}-01"
    return f"({PERIOD_COLUMN} >= date '{period}-01' and {PERIOD_COLUMN} < date '{end}')"
