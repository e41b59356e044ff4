"""Types of the functions on dates and timestamps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlglot import exp

from aura_lake.contracts import rule_types as types
from aura_lake.contracts.rule_operands import Operands, constant, convert, misfit
from aura_lake.contracts.rule_tree import Node

_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
TRUNCATE_UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute")
PART_UNITS = ("year", "quarter", "month", "week", "day", "isodow", "hour", "minute")


class Times(Operands):
    """Intervals, starts and parts of times, and numbers that count from 1970."""

    def _interval(self, node: exp.Interval) -> Node:
        unit = node.args["unit"].name.lower().removesuffix("s") if node.args.get("unit") else ""
        count = node.this.name if isinstance(node.this, exp.Literal) else ""
        if unit not in _SECONDS or not count.isdigit() or len(count) > 6:
            raise misfit(
                node,
                "an interval is a whole number of seconds, minutes, hours, days or weeks",
                "Write e.g. interval '30 days'.",
            )
        return constant(types.INTERVAL, timedelta(seconds=int(count) * _SECONDS[unit]))

    def _unit(self, node: exp.Expr, name: str, units: Sequence[str]) -> str:
        unit = name.lower()
        if unit not in units:
            raise misfit(node, f"the unit {name.lower()!r}", f"The units are {', '.join(units)}.")
        return unit

    def _date_trunc(self, node: exp.TimestampTrunc | exp.DateTrunc) -> Node:
        unit = self._unit(node, node.args["unit"].name, TRUNCATE_UNITS)
        value = self._time(node.this)
        if value.type == types.DATE and unit in ("hour", "minute"):
            return value
        return Node("date_trunc", value.type, (value,), (unit,))

    def _date_part(self, node: exp.Expr, name: str, of: exp.Expr) -> Node:
        unit = self._unit(node, name, PART_UNITS)
        value = convert(self._time(of), types.TIMESTAMP)
        return Node("date_part", types.INTEGER, (value,), (unit,))

    def _from_epoch(self, node: exp.UnixToTime) -> Node:
        scale = node.args.get("scale")
        digits = int(scale.name) if scale is not None else 0
        value = self.check(node.this)
        if value.type != types.INTEGER or digits not in (0, 3, 6):
            raise misfit(
                node,
                f"a whole number is needed and this is of type {value.type}",
                "Cast it, e.g. epoch_ms(cast(ts as bigint)).",
            )
        return Node("from_epoch", types.TIMESTAMP, (value,), (10 ** (6 - digits),))

    def _anonymous(self, node: exp.Anonymous) -> Node:
        if node.name.lower() == "now":
            return Node("landed_at", types.TIMESTAMP)
        unit, value = node.expressions
        return self._date_part(node, self._literal_text(unit, "date_part's unit"), value)
