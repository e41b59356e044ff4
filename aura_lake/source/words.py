"""The words of a sentence: its tokens, those that only join others, and what may be a name.

A sentence becomes one line of tokens in small letters; quoted names and URLs stand in it as marks (`‹0›`, `«1»`), so
that a table called `slot` is a table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<quoted>`[^`]+`|"[^"]+"|“[^”]+”|(?<!\w)'[^']+'(?!\w))
      | (?P<url>[a-z][a-z0-9+]*://[^\s,;]*[^\s,;.:!?)])
      | (?P<word>[\w$@/*-]+(?:[.:'’][\w$@/*-]+)*)
      | (?P<mark>[,;.:!?()&])""",
    re.VERBOSE | re.IGNORECASE,
)

#: Where one clause ends. A comma joins names, and ends a clause where it joins none.
ENDS = frozenset(",;.:!?()")

_NOUNS = """
    instance server cluster database databases db source sources data row rows record records change changes
    table tables topic topics schema connection feed feeds name
"""
#: Nouns that stand beside names and mean nothing alone; joined to a name by `and` one may be a name itself.
NOUNS = frozenset(_NOUNS.split())

_JOINING = """
    a an the our my your this that these those it its it's them they us we i you please kindly just also then & plus
    to from for of and or with within in into onto on at by as so be is are was will would can could should do
    want wants need needs like i'd i'll we'd we'll let lets let's make get have has there here which who
    set up setup create configure use using open start begin establish connect connects link attach hook tap
    stream streams streaming capture captures capturing replicate replicating copy mirror sync synchronise synchronize
    ingest ingesting land landing send write put load pull read bring deliver move keep follow track watch
    collect take taking transfer fetch named called raw
    continuously continuous realtime real-time real time live immediately now
"""

#: Words that join others and mean nothing alone.
JOINING = NOUNS | frozenset(_JOINING.split())

_GRAMMAR = """
    all every each any only no not never without except excluding exclude apart other than but skip skipping
    ignore ignoring leave out leaving including include drop delete remove don't
    deletes deletions updates update inserts insert insertions truncates truncate truncations
    mutation mutations modification modifications event events operation operations writes existing history
    slot slots publication publications connector connectors replication logical decoding snapshot prefix prefixed
    partitions partition bronze silver gold bucket s3 lake lakehouse layer zone storage folder
    production prod staging stage preprod development dev test testing qa sandbox environment
    postgres postgresql pg aurora rds cloudsql alloydb azure supabase neon heroku kafka debezium cdc pgoutput wal
    host port user username role password initial everything mask hash encrypt filter filtered where if when until
    rename alter unless because since while although though after before during maybe perhaps ideally preferably
    asap soon daily hourly weekly once twice again today tomorrow monday tuesday wednesday thursday friday saturday
    sunday minute minutes hour hours day days
"""

#: Words of the grammar: no table, slot or database is called so, unless it stands in quotes.
RESERVED = JOINING | frozenset(_GRAMMAR.split())

_words = "|".join(sorted(map(re.escape, RESERVED), key=len, reverse=True))

#: A name in quotes, or a word that the grammar does not need.
NAME = rf"(?:‹\d+›|(?<![\w.$-])(?!(?:{_words})(?![\w.$-]))[^\W\d][\w$-]*(?:\.[\w$-]+)?(?![\w.$-]))"

#: Names joined by commas and `and`.
NAMES = rf"{NAME}(?:(?: , and| ,| and| &| plus) (?:the )?{NAME})*"


@dataclass(frozen=True)
class Token:
    """A word, a mark, a URL or a quoted name."""

    text: str  #: as the line has it
    written: str  #: as the person wrote it
    value: str  #: without quotes


@dataclass(frozen=True)
class Line:
    """A sentence as tokens. `text` joins them with blanks; `starts` has where each begins in it."""

    tokens: tuple[Token, ...]
    text: str
    starts: tuple[int, ...]

    def between(self, start: int, end: int) -> list[int]:
        """The numbers of the tokens that lie in a stretch of the text."""
        return [at for at, begin in enumerate(self.starts) if start <= begin < end]

    def value_of(self, text: str) -> str:
        """What the person called a name of the line: with its capitals, without its quotes."""
        if text[:1] in "‹«":
            return self.tokens[int(text[1:-1])].value
        return next((token.value for token in self.tokens if token.text == text), text)


def read_line(sentence: str) -> Line:
    """The tokens of a sentence."""
    tokens: list[Token] = []
    for match in _TOKEN.finditer(sentence):
        written = match.group()
        if match.lastgroup == "quoted":
            tokens.append(Token(f"‹{len(tokens)}›", written, written[1:-1]))
        elif match.lastgroup == "url":
            tokens.append(Token(f"«{len(tokens)}»", written, written))
        else:
            tokens.append(Token(written.lower().replace("’", "'"), written, written))
    starts, at = [], 0
    for token in tokens:
        starts.append(at)
        at += len(token.text) + 1
    return Line(tuple(tokens), " ".join(token.text for token in tokens), tuple(starts))
