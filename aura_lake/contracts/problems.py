"""Collect what is wrong with a shop's files, so that one run names all of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from aura_lake.errors import ContractError


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong: where, what, and what to do."""

    file: Path
    line: int
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what} {self.fix}".strip()


@dataclass
class Problems:
    """Grows while files are read; `raise_if_any` ends the reading."""

    found: list[Problem] = field(default_factory=list)

    def add(self, file: Path, line: int, what: str, fix: str) -> None:
        """Note one problem."""
        problem = Problem(file, line, what, fix)
        if problem not in self.found:
            self.found.append(problem)

    def raise_if_any(self, subject: str) -> None:
        """Raise `ContractProblemsError` about `subject` if there is any problem, sorted by file and line."""
        if self.found:
            raise ContractProblemsError(subject, tuple(sorted(self.found)))


class ContractProblemsError(ContractError):
    """Everything that is wrong with the files of a shop; `problems` has each with its place."""

    def __init__(self, subject: str, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{count} in {subject}:\n{lines}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'severity'?`, or all that is known where nothing is near."""
    options = sorted(known)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    folded = [option for option in options if option.lower() == word.lower()]
    if folded or close:
        return f"Did you mean {(folded or close)[0]!r}?"
    return f"Known are: {', '.join(options)}."
