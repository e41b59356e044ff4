"""The months by which facts are rebuilt and published."""

from __future__ import annotations

import re

from aura_lake.errors import WarehouseError
from aura_lake.warehouse.warehouse import UNDATED

_MONTH = re.compile(r"(\d{4})-(\d{2})")


def month_bounds(column: str, period: str | None) -> str:
    """A condition that holds for the rows of one period, on a date column.

    As a range, so that blocks of other months are skipped without reading them.
    """
    if period == UNDATED:
        return f"{column} is null"
    month = _MONTH.fullmatch(period or "")
    if month is None:
        raise WarehouseError(
            f"{period!r} is not a period.", fix="Periods are 'YYYY-MM', or 'unknown' without a date."
        )
    year, number = int(month[1]), int(month[2])
    end = f"{year + number // 12:04d}-{number % 12 + 1:02d}-01"
    return f"({column} >= date '{period}-01' and {column} < date '{end}')"
