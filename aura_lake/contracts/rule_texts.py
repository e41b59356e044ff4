"""Types of the functions on text, and of LIKE."""

from __future__ import annotations

from sqlglot import exp

from aura_lake.contracts import rule_types as types
from aura_lake.contracts.rule_casts import CASTS
from aura_lake.contracts.rule_operands import Operands, convert, misfit, negated
from aura_lake.contracts.rule_patterns import like_to_regex, matches_text, portable_regex
from aura_lake.contracts.rule_tree import Node
from aura_lake.contracts.rule_types import RuleType, TypeName


class Texts(Operands):
    """Whatever takes text apart, puts it together or looks for something in it."""

    def _text_function(self, operation: str, node: exp.Expr, result: RuleType = types.TEXT) -> Node:
        return Node(operation, result, (self._text(node.this),))

    def _part_test(self, operation: str, node: exp.Binary) -> Node:
        return Node(operation, types.BOOLEAN, (self._text(node.this), self._text(node.expression)))

    def _like(self, node: exp.Like | exp.ILike, escape: str | None) -> Node:
        pattern = self._literal_text(node.expression, "The pattern of LIKE")
        folded = pattern.lower() if isinstance(node, exp.ILike) else pattern
        settings = (like_to_regex(folded, escape), folded, escape)
        text = self._text(node.this)
        if isinstance(node, exp.ILike):
            text = Node("lower", types.TEXT, (text,))
        result = Node("like", types.BOOLEAN, (text,), settings)
        return negated(result) if node.args.get("negate") else result

    def _escape(self, node: exp.Escape) -> Node:
        escape = self._literal_text(node.expression, "ESCAPE")
        if not isinstance(node.this, (exp.Like, exp.ILike)) or len(escape) != 1:
            raise misfit(node, "ESCAPE takes one character, behind LIKE", "E.g. escape '!'.")
        return self._like(node.this, escape)

    def _concat(self, node: exp.DPipe) -> Node:
        parts: list[Node] = []
        for part in node.flatten(unnest=False):
            checked = self.check(part)
            if checked.type != types.NULL and TypeName.TEXT not in (
                checked.type.name,
                *CASTS[checked.type.name],
            ):
                raise misfit(part, f"|| cannot join {checked.type}", "Cast it to text first.")
            parts.append(convert(checked, types.TEXT))
        return Node("concat", types.TEXT, tuple(parts))

    def _trim(self, node: exp.Trim) -> Node:
        side = (node.args.get("position") or "BOTH").upper()
        given = node.expression
        characters = " " if given is None else self._literal_text(given, "trim's characters")
        if not characters:
            raise misfit(node, "trim has no characters to take away", "Leave them out.")
        return Node("trim", types.TEXT, (self._text(node.this),), (side, characters))

    def _substring(self, node: exp.Substring) -> Node:
        start = self._literal_count(node.args.get("start"), "substring's start")
        length = node.args.get("length")
        count = None if length is None else self._literal_count(length, "substring's length")
        if start < 1:
            raise misfit(node, "substring starts at 0", "The first character is number 1.")
        return Node("substring", types.TEXT, (self._text(node.this),), (start, count))

    def _replace(self, node: exp.Replace) -> Node:
        old = self._literal_text(node.expression, "what replace looks for")
        new = self._literal_text(node.args.get("replacement"), "what replace puts in")
        if not old:
            raise misfit(node, "replace looks for an empty text", "Give it a character.")
        return Node("replace", types.TEXT, (self._text(node.this),), (old, new))

    def _regexp_matches(self, node: exp.RegexpLike) -> Node:
        pattern = self._literal_text(node.expression, "The pattern")
        regex = portable_regex(pattern)
        return Node("regexp_matches", types.BOOLEAN, (self._text(node.this),), (regex,))

    def _regexp_replace(self, node: exp.RegexpReplace) -> Node:
        regex = portable_regex(self._literal_text(node.expression, "The pattern"))
        new = self._literal_text(node.args.get("replacement"), "The replacement")
        modifiers = node.args.get("modifiers")
        flags = "" if modifiers is None else self._literal_text(modifiers, "The option")
        if flags not in ("", "g") or "\\" in new or "$" in new or matches_text(regex, ""):
            raise misfit(
                node,
                "regexp_replace takes a pattern that needs at least one character, a "
                "replacement without \\ and $, and no option but 'g'",
                "Write e.g. regexp_replace(phone, '[^0-9]', '', 'g').",
            )
        settings = (regex, new, flags == "g")
        return Node("regexp_replace", types.TEXT, (self._text(node.this),), settings)

    def _split_part(self, node: exp.SplitPart) -> Node:
        separator = self._literal_text(node.args.get("delimiter"), "split_part's separator")
        number = self._literal_count(node.args.get("part_index"), "split_part's number")
        if not separator or not 1 <= number <= 100:
            raise misfit(node, "split_part has an empty separator or a part not in 1 to 100", "Mend it.")
        return Node("split_part", types.TEXT, (self._text(node.this),), (separator, number))

    def _end_part(self, operation: str, node: exp.Binary) -> Node:
        count = self._literal_count(node.expression, f"{operation}'s count")
        return Node(operation, types.TEXT, (self._text(node.this),), (count,))

    def _pad(self, node: exp.Pad) -> Node:
        length = self._literal_count(node.expression, "the length")
        filler = self._literal_text(node.args.get("fill_pattern"), "the character")
        if len(filler) != 1 or length > 1_000:
            raise misfit(node, "lpad and rpad fill up to 1,000 with one character", "E.g. lpad(zip, 5, '0').")
        operation = "lpad" if node.args.get("is_left") else "rpad"
        return Node(operation, types.TEXT, (self._text(node.this),), (length, filler))
