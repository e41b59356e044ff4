"""A wish while it is read from a sentence: what is understood, what is refused, and what nobody understood."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from aura_lake.source.words import ENDS, JOINING, NAME, NOUNS, Line


@dataclass(frozen=True)
class Understood:
    """Words of the sentence and what was made of them."""

    words: str
    what: str
    value: str


@dataclass(frozen=True)
class Refused:
    """Words that are understood, and why nothing is done about them."""

    words: str
    why: str


@dataclass
class Wish:
    """What is asked for. Names are as written; None and empty where nothing is said."""

    tables: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)
    all_tables: bool = False
    environment: str | None = None
    flavour: str | None = None
    url: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    database: str | None = None
    user: str | None = None
    slot: str | None = None
    publication: str | None = None
    connector: str | None = None
    prefix: str | None = None
    partitions: int | None = None
    snapshot: bool = True
    bucket: str | None = None  #: `s3://…` where bronze is wished to be
    wants_s3: bool = False
    understood: list[Understood] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    not_understood: list[str] = field(default_factory=list)

    @property
    def is_clear(self) -> bool:
        """Whether all of it was understood and nothing is refused."""
        return not self.refused and not self.not_understood


class Reading:
    """A sentence while rules take words from it. What is taken is blanked out of `text`, so that no rule reads
    across it."""

    def __init__(self, line: Line) -> None:
        self.line, self.text, self.wish = line, line.text, Wish()
        self._taken: set[int] = set()

    def apply(self, pattern: re.Pattern[str], rule: Callable[[Reading, re.Match[str]], None]) -> None:
        """Every place where the pattern stands; a rule that notes nothing takes nothing."""
        at = 0
        while (match := pattern.search(self.text, at)) is not None:
            before = len(self.wish.understood) + len(self.wish.refused)
            rule(self, match)
            if len(self.wish.understood) + len(self.wish.refused) > before:
                self._taken.update(self.line.between(*match.span()))
                blank = "¦" * (match.end() - match.start())
                self.text = self.text[: match.start()] + blank + self.text[match.end() :]
            at = max(match.end(), match.start() + 1)

    def names(self, match: re.Match[str], group: str = "name") -> list[str]:
        """The names in the groups of a match that are called so."""
        texts = (text for name, text in match.groupdict().items() if text and name.startswith(group))
        return [self.line.value_of(name) for text in texts for name in re.findall(NAME, text)]

    def note(self, match: re.Match[str], what: str, value: str) -> None:
        """The words of the match mean this."""
        self.wish.understood.append(Understood(self._said(match), what, value))

    def refuse(self, match: re.Match[str], why: str) -> None:
        """The words of the match are understood and not done."""
        self.wish.refused.append(Refused(self._said(match), why))

    def put(self, match: re.Match[str], attribute: str, value: str | int, what: str = "") -> None:
        """Set a part of the wish; a second value for it is refused."""
        standing = getattr(self.wish, attribute)
        if standing is not None and standing != value:
            self.refuse(match, f"the {what or attribute} is {standing} already: one connection at a time.")
            return
        setattr(self.wish, attribute, value)
        self.note(match, what or attribute, str(value))

    def rest(self) -> list[str]:
        """What no rule took, clause by clause, without the words at its ends that only join."""
        rest: list[str] = []
        run: list[int] = []
        for at in [*range(len(self.line.tokens)), None]:
            if at is not None and at not in self._taken and self.line.tokens[at].text not in ENDS:
                run.append(at)
                continue
            meaning = [i for i in run if self.line.tokens[i].text not in JOINING or self._may_be_a_name(i)]
            if meaning:
                rest.append(self._joined(range(meaning[0], meaning[-1] + 1)))
            run = []
        return rest

    def _may_be_a_name(self, at: int) -> bool:
        """Whether a noun is joined to something that was taken: in `orders and records` it may be a table."""
        texts = [token.text for token in self.line.tokens]
        if texts[at] not in NOUNS or at < 2 or at - 2 not in self._taken:
            return False
        ends_list = at + 1 == len(texts) or texts[at + 1] in ENDS or texts[at + 1] == "and"
        return texts[at - 1] in ("and", "&") or (texts[at - 1] == "," and ends_list)

    def _said(self, match: re.Match[str]) -> str:
        return self._joined(self.line.between(*match.span()))

    def _joined(self, tokens: Iterable[int]) -> str:
        words = ((self.line.tokens[at].text, self.line.tokens[at].written) for at in tokens)
        said = " ".join("<url>" if text.startswith("«") else written for text, written in words)
        return re.sub(r" ([,;.:!?)])", r"\1", said)
